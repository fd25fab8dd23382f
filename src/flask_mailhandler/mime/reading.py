"""What a reader sees of the octets that are sent.

They may be anybody's: signed, in unknown charsets, nested without end. Nothing is refused here,
and nothing raises. The standard library's parser of header fields is not asked, for some ids and
names that others accept make it fail.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t
from collections.abc import Callable
from collections.abc import Iterator

from ..address import Address
from ..address import Addresses
from ..attachment import Attachment
from ..errors import MessageError
from ..headers import Headers
from ..text.charset import text_of
from ..text.decoding import decoded
from .stdlib.address_list import mailboxes
from .stdlib.as_sent import AS_SENT
from .stdlib.body import parse
from .stdlib.convert import from_mime
from .stdlib.convert import NOT_CUSTOM
from .stdlib.header import addresses
from .stdlib.source import parts_of
from .stdlib.source import read

if t.TYPE_CHECKING:
    from email.message import Message as MIMEMessage
    from email.parser import BytesParser

    from ..message.message import Message

T = t.TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Leaf:
    """A part without parts, or an attached message.

    :param kind: Its type, such as ``text/plain``.
    :param shown: ``inline``, ``attachment``, or "" if it does not say.
    :param data: Its octets, without their transfer encoding.
    """

    kind: str
    shown: str
    filename: str
    cid: str
    charset: str
    data: bytes

    @property
    def is_body(self) -> bool:
        """Whether it may be what the reader reads first."""
        return self.kind in ("text/plain", "text/html") and not (self.shown or self.filename)

    @property
    def is_file(self) -> bool:
        """Whether it is there for itself: no body, and no image that the HTML shows."""
        return not (self.is_body or (self.cid and self.shown != "attachment"))

    @property
    def text(self) -> str:
        """The octets as text, with LF as line end."""
        try:
            text = text_of(self.data, self.charset)
        except (LookupError, ValueError):
            text = self.data.decode("utf-8", "replace")
        return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """A message as it is read. What can be asked of a :class:`Message` is called as there.

    :param fields: Names and values, decoded.
    :param leaves: First to last.
    """

    fields: tuple[tuple[str, str], ...]
    leaves: tuple[Leaf, ...]
    _wire: tuple[tuple[str, str], ...]

    @property
    def subject(self) -> str:
        return next((value for name, value in self.fields if name.lower() == "subject"), "")

    @property
    def from_addr(self) -> Address | None:
        return next(iter(self.addresses("from")), None)

    @property
    def reply_to(self) -> Addresses:
        return self.addresses("reply-to")

    @property
    def to(self) -> Addresses:
        return self.addresses("to")

    @property
    def cc(self) -> Addresses:
        return self.addresses("cc")

    @property
    def text(self) -> str:
        return self._body("text/plain")

    @property
    def html(self) -> str:
        return self._body("text/html")

    @property
    def headers(self) -> t.Mapping[str, str]:
        """The custom header fields; those that a Message may not have, too."""
        custom: dict[str, str] = {}
        for name, value in self.fields:
            if name.lower() not in NOT_CUSTOM and not name.lower().startswith("content-"):
                custom.setdefault(name, value)
        return _or(lambda: Headers(custom), custom)

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """All leaves but the texts."""
        return tuple(_attachment(leaf) for leaf in self.leaves if not leaf.is_body)

    def _body(self, kind: str) -> str:
        return next((leaf.text for leaf in self.leaves if leaf.is_body and leaf.kind == kind), "")

    def addresses(self, wanted: str) -> Addresses:
        """Those of a field, whose name is in lower case; none if it is no list of addresses."""
        found: list[Address] = []
        for name, value in self._wire:
            if name.lower() == wanted:
                with contextlib.suppress(MessageError):
                    found += mailboxes(addresses(read(name, value)))
        return Addresses(found)


def read_content(octets: bytes) -> Reading:
    """Read the octets of a message."""
    return _reading(parsed(octets))


def read_within_bounds(octets: bytes) -> Reading:
    """Read the octets of a message that anybody may have made, as far as they can be read soon."""
    return _reading(parsed_within_bounds(octets)[0])


def _reading(message: MIMEMessage) -> Reading:
    wire = tuple((name, str(value)) for name, value in message.raw_items())
    fields = tuple((name, decoded(unfolded(value))) for name, value in wire)
    return Reading(fields, tuple(map(leaf_of, _leaves(message))), wire)


def as_read(octets: bytes) -> Message | Reading:
    """Return the octets of a message as a :class:`Message`, or, where that cannot hold them
    (signed, resent, of two authors), as far as they can be read."""
    return _or(lambda: from_mime(parse(octets)), None) or read_content(octets)


def _or(ask: Callable[[], T], otherwise: T) -> T:
    """What the standard library says of a damaged message, or *otherwise*: it should not raise,
    and does, now this and now that."""
    try:
        return ask()
    except Exception:
        return otherwise


def parsed(octets: bytes) -> MIMEMessage:
    """Parse with the standard library, as far as it can."""
    import email.parser

    from .bounds import FieldsWithinBounds

    policy = FieldsWithinBounds()
    whole = _or(lambda: email.parser.BytesParser(policy=policy).parsebytes(octets), None)
    # Of what is nested too deep the header is still read.
    return whole or email.parser.BytesHeaderParser(policy=policy).parsebytes(octets)


def parsed_within_bounds(octets: bytes) -> tuple[MIMEMessage, tuple[str, ...]]:
    """Parse with the standard library what can be read soon, whoever made it.

    :return: The message, and a sentence about each thing that was not read.
    """
    import email.message
    import email.parser

    from .bounds import TOO_DEEP
    from .bounds import within_bounds

    found, left_out = within_bounds(octets)
    whole = _parsed_to_the_end(email.parser.BytesParser, found)
    # Of what is nested too deep the header is still read.
    message, more = (
        whole
        or _parsed_to_the_end(email.parser.BytesHeaderParser, found)
        or (
            email.message.Message(),
            (),
        )
    )
    return message, (*left_out, *more, *(() if whole else (TOO_DEEP,)))


def _parsed_to_the_end(
    parser: type[BytesParser], octets: bytes
) -> tuple[MIMEMessage, tuple[str, ...]] | None:
    """Parse, or as much as there is a :class:`.Budget` for; None if the parser fails."""
    from .bounds import Budget
    from .bounds import FieldsWithinBounds
    from .bounds import TooMuch

    budget = Budget()
    made = t.cast(t.Any, FieldsWithinBounds)  # a policy takes whatever is an attribute of it
    policy = made(budget=budget, message_factory=budget.part)
    try:
        return parser(policy=policy).parsebytes(octets), ()
    except TooMuch:
        return t.cast("MIMEMessage", budget.message), budget.left_out
    except Exception:
        return None


def unfolded(value: str) -> str:
    """The value of a parsed field in one line."""
    octets = value.encode("utf-8", "surrogateescape")
    return "".join(octets.decode("utf-8", "replace").splitlines()).strip(" \t")


def _leaves(message: MIMEMessage) -> Iterator[MIMEMessage]:
    left = [message]
    while left:
        part = left.pop()
        if part.get_content_maintype() == "multipart" and (parts := parts_of(part)):
            left += reversed(parts)
        else:
            yield part


def leaf_of(part: MIMEMessage) -> Leaf:
    """Read a part that is not taken apart."""
    filename = _or(lambda: decoded(part.get_filename() or ""), "")
    return Leaf(
        kind=part.get_content_type(),
        shown=_or(part.get_content_disposition, None) or "",
        filename=filename.encode("utf-8", "replace").decode(),
        cid=unfolded(str(part.get("Content-ID", ""))),
        charset=_or(part.get_content_charset, None) or "utf-8",
        data=_or(lambda: _data(part), b""),
    )


def _data(part: MIMEMessage) -> bytes:
    if parts := parts_of(part):
        return b"".join(attached.as_bytes(policy=AS_SENT) for attached in parts)
    return t.cast("bytes | None", part.get_payload(decode=True)) or b""


def _attachment(leaf: Leaf) -> Attachment:
    try:
        return Attachment(leaf.data, filename=leaf.filename or None, mimetype=leaf.kind)
    except MessageError:
        return Attachment(leaf.data)  # the name has a control character, or the type no form
