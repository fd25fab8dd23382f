"""A header rewritten for servers without SMTPUTF8 (RFC 6857).

An address beyond ASCII cannot be written for such a server. The other recipients see an empty group
in its place, with the address in its name::

    To: Zoë <zoë@example.com>, ann@example.com
    To: =?utf-8?q?Zo=C3=AB?= =?utf-8?q?_zo=C3=AB=40example=2Ecom?= :;, ann@example.com
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..content import Content
from .encoded_words import encoded_words

_END = b"\r\n\r\n"
# https://www.rfc-editor.org/rfc/rfc5322#section-2.2.3: a line that begins with white space
# continues the field.
_FIELDS = re.compile(r"(?:\A|(?<=\r\n))[^ \t].*?(?:\r\n(?![ \t])|\Z)", re.S)
# We write neither groups nor comments, so a field that has them is not changed.
_ADDRESSES = re.compile(r'(?:"(?:[^"\\]|\\.)*"|<[^>]*>|[^",<>:;()])+', re.S)
_ANGLE = re.compile(r"(.*)<([^<>]*)>\s*\Z", re.S)


class _Rest:
    """A content after its header block."""

    def __init__(self, content: Content, skipped: int) -> None:
        self._content = content
        self._skipped = skipped
        self.size = content.size - skipped

    def __iter__(self) -> Iterator[bytes]:
        skipped = self._skipped
        for octets in self._content:
            if skipped < len(octets):
                yield octets[skipped:]
            skipped = max(0, skipped - len(octets))


def downgraded(content: Content) -> Content | None:
    """Return the same content with a header in ASCII; None if anything except an address in To or
    Cc needs UTF-8."""
    block = b""
    for octets in content:
        block += octets
        if _END in block:
            break
    block, end, _ = block.partition(_END)
    try:
        fields = _FIELDS.findall(block.decode() + "\r\n")
        header = "".join(map(_in_ascii, fields)).encode("ascii")
    except ValueError:
        return None
    rest = _Rest(content, len(block) + len(end))
    return Content([header + b"\r\n", rest], eightbit=content.eightbit, rewrite=content._rewrite)


def _in_ascii(field: str) -> str:
    name, colon, value = field.partition(":")
    if field.isascii() or name.strip().lower() not in ("to", "cc"):
        return field  # the caller checks for ASCII
    items = _ADDRESSES.findall(value)
    if ",".join(items) != value:
        return field
    written = [item.strip() if item.isascii() else _group(item) for item in items]
    return f"{name}{colon} " + ",\r\n ".join(written) + "\r\n"


def _group(item: str) -> str:
    """Write an address as an empty group (RFC 6857 section 3.1.8)."""
    found = _ANGLE.match(item)
    phrase, address = (found[1].strip(), found[2]) if found else ("", item)
    # A reader drops white space between encoded words (RFC 2047 section 6.2).
    space = " " if phrase.endswith("?=") else ""
    words = encoded_words(space + address.strip())
    return "\r\n ".join([*filter(None, [phrase]), *words]) + " :;"
