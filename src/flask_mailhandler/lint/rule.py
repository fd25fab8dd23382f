"""A rule, and what it finds."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable
from collections.abc import Iterator

from .examined import Examined

Severity: t.TypeAlias = t.Literal["error", "warning"]
"""``error`` where something does not work for the reader, ``warning`` where it may not."""
Where: t.TypeAlias = t.Literal["header", "html", "text"]
"""The part of a mail."""


class Found(t.NamedTuple):
    """What a rule says of one place."""

    where: Where
    text: str


@dataclasses.dataclass(frozen=True)
class Rule:
    """What every mail should be like.

    :param why: Its reason, a sentence or two.
    :param link: Where more is said about it.
    :param check: Gives each place that is not like it.
    """

    name: str
    severity: Severity
    why: str
    link: str
    check: Callable[[Examined], Iterator[Found]]


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that a rule has found in a mail."""

    rule: str
    """The rule's name, such as ``alt``."""
    severity: Severity
    """``error`` where something does not work for the reader, ``warning`` where it may not."""
    text: str
    """What was found. It has words of the mail in it, so it is escaped where it is shown."""
    why: str
    """The reason of the rule."""
    link: str
    """Where more is said about it."""
    where: Where
    """``header``, ``html`` or ``text``."""

    def __str__(self) -> str:
        return f"{self.severity} in the {self.where}: {self.text} [{self.rule}]"
