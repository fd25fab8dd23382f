"""The last check of a header block before it is sent."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import MessageError
from ..text.late_pattern import late_pattern
from ..text.lines import has_long_line
from ..text.lines import MUST

_PRINTABLE = bytes([9, *range(32, 127)])
_UTF8 = _PRINTABLE + bytes(range(128, 256))
_LIMIT = MUST + 1  # the CR of a line is counted
_BLANK = late_pattern(rb"\n[ \t]+\r")


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
    others = block.translate(None, _UTF8 if smtputf8 else _PRINTABLE)
    lines = len(others) // 2
    # So many line ends are ours, after fields that do not begin with white space. If the others are
    # folds, there is no empty line. To count and search all of this takes 3 µs more in 1 kB.
    folds = lines - len(fields) - 1
    if (
        others == b"\r\n" * lines
        and min(fields) >= "!"
        and folds == (_folds(block) if folds else 0)
        and not (folds and _BLANK.search(block))
        and not (len(block) > _LIMIT and has_long_line(block, _LIMIT))
    ):
        return block
    names = ", ".join(field.partition(":")[0] for field in fields)
    raise MessageError(
        f"The header block has {_found(block, others, fields)}, so the message was not sent. It"
        f" should have the fields {names}. Please report this as a bug in Flask-MailHandler."
    )


def _folds(block: bytes) -> int:
    return block.count(b"\r\n ") + (block.count(b"\r\n\t") if b"\t" in block else 0)


def _found(block: bytes, others: bytes, fields: Sequence[str]) -> str:
    """Return what is wrong with a header block."""
    ends = block.count(b"\r\n")
    if others != b"\r\n" * ends:
        return "a control character or raw 8-bit text"
    # Each line starts a field, except folded lines and the last line, which is empty.
    if ends - _folds(block) != len(fields) + 1:
        return "a field too many or too few"
    if has_long_line(block, _LIMIT):
        return "a line that is too long"
    return "an empty line"
