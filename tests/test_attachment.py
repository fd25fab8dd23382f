"""Attachments: octets, text, or a file that is read while it is sent."""

from __future__ import annotations

import importlib.resources
import io
import os
import pathlib
import pickle
import sys
import typing as t
import zipfile

import pytest
from werkzeug.local import LocalProxy

from flask_mailhandler import Attachment
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.attachment import File
from flask_mailhandler.text.mimetype import parse_mimetype


@pytest.mark.parametrize(
    ("name", "expect"),
    [
        ("report.pdf", "report.pdf"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\evil.exe", "evil.exe"),
        ("C:\\Users\\ann\\März.pdf", "März.pdf"),
        ("folder/", None),
        ("", None),
        ("  ", None),
        ('quo"te; x=y.txt', 'quo"te; x=y.txt'),
        ("\u200fעברית.txt", "\u200fעברית.txt"),
        (None, None),
    ],
)
def test_file_names(name: str | None, expect: str | None) -> None:
    """Only the last part of a path is used, whether it has slashes or backslashes."""
    assert Attachment(b"x", filename=name, mimetype="text/plain").filename == expect


@pytest.mark.parametrize(
    "name",
    [
        "a\r\nb.txt",
        "a\x00.txt",
        "a\x1b.txt",
        "a\u2028b",
        "a\ud800",
        "evil\u202egpj.exe",
        b"a.txt",
        1,
    ],
)
def test_hostile_file_names(name: object) -> None:
    """A name with a control character, also a bidirectional one, is refused."""
    with pytest.raises(MessageError, match="filename"):
        Attachment(b"x", filename=name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "filename", "mimetype", "expect"),
    [
        (b"x", "a.pdf", None, "application/pdf"),
        (b"x", "a.PNG", None, "image/png"),
        ("x", "a.csv", None, "text/csv"),
        (b"x", "a.tar.gz", None, "application/gzip"),
        (b"x", "a.unheard", None, "application/octet-stream"),
        ("x", "a.unheard", None, "text/plain"),
        (b"x", "a.pdf", "image/png", "image/png"),
        ("x", None, "text/calendar; method=REQUEST", "text/calendar; method=REQUEST"),
    ],
)
def test_types(data: str | bytes, filename: str | None, mimetype: str | None, expect: str) -> None:
    """The type is the given one, or guessed from the name."""
    assert Attachment(data, filename=filename, mimetype=mimetype).mimetype == expect


@pytest.mark.parametrize("data", [b"x", "x", io.BytesIO(b"x")])
@pytest.mark.parametrize("name", [None, "", " ", "folder/"])
@pytest.mark.parametrize("cid", [None, "logo"])
def test_neither_a_name_nor_a_type(data: t.Any, name: str | None, cid: str | None) -> None:
    """A reader could not open an attachment without a name and a type, so it is refused. An inline
    image or a forwarded message needs only its type."""
    with pytest.raises(MessageError, match=r"write filename=.*write mimetype='image/png'"):
        Attachment(data, filename=name, cid=cid)

    image = Attachment(data, filename=name, mimetype="image/png", cid=cid)
    html = f'<img src="cid:{image.cid}" alt="">'
    assert Message(html=html, inline_attachments=image).inline_attachments == (image,)
    assert image.filename is None


@pytest.mark.parametrize(
    ("mimetype", "name", "expect"),
    [
        ("application/pdf", None, "attachment.pdf"),
        ("image/PNG", None, "attachment.png"),
        ("text/calendar; method=REQUEST", None, "attachment.ics"),
        ("application/octet-stream", None, "attachment.bin"),
        ("application/x-unheard", None, None),
        ("message/rfc822", None, None),
        ("application/pdf", "", None),
        ("application/pdf", "48.pdf", "48.pdf"),
    ],
)
def test_a_name_by_the_type(mimetype: str, name: str | None, expect: str | None) -> None:
    """A file in attachments= without a name is named by its type, so that a reader can open it. An
    attached message has none, and neither has a file with the name ""."""
    given = Attachment(b"Subject: x\r\n\r\ny", filename=name, mimetype=mimetype)
    message = Message(text="Hi", from_addr="a@example.com", attachments=[given])
    (found,) = message.attachments

    assert (found.filename, found.cid, found.data) == (expect, given.cid, given.data)
    assert message.replace(subject="Hi").attachments == (found,)
    assert Message.from_dict(message.to_dict()).attachments[0].filename == expect
    assert Message.from_mime(message.to_mime()).attachments[0].filename == expect


def test_only_files_are_named() -> None:
    """Inline images and other forms of the text keep their names, or have none."""
    image = Attachment(b"x", mimetype="image/png", cid="logo")
    calendar = Attachment(b"BEGIN:VCALENDAR", mimetype="text/calendar")
    message = Message(
        html='<img src="cid:logo" alt="">',
        inline_attachments=image,
        alternatives=[calendar, ("x", "text/x-amp-html")],
    )

    assert [part.filename for part in message.inline_attachments] == [None]
    assert [part.filename for part in message.alternatives] == [None, None]


