"""A message for display: its parts within bounds, and its HTML in the frame."""

from __future__ import annotations

import base64
import re

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import Message
from flask_mailhandler.lint import lint
from flask_mailhandler.mime.reading.bounds import MAX_FIELDS as PARSED_FIELDS
from flask_mailhandler.mime.reading.bounds import MAX_LINES
from flask_mailhandler.mime.reading.bounds import MAX_OCTETS
from flask_mailhandler.mime.reading.bounds import MAX_PARTS as MAX_PARSED
from flask_mailhandler.mime.reading.summary import Summary
from flask_mailhandler.mime.reading.summary import summary
from flask_mailhandler.pages.displayed import DisplayedMessage
from flask_mailhandler.pages.displayed import MAX_DEPTH
from flask_mailhandler.pages.displayed import MAX_FIELDS
from flask_mailhandler.pages.displayed import MAX_HTML
from flask_mailhandler.pages.displayed import MAX_PARTS
from flask_mailhandler.pages.displayed import read_for_display
from flask_mailhandler.pages.framed import framed
from flask_mailhandler.pages.framed import has_dark
from flask_mailhandler.pages.framed import has_remote
from flask_mailhandler.pages.framed import MAX_IMAGES

# Many examples, which are the same on every version of Python.
pytestmark = pytest.mark.slow

LOGO = Attachment(b"\x89PNG\r\n", filename="logo.png", cid="logo@shop")


def octets_of(message: Message) -> bytes:
    return message.to_mime().as_bytes()


def opened(html: str, **fields: str) -> DisplayedMessage:
    header = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return read_for_display(f"{header}Content-Type: text/html\r\n\r\n{html}".encode())


def nested(depth: int) -> bytes:
    """Nested multiparts of the given depth."""
    lines = [b"Subject: deep"]
    for level in range(depth):
        lines += [b'Content-Type: multipart/mixed; boundary="b%d"' % level, b"", b"--b%d" % level]
    lines += [b"Content-Type: text/plain", b"", b"the end"]
    lines += [b"--b%d--" % level for level in reversed(range(depth))]
    return b"\r\n".join(lines)


def many_parts(number: int, part: bytes) -> bytes:
    """A multipart with the given number of parts."""
    head = b"Subject: deep\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    return head + (b"--x\r\n" + part) * number + b"--x--\r\n"


def test_the_tree() -> None:
    """A part is listed below its parent, with its number, type, name and size."""
    message = Message(
        from_addr="a@b.example",
        to="c@d.example",
        subject="Hi",
        text="Hello",
        html=f'<img src="cid:{LOGO.cid}">',
        attachments=[Attachment("a,b\n", filename="a.csv")],
        inline_attachments=[LOGO],
    )

    found = read_for_display(octets_of(message))

    assert [(part.number, part.depth, part.kind, part.filename) for part in found.parts] == [
        ("1", 0, "multipart/mixed", ""),
        ("1.1", 1, "multipart/alternative", ""),
        ("1.1.1", 2, "text/plain", ""),
        ("1.1.2", 2, "multipart/related", ""),
        ("1.1.2.1", 3, "text/html", ""),
        ("1.1.2.2", 3, "image/png", "logo.png"),
        ("1.2", 1, "text/csv", "a.csv"),
    ]
    assert [part.filename for part in found.files] == ["a.csv"]
    assert (found.subject, found.text.strip(), found.left_out) == ("Hi", "Hello", ())


