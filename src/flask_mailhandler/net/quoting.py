"""Text from outside, made safe to show."""

from __future__ import annotations


def escape(octets: bytes) -> str:
    """Return a server's octets as printable text: decoded as UTF-8 where that is possible, with
    control characters escaped."""
    text = octets.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
