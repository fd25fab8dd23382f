"""A rule, and a finding."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable
from collections.abc import Iterator

from .examined import Examined

Severity: t.TypeAlias = t.Literal["error", "warning"]
"""``error`` if something does not work for the reader, ``warning`` if it may not."""
Where: t.TypeAlias = t.Literal["header", "html", "text"]
"""The part of a message."""


class Found(t.NamedTuple):
    """The place of a problem, and a sentence about it."""

    where: Where
    text: str


@dataclasses.dataclass(frozen=True)
class Rule:
    """A check for one kind of problem.

    :param why: The reason for the rule, a sentence or two.
    :param link: A URL that says more about it.
    :param check: Yields each place that breaks the rule.
    """

    name: str
    severity: Severity
    why: str
    link: str
    check: Callable[[Examined], Iterator[Found]]


@dataclasses.dataclass(frozen=True)
class Finding:
    """A problem that a rule found in a message.

    .. code-block:: python

        for finding in lint(bytes(outbox[0].content)):
            print(finding)  # error in the html: The link 'Pay' leads nowhere. [link]
    """

    rule: str
    """The name of the rule, such as ``alt``."""
    severity: Severity
    """``error`` if something does not work for the reader, ``warning`` if it may not."""
    text: str
    """The problem, in a sentence. It quotes the message, so escape it in HTML."""
    why: str
    """The reason for the rule."""
    link: str
    """A URL that says more about the rule."""
    where: Where
    """``header``, ``html`` or ``text``."""

    def __str__(self) -> str:
        return f"{self.severity} in the {self.where}: {self.text} [{self.rule}]"
