"""Folding: a header field as lines (RFC 5322 section 2.2.3)."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from ..errors import MessageError
from ..text.lines import MUST

# https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1: octets of a line without its CRLF
SHOULD = 78


def fold(name: str, words: Iterable[str], *, leading: bool = False) -> str:
    """Write a field of *words*, with one space or one fold between each two.

    A line stays within 78 characters if no word is longer than that. No line is ever of white
    space only, because a fold comes before a word.

    :param leading: Whether a fold may come before the first word. In text some parsers, Python
        before 3.13 among them, take it for a leading space; in addresses it means nothing.
    :raises MessageError: if a word is longer than a line can be.
    """
    written = [name, ":"]
    length = len(name) + 1
    first = not leading
    for word in words:
        size = len(word)
        if first or length + 1 + size <= SHOULD:
            written.append(" ")
            length += 1 + size
            first = False
        else:
            written.append("\r\n ")
            length = 1 + size
        if length > MUST:
            _refuse(name)
        written.append(word)
    return "".join(written)


def _refuse(name: str) -> t.NoReturn:
    raise MessageError(
        f"The field {name} has a word that is longer than the line of {MUST} octets."
    )
