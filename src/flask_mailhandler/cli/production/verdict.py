"""The result for an item of the checklist."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable
from collections.abc import Sequence


class Status(enum.Enum):
    """Whether an item is done. The value is printed."""

    OK = "ok"
    TO_DO = "to do"
    UNKNOWN = "cannot tell"
    """Only a person can see it, or it was not asked for."""
    NOT_USED = "not used"
    """The app may do without it."""


_ORDER = (Status.TO_DO, Status.UNKNOWN, Status.NOT_USED, Status.OK)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether an item is done, why, and what to write."""

    status: Status
    text: str


def ok(text: str) -> Verdict:
    """Return the verdict on an item that is done."""
    return Verdict(Status.OK, text)


def to_do(text: str) -> Verdict:
    """Return the verdict on an item that is not done. The text says what to write."""
    return Verdict(Status.TO_DO, text)


def unknown(text: str) -> Verdict:
    """Return the verdict on an item that this command cannot see. The text says how to."""
    return Verdict(Status.UNKNOWN, text)


def not_used(text: str) -> Verdict:
    """Return the verdict on a part that the app does not use. The text says how to."""
    return Verdict(Status.NOT_USED, text)


def worst(verdicts: Iterable[tuple[str, Verdict]]) -> Verdict:
    """Return one verdict on several accounts: the worst, with the texts of the accounts that have
    it."""
    found: Sequence[tuple[str, Verdict]] = [*verdicts]
    status = next(one for one in _ORDER if any(verdict.status is one for _, verdict in found))
    texts: dict[str, list[str]] = {}
    for name, verdict in found:
        if verdict.status is status:
            texts.setdefault(verdict.text, []).append(repr(name))
    if len(found) == 1:
        return Verdict(status, found[0][1].text)
    return Verdict(status, " ".join(f"{', '.join(who)}: {text}" for text, who in texts.items()))
