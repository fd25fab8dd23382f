"""A message rewritten in 7 bits, for servers without 8BITMIME (RFC 6152)."""

from __future__ import annotations

from ..errors import MessageError


def seven_bit(octets: bytes) -> bytes:
    """Write a message again so that no octet is above 127.

    The imports of ``stdlib`` here are the only ones in the files that write our own messages.

    :raises MessageError: if the message, or one attached to it, is signed.
    """
    from .stdlib.body import parse  # 20 ms, and few servers need it
    from .stdlib.body import whole_message
    from .stdlib.source import first
    from .stdlib.source import read_fields

    message = parse(octets)
    if first(read_fields(message), "dkim-signature"):
        raise MessageError("The message is signed.")
    body, eightbit = whole_message(message, built=False)
    if eightbit:
        raise MessageError("The message has a signed part with octets above 127.")
    written = b"".join(body)
    return written if written.endswith(b"\r\n") else written + b"\r\n"
