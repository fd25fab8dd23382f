"""The parts of a message and their order; attached octets do not change."""

from __future__ import annotations

import email.policy
import pathlib
import typing as t
from email.message import EmailMessage

import pytest
from flask import Flask

from flask_mailhandler import Attachment
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.content import Content
from flask_mailhandler.mime import leaf
from flask_mailhandler.mime import render
from flask_mailhandler.mime.header_block import header_block
from flask_mailhandler.mime.reading import read_content
from flask_mailhandler.phase import State
from sending import smtp
from servers import ScriptedServer
from wire_form import judge

AMP = "<!doctype html><html amp4email></html>"
ICS = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nSUMMARY:Größe\r\nEND:VCALENDAR\r\n"


def message(**fields: t.Any) -> Message:
    return Message(
        **{"subject": "s", "from_addr": "shop@example.com", "to": "ann@example.com", **fields}
    )


def kinds(message: Message) -> list[str]:
    """The types of the parts that are not multiparts, in order."""
    found = judge(render(message)).walk()
    return [part.get_content_type() for part in found if not part.is_multipart()]


# The header of an attachment


@pytest.mark.parametrize("cid", [None, "a@b", "~" * 200])
@pytest.mark.parametrize("mimetype", ["application/pdf", "image/x; a=b", "text/csv", "Image/PNG"])
@pytest.mark.parametrize(
    "filename", ["a.pdf", "x" * 36, "x" * 37, "a b.pdf", "ä.pdf", "a;b", 'q".pdf', "=?x?=", ""]
)
def test_the_quick_header_is_the_same(filename: str, mimetype: str, cid: str | None) -> None:
    """The header that is written with few steps is the one that the general way writes."""
    attachment = Attachment(b"x", filename=filename, mimetype=mimetype, cid=cid)
    quick = leaf.attachment_part(attachment, "attachment", set(), at_once=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leaf, "_octets_part", lambda *_: None)
        part = leaf.attachment_part(attachment, "attachment", set(), at_once=True)

    assert quick.fields == part.fields
    assert quick.block in (b"", header_block(part.fields))
    assert [*quick.body] == [*part.body]


# The order of alternatives


@pytest.mark.parametrize(
    ("fields", "expect"),
    [
        (["text/x-amp-html"], ["text/plain", "text/x-amp-html", "text/html"]),
        (["text/watch-html"], ["text/plain", "text/watch-html", "text/html"]),
        (["text/calendar"], ["text/plain", "text/html", "text/calendar"]),
        (["application/x-form"], ["text/plain", "text/html", "application/x-form"]),
        (["text/enriched"], ["text/plain", "text/enriched", "text/html"]),
        (
            ["text/calendar", "application/x-form", "Text/X-AMP-HTML"],
            ["text/plain", "text/x-amp-html", "text/html", "application/x-form", "text/calendar"],
        ),
        (
            ["application/x-b", "text/calendar", "application/x-a"],
            ["text/plain", "text/html", "application/x-b", "application/x-a", "text/calendar"],
        ),
    ],
)
def test_order(fields: list[str], expect: list[str]) -> None:
    """RFC 2046 5.1.4: plain, forms few readers support, HTML, others as given, calendars last."""
    alternatives = [("x", kind) for kind in fields]

    assert kinds(message(text="t", html="<p>h", alternatives=alternatives)) == expect


@pytest.mark.parametrize(
    ("texts", "expect"),
    [
        ({"text": "t"}, ["text/plain", "text/x-amp-html", "text/calendar"]),
        ({"html": "<img src=x>"}, ["text/x-amp-html", "text/html", "text/calendar"]),
        ({}, ["text/x-amp-html", "text/calendar"]),
    ],
)
def test_order_of_what_is_there(texts: dict[str, str], expect: list[str]) -> None:
    """The order is the same without a text, and with images in the HTML."""
    alternatives = [("x", "text/calendar"), (AMP, "text/x-amp-html")]
    image = Attachment(b"png", filename="a.png")

    assert kinds(message(**texts, alternatives=alternatives)) == expect
    if texts.get("html"):
        shown = message(**texts, alternatives=alternatives, inline_attachments=[image])
        assert kinds(shown) == [*expect[:2], "image/png", *expect[2:]]


def built(*subtypes: str) -> EmailMessage:
    """A message of the standard library with these alternatives, in this order."""
    theirs = EmailMessage()
    theirs["From"], theirs["To"] = "shop@example.com", "ann@example.com"
    theirs.set_content("t")
    for subtype in subtypes:
        maintype, _, name = subtype.rpartition("/")
        if maintype:
            theirs.add_alternative(b"x", maintype=maintype, subtype=name)
        else:
            theirs.add_alternative("x", subtype=subtype)
    return theirs


