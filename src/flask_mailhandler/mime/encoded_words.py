"""Encoded words: text beyond ASCII in a header (RFC 2047). ``text/decoding`` reads them."""

from __future__ import annotations

import binascii
from collections.abc import Iterator

# https://www.rfc-editor.org/rfc/rfc2047#section-2: 75 characters at most; "=?utf-8?q?" and "?=" are
# twelve of them.
WORD = 75
_FRAME = 12
# A shorter first word is not worth its place: one character may take twelve.
_LEAST = _FRAME + 12

# https://www.rfc-editor.org/rfc/rfc2047#section-5 (3): the characters that need no escape in
# a phrase. The same set is used in unstructured text. A space is written as "_".
_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/ "
_Q = [chr(octet) if octet in _SAFE else f"={octet:02X}" for octet in range(256)]
_Q[ord(" ")] = "_"


def encoded_words(text: str, room: int = WORD) -> list[str]:
    """Write *text* as encoded words in Q or B, whichever is shorter.

    No character is split between two words. A reader drops the white space between words (RFC 2047
    section 6.2), so all white space of the text is written inside them.

    :param room: The most characters of the first word; the others have up to 75. If this is too
        few, the first word has up to 75 as well.
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
        # ... and not before a continuation octet of a character, "=80" to "=BF".
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
