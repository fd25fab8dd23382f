"""Transfer encodings: any body in 7-bit lines."""

from __future__ import annotations

import binascii
import email
import quopri
import tracemalloc
import typing as t

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import Message
from flask_mailhandler.mime import render
from flask_mailhandler.mime.transfer import base64_length
from flask_mailhandler.mime.transfer import base64_lines
from flask_mailhandler.mime.transfer import encode_safely
from flask_mailhandler.mime.transfer import encode_text
from flask_mailhandler.mime.transfer import quoted_printable
from flask_mailhandler.text.lines import has_long_line
from wire_form import judge

# Bodies that have broken a mail program (CASES, section 3).
AWKWARD = [
    "",
    "\n",
    ".",
    ".\n",
    "\n.\n",
    "\r.\r",
    "\n.\r\n",
    "..\n.\n..",
    "a\rb",
    "a\nb",
    "\x00",
    "a\x00b\n",
    "x" * 2000,
    "x" * 998 + "\n" + "y" * 999,
    "From ann\n",
    "a\nFrom ann\n",
    ">From ann\n",
    "trailing space \n",
    "trailing tab\t",
    "=3D=\n",
    "é",
    "日本\n" * 50,
    "\u2028\u2029\x85",
    "\x1b[31mred",
    "--=_\n--\n-- \nsignature",
    "\U0001f600" * 300,
    " ",
    "\t",
]


@pytest.mark.parametrize("text", AWKWARD, ids=range(len(AWKWARD)))
@pytest.mark.parametrize("place", ["alone", "alternative", "attached"])
def test_awkward_bodies(text: str, place: str) -> None:
    """C-1, C-8, C-9, C-41, C-42: one message arrives, equal to the one sent."""
    fields: t.Any = {
        "alone": {"text": text},
        "alternative": {"text": "x", "html": text or "x"},
        "attached": {"attachments": [Attachment(text, mimetype="text/plain")]},
    }[place]

    parsed = judge(render(Message(from_addr="a@example.com", to="b@example.com", **fields)))

    parts = list(parsed.iter_parts())
    part = parts[1] if parts else parsed
    found = t.cast(bytes, part.get_payload(decode=True)).decode()
    expect = (text or ("x" if place == "alternative" else "")).replace("\r\n", "\n")
    expect = expect.replace("\r", "\n").replace("\n", "\r\n")
    if place == "alone" and not expect.endswith("\r\n"):
        assert found in (expect, expect + "\r\n")
    else:
        assert found == expect


@pytest.mark.parametrize(
    ("text", "encoding", "charset"),
    [
        ("Hello\n", "7bit", "us-ascii"),
        ("", "7bit", "us-ascii"),
        ("a \n", "7bit", "us-ascii"),
        ("x" * 998, "7bit", "us-ascii"),
        ("x" * 999, "quoted-printable", "us-ascii"),
        ("From me\n", "quoted-printable", "us-ascii"),
        ("\x00", "quoted-printable", "us-ascii"),
        ("Hello, this is mostly ASCII, but é\n", "quoted-printable", "utf-8"),
        ("日本語\n", "base64", "utf-8"),
    ],
)
def test_choice(text: str, encoding: str, charset: str) -> None:
    """C-45: ASCII in short lines is sent as it is; other text in the shorter encoding."""
    parsed = judge(render(Message(text=text, from_addr="a@example.com", to="b@example.com")))

    assert parsed["Content-Transfer-Encoding"] == encoding
    assert parsed.get_content_charset() == charset


@pytest.mark.parametrize("text", ["é" * n + "x" * (60 - n) for n in range(0, 61, 3)])
def test_the_shorter_one(text: str) -> None:
    """The shorter of quoted-printable and base64 is chosen."""
    data = text.encode()

    _, encoded = encode_safely(data)

    assert len(encoded) == min(len(quoted_printable(data)), base64_length(len(data)))


@pytest.mark.parametrize("end", [" ", "\t", "é", "="])
@pytest.mark.parametrize("start", ["", "From "])
@pytest.mark.parametrize("length", range(66, 82))
def test_quoted_printable_lines(start: str, length: int, end: str) -> None:
    """C-40: no line has more than 76 characters or ends with white space."""
    line = start + "x" * (length - len(start)) + end
    data = f"{line}\n{line}\n".encode()

    encoded = quoted_printable(data)

    lines = encoded.split(b"\r\n")
    assert max(map(len, lines)) <= 76
    assert not any(line.endswith((b" ", b"\t")) for line in lines)
    assert b"\nFrom " not in b"\n" + encoded
    assert quopri.decodestring(encoded) == data.replace(b"\n", b"\r\n") + b"\r\n"


@pytest.mark.parametrize("text", ["é\n.\n", ".\né", "é\n.\n.\n.", "é" * 12 + "xxx.", ".\n \n."])
def test_quoted_printable_keeps_a_dot_away_from_the_end(text: str) -> None:
    """C-9: a line of one dot is encoded, so that it survives a relay without dot-stuffing. A soft
    line break makes lines too."""
    encoded = quoted_printable(text.encode())

    assert b"." not in encoded.split(b"\r\n")
    assert b"=2E\r\n" in encoded
    assert quopri.decodestring(encoded) == text.replace("\n", "\r\n").encode() + b"\r\n"


