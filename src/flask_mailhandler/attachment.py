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

if t.TYPE_CHECKING:
    import io
    from importlib.resources.abc import Traversable

# https://www.rfc-editor.org/rfc/rfc2045#section-5.1: token
TOKEN = r"[!#$%&'*+\-.^_`{|}~0-9A-Za-z]+"
_TYPE = re.compile(rf"({TOKEN})/({TOKEN})")
_PARAMETER = re.compile(rf'[ \t]*;[ \t]*({TOKEN})=(?:({TOKEN})|"((?:[^"\\]|\\.)*)")')
# https://www.rfc-editor.org/rfc/rfc2392: what stands behind cid:, without what a URL or the
# angle brackets would need escaped.
_CID = re.compile(r"[!#$%&'*+\-./0-9=?A-Z^_`a-z{|}~@]+\Z")
# Embedding and override marks make "exe.gpj" of a name; the plain direction marks are fine.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_READ = 1 << 16


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A regular file, pinned: reading it gives exactly what was there when it was pinned, or
    an error."""

    path: str
    size: int
    inode: int
    mtime_ns: int

    @classmethod
    def pin(cls, path: str | os.PathLike[str]) -> t.Self:
        """Look at the file without reading it.

        :raises MessageError: if it is not there or is no regular file.
        """
        name = os.fspath(path)
        try:
            found = os.stat(name)
        except (OSError, ValueError) as error:
            raise MessageError(f"The attachment {shorten(name)} cannot be read: {error}.") from None
        if not stat.S_ISREG(found.st_mode):
            raise MessageError(f"The attachment {shorten(name)} is no regular file.")
        return cls(name, found.st_size, found.st_ino, found.st_mtime_ns)

    def read(self, piece: int = _READ) -> Iterator[bytes]:
        """Give the file's octets in pieces of *piece* octets, the last one shorter.

        :raises MessageError: if the file is not the pinned one, or changes while it is read.
        """
        try:
            yield from self._pieces(piece)
        except OSError as error:
            raise MessageError(f"The attachment {self.path!r} cannot be read: {error}.") from None

    def _pieces(self, piece: int) -> Iterator[bytes]:
        # Not blocking: what is now a FIFO must be found out, not waited for.
        handle = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            self._check(handle)
            left = self.size
            while left and (data := file.read(min(piece, left))):
                left -= len(data)
                yield data
            self._check(handle)
            if left:
                raise MessageError(f"The attachment {self.path!r} ended before its size was read.")

    def _check(self, handle: int) -> None:
        found = os.fstat(handle)
        if (found.st_size, found.st_ino, found.st_mtime_ns) != (
            self.size,
            self.inode,
            self.mtime_ns,
        ):
            raise MessageError(
                f"The attachment {self.path!r} has changed since it was attached."
                " Attach the new file, or attach its octets."
            )


@dataclasses.dataclass(frozen=True, init=False, repr=False)
class Attachment:
    """A part of a message that is not its text: a file to keep, an inline image
    (``inline_attachments=``), or another form of the text (``alternatives=``).

    :param data: Octets, carried as they are, or text, which is sent as UTF-8 with the line
        ends of its type. Of a ``BytesIO`` or ``StringIO`` all that is in it, wherever it stands.
    :param filename: The name the reader sees. Of a path only the last part is taken.
    :param mimetype: Such as ``application/pdf`` or ``text/calendar; method=REQUEST``. Guessed
        from the name where it is left out.
    :param cid: The Content-ID without angle brackets. Made up where it is left out; refer to
        it by ``src="cid:{attachment.cid}"``.
    :raises MessageError: for a name, type or cid that cannot be written.
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
        """Attach a regular file. It is read while it is sent, in pieces, and must then still be
        the file it is now (inode, size, time of change).

        :param path: What is no path of the file system, such as a ``zipfile.Path`` or a file of
            ``importlib.resources`` in a zip, is read now.
        :raises MessageError: if it is not there or is no regular file.
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
        """What was attached; a file is read.

        :raises MessageError: if the file has changed.
        """
        return b"".join(self.source.read()) if isinstance(self.source, File) else self.source

    @property
    def size(self) -> int:
        """Octets, before any encoding."""
        if isinstance(self.source, File):
            return self.source.size
        return len(self.source.encode() if isinstance(self.source, str) else self.source)

    def same_as(self, other: Attachment) -> bool:
        """Whether both are the same octets of the same type, whatever they are called.

        :raises MessageError: if a file has changed.
        """
        if self.mimetype != other.mimetype or self.size != other.size:
            return False
        return self.source == other.source or _octets(self.data) == _octets(other.data)

    def __repr__(self) -> str:
        name = f" {self.filename!r}" if self.filename else ""
        return f"<Attachment{name} {self.mimetype} {self.size} octets>"


def parse_mimetype(value: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Split ``text/calendar; method=REQUEST`` into type, subtype and parameters, type, subtype
    and parameter names in lower case.

    :raises MessageError: if it does not follow RFC 2045 section 5.1.
    """
    head = _TYPE.match(value)
    end = head.end() if head else 0
    parameters = []
    while head and (found := _PARAMETER.match(value, end)):
        name, token, quoted = found.groups()
        text = token if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        parameters.append((name.lower(), text))
        end = found.end()
    if not head or value[end:].strip(" \t;"):
        raise MessageError(
            f"mimetype must be like 'application/pdf' or 'text/calendar; method=REQUEST',"
            f" not {shorten(value)}."
        )
    if len({name for name, _ in parameters}) < len(parameters):
        raise MessageError(f"mimetype has a parameter twice: {shorten(value)}.")
    return head[1].lower(), head[2].lower(), tuple(parameters)


def _read(path: t.Any) -> tuple[str, bytes]:
    """Read what is a file without being in the file system; return its name and its octets."""
    if not (hasattr(path, "read_bytes") and hasattr(path, "name")):
        raise MessageError(
            f"from_path takes a path, not {shorten(path)}. For octets or text write"
            " Attachment(data, filename=...)."
        )
    try:
        return str(path.name), path.read_bytes()
    except (OSError, LookupError, ValueError) as error:
        raise MessageError(f"The attachment {shorten(path)} cannot be read: {error}.") from None


def _source(data: object) -> bytes | str | File:
    data = unproxied(data)
    # Of a buffer that was just written into, read() would give nothing.
    if callable(buffer := getattr(data, "getvalue", None)):
        data = buffer()
    if isinstance(data, bytes | File):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    text = plain(data)
    if text is None:
        raise MessageError(
            f"An attachment takes octets or text as its data, not {shorten(data)}. For a path write"
            " Attachment.from_path(path), for an open file or an upload Attachment(file.read(),"
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
            f"filename has a character that changes the direction of writing: {shorten(text)}."
        )
    # The receiver must not get a path, in either system's writing.
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
        raise MessageError(
            f"An attachment cannot be {text!r}: its boundary would be a part of the message."
        )
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
    import mimetypes  # reads the system's tables, so only when a type is to be guessed

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
