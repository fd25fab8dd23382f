"""The last guard: a header block is what was meant, octet by octet."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import MessageError
from ..text.lines import has_long_line
from ..text.lines import MUST

_PRINTABLE = bytes([9, *range(32, 127)])
_UTF8 = _PRINTABLE + bytes(range(128, 256))
_BLANK = re.compile(rb"\n[ \t]+\r")


def header_block(fields: Sequence[str], *, smtputf8: bool = False) -> bytes:
    """Join written fields to a header block with the blank line that ends it, and look at it
    once more as a receiver will: the fields found are those that were written, no line is
    empty, of white space only or too long, and no control character is in it. All of this has
    been seen to before; if it has not, nothing is sent.

    :param fields: Each ``Name: value``, folded, without its last CRLF.
    :param smtputf8: Whether raw UTF-8 is allowed (RFC 6532).
    :raises MessageError: if the block is not what was meant.
    """
    if not fields:
        return b"\r\n"  # a part may have none (RFC 2046 section 5.1)
    block = "\r\n".join([*fields, "\r\n"]).encode("utf-8", "surrogatepass")
    ends = block.count(b"\r\n")
    folds = block.count(b"\r\n ") + (block.count(b"\r\n\t") if b"\t" in block else 0)
    if block.translate(None, _UTF8 if smtputf8 else _PRINTABLE) != b"\r\n" * ends:
        _stop("a control character or raw 8-bit text", fields)
    # Every line but the folded ones and the last, which is empty, is the start of a field.
    if ends - folds != len(fields) + 1:
        _stop("a field that nobody wrote", fields)
    if block.find(b"\r\n\r\n") != len(block) - 4 or (folds and _BLANK.search(block)):
        _stop("an empty line", fields)
    if has_long_line(block, MUST + 1):  # its CR is counted
        _stop("a line that is too long", fields)
    return block


def _stop(found: str, fields: Sequence[str]) -> None:
    names = ", ".join(field.partition(":")[0] for field in fields)
    raise MessageError(
        f"The header block has {found}, so the message was not sent. It was to have the fields"
        f" {names}. Please report this as a fault of Flask-MailHandler."
    )
