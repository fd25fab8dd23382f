"""Encoded words: text beyond ASCII in a header (RFC 2047)."""

from __future__ import annotations

import binascii
import re
import typing as t
from collections.abc import Iterator

from .charset import text_of

# https://www.rfc-editor.org/rfc/rfc2047#section-2: 75 characters at most, of which "=?utf-8?q?"
# and "?=" take twelve.
WORD = 75
_FRAME = 12
# Below this a first word is not worth its place: one character may take twelve.
_LEAST = _FRAME + 12

# https://www.rfc-editor.org/rfc/rfc2047#section-5 (3): what may stand for itself in a phrase.
# The same set serves in unstructured text. A space is written as "_".
_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/ "
_Q = [chr(octet) if octet in _SAFE else f"={octet:02X}" for octet in range(256)]
_Q[ord(" ")] = "_"


def encoded_words(text: str, room: int = WORD) -> list[str]:
    """Write *text* as encoded words, by Q or B, whichever is shorter.

    No character is split between two words. A reader drops the white space between them (RFC
    2047 section 6.2), so all white space of the text is inside.

    :param room: Characters that the first word may take; the others take up to 75. If it is too
        little, the first takes up to 75 as well.
    """
    data = text.encode()
    first = (WORD if room < _LEAST else min(room, WORD)) - _FRAME
    quoted = len(data) + 2 * len(data.translate(None, _SAFE))
    if quoted <= (len(data) + 2) // 3 * 4:
        return [f"=?utf-8?q?{part}?=" for part in _by_q(data, first)]
    return [f"=?utf-8?b?{part}?=" for part in _by_b(data, first)]


def _by_q(data: bytes, room: int) -> Iterator[str]:
    text = "".join([_Q[octet] for octet in data])
    start = 0
    while len(text) - start > room:
        end = start + room
        # Not within "=C3" ...
        end -= 1 if text[end - 1] == "=" else 2 if text[end - 2] == "=" else 0
        # ... and not before an octet that continues a character, "=80" to "=BF".
        while text[end] == "=" and text[end + 1] in "89AB":
            end -= 3
        yield text[start:end]
        start, room = end, WORD - _FRAME
    yield text[start:]


def _by_b(data: bytes, room: int) -> Iterator[str]:
    start, octets = 0, room // 4 * 3
    while len(data) - start > octets:
        end = start + octets
        while data[end] & 0xC0 == 0x80:
            end -= 1
        yield binascii.b2a_base64(data[start:end], newline=False).decode("ascii")
        start, octets = end, (WORD - _FRAME) // 4 * 3
    yield binascii.b2a_base64(data[start:], newline=False).decode("ascii")


# https://www.rfc-editor.org/rfc/rfc2047#section-2, with the language of RFC 2231 section 5
_ENCODED = re.compile(r"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([BbQq])\?([^?\s]*)\?=")


def decoded(text: str) -> str:
    """Read a value with encoded words as its text. What is no valid encoded word stays."""
    found: list[tuple[str | None, bytes | str]] = []
    end = 0
    for match in _ENCODED.finditer(text):
        between = text[end : match.start()]
        octets = _octets(match[2].lower(), match[3])
        if octets is None:
            continue
        # White space between two encoded words is not part of the text.
        if between and not (found and found[-1][0] and not between.strip(" \t")):
            found.append((None, between))
        charset = match[1].lower()
        # Some writers split a character between two words.
        if found and found[-1][0] == charset:
            octets = t.cast(bytes, found.pop()[1]) + octets
        found.append((charset, octets))
        end = match.end()
    found.append((None, text[end:]))
    return "".join(
        value if isinstance(value, str) else _text(charset or "ascii", value)
        for charset, value in found
    )


def _octets(encoding: str, text: str) -> bytes | None:
    try:
        if encoding == "b":
            return binascii.a2b_base64(text + "=" * (-len(text) % 4))
        return binascii.a2b_qp(text.encode("ascii"), header=True)
    except (binascii.Error, ValueError):
        return None


def _text(charset: str, octets: bytes) -> str:
    try:
        return text_of(octets, charset, "replace")
    except (LookupError, UnicodeError):
        return octets.decode("ascii", "replace")
