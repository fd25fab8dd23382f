"""What a check has found: the cause, the cure, and the record to publish."""

from __future__ import annotations

import dataclasses
import enum

from .answer import Answer


class Level(enum.Enum):
    """How bad it is. The value is printed."""

    OK = "ok"
    WARNING = "warning"
    """Mail arrives today, and something should be changed."""
    FAILED = "failed"
    UNKNOWN = "no answer"
    """The DNS did not say."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """A result of one check."""

    about: str
    """The first column: ``DKIM s2026``."""
    level: Level
    text: str
    publish: str = ""
    """The record to publish, in the form of a zone file."""


def ok(about: str, text: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(about, Level.OK, text)


def warning(about: str, text: str, publish: str = "") -> Finding:
    """Return a finding that should be looked at."""
    return Finding(about, Level.WARNING, text, publish)


def failed(about: str, text: str, publish: str = "") -> Finding:
    """Return a finding that has to be mended."""
    return Finding(about, Level.FAILED, text, publish)


def unknown(about: str, answer: Answer) -> Finding:
    """Return a finding for a question that the DNS did not answer."""
    return Finding(about, Level.UNKNOWN, answer.trouble)
