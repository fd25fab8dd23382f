"""Octets as text, by a charset that anybody has named."""

from __future__ import annotations

import codecs

# Codecs of Python that no mail is written in. Some take time with the square of the length.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined"})


def text_of(octets: bytes, charset: str, errors: str = "strict") -> str:
    """Decode octets.

    :raises LookupError: if there is no such charset.
    :raises ValueError: if they are not in it.
    """
    if codecs.lookup(charset).name in _NO_CHARSETS:
        raise LookupError(f"{charset} is no charset of mail")
    return octets.decode(charset, errors)
