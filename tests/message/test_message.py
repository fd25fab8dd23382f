"""The message: frozen, checked when it is created, and one mail however often it is sent."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import Message
from flask_mailhandler import MessageError

DATE = datetime.datetime(2026, 11, 20, 14, 5, 6, tzinfo=datetime.UTC)


class Lazy:
    """A lazy string of a translation library."""

    def __str__(self) -> str:
        return "Grüße"

    encode = format = property(lambda self: None)


def test_fields() -> None:
    """A field returns the converted value."""
    message = Message(
        subject="Hi", text="a\r\nb\rc", to="Ann <ann@example.com>", cc=[("Bob", "bob@example.com")]
    )

    assert message.to == ["ann@example.com"]
    assert message.to[0].name == "Ann"
    assert message.cc.named == (("Bob", "bob@example.com"),)
    assert message.text == "a\nb\nc"
    assert message.html == ""
    assert message.bcc == []
    assert message.attachments == ()
    assert message.headers == {}


@pytest.mark.parametrize(
    "field", ["subject", "text", "html", "to", "from_addr", "headers", "attachments", "date"]
)
def test_none_is_left_out(field: str) -> None:
    """None is the same as leaving a field out."""
    fields: t.Any = {field: None}

    assert Message(**fields, message_id="<1@example.com>") == Message(message_id="<1@example.com>")


@pytest.mark.parametrize("field", ["subject", "text", "html"])
def test_lazy_strings(field: str) -> None:
    """A lazy string becomes a string when the message is created."""
    fields: t.Any = {field: Lazy()}

    value = getattr(Message(**fields), field)

    assert value == "Grüße"
    assert type(value) is str


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"subject": "a\r\nBcc: x@example.com"}, "subject has the control character"),
        ({"subject": "a\x00"}, "subject"),
        ({"subject": "a\n b"}, "subject"),
        ({"subject": "\ud800"}, "subject"),
        ({"subject": 1}, "subject takes a string"),
        ({"subject": 10**5000}, "subject takes a string, not a value of type int"),
        ({"tags": [[10**5000]]}, "not a value of type list"),
        ({"subject": b"x"}, "subject takes a string"),
        ({"text": b"x"}, "text takes a string"),
        ({"text": "\ud800"}, "text cannot be written as UTF-8"),
        ({"html": 1}, "html takes a string"),
        ({"to": "a, b"}, "to is not an address"),
        ({"to": "a@example.com, b@example.com"}, "to is not one address"),
        ({"cc": ["a@example.com", ""]}, "cc is empty"),
        ({"bcc": 1}, "bcc takes addresses"),
        ({"reply_to": "x"}, "reply_to"),
        ({"from_addr": ["a@example.com", "b@example.com"]}, "from_addr"),
        ({"envelope_sender": "x"}, "envelope_sender"),
        ({"headers": {"Bcc": "x@example.com"}}, "bcc="),
        ({"attachments": b"x"}, "attachments takes Attachments"),
        ({"attachments": ["x"]}, r"write Attachment\(data"),
        ({"inline_attachments": 1}, "inline_attachments takes Attachments"),
        ({"alternatives": "x"}, "alternatives takes Attachments"),
        ({"alternatives": [("x", "nonsense")]}, "mimetype"),
        ({"tags": 1}, "tags takes strings, such as"),
        ({"tags": b"news"}, "tags takes strings"),
        ({"tags": [b"news"]}, "tags takes strings of up to 100 characters"),
        ({"tags": ["news", " "]}, "not blank"),
        ({"tags": ""}, "not blank"),
        ({"tags": "x" * 101}, "up to 100"),
        ({"tags": "a\nb"}, "tags has the control character"),
        ({"tags": ["\ud800"]}, "tags has"),
        ({"message_id": "x"}, "message_id takes '<left@right>'"),
        ({"message_id": "<a@b>\r\nBcc: x"}, "message_id"),
        ({"message_id": f"<{'a' * 250}@b>"}, "up to 250"),
        ({"message_id": 1}, "message_id"),
        ({"date": "today"}, "date takes a datetime"),
        ({"date": datetime.datetime(2026, 1, 1)}, "date has no time zone"),  # noqa: DTZ001
        ({"html": "<img src='cid:logo'>"}, "no attachment has it"),
    ],
)
def test_refused(fields: dict[str, t.Any], named: str) -> None:
    """A wrong value raises an error on the line that sets it, with the name of the field."""
    with pytest.raises(MessageError, match=named):
        Message(**fields)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("sender", "write from_addr="),
        ("recipients", "write to="),
        ("body", "write text="),
        ("extra_headers", "write headers="),
        ("nonsense", "it has alternatives, attachments, bcc"),
    ],
)
def test_unknown_fields(name: str, hint: str) -> None:
    """The error for another library's name gives ours."""
    fields: t.Any = {name: "x"}
    with pytest.raises(TypeError, match=hint):
        Message(**fields)


