"""A header field as lines: folding (RFC 5322 section 2.2.3)."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from ..errors import MessageError
from ..text.lines import MUST

# https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1: the octets of a line without
# its CRLF
SHOULD = 78


def fold(name: str, words: Iterable[str], *, leading: bool = False) -> str:
    """Write a field of *words*, with one space or one fold between them.

    A line has at most 78 characters unless a single word is longer. No line consists only of white
    space, because each fold is followed by a word.

    :param leading: Whether a fold may precede the first word. In text, some parsers read it as a
        leading space, including Python before 3.13. In addresses it has no meaning.
    :raises MessageError: if a word does not fit in a line.
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
    raise MessageError(f"The field {name} has a word that does not fit in a line of {MUST} octets.")
