"""Encoded words as text (RFC 2047)."""

from __future__ import annotations

import binascii
import re

from .charset import text_of

# https://www.rfc-editor.org/rfc/rfc2047#section-2, with the language of RFC 2231 section 5
_ENCODED = re.compile(r"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([BbQq])\?([^?\s]*)\?=")
# https://www.rfc-editor.org/rfc/rfc2047#section-4.2: "=" and two hexadecimal digits
_WRONG_Q = re.compile(r"=(?![0-9A-Fa-f]{2})")


def decoded(text: str) -> str:
    """Return a value with its encoded words decoded. An invalid encoded word stays as it is."""
    return "".join(
        value if isinstance(value, str) else _text(charset or "ascii", value)
        for charset, value in _pieces(text)
    )


def decoded_strictly(phrase: str) -> str:
    """Return a phrase with its encoded words decoded.

    :raises ValueError: with the word, if a word that looks encoded cannot be decoded.
    """
    words = [word for word in phrase.split() if word.startswith("=?") or _ENCODED.search(word)]
    # https://www.rfc-editor.org/rfc/rfc2047#section-5 (3): white space separates them
    for word in words:
        match = _ENCODED.fullmatch(word)
        if not match or _octets(match[2].lower(), match[3], strict=True) is None:
            raise ValueError(word)
    try:
        return "".join(
            value if isinstance(value, str) else text_of(value, charset or "ascii")
            for charset, value in _pieces(phrase)
        )
    except (LookupError, ValueError):
        raise ValueError(" ".join(words)) from None


def _pieces(text: str) -> list[tuple[str | None, bytes | str]]:
    """Split a text into plain pieces, and octets with their charset."""
    found: list[tuple[str | None, bytearray | str]] = []
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
        # Some writers split the octets of a character between two words.
        if found and found[-1][0] == charset and isinstance(before := found[-1][1], bytearray):
            before += octets
        else:
            found.append((charset, bytearray(octets)))
        end = match.end()
    found.append((None, text[end:]))
    return [
        (charset, value if isinstance(value, str) else bytes(value)) for charset, value in found
    ]


def _octets(encoding: str, text: str, *, strict: bool = False) -> bytes | None:
    try:
        if encoding == "b":
            padded = text + "=" * (-len(text) % 4)
            return binascii.a2b_base64(padded, strict_mode=strict)
        if strict and _WRONG_Q.search(text):
            return None
        return binascii.a2b_qp(text.encode("ascii"), header=True)
    except (binascii.Error, ValueError):
        return None


def _text(charset: str, octets: bytes) -> str:
    try:
        return text_of(octets, charset, "replace")
    except (LookupError, UnicodeError):
        return octets.decode("ascii", "replace")
