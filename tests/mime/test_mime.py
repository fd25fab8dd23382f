"""The octets of a message and the shapes of its tree, against golden files.

``tests/golden/mime/NAME.eml`` has the octets with LF for CRLF, and ``NAME.txt`` the drawing of the
tree.
"""

from __future__ import annotations

import datetime
import email.policy
import hashlib
import os
import pathlib
import subprocess
import sys
import tracemalloc
import typing as t

import pytest

from flask_mailhandler import Address
from flask_mailhandler import Attachment
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.mime import render
from flask_mailhandler.mime.stdlib.convert import to_mime
from wire_form import judge

if t.TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "mime"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(80))
CALENDAR = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nSUMMARY:Frühstück\nEND:VCALENDAR\n"
FORWARDED = (
    "From: Zoë <zoe@example.org>\nSubject: Grüße\nContent-Type: text/plain; charset=utf-8\n"
    "Content-Transfer-Encoding: 8bit\n\nHéllo\n"
)


def message(**fields: t.Any) -> Message:
    return Message(
        **{
            "subject": "A subject",
            "from_addr": "Ann <ann@example.com>",
            "to": "bob@example.net",
            "message_id": "<17@example.com>",
            "date": datetime.datetime(2026, 11, 20, 14, 5, 6, tzinfo=datetime.UTC),
            **fields,
        }
    )


def logo() -> Attachment:
    return Attachment(PNG, filename="logo.png", cid="logo@example.com")


PDF = Attachment(b"%PDF-1.7\n", filename="Rechnung März.pdf")
SHAPES: dict[str, dict[str, t.Any]] = {
    "text": {"text": "Hello,\n\n.a dot\nFrom is not at the start of a line >From\n"},
    "html": {"text": "Hello\n", "html": "<p>Hello</p>\n"},
    "html_only": {"html": "<p>Hello <a href='https://example.com/'>you</a></p>\n"},
    "inline": {
        "text": "Hello\n",
        "html": '<p>Hello</p><img src="cid:logo@example.com">\n',
        "inline_attachments": [logo()],
    },
    "attachment": {"text": "Hello\n", "attachments": [PDF]},
    "attachment_only": {"attachments": [PDF]},
    "inline_without_html": {"text": "Hello\n", "inline_attachments": [logo()]},
    "calendar": {
        "text": "Breakfast\n",
        "html": "<p>Breakfast</p>\n",
        "alternatives": [(CALENDAR, "text/calendar; method=REQUEST")],
    },
    "calendar_only": {"alternatives": [(CALENDAR, "text/calendar; method=REQUEST")]},
    "everything": {
        "text": "Grüße von Ann\n",
        "html": '<p>Grüße</p><img src="cid:logo@example.com">\n',
        "inline_attachments": [logo()],
        "alternatives": [(CALENDAR, "text/calendar; method=REQUEST")],
        "attachments": [PDF, Attachment("a;b\n1;2\n", filename="table.csv")],
        "reply_to": [("Ann, at home", "ann@home.example")],
        "cc": [("Zoë", "zoe@example.org")],
        "bcc": ["secret@example.org"],
        "subject": "Grüße aus Köln",
        "headers": {"X-Order": "17", "References": "<1@example.com> <2@example.com>"},
    },
    "forwarded": {
        "text": "See below.\n",
        "attachments": [Attachment(FORWARDED, filename="grüße.eml")],
    },
}


@pytest.mark.parametrize("name", SHAPES)
def test_golden(name: str) -> None:
    """C-44, C-49: each shape has the octets of its golden file, and the tree drawn there."""
    content = render(message(**SHAPES[name]))

    parsed = judge(content)

    assert bytes(content) == (GOLDEN / f"{name}.eml").read_bytes().replace(b"\n", b"\r\n")
    assert draw(parsed) == (GOLDEN / f"{name}.txt").read_text("utf-8")


def draw(part: email.message.Message, first: str = "", rest: str = "") -> str:
    """Draw the tree of a message."""
    name = part.get_filename()
    disposition = part.get_content_disposition()
    words = [part.get_content_type(), disposition, name and repr(name)]
    drawn = first + " ".join(filter(None, words)) + "\n"
    parts = part.get_payload() if part.is_multipart() else []
    for index, child in enumerate(t.cast("list[email.message.Message]", parts)):
        last = index == len(parts) - 1
        drawn += draw(
            child, rest + ("└── " if last else "├── "), rest + ("    " if last else "│   ")
        )
    return drawn


def test_the_same_message_is_the_same_octets() -> None:
    """C-88: boundaries are made from the Message-ID, so a retry has the same octets."""
    one = message(**SHAPES["everything"])

    assert bytes(render(one)) == bytes(render(one)) == bytes(render(one.replace()))


