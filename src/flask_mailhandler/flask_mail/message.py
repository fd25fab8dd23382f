"""Flask-Mail's message and attachment. They change until they are sent, and are checked then."""

from __future__ import annotations

import copy
import mimetypes
import re
import typing as t
import warnings
from collections.abc import Iterable
from collections.abc import Mapping
from email.message import EmailMessage

from flask import current_app
from flask import has_app_context

from ..message.message_id import make_left
from .sanitizing import address_of
from .sanitizing import AddressInput
from .sanitizing import force_text


class Sends(t.Protocol):
    """A connection, ours or Flask-Mail's."""

    def send(self, message: t.Any) -> object:
        """Send a message."""
        ...


class Attachment:
    """A file of a message.

    .. code-block:: python

        Attachment("bill.pdf", "application/pdf", data)

    :raises ValueError: without *data*.
    """

    def __init__(
        self,
        filename: str | None = None,
        content_type: str | None = None,
        data: str | bytes | None = None,
        disposition: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if data is None:
            raise ValueError("An Attachment needs data=, which may be empty: b''.")
        if content_type is None and filename is not None:
            content_type = mimetypes.guess_type(filename)[0]
        if content_type is None:
            is_text = isinstance(data, str)
            content_type = "text/plain" if is_text else "application/octet-stream"
        self.filename: str | None = filename
        self.content_type: str = content_type
        self.data: str | bytes = data
        self.disposition: str = disposition or "attachment"
        self.headers: Mapping[str, str] = {} if headers is None else headers


class Message:
    """A message with Flask-Mail's names. It may be changed until it is sent.

    .. code-block:: python

        message = Message("Hello", recipients=["ann@example.com"])
        message.body = "Hello Ann"
        mail.send(message)

    :param sender: The From. If you leave it out, ``MAIL_DEFAULT_SENDER`` is used.
    :param alts: Other forms of the body by their subtype: ``{"calendar": ics}``.
    :param date: The Date, in seconds since 1970.
    :param charset: Kept, and not used: a message is written in UTF-8.
    :param mail_options: Kept, and not used, like *rcpt_options*.
    """

    def __init__(
        self,
        subject: str = "",
        recipients: list[AddressInput] | None = None,
        body: str | None = None,
        html: str | None = None,
        alts: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        sender: AddressInput | None = None,
        cc: list[AddressInput] | None = None,
        bcc: list[AddressInput] | None = None,
        attachments: list[Attachment] | None = None,
        reply_to: AddressInput | None = None,
        date: float | None = None,
        charset: str | None = None,
        extra_headers: Mapping[str, object] | None = None,
        mail_options: list[str] | None = None,
        rcpt_options: list[str] | None = None,
    ) -> None:
        self.subject: str = subject
        self.recipients: list[AddressInput] = recipients or []
        self.body: str | None = body
        self.alts: dict[str, str] = dict(t.cast("Mapping[str, str]", alts or {}))
        if html is not None:  # else alts may have it, which Flask-Mail would drop
            self.html = html
        self.sender: AddressInput | None = joined(sender or _default_sender())
        self.cc: list[AddressInput] = cc or []
        self.bcc: list[AddressInput] = bcc or []
        self.attachments: list[Attachment] = attachments or []
        self.reply_to: AddressInput | None = reply_to
        self.date: float | None = date
        self.charset: str | None = charset
        self.extra_headers: Mapping[str, object] | None = extra_headers
        self.mail_options: list[str] = mail_options or []
        self.rcpt_options: list[str] = rcpt_options or []
        self.msgId: str = f"<{make_left()}@{_domain(self.sender)}>"

    @property
    def html(self) -> str | None:
        """The HTML: ``alts["html"]``."""
        return self.alts.get("html")

    @html.setter
    def html(self, value: str | None) -> None:
        if value is None:
            self.alts.pop("html", None)
        else:
            self.alts["html"] = value

    @property
    def send_to(self) -> set[AddressInput]:
        """The recipients, with Cc and Bcc."""
        return {*self.recipients, *(self.cc or ()), *(self.bcc or ())}

    def add_recipient(self, recipient: AddressInput) -> None:
        """Add a recipient."""
        self.recipients.append(recipient)

    def attach(
        self,
        filename: str | None = None,
        content_type: str | None = None,
        data: str | bytes | None = None,
        disposition: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Add a file, with the arguments of ``Attachment``.

        .. code-block:: python

            message.attach("bill.pdf", "application/pdf", data)
        """
        self.attachments.append(Attachment(filename, content_type, data, disposition, headers))

    def has_bad_headers(self) -> bool:
        """Return whether a line break is where none may be. A subject may be folded (RFC 5322
        section 2.2.3): each line break is followed by white space and by something else."""
        addresses = [self.sender, self.reply_to, *self.recipients]
        texts = [joined(address) for address in addresses if address]
        if any("\n" in text or "\r" in text for text in map(force_text, texts)):
            return True
        first, *rest = force_text(self.subject or "").split("\r\n")
        lines = [first, *(line[1:] if line[:1] in (" ", "\t") else "\n" for line in rest)]
        return any("\n" in line or "\r" in line for line in lines) or not all(
            line.strip() for line in (lines if rest else ())
        )

    def is_bad_headers(self) -> bool:
        """Call :meth:`has_bad_headers`, which has replaced this name."""
        warnings.warn(
            "is_bad_headers() is has_bad_headers() now.", DeprecationWarning, stacklevel=2
        )
        return self.has_bad_headers()

    def send(self, connection: Sends) -> None:
        """Send the message."""
        connection.send(self)

    def _message(self) -> EmailMessage:
        from .converting import converted

        shown = copy.copy(self)  # in Flask-Mail, only sending refuses a line break in an address
        shown.sender, shown.reply_to = _in_a_line(self.sender), _in_a_line(self.reply_to)
        shown.recipients = [_in_a_line(address) for address in self.recipients]
        return converted(shown).to_mime()

    def as_bytes(self) -> bytes:
        """Return the octets that would be sent.

        :raises MessageError: if the message cannot be sent as it is.
        """
        return bytes(self._message())

    def as_string(self) -> str:
        """Return the octets that would be sent, as a text."""
        return self.as_bytes().decode("utf-8", "surrogateescape")

    def __str__(self) -> str:
        return self.as_string()

    def __bytes__(self) -> bytes:
        return self.as_bytes()


def joined(address: t.Any) -> t.Any:
    """Return a pair as Flask-Mail shows it: ``Ann Lee <ann@example.com>``."""
    return f"{address[0]} <{address[1]}>" if isinstance(address, tuple) else address


def _in_a_line(address: t.Any) -> t.Any:
    return re.sub(r"[\r\n]", "", address) if isinstance(address, str) else address


def _default_sender() -> AddressInput | None:
    """Return the sender of the current app; without one, it is filled in when the mail is sent."""
    state = current_app.extensions.get("mail") if has_app_context() else None
    return t.cast("AddressInput | None", getattr(state, "default_sender", None))


def _domain(sender: object) -> str:
    try:
        return address_of(sender).domain.strip("[]").replace(":", "-") if sender else "localhost"
    except ValueError:  # the error of the sender is told when the message is sent
        return "localhost"
