"""Attachments from a storage, and objects that are attachments."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import io
import json
import pathlib
import pickle
import typing as t
import uuid

import fsspec
import pytest
from werkzeug.datastructures import FileStorage
from werkzeug.local import LocalProxy

from flask_mailhandler import Attachment
from flask_mailhandler import Mail
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.attachment.storage import MOST_READ_NOW
from flask_mailhandler.attachment.storage import Stored
from sending import letter
from sending import smtp

if t.TYPE_CHECKING:
    from sending import Scripted

# More than one piece, and no multiple of a line.
LARGE = b"%PDF-1.7 " + bytes(range(256)) * 1000


@pytest.fixture(params=["memory", "local", "simplecache"])
def stored(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> t.Any:
    """An ``OpenFile`` of fsspec, whose file has the octets of LARGE."""
    if request.param == "local":
        path = f"file://{tmp_path}/48.pdf"
    else:
        path = f"memory://{uuid.uuid4().hex}/48.pdf"
    with fsspec.open(path, "wb") as file:
        file.write(LARGE)
    if request.param == "simplecache":
        return fsspec.open(f"simplecache::{path}", simplecache={"cache_storage": str(tmp_path)})
    return fsspec.open(path)


class Opened(io.BytesIO):
    """A file of a storage that returns few octets at a time, as a socket does."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(1000, 1000 if size is None or size < 0 else size))


@dataclasses.dataclass
class Blob:
    """A file of a storage library: it has a size, and can be opened again."""

    octets: bytes
    name: str = "invoices/48.pdf"
    files: list[Opened] = dataclasses.field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.octets)

    def open(self, mode: str = "r") -> io.BytesIO:
        assert mode == "rb"
        self.files.append(Opened(self.octets))
        return self.files[-1]


class Status(t.NamedTuple):
    st_size: int


class StatBlob(Blob):
    """A file like those of universal_pathlib, whose size is in ``stat()``."""

    size = None  # type: ignore[assignment]

    def stat(self) -> Status:
        return Status(len(self.octets))


class Upload(io.RawIOBase):
    """A file that can be read only once, such as the body of a response."""

    def __init__(self, octets: bytes) -> None:
        super().__init__()
        self._octets = io.BytesIO(octets)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer: t.Any) -> int:
        return self._octets.readinto(memoryview(buffer)[:7000])


@dataclasses.dataclass
class PlainBlob(Blob):
    """A file whose open() takes no mode, and whose name is a path."""

    name: t.Any = dataclasses.field(default_factory=lambda: pathlib.PurePath("invoices/48.pdf"))

    def open(self) -> io.BytesIO:  # type: ignore[override]
        return super().open("rb")


def pdf_in(octets: bytes) -> object:
    """The content of the only attachment of a message."""
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    (part,) = message.iter_attachments()
    assert (part.get_filename(), part.get_content_type()) == ("48.pdf", "application/pdf")
    return part.get_content()


def test_fsspec_is_read_again_for_a_retry(scripted: Scripted, stored: t.Any) -> None:
    """A file of fsspec is read while it is sent, and read again when the message is sent again."""
    server = scripted(on={"end of data": ["451 4.3.0 later"]})
    message = letter().replace(attachments=Attachment.from_storage(stored))
    handler = smtp(server)

    (first,) = handler.send([message])
    (second,) = handler.send([message])

    assert isinstance(message.attachments[0].source, Stored)
    assert first.deferred == ["b@example.com"]
    assert second.accepted == ["b@example.com"]
    (arrived,) = server.accepted
    assert pdf_in(arrived.content) == LARGE


@pytest.mark.parametrize("kind", [Blob, StatBlob, PlainBlob])
@pytest.mark.parametrize("octets", [b"", b"x", LARGE], ids=len)
def test_any_storage(kind: type[Blob], octets: bytes) -> None:
    """An object with open() and a size is opened for each read, and closed after it."""
    blob = kind(octets)
    attachment = Attachment.from_storage(blob)
    unread = [*blob.files]

    message = letter().replace(attachments=[attachment])
    sent = [pdf_in(bytes(message.to_mime())) for _ in range(2)]

    assert unread == []
    assert attachment.size == len(octets)
    assert sent == [octets, octets]
    assert len(blob.files) == 2
    assert all(file.closed for file in blob.files)


@pytest.mark.parametrize("changed", [b"", LARGE[:-1], LARGE + b"x", LARGE[:-1] + b"x"])
def test_a_stored_file_that_changed(changed: bytes) -> None:
    """A message whose file has other octets than at the first read is refused as a whole."""
    blob = Blob(LARGE)
    message = letter().replace(attachments=[Attachment.from_storage(blob)])
    handler = MemoryEmailHandler()
    handler.send([message])

    blob.octets = changed
    (report,) = handler.send([message])

    assert report.refused == ["b@example.com"]
    assert "'invoices/48.pdf' has changed in its storage" in str(report.error)
    assert [captured.attachments[0].data for captured in handler.outbox] == [LARGE]


def test_a_stored_file_that_is_gone(stored: t.Any) -> None:
    """The error of a storage becomes one that names the attachment."""
    attachment = Attachment.from_storage(stored)
    below = getattr(stored.fs, "fs", stored.fs)  # the file system that is cached
    below.rm(stored.path)

    with pytest.raises(MessageError, match=r"48\.pdf' cannot be read: FileNotFoundError"):
        _ = attachment.data
    with pytest.raises(MessageError, match=r"nothing\.pdf' cannot be read: FileNotFoundError"):
        Attachment.from_storage(fsspec.open("memory://nowhere/nothing.pdf"))