@pytest.mark.parametrize(
    ("args", "names", "write"),
    [
        (("x",), [], "subject=..., text=..."),
        (("x",), ["sender", "recipients"], "subject=..., from_addr=..., to=..."),
        (("x",), ["recipients", "body", "charset"], "subject=..., to=..., text=..."),
        (("x",), ["to", "html"], "subject=..., to=..., html=..."),
        (("x", "y"), ["subject"], "subject=..."),
    ],
)
def test_keywords_only(args: tuple[str, ...], names: list[str], write: str) -> None:
    """The error for a positional argument shows the whole call, with our names."""
    fields: t.Any = dict.fromkeys(names, "x")
    with pytest.raises(TypeError) as caught:
        Message(*args, **fields)

    assert str(caught.value) == (f"A Message takes keyword arguments only: write Message({write}).")


@pytest.mark.parametrize(
    ("names", "hints"),
    [
        (["sender", "recipients"], ["'recipients': write to=.", "'sender': write from_addr=."]),
        (
            ["to", "body", "subject", "alts"],
            ["'alts': write alternatives=.", "'body': write text=."],
        ),
        (["account"], ["'account': leave it out, and write mail.send(message, using=...)."]),
        (["using"], ["'using': leave it out, and write mail.send(message, using=...)."]),
        (["charset", "msgId"], ["'charset': everything is UTF-8.", "'msgId': write message_id=."]),
    ],
)
def test_several_unknown_fields(names: list[str], hints: list[str]) -> None:
    """The error names every field that does not exist, so that one run shows them all."""
    fields: t.Any = dict.fromkeys(names, "x")
    with pytest.raises(TypeError) as caught:
        Message(**fields)

    assert str(caught.value) == " ".join(f"A Message has no field {hint}" for hint in hints)


def test_it_does_not_change() -> None:
    """The error for an attempt to change a message says what to write instead."""
    message = Message(text="x")

    with pytest.raises(AttributeError, match=r"message.replace\(subject="):
        message.subject = "x"  # type: ignore[misc]
    with pytest.raises(AttributeError, match=r"message.replace\(subject="):
        del message.subject
    with pytest.raises(AttributeError, match="attachments="):
        message.attach("x.pdf", b"x")
    with pytest.raises(AttributeError, match=r"\*message.to, address"):
        message.add_recipient("a@example.com")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("body", "message.replace(text=...)"),
        ("recipients", "message.replace(to=...)"),
        ("sender", "message.replace(from_addr=...)"),
        ("html", "message.replace(html=...)"),
        ("msgId", "message.replace(message_id=...)"),
    ],
)
def test_changing_by_another_name(name: str, write: str) -> None:
    """The error for setting a field by another library's name gives ours."""
    with pytest.raises(AttributeError) as caught:
        setattr(Message(), name, "x")

    assert str(caught.value) == f"A Message does not change: write message = {write}"


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("body", ": write message.text."),
        ("sender", ": write message.from_addr."),
        ("recipients", ": write message.to."),
        ("as_string", ": write message.to_mime().as_string()."),
        ("send", ": write mail.send(message)."),
        ("nothing", "."),
    ],
)
def test_asking_by_another_name(name: str, write: str) -> None:
    """The error for reading another library's attribute says what to write instead."""
    with pytest.raises(AttributeError) as caught:
        getattr(Message(), name)

    assert str(caught.value) == f"A Message has no {name!r}{write}"
    assert getattr(Message(), name, None) is None


def test_the_callers_lists_do_not_matter_later() -> None:
    """A later change to a given object does not change the message."""
    to, headers = ["a@example.com"], {"X-A": "1"}
    message = Message(to=to, headers=headers)
    to.append("b@example.com")
    headers["X-B"] = "2"

    assert message.to == ["a@example.com"]
    assert message.headers == {"X-A": "1"}


def test_identity() -> None:
    """C-32: the Message-ID and the Date are set once, with the domain of the From."""
    message = Message(from_addr="ann@example.com", text="x")

    assert message.message_id == message.message_id
    assert message.message_id
    assert message.message_id.endswith("@example.com>")
    assert message.date.utcoffset() is not None
    assert Message(text="x").message_id is None
    assert Message(from_addr="a@[IPv6:2001:db8::1]").message_id.endswith("@IPv6-2001-db8-1>")  # type: ignore[union-attr]


def test_replace() -> None:
    """A changed copy is another mail, unless its identity was given."""
    made = Message(from_addr="ann@example.com", text="x", subject="s")
    given = Message(from_addr="ann@example.com", message_id="<1@example.com>", date=DATE)

    changed = made.replace(text="y")

    assert (changed.text, changed.subject) == ("y", "s")
    assert changed.message_id != made.message_id
    assert given.replace(text="y").message_id == "<1@example.com>"
    assert given.replace(text="y").date == DATE
    assert made.text == "x"


def test_replace_is_checked() -> None:
    """A copy is checked like a new message."""
    with pytest.raises(MessageError, match="subject"):
        Message().replace(subject="a\nb")


