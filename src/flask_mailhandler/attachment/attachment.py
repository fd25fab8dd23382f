"""An attachment: octets, text, or a file that is read while it is sent."""

from __future__ import annotations

import copy
import dataclasses
import os
import re
import typing as t

from ..errors import MessageError
from ..frozen import Frozen
from ..text.checks import plain
from ..text.checks import shorten
from ..text.checks import unproxied
from .file import File
from .file import Streamed
from .name_and_type import checked_filename
from .name_and_type import checked_mimetype
from .name_and_type import name_by_type

if t.TYPE_CHECKING:
    import io
    from importlib.resources.abc import Traversable

# https://www.rfc-editor.org/rfc/rfc2392: what follows cid:, without the characters that a URL or
# the angle brackets would need escaped.
_CID = r"[!#$%&'*+\-./0-9=?A-Z^_`a-z{|}~@]+\Z"


class Attachment(Frozen):
    """A part of a message other than its text and its HTML.

    It is a file (``attachments=``), an inline image (``inline_attachments=``), or another form of
    the text (``alternatives=``).

    .. code-block:: python

        invoice = Attachment(pdf, filename="invoice.pdf")
        message = Message(subject="Your invoice", text="...", attachments=[invoice])

    :param data: Octets, which are sent unchanged; or text, which is sent as UTF-8 with the line
        ends of its type. A ``BytesIO`` or ``StringIO`` is attached whole, whatever its position.
    :param filename: The name that the reader sees. Only the last part of a path is used. Without
        it, a file in ``attachments=`` is named by its type, such as ``attachment.pdf``, unless you
        pass "".
    :param mimetype: The type, such as ``application/pdf`` or ``text/calendar; method=REQUEST``. If
        you leave it out, it is guessed from the name; without a name, it is required.
    :param cid: The Content-ID without angle brackets. If you leave it out, one is generated; refer
        to it by ``src="cid:{attachment.cid}"``.
    :raises MessageError: for a name, type or cid that cannot be sent.
    """

    source: bytes | str | Streamed
    filename: str | None
    mimetype: str
    given_cid: str | None
    _made_cid: str = dataclasses.field(default="", compare=False)
    _unnamed: bool = dataclasses.field(default=False, compare=False)

    def __init__(
        self,
        data: bytes | bytearray | memoryview | str | Streamed | io.BytesIO | io.StringIO,
        *more: t.Never,
        filename: str | None = None,
        mimetype: str | None = None,
        cid: str | None = None,
    ) -> None:
        if more:  # as in Flask-Mail: the name, the type, the data
            raise TypeError(
                "An Attachment takes one positional argument, the data: write Attachment(data,"
                " filename=..., mimetype=...)."
            )

        source, name = _source(data), checked_filename(filename)
        # A frozen object sets each attribute in 0.2 µs, and all of them here in 0.3 µs.
        self.__dict__.update(
            source=source,
            filename=name,
            mimetype=checked_mimetype(mimetype, name, source),
            given_cid=None if cid is None else _cid(cid),
            _unnamed=name is None and filename is None,
        )

    @classmethod
    def from_path(
        cls,
        path: str | os.PathLike[str] | Traversable,
        *,
        filename: str | None = None,
        mimetype: str | None = None,
        cid: str | None = None,
    ) -> t.Self:
        """Attach a regular file.

        It is read in pieces while it is sent, and must then be the same file as now (inode, size,
        time of change).

        .. code-block:: python

            Attachment.from_path("terms.pdf")

        :param path: The path of the file. A file that is not in the file system, such as a
            ``zipfile.Path`` or a file of ``importlib.resources`` in a zip, is read at once.
        :raises MessageError: if it does not exist or is not a regular file.
        """
        if not isinstance(path, str | os.PathLike):
            name, data = _read(path)
            given = name if filename is None else filename
            return cls(data, filename=given, mimetype=mimetype, cid=cid)
        file = File.pin(path)
        name = os.path.basename(file.path) if filename is None else filename
        return cls(file, filename=name, mimetype=mimetype, cid=cid)

    @classmethod
    def from_storage(
        cls,
        file: object,
        *,
        filename: str | None = None,
        mimetype: str | None = None,
        cid: str | None = None,
    ) -> t.Self:
        """Attach a file of a storage, such as a bucket.

        A file that has a size and can be opened again is read in pieces while it is sent, and read
        again for a retry. Any other file is read now.

        .. code-block:: python

            Attachment.from_storage(fsspec.open("s3://invoices/48.pdf"))

        :param file: A file of fsspec, or an object with ``open()`` and its size in ``size`` or
            ``stat()``; or an open file or an upload with ``read()``, of at most 25 MiB.
        :param filename: If you leave it out, the name of the file.
        :raises MessageError: if it cannot be read, or if a file that is read now is larger.
        """
        from .storage import octets_or_stored  # few files come from a storage

        name, source = octets_or_stored(unproxied(file))
        given = name if filename is None else filename
        return cls(source, filename=given, mimetype=mimetype, cid=cid)

    @property
    def cid(self) -> str:
        """The Content-ID without angle brackets (RFC 2392). It never changes."""
        return self.known_cid or self._make_cid()

    @property
    def known_cid(self) -> str:
        """The Content-ID, or "" if none was given and none has been needed yet."""
        return self.given_cid or self._made_cid

    def __getstate__(self) -> list[object]:
        if not self.known_cid:
            self._make_cid()  # a copy has the same Content-ID
        return super().__getstate__()

    def _make_cid(self) -> str:
        # Most attachments need none, and it takes 1 µs, a third of the time to make one.
        # Of two threads, the first one makes it: setdefault() is atomic, and no lock is left held
        # in the child of a fork.
        made: str = self.__dict__.setdefault("_made_cid", f"{os.urandom(12).hex()}@inline")
        return made

    @property
    def data(self) -> bytes | str:
        """The octets or the text that was attached. A file is read.

        :raises MessageError: if the file has changed.
        """
        return b"".join(self.source.read()) if isinstance(self.source, Streamed) else self.source

    @property
    def size(self) -> int:
        """The number of octets, before any encoding."""
        if isinstance(self.source, Streamed):
            return self.source.size
        return len(self.source.encode() if isinstance(self.source, str) else self.source)

    def named(self) -> Attachment:
        """Return the attachment with a name by its type, if the caller did not choose whether it
        has one.

        A message has no name, because mail clients show its subject.
        """
        if not self._unnamed or self.mimetype[:8].lower() == "message/":
            return self
        named = copy.copy(self)
        named.__dict__["filename"] = name_by_type(self.mimetype)
        return named

    def same_as(self, other: Attachment) -> bool:
        """Return whether both have the same octets and the same type. Their names may differ.

        :raises MessageError: if a file has changed.
        """
        if self.mimetype != other.mimetype or self.size != other.size:
            return False
        return self.source == other.source or _octets(self.data) == _octets(other.data)

    def __repr__(self) -> str:
        name = f" {self.filename!r}" if self.filename else ""
        return f"<Attachment{name} {self.mimetype} {self.size} octets>"


