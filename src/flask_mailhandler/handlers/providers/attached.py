"""An attachment as a file of an API that takes no octets."""

from __future__ import annotations

import base64
import contextlib
import re
import typing as t

from ...text.mimetype import parse_mimetype

# What is imported in the functions below is loaded with the first attachment of an app.
if t.TYPE_CHECKING:
    from ...attachment import Attachment


def in_base64(attachment: Attachment) -> str:
    """Return the octets of an attachment, in the charset of its type.

    :raises MessageError: if its file has changed.
    """
    data = attachment.data
    if isinstance(data, str):
        data = data.encode(_charset(attachment) or "utf-8")
    return base64.b64encode(data).decode()


def in_utf8(attachment: Attachment) -> bytes:
    """Return the octets of an attachment, text in UTF-8: for APIs that drop the charset.

    :raises MessageError: if its file has changed.
    """
    data = attachment.data
    if not isinstance(data, str) and (charset := _charset(attachment)):
        with contextlib.suppress(LookupError, UnicodeError):  # it is not what its type says
            data = data.decode(charset)
    return data.encode() if isinstance(data, str) else data


def _charset(attachment: Attachment) -> str | None:
    maintype, _, parameters = parse_mimetype(attachment.mimetype)
    return dict(parameters).get("charset") if maintype == "text" else None


def parsed_type(attachment: Attachment) -> tuple[str, dict[str, str]]:
    """Return the type of an attachment and its parameters, and those that SMTP would add: the
    charset of a text, and the method of a calendar."""
    from ...mime.text_parameters import fill_in

    maintype, subtype, given = parse_mimetype(attachment.mimetype)
    parameters, source = dict(given), attachment.source
    if maintype == "text":
        fill_in(attachment, subtype, parameters)
        if isinstance(source, str) and not source.isascii():
            parameters.setdefault("charset", "utf-8")
    return f"{maintype}/{subtype}", parameters


def full_type(attachment: Attachment) -> str:
    """Return the type of an attachment with its parameters; see :func:`parsed_type`."""
    from ...mime.parameters import TOKEN

    kind, parameters = parsed_type(attachment)
    escaped = {name: re.sub(r'([\\"])', r"\\\1", value) for name, value in parameters.items()}
    written = [
        f"{name}={value}" if TOKEN.match(value) else f'{name}="{value}"'
        for name, value in escaped.items()
    ]
    return "; ".join([kind, *written])


def named(attachment: Attachment) -> tuple[str, str]:
    """Return the name and the type of an attachment, without parameters. APIs need a name."""
    from ...attachment.name_and_type import name_by_type

    found = attachment.named()
    mimetype = found.mimetype.partition(";")[0].strip()
    return found.filename or name_by_type(mimetype) or "attachment", mimetype