def test_another_message_has_other_boundaries() -> None:
    """C-43: messages with different Message-IDs have different boundaries."""
    one, two = (
        message(text="x", html="y", message_id=f"<{left}@example.com>") for left in ("1", "2")
    )

    assert to_mime(one).get_boundary() != to_mime(two).get_boundary()


@pytest.mark.parametrize("where", ["text", "html"])
def test_a_text_cannot_hold_a_delimiter(where: str) -> None:
    """C-43: a text that contains the boundary is sent in an encoding that hides it."""
    plain = message(text="x", html="y")
    boundary = to_mime(plain).get_boundary()
    attack = f"hello\n--{boundary}\nContent-Type: text/html\n\nevil\n--{boundary}--\n"

    changes: t.Any = {where: attack}
    parsed = judge(render(plain.replace(**changes)))

    assert parsed.get_boundary() == boundary
    parts = list(parsed.iter_parts())
    assert len(parts) == 2
    assert attack in [part.get_content().replace("\r\n", "\n") for part in parts]


def _as_attachment(forwarded: str) -> Message:
    return message(text="x", attachments=[Attachment(forwarded, filename="y.eml")])


def _as_image(forwarded: str) -> Message:
    shown = Attachment(forwarded.encode(), mimetype="Message/RFC822")
    return message(html="<p>x", inline_attachments=[shown])


def _as_alternative(forwarded: str) -> Message:
    return message(text="x", alternatives=[(forwarded, "message/global")])


@pytest.mark.parametrize("holding", [_as_attachment, _as_image, _as_alternative])
@pytest.mark.parametrize("end", ["", "--"])
def test_an_attached_message_cannot_hold_a_delimiter(
    holding: Callable[[str], Message], end: str
) -> None:
    """C-43: if a part that must stay as it is contains the boundary, another is made."""
    first = holding("Subject: y\n\nz\n")
    shape = [part.get_content_type() for part in to_mime(first).walk()]
    known = [part.get_boundary() for part in to_mime(first).walk() if part.is_multipart()]
    lines = "".join(
        f"--{found}{end}\nContent-Type: text/html\n\nevil\n" for found in known if found
    )

    parsed = judge(render(holding(f"Subject: y\n\n{lines}").completed(message_id=first.message_id)))

    assert [part.get_content_type() for part in parsed.walk()] == shape
    assert parsed.get_boundary() not in known


def test_bcc_is_in_the_envelope_only() -> None:
    """C-34: Bcc is not in the content."""
    one = message(bcc=["Secret <secret@example.org>"], text="x")

    assert "secret@example.org" in one.envelope().recipients
    assert b"ecret" not in bytes(render(one))


def test_only_bcc() -> None:
    """C-37: without To and Cc, an empty group is written."""
    parsed = judge(render(message(to=None, bcc="secret@example.org", text="x")))

    assert parsed["To"] == "undisclosed-recipients:;"
    assert parsed["To"].addresses == ()


def test_no_from() -> None:
    """C-29: a message without a From raises an error that says what to set."""
    with pytest.raises(MessageError, match="from_addr=, or set MAIL_DEFAULT_FROM"):
        render(Message(text="x", to="bob@example.net"))


@pytest.mark.parametrize(
    "fields",
    [
        {"from_addr": "jörg@example.com"},
        {"reply_to": "jörg@example.com"},
        {"to": ("Zoë", "jörg@example.com")},
        {"cc": "jörg@example.com"},
        {"headers": {"Sender": "Jörg <jörg@example.com>"}},
    ],
)
def test_smtputf8(fields: dict[str, t.Any]) -> None:
    """C-51: raw UTF-8 is written only for a local part that has no other form."""
    content = render(message(subject="Grüße", **fields))

    judge(content)

    assert content.smtputf8
    assert bytes(content).replace("jörg@".encode(), b"").isascii()


@pytest.mark.parametrize(
    "fields", [{"bcc": "jörg@example.com"}, {"to": "Jörg <ann@faß.de>"}, {"subject": "Jörg"}]
)
def test_no_smtputf8(fields: dict[str, t.Any]) -> None:
    """C-51, C-52: names, domains and Bcc need no SMTPUTF8."""
    content = render(message(**fields))

    assert not content.smtputf8
    assert bytes(content).isascii()


@pytest.mark.parametrize(
    ("data", "mimetype"),
    [
        ("Reporting-MTA: dns; example.com\n\nAction: failed\n", "message/delivery-status"),
        ("Disposition: manual-action; displayed\n", "message/disposition-notification"),
        (FORWARDED, "message/rfc822"),
    ],
)
def test_a_message_in_a_message_is_never_encoded(data: str | bytes, mimetype: str) -> None:
    """C-39, C-50: message/* is 7bit; the parts of an attached text are encoded if necessary."""
    attached = Attachment(data, mimetype=mimetype)

    parsed = judge(render(message(text="x", attachments=[attached])))

    _, part = parsed.iter_parts()
    assert part["Content-Transfer-Encoding"] == "7bit"
    assert part.get_content_type() == mimetype


