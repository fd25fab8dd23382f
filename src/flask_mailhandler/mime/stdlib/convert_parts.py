"""The parts of a standard library message, as the text, HTML and attachments of a Message."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import typing as t
from collections.abc import Sequence

from ...attachment import Attachment
from ...errors import MessageError
from ..mixed import HTML
from ..mixed import rank
from . import signed_body
from .body import content_type
from .body import encoding_of
from .body import is_built
from .body import read_body
from .header import parameters
from .source import first
from .source import parts_of
from .source import read_fields
from .source import Source

if t.TYPE_CHECKING:
    from email.message import Message as MIMEMessage

    from ...message.arguments import MessageFields

# Content-IDs that an Attachment made, and no author wrote.
_MADE = re.compile(r"[0-9a-f]{24}@inline\Z")
_TOKEN = re.compile(r"[A-Za-z0-9._-]+\Z")


@dataclasses.dataclass(slots=True)
class Parts:
    """The parts that were found in the tree so far."""

    text: str | None = None
    html: str | None = None
    attachments: list[Attachment] = dataclasses.field(default_factory=list)
    inline_attachments: list[Attachment] = dataclasses.field(default_factory=list)
    alternatives: list[Attachment] = dataclasses.field(default_factory=list)
    before_html: list[bool] = dataclasses.field(default_factory=list)
    """For each of the alternatives, whether it comes before the HTML."""

    def check_order(self) -> None:
        """Check that a Message can keep the order of the alternatives.

        :raises MessageError: if it cannot.
        """
        for alternative, before in zip(self.alternatives, self.before_html, strict=True):
            if self.html is not None and before and rank(alternative) == HTML + 1:
                raise cannot_hold(f"the alternative {alternative.mimetype} before the HTML")

    def fields(self) -> MessageFields:
        """Return the arguments for a Message. A text that equals the one made from the HTML is left
        out, because it will be made again."""
        text, html = self.text or "", self.html or ""
        if text and html:
            from ...plaintext import plaintext  # only needed for HTML

            text = "" if text == plaintext(html) else text
        return {
            "text": text,
            "html": html,
            "attachments": self.attachments,
            "inline_attachments": self.inline_attachments,
            "alternatives": self.alternatives,
        }


def read_parts(message: MIMEMessage) -> MessageFields:
    """Read the tree of a message, see ``tree`` for its shape.

    :raises MessageError: for a part that a Message cannot hold.
    """
    found = Parts()
    _read(message, "mixed", found, is_built(message))
    found.check_order()
    # A message with only an empty text still has a line end.
    found.text = None if found.text == "\n" else found.text
    found.html = None if found.html == "\n" else found.html
    return found.fields()


def cannot_hold(what: str) -> MessageError:
    """Return the error for anything that a Message cannot hold."""
    return MessageError(
        f"A Message cannot hold {what}: give send() the EmailMessage itself, and an account that"
        " takes octets, such as one of SMTP."
    )


def _read(part: MIMEMessage, place: str, found: Parts, built: bool) -> None:
    """Read a part and the parts in it.

    :param place: The multipart around it: ``mixed``, ``alternative`` or ``related``.
    """
    fields = read_fields(part)
    kind = content_type(part, fields)
    maintype, _, subtype = kind.partition("/")
    if maintype == "multipart":
        _read_multipart(part, subtype, place, found, built)
        return
    disposition = first(fields, "content-disposition")
    shown = disposition.value.partition(";")[0].strip().lower() if disposition else ""
    if maintype == "message" and shown != "attachment":
        raise cannot_hold(f"a part {kind} that is not an attachment")
    slot = {"text/plain": "text", "text/html": "html"}.get(kind)
    if slot and not shown and getattr(found, slot) is None and place != "related":
        setattr(found, slot, _text(part, fields))
        return
    attachment = _attachment(part, fields, kind, built)
    if place == "alternative":
        found.alternatives.append(attachment)
        found.before_html.append(found.html is None)
    elif place == "related" or (shown == "inline" and first(fields, "content-id")):
        found.inline_attachments.append(attachment)
    else:
        found.attachments.append(attachment)


def _read_multipart(part: MIMEMessage, subtype: str, place: str, found: Parts, built: bool) -> None:
    parts = parts_of(part) or []
    if subtype not in ("mixed", "alternative", "related") or not parts:
        raise cannot_hold(f"a multipart/{subtype}")
    if place == "related" or (subtype == "mixed" and place == "alternative"):
        raise cannot_hold(f"a multipart/{subtype} in a multipart/{place}")
    for index, child in enumerate(parts):
        # https://www.rfc-editor.org/rfc/rfc2387#section-3.2: the first part is the one shown
        is_root = subtype == "related" and index == 0
        _read(child, "alternative" if is_root else subtype, found, built)


def _text(part: MIMEMessage, fields: Sequence[Source]) -> str:
    charset = part.get_content_charset() or "us-ascii"
    data = _octets(part, fields)
    try:
        text = data.decode(charset)
    except (LookupError, UnicodeError):
        text = data.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _octets(part: MIMEMessage, fields: Sequence[Source]) -> bytes:
    encoding = encoding_of(fields)
    if encoding in ("7bit", "8bit", "binary"):
        data = signed_body.octets(part)
        if encoding == "binary":
            return data
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return t.cast(bytes, part.get_payload(decode=True))


def _attachment(part: MIMEMessage, fields: Sequence[Source], kind: str, built: bool) -> Attachment:
    described = _parameters(fields, "content-type")
    data: bytes | str
    if kind.startswith("message/"):
        data = _message(part, fields, built)
    else:
        data = _octets(part, fields)
        charset = described.get("charset", "").lower()
        if kind.startswith("text/") and (text := _as_text(data, charset)) is not None:
            data = text
            if charset in ("us-ascii", "utf-8"):
                del described["charset"]
    old_name = described.pop("name", None)
    name = _parameters(fields, "content-disposition").get("filename", old_name)
    field = first(fields, "content-id")
    cid = field.value.strip("<>") if field else None
    made = cid if cid and _MADE.match(cid) else None
    mimetype = "; ".join([kind, *map(_written, described.items())])
    attachment = Attachment(data, filename=name or "", mimetype=mimetype, cid=None if made else cid)
    if made:
        object.__setattr__(attachment, "_made_cid", made)
    return attachment


def _message(part: MIMEMessage, fields: Sequence[Source], built: bool) -> bytes:
    """Return the octets of an attached message, unchanged if it was parsed."""
    if not built:
        with contextlib.suppress(MessageError):
            return signed_body.unchanged(part, built)
    return b"".join(read_body(part, fields, built).octets)


def _parameters(fields: Sequence[Source], name: str) -> dict[str, str]:
    field = first(fields, name)
    found = parameters(field) if field else {}
    return {parameter.lower(): value for parameter, value in found.items()}


def _as_text(data: bytes, charset: str) -> str | None:
    """Return the text if the data can have been attached as text, else None."""
    try:
        lines = data.decode(charset)
        text = lines.replace("\r\n", "\n")
        return text if text.replace("\n", "\r\n").encode(charset) == data else None
    except (LookupError, UnicodeError):
        return None


def _written(parameter: tuple[str, str]) -> str:
    name, text = parameter
    if _TOKEN.match(text):
        return f"{name}={text}"
    return f'{name}="' + text.replace("\\", r"\\").replace('"', r"\"") + '"'