def test_completed() -> None:
    """When a handler fills in defaults, the message stays the same mail."""
    message = Message(text="x")

    first = message.completed(from_addr="ann@example.com")
    second = message.completed(from_addr="ann@example.com", subject="s")

    assert first.message_id == second.message_id
    assert first.date == second.date == message.date


def test_same_mail_as() -> None:
    """A changed copy can take over the identity of its original."""
    message = Message(from_addr="ann@example.com", text="x")

    changed = message.replace(text="y").same_mail_as(message)

    assert changed.text == "y"
    assert (changed.message_id, changed.date) == (message.message_id, message.date)


def test_equality() -> None:
    """Messages are equal if their given fields are, including display names; a generated identity
    does not count."""
    assert Message(text="x") == Message(text="x")
    assert hash(Message(text="x")) == hash(Message(text="x"))
    assert Message(text="x") != Message(text="y")
    assert Message(to="Ann <a@example.com>") != Message(to="Bob <a@example.com>")
    assert Message(from_addr="Ann <a@example.com>") != Message(from_addr="a@example.com")
    assert Message(message_id="<1@example.com>") != Message(message_id="<2@example.com>")
    assert Message() != "x"


def test_repr() -> None:
    """The repr shows the From, the recipients and the subject."""
    message = Message(
        subject="Hi",
        from_addr="Ann <a@example.com>",
        to=["b@example.com", "C <c@example.com>"],
        message_id="<1@example.com>",
    )

    assert repr(message) == (
        "<Message <1@example.com> subject='Hi' from_addr=Ann <a@example.com>"
        " to=[b@example.com, C <c@example.com>]>"
    )


def test_envelope() -> None:
    """The envelope has To, Cc and Bcc in this order, each address once; its sender is the From."""
    message = Message(
        from_addr="ann@example.com",
        to=["b@example.com", "c@example.com"],
        cc="b@EXAMPLE.com",
        bcc="d@example.com",
    )

    envelope = message.envelope()

    assert envelope.sender == "ann@example.com"
    assert envelope.recipients == ["b@example.com", "c@example.com", "d@example.com"]


@pytest.mark.parametrize(("given", "expect"), [("x@example.com", "x@example.com"), ("", "")])
def test_envelope_sender(given: str, expect: str) -> None:
    """C-20: the envelope sender can be another address, or empty."""
    message = Message(from_addr="a@example.com", to="b@example.com", envelope_sender=given)

    assert message.envelope().sender == expect


@pytest.mark.parametrize(
    ("fields", "hint"),
    [({"to": "a@example.com"}, "no sender"), ({"from_addr": "a@example.com"}, "no recipient")],
)
def test_no_envelope(fields: dict[str, t.Any], hint: str) -> None:
    """A missing sender or recipient is an error that says what to write."""
    with pytest.raises(MessageError, match=hint):
        Message(**fields).envelope()


@pytest.mark.parametrize(
    "html",
    ['<img src="cid:{}">', "<img src='cid:{}'>", "<IMG SRC=cid:{}>", '<td background="cid:{}">'],
)
def test_inline(html: str) -> None:
    """C-48: every image that the HTML shows must be attached."""
    logo = Attachment(b"x", filename="logo.png")

    message = Message(html=html.format(logo.cid), inline_attachments=logo)

    assert message.inline_attachments == (logo,)
    with pytest.raises(MessageError, match="no attachment has it"):
        message.replace(inline_attachments=None)


@pytest.mark.parametrize(
    "html",
    [
        "<p>Write src=cid:logo, as in &lt;img src=cid:logo&gt;.",
        "<p>background = cid:x",
        "<!-- <img src='cid:x'> -->",
        "<p title=\"src='cid:x'\">",
        "<p data-src='cid:x'>",
        "<textarea><img src=cid:x></textarea>",
    ],
)
def test_words_about_images(html: str) -> None:
    """Text that only looks like an image, such as words about HTML, needs no attachment."""
    assert Message(html=html).html == html
    with pytest.raises(MessageError, match="shows 'cid:real'"):
        Message(html=f"{html}<img src='cid:real'>")


@pytest.mark.parametrize(
    ("cid", "url"),
    [
        ("logo@x", "cid:logo%40x"),
        ("logo@x", "cid:logo@x"),
        ("logo@x", "cid:logo&#64;x"),
        ("a&b@x", "cid:a&amp;b@x"),
        ("logo%40x", "cid:logo%40x"),
    ],
)
def test_the_url_of_an_inline_image(cid: str, url: str) -> None:
    """C-48: a cid: URL in an attribute of HTML is percent-decoded (RFC 2392)."""
    logo = Attachment(b"x", filename="logo.png", cid=cid)

    assert Message(html=f'<img src="{url}">', inline_attachments=logo).html


def test_alternatives() -> None:
    """Other forms of the body are Attachments or (data, type) pairs."""
    message = Message(
        alternatives=[("BEGIN", "text/calendar"), Attachment("x", mimetype="text/plain")]
    )

    assert [item.mimetype for item in message.alternatives] == ["text/calendar", "text/plain"]
