"""What a health check has found."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Sequence

FINDINGS = (
    *("store-unreachable", "wrong-tables", "no-worker", "dead-worker", "mail-late"),
    *(
        "account-paused",
        "account-down",
        "account-unknown",
        "mail-held",
        "mail-failed",
        "clocks-apart",
    ),
)
"""The names of all findings."""


@dataclasses.dataclass(frozen=True, slots=True)
class QueueFinding:
    """Something that keeps mail from being sent, or that a person must look at."""

    name: str
    """What it is, for a program: ``"no-worker"``, for example. Names do not change."""
    severity: t.Literal["error", "warning"]
    """``"error"`` if mail is not sent, else ``"warning"``."""
    text: str
    """What was found, and what to do."""
    account: str | None = None
    """The account, if it is about one."""

    def as_json(self) -> dict[str, t.Any]:
        """Return it as values that ``json.dumps`` takes."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class QueueHealth:
    """What a health check of the queue has found.

    .. code-block:: python

        health = mail.queue.health()
        assert health.ok, health
    """

    findings: Sequence[QueueFinding]
    """What is wrong, errors first. Empty if the queue is healthy."""
    store: str
    """Where the queue is, without a password."""
    engine: str
    """The engine of the app: MAIL_QUEUE_ENGINE."""
    age: float | None = None
    """How many seconds overdue the oldest due message is; 0 if none is due. None if the store could
    not be read, or was never used."""
    claimed: int | None = None
    """How many messages workers have claimed. None as for :attr:`age`."""
    clock: float | None = None
    """By how many seconds the clock of the database's server is ahead of that of this machine. None
    as for :attr:`age`."""

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return self.status != "unhealthy"

    @property
    def status(self) -> str:
        """``"healthy"`` without findings, ``"degraded"`` if all are warnings, else
        ``"unhealthy"``."""
        if any(finding.severity == "error" for finding in self.findings):
            return "unhealthy"
        return "degraded" if self.findings else "healthy"

    def as_json(self) -> dict[str, t.Any]:
        """Return it as values that ``json.dumps`` takes."""
        return {
            "status": self.status,
            "ok": self.ok,
            "findings": [finding.as_json() for finding in self.findings],
            "store": self.store,
            "engine": self.engine,
            "age": self.age,
            "claimed": self.claimed,
            "clock": self.clock,
        }

    def __str__(self) -> str:
        names = ", ".join(finding.name for finding in self.findings)
        return f"{self.status}: {names}" if names else self.status