def test_an_attached_message_arrives() -> None:
    """An 8-bit message that is attached as text is re-encoded, and reads the same."""
    parsed = judge(render(message(attachments=[Attachment(FORWARDED, mimetype="message/rfc822")])))

    forwarded = next(iter(parsed.iter_attachments())).get_content()
    assert forwarded["Subject"] == "Grüße"
    assert str(forwarded["From"]) == "Zoë <zoe@example.org>"
    assert forwarded.get_content().splitlines() == ["Héllo"]


@pytest.mark.parametrize(
    ("data", "mimetype"),
    [
        ("é", "message/delivery-status"),
        ("x" * 999, "message/delivery-status"),
        (b"\xff", "message/partial; id=1; number=1"),
        (b"Subject: x\r\n\r\n" + b"y" * 999 + b"\r\n", "message/rfc822"),
        (b"Subject: x\r\n\r\na\nb\r\n", "message/rfc822"),
        (b"Subject: x\n\na\rb\n", "message/rfc822"),
        (b"Subject: x\n\n\0\n", "message/rfc822"),
    ],
)
@pytest.mark.parametrize("field", ["attachments", "inline_attachments", "alternatives"])
def test_what_cannot_be_in_a_message_is_refused(
    data: str | bytes, mimetype: str, field: str
) -> None:
    """C-39: an attached message that would have to change is refused when the message is made;
    the error names the field, the file, and the type that keeps every octet."""
    attached = Attachment(data, mimetype=mimetype, filename="original.eml")

    with pytest.raises(MessageError, match=rf"^{field} has .*'original\.eml'.*octet-stream"):
        message(**{field: [attached]})

    kept = Attachment(data, mimetype="application/octet-stream", filename="original.eml")
    judge(render(message(**{field: [kept]})))


def test_a_file_is_read_while_it_is_sent(tmp_path: pathlib.Path) -> None:
    """An attached file is never in memory as a whole, and its size is known."""
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(1 << 20) * 8)
    content = render(message(attachments=[Attachment.from_path(path)]))
    list(content)  # imports and caches do not count
    digest = hashlib.sha256()

    tracemalloc.start()
    size = 0
    for octets in content:
        size += len(octets)
        digest.update(octets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert size == content.size
    assert digest.digest() == hashlib.sha256(bytes(content)).digest()
    assert peak < 1 << 20


def test_octets_are_joined_once() -> None:
    """A content in one piece takes memory for one copy only."""
    data = os.urandom(1 << 22)
    content = render(message(attachments=[Attachment(data, filename="x.bin")]))
    bytes(content)

    tracemalloc.start()
    joined = bytes(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(joined) == content.size
    assert peak < 1.5 * len(data)


@pytest.mark.parametrize("change", ["longer", "shorter", "touched", "gone"])
def test_a_file_that_changed(tmp_path: pathlib.Path, change: str) -> None:
    """A file that changed after it was attached raises before the end of the message is sent."""
    path = tmp_path / "report.pdf"
    path.write_bytes(b"x" * 100_000)
    content = render(message(attachments=[Attachment.from_path(path)]))
    if change == "gone":
        path.unlink()
    elif change == "touched":
        os.utime(path, ns=(1, 1))
    else:
        path.write_bytes(b"x" * (200_000 if change == "longer" else 10))

    with pytest.raises(MessageError, match=r"report\.pdf"):
        bytes(content)


def test_to_mime_is_what_is_sent() -> None:
    """to_mime() parses the octets that are sent."""
    one = message(**SHAPES["everything"])

    found = one.to_mime()

    assert isinstance(found, email.message.EmailMessage)
    assert found["Subject"] == "Grüße aus Köln"
    assert found.as_bytes(policy=email.policy.SMTP.clone(max_line_length=None)).count(b"--=_")
    assert Message.from_mime(found) == one.replace(bcc=None)


def test_nothing_of_email_is_loaded() -> None:
    """Rendering a message does not load the standard library's email."""
    code = (
        "import sys\n"
        "from flask_mailhandler.message.message import Message\n"
        "from flask_mailhandler.mime import render\n"
        "bytes(render(Message(text='x', html='é', subject='é', from_addr='a@b.c', to='a@b.c')))\n"
        "names = {'email', 'smtplib', 'ssl', 'asyncio', 'mimetypes', 'html.parser', 'idna'}\n"
        "print(sorted(names & set(sys.modules)))\n"
    )

    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert ran.stdout.strip() == "[]"


def test_address_is_written_as_it_was_checked() -> None:
    """C-21: the local part keeps its octets, and the domain is the one that was checked."""
    one = Address('"o\'brien @ home"@Example.COM')

    parsed = judge(render(message(to=one)))

    assert parsed["To"].addresses[0].addr_spec == '"o\'brien @ home"@example.com'