@pytest.mark.parametrize(
    "mimetype",
    [
        *("", "pdf", "application/", "/pdf", "a b/c", "a/b c", "text/plain\r\nBcc: x", "a/b; c"),
        *(
            "a/b; c=d; C=e",
            'a/b; c="d',
            "é/b",
            "multipart/mixed; boundary=x",
            "text/plain; charset=x",
        ),
        *("a/b; c=d e", b"a/b", 1),
    ],
)
def test_hostile_types(mimetype: object) -> None:
    """RFC 2045 5.1: a value other than type/subtype with parameters is refused; a multipart too."""
    with pytest.raises(MessageError):
        Attachment("é", mimetype=mimetype)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mimetype", "expect"),
    [
        ("Text/Plain", ("text", "plain", ())),
        ("text/plain ; Charset=UTF-8;", ("text", "plain", (("charset", "UTF-8"),))),
        ('a/b; c="d; \\"e\\""; f=g', ("a", "b", (("c", 'd; "e"'), ("f", "g")))),
        ("image/svg+xml", ("image", "svg+xml", ())),
    ],
)
def test_parse_mimetype(mimetype: str, expect: object) -> None:
    """Names are in lower case, and quotes are removed."""
    assert parse_mimetype(mimetype) == expect


@pytest.mark.parametrize("cid", ["logo", "logo@example.com", "a.b-c_d+e"])
def test_cid(cid: str) -> None:
    """C-48: a given Content-ID stays."""
    assert Attachment(b"x", mimetype="image/png", cid=cid).cid == cid


@pytest.mark.parametrize(
    "cid", ["", "<logo>", "a>b", "a b", "a\r\nb", "é", 'a"b', "a" * 201, 1, b"logo"]
)
def test_hostile_cids(cid: object) -> None:
    """RFC 2392: a cid that would end the brackets or need escapes in a URL is refused."""
    with pytest.raises(MessageError, match="cid"):
        Attachment(b"x", mimetype="image/png", cid=cid)  # type: ignore[arg-type]


def test_made_cid() -> None:
    """C-48: without cid=, each attachment gets its own Content-ID, once."""
    one, two = Attachment(b"x", filename="a"), Attachment(b"x", filename="a")

    assert one.cid == one.cid != two.cid
    assert one == two
    assert pickle.loads(pickle.dumps(one)).cid == one.cid


@pytest.mark.parametrize("data", [bytearray(b"ab"), memoryview(b"ab"), b"ab"])
def test_octets(data: bytes | bytearray | memoryview) -> None:
    """Octets are copied: a later change by the caller does not matter."""
    attachment = Attachment(data, mimetype="image/png")
    if isinstance(data, bytearray):
        data[0] = 0

    assert attachment.data == b"ab"
    assert attachment.size == 2


@pytest.mark.parametrize("data", [None, 1, ["x"], pathlib.Path("x"), "\ud800"])
def test_wrong_data(data: object) -> None:
    """Any other value is refused, and the error mentions from_path()."""
    with pytest.raises(MessageError, match=r"from_path|UTF-8"):
        Attachment(data)  # type: ignore[arg-type]


def test_size_and_repr() -> None:
    """The size is in octets."""
    attachment = Attachment("é", filename="a.txt")

    assert attachment.size == 2
    assert repr(attachment) == "<Attachment 'a.txt' text/plain 2 octets>"
    assert repr(Attachment(b"x", mimetype="a/b")) == "<Attachment a/b 1 octets>"


def test_from_path(tmp_path: pathlib.Path) -> None:
    """A file gives its name and its type, and is read when its data is used."""
    path = tmp_path / "report.pdf"
    path.write_bytes(b"%PDF" * 1000)

    attachment = Attachment.from_path(path)

    assert (attachment.filename, attachment.mimetype) == ("report.pdf", "application/pdf")
    assert (attachment.size, attachment.data) == (4000, b"%PDF" * 1000)
    assert Attachment.from_path(str(path), filename="x.txt").mimetype == "text/plain"
    assert isinstance(attachment.source, File)


@pytest.mark.parametrize("piece", [1, 7, 4000, 100_000])
def test_pieces(tmp_path: pathlib.Path, piece: int) -> None:
    """All pieces except the last have the requested size."""
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 1000)

    pieces = list(File.pin(path).read(piece))

    assert b"".join(pieces) == b"abc" * 1000
    assert all(len(one) == piece for one in pieces[:-1])


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo", "device", "null"])
def test_hostile_paths(tmp_path: pathlib.Path, kind: str) -> None:
    """Only a regular file can be attached, and a FIFO does not block."""
    path: object = tmp_path / "x"
    if kind == "directory":
        path = tmp_path
    elif kind == "fifo":
        os.mkfifo(tmp_path / "x")
    elif kind == "device":
        path = "/dev/zero"
    elif kind == "null":
        path = "a\x00b"

    with pytest.raises(MessageError, match=r"cannot be read|not a regular file"):
        Attachment.from_path(path)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", ["another", "longer", "touched", "gone", "fifo"])
