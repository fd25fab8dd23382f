"""A policy for the standard library, by which it writes a message as it was read."""

from __future__ import annotations

import re
from email.policy import EmailPolicy

_LINE_END = re.compile(r"\r\n|\r|\n")


class AsSent(EmailPolicy):
    """Fields that were parsed are written as they were. By its default policy the standard library
    folds and encodes long ones anew, and ends lines with LF. Fields that a program adds are
    folded as usual."""

    def fold(self, name: str, value: str) -> str:
        """Write a field as text."""
        if hasattr(value, "fold"):
            return str(super().fold(name, value))
        lines = _LINE_END.split(value)
        # Where the first line has no room for a word, nothing stands behind the colon.
        space = " " if lines[0] else ""
        return f"{name}:{space}{self.linesep.join(lines)}{self.linesep}"

    def fold_binary(self, name: str, value: str) -> bytes:
        """Write a field as octets."""
        return self.fold(name, value).encode("utf-8", "surrogateescape")


AS_SENT = AsSent(linesep="\r\n")
AS_SENT_UTF8 = AsSent(linesep="\r\n", utf8=True)
