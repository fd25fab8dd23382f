"""A policy for the standard library, by which it writes a message as it was read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.policy import EmailPolicy

_LINE_END = re.compile(r"\r\n|\r|\n")


class Written(str):
    """The value of a field that was parsed, with what stood behind the colon."""

    __slots__ = ("behind",)
    behind: str


class AsSent(EmailPolicy):
    """Fields that were parsed are written as they were. By its default policy the standard library
    folds and encodes long ones anew, and ends lines with LF. Fields that a program adds are
    folded as usual."""

    def header_source_parse(self, sourcelines: Sequence[str]) -> tuple[str, str]:
        """Read a field."""
        name, value = super().header_source_parse([*sourcelines])
        written = Written(value)
        written.behind = "".join(sourcelines).partition(":")[2]
        return name, written

    def fold(self, name: str, value: str) -> str:
        """Write a field as text."""
        if hasattr(value, "fold"):
            return str(super().fold(name, value))
        behind = value.behind if isinstance(value, Written) else f" {value}"
        lines = _LINE_END.split(behind.rstrip("\r\n"))
        return f"{name}:{self.linesep.join(lines)}{self.linesep}"

    def fold_binary(self, name: str, value: str) -> bytes:
        """Write a field as octets."""
        return self.fold(name, value).encode("utf-8", "surrogateescape")


AS_SENT = AsSent(linesep="\r\n")
AS_SENT_UTF8 = AsSent(linesep="\r\n", utf8=True)