def test_a_compressed_file_is_read_now() -> None:
    """The size of a compressed file is not that of its octets, so it is read into the message."""
    path = f"memory://{uuid.uuid4().hex}/48.pdf"
    with fsspec.open(path, "wb", compression="gzip") as file:
        file.write(LARGE)

    attachment = Attachment.from_storage(fsspec.open(path, compression="gzip"))

    assert attachment.source == LARGE


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (FileStorage(io.BytesIO(LARGE), filename="C:\\48.pdf", name="field"), "48.pdf"),
        (LocalProxy(lambda: FileStorage(io.BytesIO(LARGE), filename="48.pdf")), "48.pdf"),
    ],
    ids=["upload", "proxy"],
)
def test_what_is_read_once(file: t.Any, name: str) -> None:
    """A file without open() is read into the message, from its start if it has one."""
    file.read()

    attachment = Attachment.from_storage(file)

    assert attachment.source == LARGE
    assert attachment.filename == name


def test_what_has_no_name() -> None:
    """The body of a response has no name: the caller passes one, or a type."""
    with pytest.raises(MessageError, match=r"write filename='report\.pdf'"):
        Attachment.from_storage(Upload(LARGE))

    assert Attachment.from_storage(Upload(LARGE), filename="48.pdf").source == LARGE
    assert Attachment.from_storage(Upload(LARGE), mimetype="image/png").filename is None


def test_the_limit_of_what_is_read_once() -> None:
    """What is read at once has at most 25 MiB; the error says what to write instead."""
    most = bytes(MOST_READ_NOW)

    assert Attachment.from_storage(Upload(most), filename="a.bin").size == MOST_READ_NOW
    with pytest.raises(MessageError, match=r"more than 25 MiB.*with open\(\) and a size"):
        Attachment.from_storage(Upload(most + b"x"))


@pytest.mark.parametrize("wrong", ["a.pdf", b"octets", 1, None, object()])
def test_what_is_not_from_a_storage(wrong: object) -> None:
    """A path, octets and other objects are refused with what to write."""
    with pytest.raises(MessageError, match=r"from_storage takes a file.*from_path\(path\)"):
        Attachment.from_storage(wrong)


def test_a_file_open_as_text() -> None:
    """A file that returns text is refused: its line ends and its charset would be guessed."""
    with pytest.raises(MessageError, match="'rb'"):
        Attachment.from_storage(io.StringIO("text"))


def test_a_stored_file_as_json(stored: t.Any) -> None:
    """A file of a storage is read for JSON, and can be pickled."""
    message = letter().replace(attachments=Attachment.from_storage(stored))

    again = Message.from_dict(json.loads(json.dumps(message.to_dict())))

    assert again.attachments[0].source == LARGE
    assert bytes(again.to_mime()) == bytes(message.to_mime())
    assert pickle.loads(pickle.dumps(message)).attachments[0].data == LARGE


@dataclasses.dataclass
class Invoice:
    number: int

    def __mail_attachment__(self) -> Attachment:
        return Attachment(b"%PDF", filename=f"{self.number}.pdf")


class Tickets(list[int]):
    """An object that is a list, and an attachment."""

    def __mail_attachment__(self) -> Attachment:
        return Attachment(",".join(map(str, self)), filename="tickets.csv")


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (Invoice(48), ["48.pdf"]),
        (Tickets([1, 2]), ["tickets.csv"]),
        (LocalProxy(lambda: Invoice(3)), ["3.pdf"]),
        ((Invoice(48), Attachment("x", filename="x.txt"), Tickets()), None),
    ],
)
def test_objects_that_are_attachments(given: t.Any, names: list[str] | None) -> None:
    """An object with __mail_attachment__() may stand wherever an Attachment may."""
    message = letter().replace(attachments=given, alternatives=given)
    expect = names or ["48.pdf", "x.txt", "tickets.csv"]

    assert [one.filename for one in message.attachments] == expect
    assert [one.filename for one in message.alternatives] == expect
    assert message.replace(subject="Again").attachments == message.attachments


def test_objects_that_return_no_attachment() -> None:
    """The error names the class whose method is wrong, or is missing."""

    class Wrong:
        def __mail_attachment__(self) -> Attachment:
            return b"%PDF"  # type: ignore[return-value]

    class Order: ...

    with pytest.raises(MessageError, match=r"Wrong\.__mail_attachment__\(\) must return an Attach"):
        Message(attachments=[Wrong()])
    for given in (Order(), [Order()]):
        with pytest.raises(MessageError, match="give Order a method __mail_attachment__"):
            Message(attachments=t.cast(t.Any, given))


def test_templates_take_objects() -> None:
    """Mail.render passes objects that are attachments on."""
    from flask import Flask
    from jinja2 import DictLoader

    app = Flask("shop")
    app.jinja_loader = DictLoader({"bill.txt": "Your bill"})
    mail = Mail(app, cli=None)

    with app.app_context():
        message = mail.render(
            "bill", subject="Bill", attachments=Invoice(7), inline_attachments=Invoice(8)
        )

    assert message.attachments[0].filename == "7.pdf"
    assert message.inline_attachments[0].filename == "8.pdf"
