"""What a reader sees of a message: its fields, texts and files, decoded.

The standard library's parser of header fields is not used: it fails for some identifiers and names
that mail clients accept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t
from collections.abc import Iterator

from ...address import Address
from ...address import Addresses
from ...attachment import Attachment
from ...errors import MessageError
from ...message.headers import Headers
from ...text.charset import text_of
from ...text.decoding import decoded
from ..stdlib.address_list import all_addresses
from ..stdlib.as_sent import AS_SENT
from ..stdlib.body import parse
from ..stdlib.convert import from_mime
from ..stdlib.convert import NOT_CUSTOM
from ..stdlib.header import addresses
from ..stdlib.source import parts_of
from ..stdlib.source import read
from .parse import attempt
from .parse import parsed
from .parse import parsed_within_bounds
from .parse import unfolded

if t.TYPE_CHECKING:
    from email.message import Message as MIMEMessage

    from ...message.message import Message


@dataclasses.dataclass(frozen=True, slots=True)
class Leaf:
    """A part without parts, or an attached message.

    :param kind: The media type, such as ``text/plain``.
    :param shown: The disposition: ``inline``, ``attachment``, or "" if there is none.
    :param data: The octets, with the transfer encoding undone.
    """

    kind: str
    shown: str
    filename: str
    cid: str
    charset: str
    data: bytes

    @property
    def is_body(self) -> bool:
        """Whether it may be the text or the HTML of the message."""
        return self.kind in ("text/plain", "text/html") and not (self.shown or self.filename)

    @property
    def is_file(self) -> bool:
        """Whether it is listed as a file: neither a body nor an image that the HTML shows."""
        return not (self.is_body or (self.cid and self.shown != "attachment"))

    @property
    def text(self) -> str:
        """The octets as text, with LF line ends."""
        try:
            text = text_of(self.data, self.charset)
        except (LookupError, ValueError):
            text = self.data.decode("utf-8", "replace")
        return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """A message as its reader sees it. Its properties have the names that they have in a
    :class:`Message`.

    :param fields: Names and values, decoded.
    :param leaves: In the order of the message.
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
        """The custom header fields, including names that a Message does not accept."""
        custom: dict[str, str] = {}
        for name, value in self.fields:
            if name.lower() not in NOT_CUSTOM and not name.lower().startswith("content-"):
                custom.setdefault(name, value)
        return attempt(lambda: Headers(custom), custom)

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """All leaves except the texts."""
        return tuple(_attachment(leaf) for leaf in self.leaves if not leaf.is_body)

    def _body(self, kind: str) -> str:
        return next((leaf.text for leaf in self.leaves if leaf.is_body and leaf.kind == kind), "")

    def addresses(self, wanted: str) -> Addresses:
        """The addresses of a field, whose name is given in lower case. There are none if the value
        is not a list of addresses."""
        found: list[Address] = []
        for name, value in self._wire:
            if name.lower() == wanted:
                with contextlib.suppress(MessageError):
                    found += all_addresses(addresses(read(name, value)))
        return Addresses(found)


def read_content(octets: bytes) -> Reading:
    """Read the octets of a message."""
    return _reading(parsed(octets))


def read_within_bounds(octets: bytes) -> Reading:
    """Read the octets of a message from an unknown source, up to the limits of :mod:`.bounds`."""
    return _reading(parsed_within_bounds(octets)[0])


def _reading(message: MIMEMessage) -> Reading:
    wire = tuple((name, str(value)) for name, value in message.raw_items())
    fields = tuple((name, decoded(unfolded(value))) for name, value in wire)
    return Reading(fields, tuple(map(leaf_of, _leaves(message))), wire)


def as_read(octets: bytes) -> Message | Reading:
    """Return a message as a :class:`Message`, or as a :class:`Reading` if a Message cannot hold it,
    such as a message that is signed, resent, or from two authors."""
    return attempt(lambda: from_mime(parse(octets)), None) or read_content(octets)


def _leaves(message: MIMEMessage) -> Iterator[MIMEMessage]:
    left = [message]
    while left:
        part = left.pop()
        if part.get_content_maintype() == "multipart" and (parts := parts_of(part)):
            left += reversed(parts)
        else:
            yield part


def leaf_of(part: MIMEMessage) -> Leaf:
    """Read a part that has no parts, or an attached message."""
    filename = attempt(lambda: decoded(part.get_filename() or ""), "")
    return Leaf(
        kind=part.get_content_type(),
        shown=attempt(part.get_content_disposition, None) or "",
        filename=filename.encode("utf-8", "replace").decode(),
        cid=unfolded(str(part.get("Content-ID", ""))),
        charset=attempt(part.get_content_charset, None) or "utf-8",
        data=attempt(lambda: _data(part), b""),
    )


def _data(part: MIMEMessage) -> bytes:
    if parts := parts_of(part):
        return b"".join(attached.as_bytes(policy=AS_SENT) for attached in parts)
    return t.cast("bytes | None", part.get_payload(decode=True)) or b""


def _attachment(leaf: Leaf) -> Attachment:
    try:
        return Attachment(leaf.data, filename=leaf.filename or "", mimetype=leaf.kind)
    except MessageError:
        # The name has a control character, or the type is malformed.
        return Attachment(leaf.data, mimetype="application/octet-stream")
