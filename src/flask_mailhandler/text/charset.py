"""Octets as text, decoded by the charset that a message names."""

from __future__ import annotations

import codecs

# Codecs of Python that are not charsets of mail. Some of them take quadratic time.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined"})


def text_of(octets: bytes, charset: str, errors: str = "strict") -> str:
    """Decode octets.

    :raises LookupError: if the charset is not known.
    :raises ValueError: if the octets are not valid in it.
    """
    if codecs.lookup(charset).name in _NO_CHARSETS:
        raise LookupError(f"{charset} is not a charset of mail")
    return octets.decode(charset, errors)
