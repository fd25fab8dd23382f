"""The message that an app creates and sends."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from collections.abc import Mapping

from ..address import Address
from ..address import Addresses
from ..address import parse_addresses
from ..envelope import Envelope
from ..errors import MessageError
from ..frozen import Field
from ..frozen import filled_at_once
from . import content_ids
from . import fields as convert
from . import other_names
from .headers import Headers
from .message_id import make_left
from .message_id import make_message_id

if t.TYPE_CHECKING:
    from email.message import EmailMessage
    from email.message import Message as MIMEMessage

    from ..address import AddressesInput
    from ..address import AddressInput
    from ..attachment import Attachment
    from ..text.checks import TextInput
    from .arguments import AlternativesInput
    from .arguments import AttachmentsInput
    from .arguments import MessageFields
    from .arguments import MetadataInput
    from .arguments import NotifyInput
    from .arguments import ProviderOptionsInput
    from .arguments import TagsInput
    from .headers import HeadersInput


@other_names.says_how_to_change
@filled_at_once
class Message(other_names.Unchanging):
    """A message to send.

    It is frozen: its fields are checked when you create it, and sending it does not change it.
    :meth:`replace` returns a changed copy.

    .. code-block:: python

        message = Message(subject="Welcome", text="Hello Ann!", to="ann@example.com")

    Its identity, which is the Message-ID and the Date, is set once. If you send the same object
    again, it is the same mail. A changed copy is another mail.

    :raises MessageError: if a value cannot be sent; the error names the field.
    """

    subject: Field[TextInput, str] = Field(convert.line, "")
    """One line. Line breaks and other control characters are refused."""
    text: Field[TextInput, str] = Field(convert.body, "")
    """The body as plain text. Its lines end with LF, whatever you pass."""
    html: Field[TextInput, str] = Field(convert.body, "")
    """The body as HTML. If there is no text, one is generated from it."""
    from_addr: Field[AddressInput | None, Address | None] = Field(convert.sender, None)
    """The From. If you leave it out, ``MAIL_DEFAULT_FROM`` is used."""
    reply_to: Field[AddressesInput, Addresses] = Field(parse_addresses, ())
    """The addresses that replies go to."""
    to: Field[AddressesInput, Addresses] = Field(parse_addresses, ())
    """Recipients. If you leave them out, ``MAIL_DEFAULT_TO`` is used, but not if you pass ``[]``.
    The same applies to Cc and Bcc."""
    cc: Field[AddressesInput, Addresses] = Field(parse_addresses, ())
    """Recipients of a copy, which all recipients can see."""
    bcc: Field[AddressesInput, Addresses] = Field(parse_addresses, ())
    """Recipients that the others do not see: they are in the envelope, but not in a header."""
    envelope_sender: Field[AddressInput | None, Address | str | None] = Field(
        convert.reverse_path, None
    )
    """The address that bounces go to. The default is an address made from
    ``MAIL_BOUNCE_ADDRESS``, or the From; with "", no bounces are sent."""
    headers: Field[HeadersInput, Headers] = Field(lambda value, _: Headers(value), None)
    """Further header fields. A field that has its own argument is refused."""
    attachments: Field[AttachmentsInput, tuple[Attachment, ...]] = Field(convert.attached_files, ())
    """Files for the reader to keep."""
    inline_attachments: Field[AttachmentsInput, tuple[Attachment, ...]] = Field(
        convert.inline_attachments, ()
    )
    """Images that the HTML shows with ``src="cid:{attachment.cid}"``."""
    alternatives: Field[AlternativesInput, tuple[Attachment, ...]] = Field(convert.alternatives, ())
    """Other forms of the body, such as ``(data, "text/calendar; method=REQUEST")``."""
    message_id: Field[str | None, str | None] = Field(convert.message_id, None)
    """``<left@right>``. If you leave it out, it is generated with the domain of the From; it is
    None until there is a From."""
    date: Field[datetime.datetime | None, datetime.datetime] = Field(convert.date, None, fresh=True)
    """The Date, with a time zone. If you leave it out, it is the time at which the message was
    created."""
    tags: Field[TagsInput, tuple[str, ...]] = Field(convert.tags, ())
    """Your own words for it, such as ``"newsletter-48"``. Only a provider with tags gets them."""
    metadata: Field[MetadataInput, Mapping[str, str]] = Field(convert.metadata, None)
    """Your own data for the provider, such as ``{"order": "17"}``. Its events have them."""
    track_opens: Field[bool | None, bool | None] = Field(convert.tracking, None)
    """Whether the provider tracks who opens the mail. None: what its settings say."""
    track_clicks: Field[bool | None, bool | None] = Field(convert.tracking, None)
    """Whether the provider tracks who follows its links. None: what its settings say."""
    stream: Field[TextInput, str | None] = Field(convert.stream, None)
    """What the provider keeps this kind of mail apart by, such as Postmark's message stream."""
    provider_options: Field[ProviderOptionsInput, Mapping[str, Mapping[str, t.Any]]] = Field(
        convert.provider_options, None
    )
    """More fields for the API of a provider: ``{"postmark": {...}}``."""
    dsn_notify: Field[NotifyInput, tuple[str, ...] | None] = Field(convert.dsn_notify, None)
    """The delivery notifications to ask for instead of ``MAIL_DSN_NOTIFY``; ``()`` for none."""
    dsn_return: Field[str | None, str | None] = Field(convert.dsn_return, None)
    """What a notification returns of the message, instead of ``MAIL_DSN_RETURN``."""
    unsubscribe: Field[str | None, str] = Field(convert.list_name, None)
    """The name of the list that the recipient can leave with one click, such as ``"newsletter"``.
    It needs ``MAIL_UNSUBSCRIBE``, and one recipient."""

    def __new__(cls, *args: t.Any, **fields: t.Any) -> t.Self:
        if args or not fields.keys() <= _NAMES:
            raise TypeError(other_names.of_call(args, fields, _NAMES))
        return super().__new__(cls)

    def _filled(self, given: Mapping[str, t.Any]) -> None:
        found = self.__dict__
        # A copy keeps the given values, and not the generated ones. For recipients, only an empty
        # list has to be distinguished from a field left out.
        names = [name for name in _LEFT_OUT if given.get(name) is not None]
        found["_given"] = frozenset(
            [name for name in names if name not in RECIPIENTS or not found[name]]
        )
        found["_left"] = make_left()
        self._identify()
        if "cid:" in self.html:
            from ..mime.shown_images import check_shown  # few messages show any

            check_shown(self.html, self.inline_attachments)
        if attached := (*self.inline_attachments, *self.attachments, *self.alternatives):
            content_ids.check_unique(attached)

    def _identify(self) -> None:
        if self.message_id is None and self.from_addr is not None:
            self.__dict__["message_id"] = make_message_id(self.__dict__["_left"], self.from_addr)

    def replace(self, **changes: t.Unpack[MessageFields]) -> t.Self:
        """Return a changed copy.

        It is another mail, with a new Message-ID and Date unless you gave them.

        .. code-block:: python

            reminder = message.replace(subject="Reminder: " + message.subject)

        :raises MessageError: like the constructor.
        """
        copy = type(self)(**{**self._given_fields(), **changes})
        for name in ("_origin", "_locale"):  # see template_name.py
            if name in self.__dict__:
                copy.__dict__[name] = self.__dict__[name]
        return copy

    def completed(self, **changes: t.Unpack[MessageFields]) -> t.Self:
        """Return a changed copy that is the same mail, for a handler that fills in defaults."""
        if not changes.keys() <= convert.INDEPENDENT.keys() or type(self) is not Message:
            return self.replace(**changes)._identified_as(self)
        # Most messages get a default, so the other fields are not converted and checked again.
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        for name, value in changes.items():
            copy.__dict__[name] = convert.INDEPENDENT[name](value, name)
        copy._identify()
        return copy

    def same_mail_as(self, other: Message) -> t.Self:
        """Return a copy with the identity of *other*, its form before a ``before_send`` function.

        A Message-ID or Date that was passed is kept.
        """
        return self.replace()._identified_as(other)

    def _identified_as(self, other: Message) -> t.Self:
        given = self.__dict__["_given"]
        self.__dict__["_left"] = other.__dict__["_left"]
        if "date" not in given:
            self.__dict__["date"] = other.date
        if "message_id" not in given:
            self.__dict__["message_id"] = other.message_id
            self._identify()
        return self

    def has_given(self, name: str) -> bool:
        """Return whether ``date``, ``message_id``, ``to``, ``cc`` or ``bcc`` was passed.

        An empty list of recipients counts.
        """
        return name in self.__dict__["_given"] or (name in RECIPIENTS and bool(self.__dict__[name]))

    def envelope(self, recipients: Addresses | None = None) -> Envelope:
        """Return the envelope: its recipients are To, Cc and Bcc in this order, each address once.

        .. code-block:: python

            message.envelope().recipients

        :param recipients: The recipients to use instead.
        :raises MessageError: if there is no recipient, or no sender.
        """
        sender = self.from_addr if self.envelope_sender is None else self.envelope_sender
        if sender is None:
            raise MessageError(
                "The message has no sender: write from_addr=, or set MAIL_DEFAULT_FROM."
            )
        return Envelope(sender, recipients or Addresses((*self.to, *self.cc, *self.bcc)))

    def to_mime(self) -> EmailMessage:
        """Return the message as an ``EmailMessage`` of the standard library.

        It is parsed from the octets that are sent, so it has no Bcc.

        .. code-block:: python

            octets = bytes(message.to_mime())
        """
        from ..mime.stdlib.convert import to_mime

        return to_mime(self)

    @classmethod
    def from_mime(cls, message: MIMEMessage) -> Message:
        """Read a message of the standard library.

        .. code-block:: python

            message = Message.from_mime(email.message_from_bytes(octets, policy=email.policy.SMTP))

        :raises MessageError: for a message with parts that a :class:`Message` cannot have, such as
            a signature. Pass the ``EmailMessage`` itself to :meth:`.Mail.send`.
        """
        from ..mime.stdlib.convert import from_mime

        return from_mime(message)

    def to_dict(self) -> dict[str, t.Any]:
        """Return the message as JSON types, including its identity."""
        from .json_form import to_json  # few messages are stored as JSON

        made = self.__dict__
        fields = {name: to_json(value) for name, value in self._fields().items()}
        return {
            "version": 1,
            "made": {name[1:]: made[name] for name in ("_left", "_locale") if name in made},
            **fields,
            "given": sorted(self.__dict__["_given"]),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, t.Any]) -> t.Self:
        """Read the result of :meth:`to_dict`: an equal message with the same identity.

        .. code-block:: python

            data = json.dumps(message.to_dict())
            message = Message.from_dict(json.loads(data))

        :raises MessageError: for an unknown version, or a wrong value.
        """
        from .json_form import from_json

        fields, made, given = from_json(data, _ORDER, _LEFT_OUT)
        message = cls(**fields)
        message.__dict__.update(made, _given=given)
        return message

    def _fields(self) -> dict[str, t.Any]:
        return {name: self.__dict__[name] for name in _ORDER}

    def _given_fields(self) -> dict[str, t.Any]:
        left_out = _LEFT_OUT - self.__dict__["_given"]
        return {
            name: value
            for name, value in self._fields().items()
            if name not in left_out or (name in RECIPIENTS and value)
        }

    def __eq__(self, other: object) -> bool:
        # Display names count here, though comparing an Address ignores its name.
        if not isinstance(other, Message):
            return NotImplemented
        empty = dict.fromkeys(RECIPIENTS, ())
        mine, others = empty | self._given_fields(), empty | other._given_fields()
        return convert.with_names(mine) == convert.with_names(others)

    def __hash__(self) -> int:
        return hash((self.subject, self.text, self.html, self.to))

    def __repr__(self) -> str:
        shown = ("subject", "from_addr", "to", "cc", "bcc")
        fields = [
            f"{name}={convert.shown(getattr(self, name))}" for name in shown if getattr(self, name)
        ]
        return f"<Message {self.message_id or ''} {' '.join(fields)}>".replace("  ", " ")

    if not t.TYPE_CHECKING:  # so that a type checker reports an unknown attribute

        def __getattr__(self, name: str) -> t.NoReturn:
            hint = other_names.of_attribute(name)
            raise AttributeError(
                f"A Message has no {name!r}{f': {hint}' if hint else ''}.", name=name, obj=self
            )


_ORDER = tuple(field.name for field in dataclasses.fields(Message))
_NAMES = frozenset(_ORDER)
_IDENTITY = ("message_id", "date")
RECIPIENTS = ("to", "cc", "bcc")
_LEFT_OUT = frozenset((*_IDENTITY, *RECIPIENTS))