@pytest.mark.parametrize("share", [0, 2, 20, 100])
@pytest.mark.parametrize("beyond", ["", "–"])
def test_long_texts_are_encoded_like_short_ones(share: int, beyond: str) -> None:
    """C-45: a long text has the same encoding and octets whether or not it is in Latin-1."""
    lines = [f"{n:04} {'ÿ' * share}{'x' * (100 - share)}\x85\x07" for n in range(300)]
    text = "\n".join(lines) + beyond

    encoding, encoded = encode_text(text)

    assert (encoding, encoded) == encode_safely(text.encode())
    expect = text.replace("\n", "\r\n").encode()
    if encoding == "base64":
        assert binascii.a2b_base64(encoded) == expect
    else:
        assert quopri.decodestring(encoded) == expect + b"\r\n"


@pytest.mark.parametrize("before", range(68, 78))
def test_quoted_printable_splits_no_escape(before: int) -> None:
    """C-40: a soft line break stands before an escape or after it, wherever the line ends."""
    data = ("x" * before + "é=é=").encode() * 3

    encoded = quoted_printable(data)

    lines = encoded.split(b"\r\n")
    assert max(map(len, lines)) <= 76
    assert not any(line.removesuffix(b"=").endswith((b"=", b"=C", b"=A", b"=3")) for line in lines)
    assert quopri.decodestring(encoded) == data + b"\r\n"


def test_quoted_printable_escapes_a_line_made_by_a_break() -> None:
    """C-9: where a soft line break makes a line that begins with "From ", it is escaped too."""
    data = b"x" * 75 + b"From " + b"y" * 71 + b"\xc3\xa9"

    encoded = quoted_printable(data)

    lines = encoded.split(b"\r\n")
    assert lines[1].startswith(b"=46rom y")
    assert max(map(len, lines)) <= 76
    assert quopri.decodestring(encoded) == data + b"\r\n"


@pytest.mark.parametrize("size", [0, 1, 2, 3, 56, 57, 58, 114, 29_183, 29_184, 29_185, 100_000])
def test_base64_lines(size: int) -> None:
    """C-40, C-67: lines have 76 characters, octets do not change, and the size is known."""
    data = bytes(n * 7 % 256 for n in range(size))

    encoded = b"".join(base64_lines(data))

    lines = encoded.split(b"\r\n")
    assert all(len(line) == 76 for line in lines[:-2])
    assert binascii.a2b_base64(encoded) == data
    assert len(encoded) == base64_length(size)


@pytest.mark.parametrize(
    ("octets", "expect"),
    [
        (b"", False),
        (b"x" * 998, False),
        (b"x" * 999, True),
        (b"x" * 998 + b"\n" + b"x" * 998, False),
        (b"x\n" * 5000 + b"x" * 999, True),
        (b"x" * 999 + b"\n" * 5000, True),
    ],
)
def test_long_lines(octets: bytes, expect: bool) -> None:
    """C-8: a line of more than 998 octets is long, without its line end."""
    assert has_long_line(octets) is expect


@pytest.mark.parametrize(
    ("data", "mimetype", "octets", "charset"),
    [
        ("é\n", "text/plain; charset=iso-8859-1", b"\xe9\r\n", "iso-8859-1"),
        ("a\n", "text/csv; charset=utf-16-le", b"a\0\r\0\n\0", "utf-16-le"),
        ("é\n", "application/json", "é\n".encode(), None),
        (b"a\nb\rc\r\n", "text/plain", b"a\nb\rc\r\n", None),
        ("a\nb\r\n", "image/svg+xml", b"a\nb\r\n", None),
    ],
)
def test_attached_text(
    data: str | bytes, mimetype: str, octets: bytes, charset: str | None
) -> None:
    """C-42, C-45: lines of a text end with CRLF in its charset; octets stay as they are."""
    message = Message(
        attachments=[Attachment(data, mimetype=mimetype)],
        from_addr="a@example.com",
        to="b@example.com",
    )

    _, part = judge(render(message)).iter_parts()

    assert part.get_payload(decode=True) == octets
    assert part.get_content_charset() == charset


def test_text_in_linear_time() -> None:
    """Two megabytes of any text are encoded; quadratic time would not end."""
    for text in ("x", "é", "x\n", " ", "=", "From ", "\n--=_"):
        encode_text((text * 2_000_000)[: 2_000_000 // len(text.encode())])


def test_decoded_by_the_standard_library() -> None:
    """C-41: a soft line break adds no line break to the text."""
    encoding, encoded = encode_text("word " * 300)

    parsed = email.message_from_bytes(
        b"Content-Transfer-Encoding: %b\n\n%b" % (encoding.encode(), encoded)
    )

    assert parsed.get_payload(decode=True) == b"word " * 300 + b"\r\n"


def test_many_files_are_encoded_while_the_message_is_sent() -> None:
    """C-67: files that are large together take no more memory than one large file, and arrive."""
    files = [bytes(range(n, 250)) * 120 for n in range(40)]
    message = Message(
        text="x",
        attachments=[Attachment(file, filename=f"{n}.bin") for n, file in enumerate(files)],
        from_addr="a@example.com",
        to="b@example.com",
    )
    bytes(render(message))  # what is made only once is not counted

    tracemalloc.start()
    octets = bytes(render(message))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert [
        part.get_payload(decode=True) for part in judge(render(message)).iter_attachments()
    ] == files
    assert len(octets) == render(message).size
    assert peak <= 1.5 * sum(map(len, files))