class Attachable(t.Protocol):
    """An object that may stand in ``attachments=``, such as an invoice or a ticket."""

    def __mail_attachment__(self) -> Attachment:
        """Return the object as an attachment."""
        ...


def attachment_of(value: object) -> Attachment | None:
    """Return an attachment, or what the ``__mail_attachment__()`` of an object returns.

    Return None for an object that is neither.

    :raises MessageError: if the method returns anything else.
    """
    if type(value) is Attachment:
        return value
    value = unproxied(value)
    if isinstance(value, Attachment):
        return value
    method = getattr(type(value), "__mail_attachment__", None)
    if method is None:
        return None
    made = method(value)
    if not isinstance(made, Attachment):
        raise MessageError(
            f"{type(value).__name__}.__mail_attachment__() must return an Attachment, not"
            f" {shorten(made)}."
        )
    return made


def _read(path: t.Any) -> tuple[str, bytes]:
    """Read a file that is not in the file system; return its name and its octets."""
    if not (hasattr(path, "read_bytes") and hasattr(path, "name")):
        raise MessageError(
            f"from_path takes a path, not {shorten(path)}. For octets or text, write"
            " Attachment(data, filename=...); for a file of a storage,"
            " Attachment.from_storage(file)."
        )
    try:
        return str(path.name), path.read_bytes()
    except (OSError, LookupError, ValueError) as error:
        raise MessageError(f"The attachment {shorten(path)} cannot be read: {error}.") from None


def _source(data: object) -> bytes | str | Streamed:
    if type(data) is bytes:
        return data
    data = unproxied(data)
    # After something was written to a buffer, its read() returns nothing.
    if callable(buffer := getattr(data, "getvalue", None)):
        data = buffer()
    if isinstance(data, bytes | Streamed):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    text = plain(data)
    if text is None:
        raise MessageError(
            f"An attachment takes octets or text, not {shorten(data)}. For a path, write"
            " Attachment.from_path(path); for an open file or an upload,"
            " Attachment.from_storage(file)."
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MessageError(f"The attached text cannot be written as UTF-8: {error}.") from None
    return text


def _octets(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _cid(value: object) -> str:
    text = plain(value)
    if text is None or not re.match(_CID, text) or len(text) > 200:
        raise MessageError(
            "cid takes an id like 'logo@example.com', without angle brackets,"
            f" not {shorten(value)}."
        )
    return text