def test_an_attached_message() -> None:
    """Parts of an attached message are in the tree, but not in the text or HTML."""
    inner = b"Subject: inner\r\nContent-Type: text/html\r\n\r\n<b>inner</b>"
    octets = (
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nouter\r\n--x\r\n"
        b"Content-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--x--\r\n"
    )

    found = read_for_display(octets)

    assert [(part.kind, part.is_inner) for part in found.parts] == [
        ("multipart/mixed", False),
        ("text/plain", False),
        ("message/rfc822", False),
        ("text/html", True),
    ]
    assert (found.text, found.html) == ("outer", "")
    (file,) = found.files
    assert file.leaf is not None
    assert b"inner</b>" in file.leaf.data


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (nested(MAX_DEPTH + 5), f"Parts nested deeper than {MAX_DEPTH} are not shown."),
        (nested(200), "The parts are nested too deep, so only the header was read."),
        (nested(20_000), "The parts are nested too deep, so only the header was read."),
        (
            b"Subject: deep\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
            + b"--x\r\n\r\npart\r\n" * 5000
            + b"--x--",
            f"Only the first {MAX_PARTS} parts are shown.",
        ),
        (
            b"Subject: deep\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
            f"Only {MAX_FIELDS} of 10001 header fields are shown.",
        ),
        (
            b"Subject: deep\r\n\r\n" + (b"x" * 76 + b"\r\n") * (MAX_OCTETS // 78 + 10),
            f"The message was read up to {MAX_OCTETS >> 20} MiB.",
        ),
        (many_parts(300_000, b"\r\n"), f"The message was read up to its {MAX_PARSED}th part."),
        (many_parts(MAX_PARSED, b"\r\n"), f"The message was read up to its {MAX_PARSED}th part."),
        (
            many_parts(100_000, b"Content-Type: message/rfc822\r\n\r\nX: y\r\n\r\n"),
            f"The message was read up to its {MAX_PARSED}th part.",
        ),
        (
            b"Subject: deep\r\n" + b"X: y\r\n" * 200_000 + b"\r\n",
            f"The message was read up to its {PARSED_FIELDS}th header field.",
        ),
        (
            many_parts(1000, b"X: y\r\n" * 100 + b"\r\n"),
            f"The message was read up to its {PARSED_FIELDS}th header field.",
        ),
        (
            b"Subject: deep\r\n\r\n" + b"\n" * MAX_LINES,
            f"The message was read up to its line {MAX_LINES}.",
        ),
        (
            b"Subject: deep\r\n\r\n" + b"\r" * MAX_OCTETS,
            f"The message was read up to its line {MAX_LINES}.",
        ),
        (
            b"Subject: deep\r\nContent-Type: message/rfc822\r\n\r\n" * 1500,
            "The parts are nested too deep, so only the header was read.",
        ),
        (b"Subject: deep\r\n" + b"X: " + b"=?utf-8?q?x?= " * 100_000, ""),
        (b"Subject: deep\r\nTo: " + b"a@b.example, " * 100_000, ""),
        (b"Subject: deep\r\nX: =?punycode?q?" + b"a" * 200_000 + b"?=\r\n" * 50, ""),
        (b'Subject: deep\r\nContent-Type: text/plain; x="' + b";" * 9**6, ""),
        (b"Subject: deep\r\nContent-Disposition: attachment; " + b"a*0=b;" * 9**6, ""),
        (b"Subject: deep\r\nContent-Type: text/plain; charset=punycode\r\n\r\n" + b"a" * 9**7, ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.usefixtures("untraced")
@pytest.mark.slow
def test_bounds(octets: bytes, says: str) -> None:
    """Attack: a message that keeps the page or the handler busy forever. Depth, parts, fields and
    size are bounded, and the page says what is left out. (Without bounds it would take hours.)"""
    found, told = read_for_display(octets), summary(octets)
    lint(octets)

    assert found.subject == told["subject"] == "deep"
    assert len(found.parts) <= MAX_PARTS
    assert len(found.fields) <= MAX_FIELDS
    assert max(part.depth for part in found.parts) <= MAX_DEPTH
    if says:
        assert says in found.left_out


@pytest.mark.parametrize(
    ("octets", "parts", "fields"),
    [
        (many_parts(MAX_PARSED - 1, b"\r\n"), MAX_PARTS, 2),
        (b"Subject: x\r\n" * PARSED_FIELDS + b"\r\nHello", 1, MAX_FIELDS),
        (b"Subject: x\r\n\r\n" + b"\r\n" * (MAX_LINES // 2 - 2), 1, 1),
    ],
    ids=["parts", "fields", "lines"],
)
def test_at_the_bounds(octets: bytes, parts: int, fields: int) -> None:
    """A message of exactly the largest size is read to its end."""
    found = read_for_display(octets)

    assert (len(found.parts), len(found.fields)) == (parts, fields)
    assert not any("was read up to" in sentence for sentence in found.left_out)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\r\n",
        b"\xff\xfe\x00",
        b"no header at all",
        b"Subject: =?utf-7?q?+2AA-?=\r\n\r\n",
        b"Content-Type: text/html; charset=utf-7\r\n\r\n+2AA-",
        b"Content-Type: text/html; charset=undefined\r\n\r\nx",
        b"Content-Type: text/html; charset=unicode_escape\r\n\r\n\\d",
        b"Content-Type: multipart/mixed\r\n\r\n--\r\n",
        b"Content-Type: ;;;\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
        b"From: <<<<\r\nTo: @@@\r\nDate: \x80\r\n\r\n",
    ],
)
def test_damaged(octets: bytes) -> None:
    """Any octets can be displayed."""
    found = read_for_display(octets)
    told = summary(octets)

    assert framed(found, "light").encode("utf-8", "replace")
    assert found.size == len(octets)
    assert told.keys() == Summary.__annotations__.keys()


def test_images_of_the_message() -> None:
    """An image in the message is shown. A cid: without an image stays as it is."""
    message = Message(
        from_addr="a@b.example",
        to="c@d.example",
        subject="Hi",
        html='<img src="cid:logo@shop"><td style="background: url(cid:logo%40shop)">',
        inline_attachments=[LOGO],
    )
    data = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n").decode()

    found = framed(read_for_display(octets_of(message)), "light")

    assert f'<img src="{data}">' in found
    assert f"url({data})" in found
    assert 'src="cid:x"' in framed(opened('<img src="cid:x">'), "light")


def test_one_image_many_times() -> None:
    """Attack: a large image that is used a thousand times. The size of all images together is
    bounded."""
    message = Message(
        from_addr="a@b.example",
        to="c@d.example",
        subject="Hi",
        html='<img src="cid:logo@shop">' * 1000,
        inline_attachments=[Attachment(bytes(MAX_IMAGES // 2), filename="a.png", cid="logo@shop")],
    )

    found = framed(read_for_display(octets_of(message)), "light")

    assert found.count("data:image/png") == 2
    assert found.count('src="cid:logo@shop"') == 998


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml; x", "application/xhtml+xml", "x/y"])
def test_what_is_no_image(kind: str) -> None:
    """Attack: a cid: that refers to a document, which the browser would open."""
    octets = (
        b"Content-Type: multipart/related; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n"
        b'<iframe src="cid:doc"></iframe>\r\n--x\r\nContent-ID: <doc>\r\nContent-Type: '
        + kind.encode()
        + b"\r\n\r\n<script>alert(1)</script>\r\n--x--"
    )

    assert "data:text" not in framed(read_for_display(octets), "light")
    assert "data:application" not in framed(read_for_display(octets), "light")


@pytest.mark.parametrize(
    ("html", "light", "dark"),
    [
        (
            "<style>@media (prefers-color-scheme: dark) { b { color: red } }</style>",
            "(max-width:0)",
            "(min-width:0)",
        ),
        (
            "<style>@media (Prefers-Color-Scheme:LIGHT) { b { color: red } }</style>",
            "(min-width:0)",
            "(max-width:0)",
        ),
        ("<style>:root { color-scheme: light dark; }</style>", "color-scheme: light;", "dark;"),
        ('<meta name="color-scheme" content="light dark">', 'content="light">', 'content="dark">'),
        ("<p>white</p>", 'content="light">', 'content="light">'),
    ],
)
def test_colour_schemes(html: str, light: str, dark: str) -> None:
    """The frame has the chosen scheme, whatever the reader's own is. A message without dark colours
    stays white."""
    message = opened(html)

    assert light in framed(message, "light")
    assert dark in framed(message, "dark")
    assert has_dark(html) is (html != "<p>white</p>")


@pytest.mark.parametrize(
    "html",
    [
        '<meta content="light dark" name=color-scheme>',
        '<META name="supported-color-schemes" content="light dark">',
        f"{'x' * 60_000}<meta name=color-scheme content=dark>",
    ],
)
def test_dark_is_declared(html: str) -> None:
    """A <meta> declares dark colours, with either name and in any order."""
    assert has_dark(html)


@pytest.mark.parametrize(
    "html",
    [
        "<meta name=color-scheme content=light><p class=dark>",
        "<meta name=color-scheme content=darkest>",
        "<meta name=color-scheme <dark>",
        "<metal color-scheme dark>",
    ],
)
def test_dark_is_not_declared(html: str) -> None:
    """Text that only resembles such a declaration leaves a message white."""
    assert not has_dark(html)


@pytest.mark.parametrize(
    "piece",
    [
        '"<meta color-scheme "',
        "<meta " + "color-scheme " * 40,
        "color-scheme:",
        "prefers-color-scheme ",
        "<!doctype ",
        " ",
        '"cid:',
        'background =" ',
        "url( ",
        "<link",
    ],
)
@pytest.mark.usefixtures("untraced")
@pytest.mark.slow
def test_html_that_takes_for_ever(piece: str) -> None:
    """Attack: HTML for which a regular expression takes more than linear time, so that the page
    hangs for minutes."""
    message = opened(piece * (12_000_000 // len(piece)))

    assert len(framed(message, "dark")) > MAX_HTML
    assert not has_dark(piece * (12_000_000 // len(piece)))
    assert not has_remote(message.html)


def test_long_html() -> None:
    """Neither people nor programs get more HTML than is shown, and the page says that it is cut."""
    long, short = opened("x" * (MAX_HTML + 1)), opened("x" * MAX_HTML)

    assert (len(long.html), long.is_html_cut) == (MAX_HTML, True)
    assert (len(short.html), short.is_html_cut) == (MAX_HTML, False)


@pytest.mark.parametrize("name", ["link", "LINK", "iframe", "frame", "object", "Embed"])
def test_what_connects(name: str) -> None:
    """Attack: an element for which the browser connects to a server before it checks the policy, so
    that the server learns that the message is read."""
    assert f"<{name}" not in framed(opened(f'<{name} rel=preconnect href="//x.example">'), "light")


@pytest.mark.parametrize(
    ("html", "start"),
    [
        ("<p>x", "<!doctype html><base"),
        ("<!DOCTYPE html>\n<html><p>x", "<!DOCTYPE html><base"),
        ('<!doctype html PUBLIC "-//W3C//DTD XHTML 1.0">x', '<!doctype html PUBLIC "-//W3C'),
    ],
)
def test_the_doctype_stays_first(html: str, start: str) -> None:
    """A document keeps its mode, because its doctype stays first."""
    assert framed(opened(html), "light").startswith(start)


@pytest.mark.parametrize(
    ("html", "expect"),
    [
        ('<img src="https://x.example/a.png">', True),
        ("<img src=http://x.example/a.png>", True),
        ("<td background='//x.example/a.png'>", True),
        ("<p style=\"background: url( 'https://x.example/a.png')\">", True),
        ('<a href="https://x.example/">', False),
        ('<img src="cid:logo">', False),
        ('<img src="data:image/png;base64,AA==">', False),
    ],
)
def test_remote_images(html: str, expect: bool) -> None:
    """The page offers to load remote images if there are any."""
    assert has_remote(html) is expect


def test_the_beginning() -> None:
    """A list shows the first words of a message, without links and rules."""
    octets = b"Subject: x\r\n\r\nThe Shop (https://shop.example/a)\r\n=====\r\n\r\nHello  Ann,\r\n"

    assert summary(octets)["text"] == "The Shop Hello Ann,"
    assert not re.search(r"\s$", summary(b"\r\n" + b"word " * 1000)["text"])
