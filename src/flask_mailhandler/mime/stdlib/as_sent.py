"""A policy of the standard library that writes a message as it was parsed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.policy import EmailPolicy

_LINE_END = re.compile(r"\r\n|\r|\n")


class Written(str):
    """The value of a parsed field, with the original text after the colon."""

    __slots__ = ("original",)
    original: str


class AsSent(EmailPolicy):
    """Writes parsed fields as they were, and folds fields that a program adds as usual. The default
    policy would fold and encode long parsed fields again, and end lines with LF."""

    def header_source_parse(self, sourcelines: Sequence[str]) -> tuple[str, str]:
        """Parse a field."""
        name, value = super().header_source_parse([*sourcelines])
        written = Written(value)
        written.original = "".join(sourcelines).partition(":")[2]
        return name, written

    def fold(self, name: str, value: str) -> str:
        """Write a field as text."""
        if hasattr(value, "fold"):
            return str(super().fold(name, value))
        original = value.original if isinstance(value, Written) else f" {value}"
        lines = _LINE_END.split(original.rstrip("\r\n"))
        return f"{name}:{self.linesep.join(lines)}{self.linesep}"

    def fold_binary(self, name: str, value: str) -> bytes:
        """Write a field as octets."""
        return self.fold(name, value).encode("utf-8", "surrogateescape")


AS_SENT = AsSent(linesep="\r\n")
AS_SENT_UTF8 = AsSent(linesep="\r\n", utf8=True)
