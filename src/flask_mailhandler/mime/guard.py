"""The last guard: a header block is what was meant, octet by octet."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import MessageError
from .folding import MUST

_PRINTABLE = bytes([9, *range(32, 127)])
_BEYOND_ASCII = bytes(range(128, 256))


def header_block(fields: Sequence[str], *, smtputf8: bool = False) -> bytes:
    """Join written fields to a header block with the blank line that ends it, and look at it
    once more as a receiver will: the fields found are those that were written, no line is
    empty, of white space only or too long, and no control character is in it. All of this has
    been seen to before; if it has not, nothing is sent.

    :param fields: Each ``Name: value``, folded, without its last CRLF.
    :param smtputf8: Whether raw UTF-8 is allowed (RFC 6532).
    :raises MessageError: if the block is not what was meant.
    """
    block = "\r\n".join([*fields, "\r\n"]).encode("utf-8", "surrogatepass")
    allowed = _PRINTABLE + _BEYOND_ASCII if smtputf8 else _PRINTABLE
    ends = block.count(b"\r\n")
    if block.translate(None, allowed) != b"\r\n" * ends:
        _stop("a control character or raw 8-bit text", fields)
    lines = block.split(b"\r\n")
    # What follows the block's end: nothing, behind one blank line.
    if lines[-2:] != [b"", b""]:
        _stop("no end", fields)
    starts = [line for line in lines[:-2] if line[:1] not in (b" ", b"\t")]
    names = [field.partition(":")[0].encode() + b":" for field in fields]
    if len(starts) != len(names) or not all(map(bytes.startswith, starts, names)):
        _stop("a field that nobody wrote", fields)
    if max(map(len, lines)) > MUST:
        _stop("a line that is too long", fields)
    if not all(map(bytes.strip, lines[:-2])):
        _stop("an empty line", fields)
    return block


def _stop(found: str, fields: Sequence[str]) -> None:
    names = ", ".join(field.partition(":")[0] for field in fields)
    raise MessageError(
        f"The header block has {found}, so the message was not sent. It was to have the fields"
        f" {names}. Please report this as a fault of Flask-MailHandler."
    )
