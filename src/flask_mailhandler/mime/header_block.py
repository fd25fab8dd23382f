"""The last check of a header block before it is sent."""

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
    """Join written fields to a header block with its final blank line, and check it as a receiver
    reads it.

    It must have as many fields as were written, no control character, and no line that is empty, of
    white space only, or too long. The writers of the fields ensure all of this; if one fails to,
    the message is not sent.

    :param fields: Each ``Name: value``, folded, without its last CRLF.
    :param smtputf8: Whether raw UTF-8 is allowed (RFC 6532).
    :raises MessageError: if the check fails.
    """
    if not fields:
        return b"\r\n"  # a part may have no fields (RFC 2046 section 5.1)
    text = "\r\n".join([*fields, "\r\n"])
    block = text.encode() if text.isascii() else text.encode("utf-8", "surrogatepass")
    ends = block.count(b"\r\n")
    folds = block.count(b"\r\n ") + (block.count(b"\r\n\t") if b"\t" in block else 0)
    if block.translate(None, _UTF8 if smtputf8 else _PRINTABLE) != b"\r\n" * ends:
        _fail("a control character or raw 8-bit text", fields)
    # Each line starts a field, except folded lines and the last line, which is empty.
    if ends - folds != len(fields) + 1:
        _fail("a field too many or too few", fields)
    if block.find(b"\r\n\r\n") != len(block) - 4 or (folds and _BLANK.search(block)):
        _fail("an empty line", fields)
    limit = MUST + 1  # the CR of a line is counted
    if len(block) > limit and has_long_line(block, limit):
        _fail("a line that is too long", fields)
    return block


def _fail(found: str, fields: Sequence[str]) -> None:
    names = ", ".join(field.partition(":")[0] for field in fields)
    raise MessageError(
        f"The header block has {found}, so the message was not sent. It should have the fields"
        f" {names}. Please report this as a bug in Flask-MailHandler."
    )
