"""The file name and the type of an attachment: each is guessed from the other."""

from __future__ import annotations

import functools
import re
import typing as t

from ..errors import MessageError
from ..text.checks import check_text
from ..text.checks import plain
from ..text.checks import shorten
from ..text.mimetype import parse_mimetype
from .file import Streamed

if t.TYPE_CHECKING:
    import mimetypes

# Embedding and override characters can show "gpj.exe" as "exe.jpg". The marks (LRM, RLM, ALM)
# are harmless.
_BIDI = "[\u202a-\u202e\u2066-\u2069]"


def checked_filename(value: object) -> str | None:
    """Return the file name without its folders, or None if there is none.

    :raises MessageError: if it cannot be sent.
    """
    if value is None:
        return None
    text = plain(value)
    if text is None:
        raise MessageError(f"filename takes a string, not {shorten(value)}.")
    check_text(text, "filename")
    if not text.isascii() and re.search(_BIDI, text):
        raise MessageError(
            f"filename has a bidirectional control character: {shorten(text)}. Remove it."
        )
    # The receiver must not get a path, neither with slashes nor with backslashes.
    return text.rpartition("/")[2].rpartition("\\")[2].strip() or None


def checked_mimetype(value: object, filename: str | None, source: bytes | str | Streamed) -> str:
    """Return the type as it was given, or guessed from the name.

    :raises MessageError: if it cannot be sent, or if there is neither a type nor a name.
    """
    if value is None:
        if filename is None:
            raise MessageError(
                "An attachment needs a name, which also says its type: write filename='report.pdf'."
                " A part that has no name, such as an inline image, needs its type: write"
                " mimetype='image/png'."
            )
        return type_by_name(filename) or (
            "text/plain" if isinstance(source, str) else "application/octet-stream"
        )
    text = plain(value)
    if text is None:
        raise MessageError(f"mimetype takes a string, not {shorten(value)}.")
    maintype, _, parameters = parse_mimetype(check_text(text, "mimetype"))
    if maintype == "multipart":
        raise MessageError(f"An attachment cannot be {text!r}: attach each of its parts instead.")
    charset = dict(parameters).get("charset") if parameters else None
    if charset is not None and isinstance(source, str):
        try:
            source.encode(charset)
        except (LookupError, UnicodeError) as error:
            raise MessageError(
                f"The attached text cannot be written in {charset}: {error}."
            ) from None
    return text


def type_by_name(filename: str) -> str | None:
    """Return the type that a file name says; None for an unknown one."""
    import mimetypes  # imported only when needed: it reads the system's tables

    kind, encoding = mimetypes.guess_type(filename)
    packed = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
    return packed.get(encoding, "application/octet-stream") if encoding else kind


def name_by_type(mimetype: str) -> str | None:
    """Return a file name for a type, such as ``attachment.pdf``; None for an unknown type."""
    extension = _types().guess_extension(mimetype.partition(";")[0].strip().lower())
    return extension and f"attachment{extension}"


@functools.cache
def _types() -> mimetypes.MimeTypes:
    """The types that Python knows, and two that mails often have. The tables of the system would
    give another name on each machine."""
    import mimetypes  # imported only when needed

    types = mimetypes.MimeTypes()
    types.add_type("text/calendar", ".ics")
    types.add_type("text/vcard", ".vcf")
    return types
