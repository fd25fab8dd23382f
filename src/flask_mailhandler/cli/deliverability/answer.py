"""An answer of the DNS. "There is no such record" and "the server did not say" are different."""

from __future__ import annotations

import dataclasses
import enum
import typing as t
from collections.abc import Callable


class State(enum.Enum):
    """What became of a question."""

    FOUND = "found"
    NO_DATA = "no data"
    """The name exists and has no record of this type."""
    NO_NAME = "no name"
    """The name does not exist (NXDOMAIN)."""
    UNUSABLE = "unusable"
    """It is not a name that can be asked for, or its CNAME records go round in a circle."""
    SILENT = "silent"
    """No server answered in time."""
    FAILED = "failed"
    """The servers could not answer (SERVFAIL), or cannot be reached."""
    REFUSED = "refused"
    """The servers do not answer questions about this name (REFUSED)."""


_KNOWN = frozenset({State.FOUND, State.NO_DATA, State.NO_NAME, State.UNUSABLE})


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer to one question."""

    name: str
    kind: str
    """The type of record: ``TXT``."""
    state: State
    values: tuple[str, ...] = ()
    """One text for each record. The strings of a TXT record are joined, as verifiers do."""
    detail: str = ""
    """What went wrong, or the name that a CNAME leads to."""

    @property
    def known(self) -> bool:
        """Whether the DNS has said what there is."""
        return self.state in _KNOWN

    @property
    def is_void(self) -> bool:
        """Whether there is no such record."""
        return self.known and not self.values

    @property
    def missing(self) -> str:
        """Why there is no record, as a sentence without its period."""
        if self.state is State.UNUSABLE:
            return f"{self.name} cannot be looked up: {self.detail}"
        subject = f"{self.detail}, which {self.name} is a CNAME for," if self.detail else self.name
        missing = "does not exist" if self.state is State.NO_NAME else f"has no {self.kind} record"
        return f"{subject} {missing}"

    @property
    def trouble(self) -> str:
        """Why it is not known what there is, and what to do, as sentences."""
        asked = f"{self.kind} of {self.name}"
        match self.state:
            case State.SILENT:
                return f"{asked}: no answer, because {self.detail}. Try again."
            case State.REFUSED:
                return f"{asked}: {self.detail}. Ask another --nameserver."
        return f"{asked}: {self.detail}. Try again later, or ask another --nameserver."


Ask: t.TypeAlias = Callable[[str, str], Answer]
"""Answers a question: a name and a type of record."""


def addresses(name: str, ask: Ask) -> tuple[Answer, ...]:
    """Return the answers about both kinds of addresses of a name."""
    return ask(name, "A"), ask(name, "AAAA")
