"""The message: words, as its writer knows them."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from collections.abc import Mapping

from ..address import Address
from ..address import Addresses
from ..address import AddressesInput
from ..address import AddressInput
from ..address import parse_addresses
from ..attachment import Attachment
from ..config.field import Field
from ..config.field import filled_at_once
from ..envelope import Envelope
from ..errors import MessageError
from ..headers import Headers
from ..headers import HeadersInput
from ..text.checks import TextInput
from . import content_ids
from . import fields as convert
from . import other_names
from .fields import AlternativesInput
from .fields import AttachmentsInput
from .json_form import from_json
from .json_form import to_json
from .message_id import make_left
from .message_id import make_message_id

if t.TYPE_CHECKING:
    from email.message import EmailMessage
    from email.message import Message as MIMEMessage


class MessageFields(t.TypedDict, total=False):
    """The arguments of :class:`Message`, for functions that pass them on. ``text`` and ``html``
    are not both needed: the text is made from the HTML where it is left out. None leaves a field
    out."""

    subject: TextInput
    text: TextInput
    html: TextInput
    from_addr: AddressInput | None
    reply_to: AddressesInput
    to: AddressesInput
    cc: AddressesInput
    bcc: AddressesInput
    envelope_sender: AddressInput | None
    headers: HeadersInput
    attachments: AttachmentsInput
    inline_attachments: AttachmentsInput
    alternatives: AlternativesInput
    message_id: str | None
    date: datetime.datetime | None


def _says_how_to_change(cls: type[Message]) -> type[Message]:
    """Give the frozen class an error that says what to write instead."""

    def refuse(self: Message, name: str, value: object = None) -> t.NoReturn:
        raise AttributeError(f"A Message does not change: {other_names.of_change(name)}")

    cls.__setattr__ = refuse  # type: ignore[assignment]
    cls.__delattr__ = refuse  # type: ignore[assignment]
    return cls


@_says_how_to_change
@filled_at_once
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Message:
    """A message. Frozen: it is checked where it is written and nothing that sends it changes
    it; :meth:`replace` makes a changed copy.

    Its identity, Message-ID and Date, is made once. So sending the same object again is the
    same mail, and a changed copy is another.

    :raises MessageError: naming the field whose value cannot be sent.
    """

    subject: Field[TextInput, str] = Field(convert.line, "")
    """One line. Line breaks and other control characters are refused."""
    text: Field[TextInput, str] = Field(convert.body, "")
    """The body as plain text. Line ends are LF here, whatever was given."""
    html: Field[TextInput, str] = Field(convert.body, "")
    """The body as HTML. If there is no text, one is generated from it."""
    from_addr: Field[AddressInput | None, Address | None] = Field(convert.sender, None)
    """The From. ``MAIL_DEFAULT_FROM`` is taken where it is left out."""
    reply_to: Field[AddressesInput, Addresses] = Field(parse_addresses, ())
    """Where answers go."""
    to: Field[AddressesInput, Addresses] = Field(parse_addresses, ())
    """Recipients. ``MAIL_DEFAULT_TO`` is taken where it is left out, and not for ``[]``; so with
    Cc and Bcc."""
    cc: Field[AddressesInput, Addresses] = Field(parse_addresses, ())
    """Recipients whom everybody sees."""
    bcc: Field[AddressesInput, Addresses] = Field(parse_addresses, ())
    """Recipients whom nobody sees: they are in the envelope, and in no header."""
    envelope_sender: Field[AddressInput | None, Address | str | None] = Field(
        convert.reverse_path, None
    )
    """Where notifications of failure go: the From where it is left out, nowhere if ""."""
    headers: Field[HeadersInput, Headers] = Field(lambda value, _: Headers(value), None)
    """Further header fields. Those with an argument of their own are refused."""
    attachments: Field[AttachmentsInput, tuple[Attachment, ...]] = Field(convert.attachments, ())
    """Files for the reader to keep."""
    inline_attachments: Field[AttachmentsInput, tuple[Attachment, ...]] = Field(
        convert.inline_attachments, ()
    )
    """Images that the HTML shows by ``src="cid:{attachment.cid}"``."""
    alternatives: Field[AlternativesInput, tuple[Attachment, ...]] = Field(convert.alternatives, ())
    """Other forms of the body, such as ``(data, "text/calendar; method=REQUEST")``."""
    message_id: Field[str | None, str | None] = Field(convert.message_id, None)
    """``<left@right>``. If it is left out it is made with the domain of the From, and is None
    as long as there is no From."""
    date: Field[datetime.datetime | None, datetime.datetime] = Field(convert.date, None, fresh=True)
    """With a time zone. If it is left out it is the time of construction."""

    def __new__(cls, *args: t.Any, **fields: t.Any) -> t.Self:
        if args:
            raise TypeError(
                "A Message takes keyword arguments only: Message(subject=..., text=...)."
            )
        if not fields.keys() <= _NAMES:
            name = min(fields.keys() - _NAMES)
            hint = other_names.of_field(name, _NAMES)
            raise TypeError(f"A Message has no field {name!r}: {hint}.")
        # What the writer gave stays when the message is copied; what is made does not.
        self = super().__new__(cls)
        self.__dict__["_given"] = frozenset(
            [name for name in (*_IDENTITY, *RECIPIENTS) if fields.get(name) is not None]
        )
        return self

    def __post_init__(self) -> None:
        given = self.__dict__["_given"]
        # Of recipients only that there are to be none has to be told from a field left out.
        self.__dict__["_given"] = given.difference(
            [name for name in given if name in RECIPIENTS and self.__dict__[name]]
        )
        self.__dict__["_left"] = make_left()
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
        """Return a changed copy. It is another mail: Message-ID and Date are made anew unless
        they were given.

        :raises MessageError: as the constructor does.
        """
        copy = type(self)(**{**self._given_fields(), **changes})
        if "_origin" in self.__dict__:  # what it was made from, which is no part of it
            copy.__dict__["_origin"] = self.__dict__["_origin"]
        return copy

    def completed(self, **changes: t.Unpack[MessageFields]) -> t.Self:
        """Return a copy that is the same mail: what a handler fills in does not change the
        Message-ID and the Date."""
        return self.replace(**changes)._identified_as(self)

    def same_mail_as(self, other: Message) -> t.Self:
        """Return a copy with the identity of *other*, for a copy of it that was changed on the
        way. A Message-ID or Date that was given stays."""
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
        """Whether the writer has given this part of the identity, ``date`` or ``message_id``; or
        recipients, ``to``, ``cc`` or ``bcc``, be it an empty list."""
        return name in self.__dict__["_given"] or (name in RECIPIENTS and bool(self.__dict__[name]))

    def envelope(self, recipients: Addresses | None = None) -> Envelope:
        """Say who gets it: To, Cc and Bcc in this order, each mailbox once.

        :param recipients: Who gets it instead.
        :raises MessageError: if there is nobody, or no sender.
        """
        sender = self.from_addr if self.envelope_sender is None else self.envelope_sender
        if sender is None:
            raise MessageError(
                "The message has no sender: give it from_addr=, or set MAIL_DEFAULT_FROM."
            )
        return Envelope(sender, recipients or (*self.to, *self.cc, *self.bcc))

    def to_mime(self) -> EmailMessage:
        """Return the message as the standard library's, parsed from the octets that are sent.
        Bcc is not in it."""
        from ..mime.stdlib.convert import to_mime

        return to_mime(self)

    @classmethod
    def from_mime(cls, message: MIMEMessage) -> Message:
        """Read a standard library's message.

        :raises MessageError: for what a :class:`Message` cannot hold, such as a signature;
            :meth:`.Mail.send` takes the ``EmailMessage`` itself.
        """
        from ..mime.stdlib.convert import from_mime

        return from_mime(message)

    def to_dict(self) -> dict[str, t.Any]:
        """Return the message as JSON types, its identity included."""
        fields = {name: to_json(value) for name, value in self._fields().items()}
        return {
            "version": 1,
            "made": {"left": self.__dict__["_left"]},
            **fields,
            "given": sorted(self.__dict__["_given"]),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, t.Any]) -> t.Self:
        """Read what :meth:`to_dict` made: an equal message with the same identity.

        :raises MessageError: for an unknown version, or values that are wrong.
        """
        fields, left, given = from_json(data, _ORDER, _LEFT_OUT)
        message = cls(**fields)
        message.__dict__.update(_left=left, _given=given)
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
        # Display names count here, though an Address compares as its mailbox.
        if not isinstance(other, Message):
            return NotImplemented
        empty = dict.fromkeys(RECIPIENTS, ())
        return _named(empty | self._given_fields()) == _named(empty | other._given_fields())

    def __hash__(self) -> int:
        return hash((self.subject, self.text, self.html, self.to))

    def __repr__(self) -> str:
        shown = ("subject", "from_addr", "to", "cc", "bcc")
        fields = [f"{name}={_shown(getattr(self, name))}" for name in shown if getattr(self, name)]
        return f"<Message {self.message_id or ''} {' '.join(fields)}>".replace("  ", " ")

    if not t.TYPE_CHECKING:  # a type checker is to see that there is no such attribute

        def __getattr__(self, name: str) -> t.NoReturn:
            hint = other_names.of_attribute(name)
            raise AttributeError(
                f"A Message has no {name!r}{f': {hint}' if hint else ''}.", name=name, obj=self
            )

    def attach(self, *args: object, **fields: object) -> t.NoReturn:
        """Refused: a message does not change.

        :raises AttributeError: saying what to write instead.
        """
        raise AttributeError(
            "A Message does not change: write Message(attachments=[Attachment(data,"
            " filename=...)]), or message.replace(attachments=[*message.attachments, ...])."
        )

    def add_recipient(self, *args: object) -> t.NoReturn:
        """Refused: a message does not change.

        :raises AttributeError: saying what to write instead.
        """
        raise AttributeError(
            "A Message does not change: write message.replace(to=[*message.to, address])."
        )


_ORDER = tuple(field.name for field in dataclasses.fields(Message))
_NAMES = frozenset(_ORDER)
_IDENTITY = ("message_id", "date")
RECIPIENTS = ("to", "cc", "bcc")
_LEFT_OUT = frozenset((*_IDENTITY, *RECIPIENTS))


def _shown(value: object) -> str:
    if isinstance(value, Addresses):
        return "[" + ", ".join(address.formatted for address in value) + "]"
    return value.formatted if isinstance(value, Address) else repr(value)


def _named(fields: dict[str, t.Any]) -> dict[str, t.Any]:
    def names(value: object) -> object:
        if isinstance(value, Addresses):
            return value.named
        return (value.name, str(value)) if isinstance(value, Address) else value

    return {name: names(value) for name, value in fields.items()}
