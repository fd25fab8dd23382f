"""Anything with the attributes of Flask-Mail's message, as a message of this package."""

from __future__ import annotations

import datetime
import email
import email.policy
import re
import typing as t
import unicodedata
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from email.message import EmailMessage

from flask import current_app
from flask import has_app_context

from ..address import Address
from ..attachment import Attachment as OurAttachment
from ..log import logger
from ..message.message import Message as OurMessage
from ..mime.shown_images import missing_images
from ..mime.shown_images import without_images
from .sanitizing import address_of
from .sanitizing import force_text

# Header fields that are arguments of our message, and their readers.
_ARGUMENTS: dict[str, tuple[str, Callable[[t.Any, str], object]]] = {
    "reply-to": ("reply_to", address_of),
    "message-id": ("message_id", lambda value, name: force_text(value)),
}
# The class of the message in both, whose octets we make; those of a class below it are its own.
_MODULES = (f"{__package__}.message", "flask_mail")


def octets_of(message: t.Any) -> EmailMessage | None:
    """Return what a class of its own makes of a message, by its ``as_bytes`` or ``_message``; None
    if it makes nothing of its own."""
    for kind in type(message).__mro__:
        if kind.__module__ in _MODULES or kind is object:
            return None
        if {"as_bytes", "_message"} & vars(kind).keys():
            return email.message_from_bytes(message.as_bytes(), policy=email.policy.SMTP)
    return None


def recipients_of(message: t.Any) -> list[Address]:
    """Return all recipients of a message, with Cc and Bcc."""
    names = ("recipients", "cc", "bcc")
    return [address for name in names for address in _addresses(getattr(message, name, None), name)]


def bounces_to(envelope_from: t.Any) -> Address | None:
    """Return the address for bounces; None for that of the sender."""
    return address_of(envelope_from, "envelope_from") if envelope_from else None


def converted(message: t.Any, envelope_from: t.Any = None) -> OurMessage:
    """Return the message of this package that a message of Flask-Mail stands for.

    It may be ours, a real ``flask_mail.Message`` of 0.9 or 0.10, or anything with these attributes.

    :param envelope_from: The address for bounces, instead of the sender.
    :raises MessageError: if it cannot be sent as it is.
    """
    alts = dict(getattr(message, "alts", None) or {})
    # Invenio-Mail fills the attributes from a dict, past the property.
    among = alts.pop("html", None)
    html = vars(message).get("html") or among or getattr(message, "html", None)
    fields, headers = _header_fields(getattr(message, "extra_headers", None) or {})
    attached, inline = _attachments(getattr(message, "attachments", None) or ())
    date, sender = getattr(message, "date", None), getattr(message, "sender", None)
    reply_to = getattr(message, "reply_to", None)
    made: dict[str, t.Any] = {
        "subject": _unfolded(force_text(message.subject or "")),
        "from_addr": address_of(sender, "sender") if sender else None,
        "to": _addresses(message.recipients, "recipients"),
        "cc": _addresses(getattr(message, "cc", None), "cc"),
        "bcc": _addresses(getattr(message, "bcc", None), "bcc"),
        "reply_to": address_of(reply_to, "reply_to") if reply_to else None,
        "text": "" if message.body is None else force_text(message.body),
        "html": _with_images(force_text(html), inline) if html else "",
        "alternatives": [
            (data, name if "/" in name else f"text/{name}") for name, data in alts.items()
        ],
        "attachments": attached,
        "inline_attachments": inline,
        "headers": headers,
        "message_id": getattr(message, "msgId", None),
        "date": None if date is None else datetime.datetime.fromtimestamp(date).astimezone(),
        "envelope_sender": bounces_to(envelope_from),
    }
    return OurMessage(**{**made, **fields})


def _addresses(values: t.Any, field: str) -> list[Address]:
    if isinstance(values, str):
        values = [values]
    return [address_of(value, field) for value in values or ()]


def _unfolded(subject: str) -> str:
    """Return a folded subject in one line (RFC 5322 section 2.2.3)."""
    return re.sub(r"\r\n(?=[ \t])", "", subject).replace("\t", " ")


def _header_fields(given: Mapping[str, t.Any]) -> tuple[dict[str, t.Any], dict[str, str]]:
    """Return the fields that are arguments of our message, and the others."""
    ours: dict[str, t.Any] = {}
    others: dict[str, str] = {}
    for name, value in given.items():
        if known := _ARGUMENTS.get(name.lower()):
            argument, read = known
            ours[argument] = read(value, name)
        else:
            others[name] = force_text(value)
    return ours, others


def _attachments(
    given: Iterable[t.Any],
) -> tuple[list[OurAttachment], list[OurAttachment]]:
    """Return the attachments, and those that the HTML shows."""
    attached: list[OurAttachment] = []
    inline: list[OurAttachment] = []
    for attachment in given:
        # In 0.9, the headers are pairs.
        headers = {name.lower(): value for name, value in dict(attachment.headers or {}).items()}
        cid = force_text(headers.pop("content-id", "")).strip("<> ")
        if headers:
            names = ", ".join(sorted(headers))
            logger.warning("The attachment %r is sent without %s.", attachment.filename, names)
        made = OurAttachment(
            attachment.data,
            filename=_filename(attachment.filename),
            mimetype=attachment.content_type,
            cid=cid or None,
        )
        shown = cid or str(attachment.disposition).startswith("inline")
        (inline if shown else attached).append(made)
    return attached, inline


def _filename(name: t.Any) -> str | None:
    """Return the name of a file, in ASCII if ``MAIL_ASCII_ATTACHMENTS`` says so."""
    if name is None:
        return None
    state = current_app.extensions.get("mail") if has_app_context() else None
    text = force_text(name)
    if not getattr(state, "ascii_attachments", False):
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return " ".join(plain.split())


def _with_images(html: str, inline: Iterable[OurAttachment]) -> str:
    """Return HTML in which no image is wanted that is not attached: Flask-Mail sends such a mail,
    and its reader sees no image either."""
    missing = {*missing_images(html, inline)}
    for cid in sorted(missing):
        logger.warning("The HTML shows cid:%s, which is not attached: it is sent without.", cid)
    return without_images(html, missing) if missing else html
