"""Folding: a header field as lines (RFC 5322 section 2.2.3)."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from ..errors import MessageError

# https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1: octets of a line without its CRLF
SHOULD = 78
MUST = 998


def fold(name: str, words: Iterable[str]) -> str:
    """Write a field of *words*, with one space or one fold between each two.

    A line stays within 78 characters if no word is longer than that. No line is ever of white
    space only, because a fold comes before a word.

    :raises MessageError: if a word is longer than a line can be.
    """
    written = [name, ":"]
    length = len(name) + 1
    for word in words:
        size = len(word)
        if length + 1 + size <= SHOULD:
            written.append(" ")
            length += 1 + size
        else:
            written.append("\r\n ")
            length = 1 + size
            # A character is up to four octets; raw UTF-8 stands in addresses only.
            if length > MUST:
                _refuse(name)
        written.append(word)
    return "".join(written)


def _refuse(name: str) -> t.NoReturn:
    raise MessageError(
        f"The field {name} has a word that is longer than the line of {MUST} octets."
    )
