"""Parameters of Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2231)."""

from __future__ import annotations

import string
from collections.abc import Iterable
from collections.abc import Sequence

from ..text.late_pattern import late_pattern
from .folding import fold
from .folding import SHOULD

# Tokens that every reader accepts: https://www.rfc-editor.org/rfc/rfc2045#section-5.1
TOKEN = late_pattern(r"[A-Za-z0-9._-]+\Z")
# A quoted-string that every reader reads the same way: no escapes, which some keep, no runs of
# white space, which some shorten, and no encoded word, which some decode even here.
_PLAIN = late_pattern(r"(?!.*(?:  |=\?))[!#-\[\]-~](?:[ !#-\[\]-~]*[!#-\[\]-~])?\Z")
# The room in a line of 78, without the leading space and the final ";".
_ROOM = 76

# https://www.rfc-editor.org/rfc/rfc2231#section-7: attribute-char
_ATTRIBUTE = frozenset(f"!#$&+-.^_`{{|}}~{string.digits}{string.ascii_letters}".encode())
_ESCAPED = [chr(octet) if octet in _ATTRIBUTE else f"%{octet:02X}" for octet in range(256)]


def with_parameters(name: str, value: str, parameters: Iterable[tuple[str, str]]) -> str:
    """Write a field: *value*, then each parameter in the simplest form that can hold it."""
    words = [value]
    for parameter, text in parameters:
        words += _written(parameter, text)
    line = f"{name}: {'; '.join(words)}"
    if len(line) <= SHOULD:
        return line
    return fold(name, [*(f"{word};" for word in words[:-1]), words[-1]])


def _written(name: str, text: str) -> Sequence[str]:
    """Write a token, a quoted-string, or the extended form in UTF-8, in several sections if it does
    not fit in a line.

    There is no second form in ASCII: all current readers support RFC 2231, and filters and readers
    disagree about which of two names of a file counts.
    """
    if len(name) + len(text) + 3 <= _ROOM:
        if TOKEN.match(text):
            return (f"{name}={text}",)
        if _PLAIN.match(text):
            return (f'{name}="{text}"',)
    escaped = "utf-8''" + "".join([_ESCAPED[octet] for octet in text.encode()])
    if len(name) + 2 + len(escaped) <= _ROOM:
        return (f"{name}*={escaped}",)
    # https://www.rfc-editor.org/rfc/rfc2231#section-4.1
    sections = []
    start = section = 0
    while start < len(escaped):
        head = f"{name}*{section}*="
        end = _cut(escaped, start + _ROOM - len(head))
        sections.append(head + escaped[start:end])
        start, section = end, section + 1
    return sections


def _cut(escaped: str, end: int) -> int:
    """Move *end* back so that it splits neither an escape nor a character."""
    if end >= len(escaped):
        return len(escaped)
    end -= 1 if escaped[end - 1] == "%" else 2 if escaped[end - 2] == "%" else 0
    while escaped[end] == "%" and escaped[end + 1] in "89AB":
        end -= 3
    return end
