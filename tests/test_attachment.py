"""Attachments: octets, text, or a file that is read while it is sent."""

from __future__ import annotations

import os
import pathlib
import pickle

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import MessageError
from flask_mailhandler.attachment import File
from flask_mailhandler.attachment import parse_mimetype


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
    """Of a path only the last part is taken, in either system's writing."""
    assert Attachment(b"x", filename=name).filename == expect


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
    """A name with a control character, or one that turns the direction, is refused."""
    with pytest.raises(MessageError, match="filename"):
        Attachment(b"x", filename=name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "filename", "mimetype", "expect"),
    [
        (b"x", None, None, "application/octet-stream"),
        ("x", None, None, "text/plain"),
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
    """The type is the one that is given, or guessed from the name."""
    assert Attachment(data, filename=filename, mimetype=mimetype).mimetype == expect


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
    """RFC 2045 5.1: what is no type/subtype with parameters is refused; a multipart too."""
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
    """Names in lower case, quotes undone."""
    assert parse_mimetype(mimetype) == expect


@pytest.mark.parametrize("cid", ["logo", "logo@example.com", "a.b-c_d+e"])
def test_cid(cid: str) -> None:
    """C-48: a Content-ID that is given stays."""
    assert Attachment(b"x", cid=cid).cid == cid


@pytest.mark.parametrize(
    "cid", ["", "<logo>", "a>b", "a b", "a\r\nb", "é", 'a"b', "a" * 201, 1, b"logo"]
)
def test_hostile_cids(cid: object) -> None:
    """RFC 2392: what would end the brackets or need escapes in a URL is refused."""
    with pytest.raises(MessageError, match="cid"):
        Attachment(b"x", cid=cid)  # type: ignore[arg-type]


def test_made_cid() -> None:
    """C-48: without one a Content-ID is made, once, of its own for each attachment."""
    one, two = Attachment(b"x"), Attachment(b"x")

    assert one.cid == one.cid != two.cid
    assert one == two
    assert pickle.loads(pickle.dumps(one)).cid == one.cid


@pytest.mark.parametrize("data", [bytearray(b"ab"), memoryview(b"ab"), b"ab"])
def test_octets(data: bytes | bytearray | memoryview) -> None:
    """Octets are taken as they are; what the caller changes later does not matter."""
    attachment = Attachment(data)
    if isinstance(data, bytearray):
        data[0] = 0

    assert attachment.data == b"ab"
    assert attachment.size == 2


@pytest.mark.parametrize("data", [None, 1, ["x"], pathlib.Path("x"), "\ud800"])
def test_wrong_data(data: object) -> None:
    """Anything else is refused, and the error says from_path()."""
    with pytest.raises(MessageError, match=r"from_path|UTF-8"):
        Attachment(data)  # type: ignore[arg-type]


def test_size_and_repr() -> None:
    """The size is in octets."""
    attachment = Attachment("é", filename="a.txt")

    assert attachment.size == 2
    assert repr(attachment) == "<Attachment 'a.txt' text/plain 2 octets>"
    assert repr(Attachment(b"x")) == "<Attachment application/octet-stream 1 octets>"


def test_from_path(tmp_path: pathlib.Path) -> None:
    """A file gives its name and its type, and is read when it is wanted."""
    path = tmp_path / "report.pdf"
    path.write_bytes(b"%PDF" * 1000)

    attachment = Attachment.from_path(path)

    assert (attachment.filename, attachment.mimetype) == ("report.pdf", "application/pdf")
    assert (attachment.size, attachment.data) == (4000, b"%PDF" * 1000)
    assert Attachment.from_path(str(path), filename="x.txt").mimetype == "text/plain"
    assert isinstance(attachment.source, File)


@pytest.mark.parametrize("piece", [1, 7, 4000, 100_000])
def test_pieces(tmp_path: pathlib.Path, piece: int) -> None:
    """All pieces but the last have the size that was asked for."""
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 1000)

    pieces = list(File.pin(path).read(piece))

    assert b"".join(pieces) == b"abc" * 1000
    assert all(len(one) == piece for one in pieces[:-1])


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo", "device", "null"])
def test_hostile_paths(tmp_path: pathlib.Path, kind: str) -> None:
    """Only a regular file can be attached; nothing is waited for."""
    path: object = tmp_path / "x"
    if kind == "directory":
        path = tmp_path
    elif kind == "fifo":
        os.mkfifo(tmp_path / "x")
    elif kind == "device":
        path = "/dev/zero"
    elif kind == "null":
        path = "a\x00b"

    with pytest.raises(MessageError, match=r"cannot be read|no regular file"):
        Attachment.from_path(path)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", ["another", "longer", "touched", "gone", "fifo"])
def test_a_changed_file(tmp_path: pathlib.Path, change: str) -> None:
    """What is read is what was attached, or an error."""
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
    """The end of a file that has changed is an error, not the end of the message."""
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 1000)
    reading = File.pin(path).read(1000)
    next(reading)
    with path.open("r+b") as file:
        file.truncate(1500)

    with pytest.raises(MessageError, match="has changed"):
        list(reading)


def test_no_descriptor_is_left(tmp_path: pathlib.Path, no_leaks: None) -> None:
    """A file that is not read to its end is closed too."""
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 1000)
    reading = File.pin(path).read(10)
    next(reading)

    reading.close()  # type: ignore[attr-defined]