@pytest.mark.parametrize(
    "subtypes",
    [
        ("x-amp-html", "html"),
        ("enriched", "html", "calendar"),
        ("watch-html", "x-amp-html", "html", "application/x-form", "calendar"),
        ("html", "application/x-form"),
    ],
)
def test_a_right_order_stays(subtypes: tuple[str, ...]) -> None:
    """from_mime() keeps an order that a Message can have."""
    found = Message.from_mime(built(*subtypes))

    expect = [name if "/" in name else f"text/{name}" for name in subtypes]
    assert kinds(found) == ["text/plain", *expect]


def test_an_order_that_it_cannot_have() -> None:
    """from_mime() refuses an unknown alternative before the HTML."""
    with pytest.raises(MessageError, match="application/x-form before the HTML"):
        Message.from_mime(built("application/x-form", "html"))


# Content-IDs


def image(data: bytes, name: str, cid: str | None = "x@y.example") -> Attachment:
    return Attachment(data, filename=name, cid=cid)


HTML = '<img src="cid:x@y.example" alt="">'


def test_one_image_twice() -> None:
    """Equal octets with the same Content-ID are in the message once, under any file name."""
    images = [image(b"1", "a.png"), image(b"1", "b.png"), image(b"2", "c.png", "z@y.example")]

    one = message(html=HTML, inline_attachments=images)

    assert one.inline_attachments == (images[0], images[2])
    assert bytes(render(one)).count(b"<x@y.example>") == 1
    made = Attachment(b"1", filename="a.png")
    assert message(inline_attachments=[made, made]).inline_attachments == (made,)


def test_one_image_in_two_files(tmp_path: pathlib.Path) -> None:
    """A file and its octets are the same image."""
    path = tmp_path / "a.png"
    path.write_bytes(b"1")
    file = Attachment.from_path(path, cid="x@y.example")

    both = message(inline_attachments=[file, image(b"1", "b.png")])

    assert both.inline_attachments == (file,)


@pytest.mark.parametrize(
    "second",
    [
        image(b"2", "b.png"),
        image(b"1", "a.gif"),
        image(b"11", "a.png"),
        Attachment("1", filename="a.txt", cid="x@y.example"),
    ],
)
def test_two_images_with_one_cid(second: Attachment) -> None:
    """RFC 2045 7: a Content-ID names one part, so two different images may not have it."""
    first = image(b"1", "a.png")

    with pytest.raises(MessageError, match=r"^inline_attachments has two different .*x@y\.example"):
        message(html=HTML, inline_attachments=[first, second])
    with pytest.raises(
        MessageError, match=r"Two different attachments have the same cid, 'x@y\.example'"
    ):
        message(html=HTML, inline_attachments=[first], attachments=[second])
    with pytest.raises(
        MessageError, match=r"Two different attachments have the same cid, 'x@y\.example'"
    ):
        message(text="x", attachments=[first], alternatives=[second])


def test_an_image_to_show_and_to_keep() -> None:
    """An image that is both shown and attached has its Content-ID only where it is shown."""
    logo = image(b"1", "a.png")

    one = message(html=HTML, inline_attachments=[logo], attachments=[logo, logo])

    parts = [part for part in judge(render(one)).walk() if part.get_content_type() == "image/png"]
    assert [part["Content-ID"] for part in parts] == ["<x@y.example>", None, None]
    assert [part.get_content_disposition() for part in parts] == ["inline", *["attachment"] * 2]


def test_two_files_of_one_image_in_a_template(tmp_path: pathlib.Path) -> None:
    """mail_image() of two files with the same octets puts one part into the message."""
    (tmp_path / "static").mkdir()
    (tmp_path / "templates").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "static" / name).write_bytes(b"\x89PNG")
    (tmp_path / "templates" / "m.html").write_text(
        "<img src=\"{{ mail_image('a.png') }}\" alt=''>"
        "<img src=\"{{ mail_image('b.png') }}\" alt=''>"
    )
    app = Flask("images", root_path=str(tmp_path))
    app.config.update(MAIL_HANDLER="memory", MAIL_DEFAULT_FROM="shop@example.com")
    mail = Mail(app, cli=None)

    with app.app_context():
        one = mail.render("m", subject="Hi", to="ann@example.com", from_addr="s@example.com")

    assert len(one.inline_attachments) == 1
    judge(render(one))


# Parameters found in the octets of a text