def test_a_changed_file(tmp_path: pathlib.Path, change: str) -> None:
    """Reading gives the octets that were attached, or an error."""
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    attachment = Attachment.from_path(path)
    if change in ("another", "gone", "fifo"):
        (tmp_path / "other").write_bytes(b"abc")
        path.unlink()
    if change == "another":
        (tmp_path / "other").rename(path)
    elif change == "fifo":
        os.mkfifo(path)
    elif change == "longer":
        path.write_bytes(b"abcd")
    elif change == "touched":
        os.utime(path, ns=(1, 1))

    with pytest.raises(MessageError, match=r"has changed|cannot be read"):
        attachment.data  # noqa: B018


def test_a_file_that_changes_while_it_is_read(tmp_path: pathlib.Path) -> None:
    """If a changed file ends early, that is an error, not the end of the message."""
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 1000)
    reading = File.pin(path).read(1000)
    next(reading)
    with path.open("r+b") as file:
        file.truncate(1500)

    with pytest.raises(MessageError, match="has changed"):
        list(reading)


def test_no_descriptor_is_left(tmp_path: pathlib.Path, no_leaks: None) -> None:
    """A file is closed even if it is not read to its end."""
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 1000)
    reading = File.pin(path).read(10)
    next(reading)

    reading.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("data", "expect"),
    [
        (io.BytesIO(b"octets"), b"octets"),
        (io.StringIO("text\r\n"), "text\r\n"),
        (io.BytesIO(), b""),
        (LocalProxy(lambda: b"octets"), b"octets"),
        (LocalProxy(lambda: "text"), "text"),
    ],
    ids=["octets", "text", "nothing", "a proxy of octets", "a proxy of text"],
)
def test_buffers(data: t.Any, expect: bytes | str) -> None:
    """A buffer is attached whole, whatever its position."""
    assert Attachment(data, filename="x.bin").data == expect


def test_a_buffer_that_was_written() -> None:
    """A buffer is attached whole after a library wrote to it and left its position at the end."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.txt", "a")

    attachment = Attachment(buffer, filename="x.zip")
    buffer.truncate(0)

    assert zipfile.ZipFile(io.BytesIO(t.cast(bytes, attachment.data))).namelist() == ["a.txt"]


@pytest.fixture
def package(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[pathlib.Path]:
    """A zip with a package and its files, from which the package can be imported."""
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("zipped_mails/__init__.py", "")
        file.writestr("zipped_mails/logo.png", b"\x89PNG")
        file.writestr("zipped_mails/files/Größe.csv", "a;ü\n")
    monkeypatch.syspath_prepend(path)
    yield path
    sys.modules.pop("zipped_mails", None)


def test_files_in_a_zip(package: pathlib.Path) -> None:
    """A zipfile.Path and a file of a package in a zip are read when they are attached."""
    found = zipfile.Path(package) / "zipped_mails" / "files" / "Größe.csv"
    resource = importlib.resources.files("zipped_mails") / "logo.png"

    table, logo = Attachment.from_path(found), Attachment.from_path(resource, cid="logo@x.example")
    package.unlink()

    assert (table.filename, table.mimetype) == ("Größe.csv", "text/csv")
    assert table.data == "a;ü\n".encode()
    assert (logo.filename, logo.mimetype, logo.data) == ("logo.png", "image/png", b"\x89PNG")


def test_a_resource_in_a_folder() -> None:
    """A file of a package in a folder is a path, and is read while it is sent."""
    found = Attachment.from_path(importlib.resources.files("flask_mailhandler") / "py.typed")

    assert isinstance(found.source, File)
    assert found.filename == "py.typed"


def test_what_is_no_file(package: pathlib.Path) -> None:
    """A path that cannot be read, or is not a path, is an error that says what to write."""
    inside = zipfile.Path(package)
    for path in (inside / "nothing.txt", inside / "zipped_mails"):
        with pytest.raises(MessageError, match=r"The attachment .* cannot be read"):
            Attachment.from_path(path)
    wrong: t.Any
    for wrong in (io.BytesIO(b"x"), b"x", 1, None):
        with pytest.raises(MessageError, match=r"from_path takes a path, .*Attachment\(data"):
            Attachment.from_path(wrong)
    for wrong in (package, inside, package.open("rb")):
        with pytest.raises(MessageError, match=r"from_path\(path\).*from_storage\(file\)"):
            Attachment(wrong)
        if isinstance(wrong, io.BufferedReader):
            wrong.close()
    with pytest.raises(MessageError, match=r"^attachments takes Attachments.*from_path"):
        Message(attachments=[t.cast(t.Any, inside)])
