"""Attachments: octets, text, or a file that is read while it is sent."""

from __future__ import annotations

import dataclasses
import os
import re
import secrets
import stat
import typing as t
from collections.abc import Iterator

from .errors import MessageError
from .text.checks import check_text
from .text.checks import plain
from .text.checks import shorten
from .text.checks import unproxied
from .text.mimetype import parse_mimetype

if t.TYPE_CHECKING:
    import io
    from importlib.resources.abc import Traversable

# https://www.rfc-editor.org/rfc/rfc2392: what follows cid:, without the characters that a URL or
# the angle brackets would need escaped.
_CID = re.compile(r"[!#$%&'*+\-./0-9=?A-Z^_`a-z{|}~@]+\Z")
# Embedding and override characters can show "gpj.exe" as "exe.jpg". The marks (LRM, RLM, ALM)
# are harmless.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_READ = 1 << 16


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A regular file, pinned.

    Reading it gives exactly the octets that it had when it was pinned, or raises an error.
    """

    path: str
    size: int
    inode: int
    mtime_ns: int

    @classmethod
    def pin(cls, path: str | os.PathLike[str]) -> t.Self:
        """Note the file's size, inode and time of change, without reading it.

        :raises MessageError: if it does not exist or is not a regular file.
        """
        name = os.fspath(path)
        try:
            found = os.stat(name)
        except (OSError, ValueError) as error:
            raise MessageError(f"The attachment {shorten(name)} cannot be read: {error}.") from None
        if not stat.S_ISREG(found.st_mode):
            raise MessageError(f"The attachment {shorten(name)} is not a regular file.")
        return cls(name, found.st_size, found.st_ino, found.st_mtime_ns)

    def read(self, piece: int = _READ) -> Iterator[bytes]:
        """Yield the file's octets in pieces of *piece* octets; the last one may be shorter.

        :raises MessageError: if the file is not the pinned one, or changes while it is read.
        """
        try:
            yield from self._pieces(piece)
        except OSError as error:
            raise MessageError(f"The attachment {self.path!r} cannot be read: {error}.") from None

    def _pieces(self, piece: int) -> Iterator[bytes]:
        # Opening must not block if the path is a FIFO by now: _check refuses that.
        handle = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            self._check(handle)
            left = self.size
            while left and (data := file.read(min(piece, left))):
                left -= len(data)
                yield data
            self._check(handle)
            if left:
                raise MessageError(f"The attachment {self.path!r} shrank while it was read.")

    def _check(self, handle: int) -> None:
        found = os.fstat(handle)
        if (found.st_size, found.st_ino, found.st_mtime_ns) != (
            self.size,
            self.inode,
            self.mtime_ns,
        ):
            raise MessageError(
                f"The attachment {self.path!r} has changed since it was attached."
                " Attach the changed file, or attach its octets."
            )


@dataclasses.dataclass(frozen=True, init=False, repr=False)
class Attachment:
    """A part of a message other than its text and its HTML.

    It is a file (``attachments=``), an inline image (``inline_attachments=``), or another form of
    the text (``alternatives=``).

    .. code-block:: python

        invoice = Attachment(pdf, filename="invoice.pdf")
        message = Message(subject="Your invoice", text="...", attachments=[invoice])

    :param data: Octets, which are sent unchanged; or text, which is sent as UTF-8 with the line
        ends of its type. A ``BytesIO`` or ``StringIO`` is attached whole, whatever its position.
    :param filename: The name that the reader sees. Only the last part of a path is used.
    :param mimetype: The type, such as ``application/pdf`` or ``text/calendar; method=REQUEST``. If
        you leave it out, it is guessed from the name.
    :param cid: The Content-ID without angle brackets. If you leave it out, one is generated; refer
        to it by ``src="cid:{attachment.cid}"``.
    :raises MessageError: for a name, type or cid that cannot be sent.
    """

    source: bytes | str | File
    filename: str | None
    mimetype: str
    given_cid: str | None
    _made_cid: str = dataclasses.field(compare=False)

    def __init__(
        self,
        data: bytes | bytearray | memoryview | str | File | io.BytesIO | io.StringIO,
        *,
        filename: str | None = None,
        mimetype: str | None = None,
        cid: str | None = None,
    ) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        put("source", _source(data))
        put("filename", _filename(filename))
        put("mimetype", _mimetype(mimetype, self.filename, self.source))
        put("given_cid", None if cid is None else _cid(cid))
        put("_made_cid", "" if cid else f"{secrets.token_hex(12)}@inline")

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

    @property
    def cid(self) -> str:
        """The Content-ID without angle brackets (RFC 2392). It never changes."""
        return self.given_cid or self._made_cid

    @property
    def data(self) -> bytes | str:
        """The octets or the text that was attached. A file is read.

        :raises MessageError: if the file has changed.
        """
        return b"".join(self.source.read()) if isinstance(self.source, File) else self.source

    @property
    def size(self) -> int:
        """The number of octets, before any encoding."""
        if isinstance(self.source, File):
            return self.source.size
        return len(self.source.encode() if isinstance(self.source, str) else self.source)

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


def _read(path: t.Any) -> tuple[str, bytes]:
    """Read a file that is not in the file system; return its name and its octets."""
    if not (hasattr(path, "read_bytes") and hasattr(path, "name")):
        raise MessageError(
            f"from_path takes a path, not {shorten(path)}. For octets or text, write"
            " Attachment(data, filename=...)."
        )
    try:
        return str(path.name), path.read_bytes()
    except (OSError, LookupError, ValueError) as error:
        raise MessageError(f"The attachment {shorten(path)} cannot be read: {error}.") from None


def _source(data: object) -> bytes | str | File:
    data = unproxied(data)
    # After something was written to a buffer, its read() returns nothing.
    if callable(buffer := getattr(data, "getvalue", None)):
        data = buffer()
    if isinstance(data, bytes | File):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    text = plain(data)
    if text is None:
        raise MessageError(
            f"An attachment takes octets or text, not {shorten(data)}. For a path, write"
            " Attachment.from_path(path); for an open file or an upload, Attachment(file.read(),"
            " filename=...)."
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MessageError(f"The attached text cannot be written as UTF-8: {error}.") from None
    return text


def _octets(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _filename(value: object) -> str | None:
    if value is None:
        return None
    text = plain(value)
    if text is None:
        raise MessageError(f"filename takes a string, not {shorten(value)}.")
    check_text(text, "filename")
    if _BIDI.search(text):
        raise MessageError(
            f"filename has a bidirectional control character: {shorten(text)}. Remove it."
        )
    # The receiver must not get a path, neither with slashes nor with backslashes.
    return re.split(r"[/\\]", text)[-1].strip() or None


def _mimetype(value: object, filename: str | None, source: bytes | str | File) -> str:
    if value is None:
        return _guess(filename) or (
            "text/plain" if isinstance(source, str) else "application/octet-stream"
        )
    text = plain(value)
    if text is None:
        raise MessageError(f"mimetype takes a string, not {shorten(value)}.")
    maintype, _, parameters = parse_mimetype(check_text(text, "mimetype"))
    if maintype == "multipart":
        raise MessageError(f"An attachment cannot be {text!r}: attach each of its parts instead.")
    charset = dict(parameters).get("charset")
    if charset is not None and isinstance(source, str):
        try:
            source.encode(charset)
        except (LookupError, UnicodeError) as error:
            raise MessageError(
                f"The attached text cannot be written in {charset}: {error}."
            ) from None
    return text


def _guess(filename: str | None) -> str | None:
    if filename is None:
        return None
    import mimetypes  # imported only when needed: it reads the system's tables

    kind, encoding = mimetypes.guess_type(filename)
    packed = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
    return packed.get(encoding, "application/octet-stream") if encoding else kind


def _cid(value: object) -> str:
    text = plain(value)
    if text is None or not _CID.match(text) or len(text) > 200:
        raise MessageError(
            "cid takes an id like 'logo@example.com', without angle brackets,"
            f" not {shorten(value)}."
        )
    return text