@pytest.mark.parametrize(
    ("data", "mimetype", "expect"),
    [
        (ICS.encode(), "text/calendar; method=REQUEST", {"method": "REQUEST", "charset": "utf-8"}),
        (ICS.encode(), "text/calendar", {"method": "REQUEST", "charset": "utf-8"}),
        (ICS, "text/calendar", {"method": "REQUEST", "charset": "utf-8"}),
        (ICS.encode(), "text/calendar; method=CANCEL", {"method": "CANCEL", "charset": "utf-8"}),
        (ICS.encode(), "Text/Calendar; Charset=utf-8", {"method": "REQUEST", "charset": "utf-8"}),
        (ICS.encode("latin-1"), "text/calendar; charset=iso-8859-1",
         {"method": "REQUEST", "charset": "iso-8859-1"}),
        (ICS.encode("latin-1"), "text/calendar", {"method": "REQUEST"}),
        (b"BEGIN:VCALENDAR\nmethod;x=y:reply\nEND:VCALENDAR\n", "text/calendar",
         {"method": "REPLY"}),
        (b"BEGIN:VCALENDAR\r\nDESCRIPTION:a\r\n METHOD:ADD\r\n", "text/calendar", {}),
        (b"BEGIN:VCALENDAR\r\nX-METHOD:ADD\r\n", "text/calendar", {}),
        ("a;ü\n".encode(), "text/csv", {"charset": "utf-8"}),
        ("a;ü\n".encode(), "text/csv; header=present", {"header": "present", "charset": "utf-8"}),
        ("\ufeffa".encode(), "text/plain", {"charset": "utf-8"}),
        (b"a;b\n", "text/csv", {}),
        (b"\xff\xfea\0", "text/plain", {}),
        ("ü".encode()[:1], "text/plain", {}),
        ("ü".encode(), "application/json", {}),
        (b"METHOD:REQUEST\r\n", "text/plain", {}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["attachments", "alternatives", "a file"])
def test_text_parameters(
    data: bytes | str, mimetype: str, expect: dict[str, str], place: str, tmp_path: pathlib.Path
) -> None:
    """RFC 5545 3.1.4, RFC 6047 2.4: UTF-8 octets get a charset and a calendar gets its METHOD;
    given parameters stay."""
    attachment = Attachment(data, mimetype=mimetype)
    if place == "a file" and isinstance(data, bytes):
        path = tmp_path / "x"
        path.write_bytes(data)
        attachment = Attachment.from_path(path, mimetype=mimetype)
    field = "alternatives" if place == "alternatives" else "attachments"

    parsed = judge(render(message(text="t", **{field: [attachment]})))

    part = [*parsed.iter_parts()][-1]
    assert dict(part["Content-Type"].params) == expect
    octets = data.encode() if isinstance(data, str) else data
    assert t.cast(bytes, part.get_payload(decode=True)) == octets
    if expect.get("charset") == "utf-8":
        assert "\ufffd" not in part.get_content()


def test_a_text_file_of_many_pieces(tmp_path: pathlib.Path) -> None:
    """A character may be split between two pieces of a file."""
    path = tmp_path / "x.txt"
    path.write_bytes(b"a" * ((1 << 16) - 1) + "ü".encode() * 70_000)

    parsed = judge(render(message(text="t", attachments=[Attachment.from_path(path)])))

    assert next(iter(parsed.iter_attachments())).get_content_charset() == "utf-8"


# Attached messages

SIGNED = (
    "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed; micalg=pgp-sha256;\r\n"
    ' protocol="application/pgp-signature"; boundary=b\r\n\r\n--b\r\n'
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nnaïve\r\n"
    "--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n"
).encode()
DKIM = (
    "DKIM-Signature: v=1; a=rsa-sha256; h=From:Subject;\r\n\tb=abc=\r\n"
    f"From: Zoë <zoe@example.org>\r\nSubject:{' Größe' * 20}\r\n"
    "Content-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n\r\nFrom me\r\n.\r\n"
    "--in\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
).encode() + b"\xe9\r\n--in--\r\n"
PLAIN = "Subject: Größe\n\nGröße  \n\n".encode()


@pytest.mark.parametrize("octets", [SIGNED, DKIM, PLAIN], ids=["signed", "dkim", "with LF"])
@pytest.mark.parametrize("way", ["octets", "a file"])
def test_octets_stay(
    octets: bytes, way: str, tmp_path: pathlib.Path, scripted: t.Callable[..., ScriptedServer]
) -> None:
    """C-53: a message that is attached as octets is these octets, with BODY=8BITMIME."""
    path = tmp_path / "original.eml"
    path.write_bytes(octets)
    attachment = (
        Attachment.from_path(path)
        if way == "a file"
        else Attachment(octets, filename="original.eml")
    )
    server = scripted(extensions=["PIPELINING", "8BITMIME"])

    (report,) = smtp(server).send([message(text="See below.", attachments=attachment)])

    assert report.ok
    (sent,) = server.accepted
    assert sent.parameters == {"BODY": "8BITMIME"}
    expect = octets if b"\r\n" in octets else octets.replace(b"\n", b"\r\n")
    assert b"\r\n\r\n" + expect + b"\r\n--=_" in sent.content
    parsed = email.message_from_bytes(sent.content, policy=email.policy.default)
    assert parsed["Content-Transfer-Encoding"] == "8bit"
    assert next(iter(parsed.iter_attachments()))["Content-Transfer-Encoding"] == "8bit"


@pytest.mark.parametrize("octets", [SIGNED, DKIM], ids=["signed", "dkim"])
def test_octets_are_read_back(octets: bytes) -> None:
    """A captured message and from_mime() return attachments unchanged."""
    one = message(text="x", attachments=Attachment(octets, filename="original.eml"))

    (leaf,) = [leaf for leaf in read_content(bytes(render(one))).leaves if leaf.is_file]

    assert leaf.data == octets
    if octets is SIGNED:
        assert Message.from_mime(one.to_mime()).attachments == one.attachments


def test_nested_8bit_is_told_by_all_that_holds_it() -> None:
    """RFC 2045 6.4: only a multipart with 8-bit parts is declared as 8bit."""
    one = message(
        html='<img src="cid:x@y.example">',
        text="t",
        inline_attachments=[image(b"1", "a.png")],
        attachments=[Attachment(PLAIN, filename="x.eml")],
    )

    content = render(one)
    parsed = email.message_from_bytes(bytes(content), policy=email.policy.default)

    assert content.eightbit
    found = {part.get_content_type(): part["Content-Transfer-Encoding"] for part in parsed.walk()}
    assert (found["multipart/mixed"], found["message/rfc822"]) == ("8bit", "8bit")
    assert (found["multipart/alternative"], found["multipart/related"]) == (None, None)


@pytest.mark.parametrize("octets", [DKIM, PLAIN], ids=["dkim", "plain"])
def test_a_server_without_8bitmime(
    octets: bytes, scripted: t.Callable[..., ScriptedServer]
) -> None:
    """RFC 6152 3: for a server without 8BITMIME, the message is rewritten and reads the same."""
    server = scripted(extensions=["PIPELINING"])
    one = message(text="Grüße", attachments=Attachment(octets, filename="original.eml"))

    (report,) = smtp(server).send([one])

    assert report.ok
    (sent,) = server.accepted
    assert sent.parameters == {}
    assert sent.content.isascii()
    parsed = judge(Content(sent.content))
    assert parsed["Message-ID"] == one.message_id
    (attached,) = parsed.iter_attachments()
    assert "Größe" in attached.get_content()["Subject"]


def test_a_signed_message_and_a_server_without_8bitmime(
    scripted: t.Callable[..., ScriptedServer],
) -> None:
    """A signed message, which may not change, is refused, and the next message is sent."""
    server = scripted(extensions=["PIPELINING"])
    attachment = Attachment(SIGNED, filename="original.eml")
    octets = Attachment(SIGNED, filename="original.eml", mimetype="application/octet-stream")

    reports = smtp(server).send(message(text="x", attachments=one) for one in (attachment, octets))

    assert [report.outcomes[0].state for report in reports] == [State.REFUSED, State.ACCEPTED]
    assert "accepts only 7-bit" in reports[0].outcomes[0].text
    assert len(server.accepted) == 1


def test_text_needs_no_8bit() -> None:
    """A message attached as text has no fixed octets, so it is sent to any server."""
    content = render(message(text="x", attachments=Attachment(PLAIN.decode(), filename="x.eml")))

    assert not content.eightbit
    judge(content)
    signed = render(message(text="x", attachments=Attachment(SIGNED.decode(), filename="x.eml")))
    assert signed.eightbit
    assert SIGNED in bytes(signed)


def test_a_file_that_cannot_be_sent_as_it_is(tmp_path: pathlib.Path) -> None:
    """A file is checked when the message is made, and the error names it."""
    path = tmp_path / "long.eml"
    path.write_bytes(b"Subject: x\n\n" + b"x" * 999)

    with pytest.raises(MessageError, match=r"^attachments has .*'long\.eml'.*998.*octet-stream"):
        message(attachments=Attachment.from_path(path))
    octets = Attachment.from_path(path, mimetype="application/octet-stream")
    judge(render(message(attachments=octets)))
    path.unlink()
    data = message(attachments=octets).to_dict()
    data["attachments"][0]["mimetype"] = "message/rfc822"
    with pytest.raises(MessageError, match=r"long\.eml"):
        render(Message.from_dict(data))
