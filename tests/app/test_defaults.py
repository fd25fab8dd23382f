"""The defaults for fields that a message leaves out, and what a call of send can override."""

from __future__ import annotations

import datetime
import email.policy
import typing as t
from email.message import EmailMessage

import pytest
from flask import Flask

from flask_mailhandler import Mail
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.testing.outbox import Captured

DEFAULTS: dict[str, t.Any] = {
    "default_to": "Team <to@example.com>",
    "default_cc": "cc@example.com",
    "default_bcc": "archive@example.com",
}
TO, CC, BCC = "to@example.com", "cc@example.com", "archive@example.com"
EMPTY: list[t.Any] = [[], ()]


def ours(**fields: t.Any) -> Message:
    return Message(subject="Hi", text="x", from_addr="shop@example.com", **fields)


def theirs(**fields: t.Any) -> EmailMessage:
    """The same for the standard library, where an empty list is a field."""
    message = EmailMessage()
    message["From"] = "shop@example.com"
    for name, value in fields.items():
        message[name] = ", ".join(value) if isinstance(value, list | tuple) else value
    message.set_content("x")
    return message


def sent(message: Message | EmailMessage, **given: t.Any) -> Captured:
    handler = MemoryEmailHandler(**{**DEFAULTS, **given})
    handler.send([message])
    return handler.outbox[0]


def shown(captured: Captured) -> tuple[str | None, str | None]:
    parsed = email.message_from_bytes(bytes(captured.content), policy=email.policy.default)
    assert parsed["Bcc"] is None
    return parsed["To"], parsed["Cc"]


@pytest.mark.parametrize("make", [ours, theirs])
@pytest.mark.parametrize(
    ("fields", "recipients", "header"),
    [
        ({}, [TO, CC, BCC], ("Team <to@example.com>", "cc@example.com")),
        ({"to": "a@b.example"}, ["a@b.example", CC, BCC], ("a@b.example", CC)),
        ({"cc": "a@b.example"}, [TO, "a@b.example", BCC], (f"Team <{TO}>", "a@b.example")),
        ({"bcc": "a@b.example"}, [TO, CC, "a@b.example"], (f"Team <{TO}>", CC)),
        ({"bcc": []}, [TO, CC], (f"Team <{TO}>", CC)),
        ({"to": []}, [CC, BCC], (None, CC)),
        ({"cc": ()}, [TO, BCC], (f"Team <{TO}>", None)),
        ({"to": [], "cc": []}, [BCC], ("undisclosed-recipients:;", None)),
        ({"to": "a@b.example", "cc": [], "bcc": []}, ["a@b.example"], ("a@b.example", None)),
    ],
)
def test_each_field_by_itself(
    make: t.Callable[..., Message | EmailMessage],
    fields: dict[str, t.Any],
    recipients: list[str],
    header: tuple[str | None, str | None],
) -> None:
    """To, Cc and Bcc are filled in one by one if they are left out; a field that was given stays,
    even if it is empty."""
    captured = sent(make(**fields))

    assert captured.envelope.recipients == recipients
    assert shown(captured) == header


@pytest.mark.parametrize("make", [ours, theirs])
def test_nobody_is_left(make: t.Callable[..., Message | EmailMessage]) -> None:
    """Without default recipients, or with all three fields given empty, a message has no
    recipient."""
    with pytest.raises(MessageError, match="no recipient"):
        sent(make(), default_to=None, default_cc=None, default_bcc=None)
    with pytest.raises(MessageError, match="no recipient"):
        sent(make(to=[], cc=[], bcc=[]))


@pytest.mark.parametrize(
    "changed",
    [
        lambda message: message.replace(subject="Other"),
        lambda message: message.completed(text="Other"),
        lambda message: message.replace().replace(),
        lambda message: Message.from_dict(message.to_dict()),
    ],
)
def test_what_was_given_is_known_in_copies(changed: t.Callable[[Message], Message]) -> None:
    """A copy knows which fields were given empty, and which were left out."""
    message = changed(ours(to="a@b.example", cc=[]))

    assert sent(message).envelope.recipients == ["a@b.example", BCC]
    assert [message.has_given(name) for name in ("to", "cc", "bcc")] == [True, True, False]
    assert message.replace(cc=None).has_given("cc") is False
    assert sent(message.replace(cc=None)).envelope.recipients == ["a@b.example", CC, BCC]


def test_left_out_and_empty_are_equal() -> None:
    """Messages without recipients are equal, whether the fields were left out or given empty."""
    assert ours(to=[]) == ours() == ours(to=None)
    assert ours(to="a@b.example") != ours()


@pytest.mark.parametrize("make", [ours, theirs])
def test_a_redirection_is_alone(make: t.Callable[..., Message | EmailMessage]) -> None:
    """The staging guard lists the default recipients, and none of them gets the message."""
    captured = sent(make(to="a@b.example"), redirect_to="dev@example.com")

    assert captured.envelope.recipients == ["dev@example.com"]
    assert shown(captured) == ("dev@example.com", None)
    original = email.message_from_bytes(bytes(captured.content))["X-Original-To"]
    assert original == f"a@b.example, {CC}, {BCC}"


def test_what_is_resent() -> None:
    """RFC 5322 3.6.6: a message with Resent- fields goes to the addresses in them, and its other
    fields stay as they are."""
    message = theirs()
    message["Resent-From"] = "me@example.com"
    message["Resent-To"] = "a@b.example"

    captured = sent(message)

    assert captured.envelope.recipients == ["a@b.example"]
    assert shown(captured) == ("undisclosed-recipients:;", None)


@pytest.mark.parametrize(
    "message",
    [
        ours(),
        ours(to=[], cc=[], bcc=[]),
        ours(bcc="x@b.example"),
        theirs(),
        theirs(To="undisclosed-recipients:;"),
        theirs(To="a@b.example"),
    ],
)
def test_recipients_of_this_time(message: Message | EmailMessage) -> None:
    """recipients= replaces the recipients of a message, even if the message has none."""
    handler = MemoryEmailHandler()

    (report,) = handler.send([message], recipients=["Ann <ann@example.com>", "bob@example.com"])

    assert report.accepted == ["ann@example.com", "bob@example.com"]
    redirected = MemoryEmailHandler(redirect_to="dev@example.com")
    (report,) = redirected.send([message], recipients="ann@example.com")
    assert report.accepted == ["dev@example.com"]
    assert b"X-Original-To: ann@example.com\r\n" in bytes(redirected.outbox[0].content)


@pytest.fixture
def app() -> t.Iterator[Flask]:
    """An app that stores its mail, in its context."""
    app = Flask("defaults")
    app.config.update(MAIL_HANDLER="memory", MAIL_DEFAULT_FROM="shop@example.com")
    Mail(app, cli=None)
    with app.app_context():
        yield app


def test_only_html(app: Flask) -> None:
    """send(None, html=...) sends HTML, and makes the text from it."""
    mail: Mail = app.extensions["mailhandler"]
    fields: t.Any = {"subject": "Hi", "to": "ann@example.com"}

    report = mail.send(None, html="<p>Größe</p>", **fields)

    message = t.cast(Message, report.message)
    assert (message.text, message.html) == ("", "<p>Größe</p>")
    assert mail.send(None, alternatives=[("x", "text/x-amp-html")], **fields).ok
    assert mail.send("", **fields).ok  # nobody says that it has a text
    for nothing in ({}, {"html": None}, {"html": ""}):
        with pytest.raises(MessageError, match=r"send\(None\) has nothing to send.* html="):
            mail.send(None, **nothing, **fields)
    with pytest.raises(MessageError, match="has no subject"):
        mail.send(None, html="<p>x", to="ann@example.com")


async def send_async(mail: Mail) -> bool:
    report = await mail.send_async(None, html="<p>x", subject="Hi", to="ann@example.com")
    return report.ok


def test_only_html_async(app: Flask) -> None:
    """send_async does the same in an async view."""
    import asyncio

    assert asyncio.run(send_async(app.extensions["mailhandler"]))


def test_one_message_id_for_two_messages(app: Flask) -> None:
    """Two different messages in a list must not share a Message-ID; nothing is sent then."""
    mail: Mail = app.extensions["mailhandler"]
    date = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)  # a copy gets a new one otherwise
    first = ours(to="ann@example.com", message_id="<1@example.com>", date=date)
    second = first.replace(to="bob@example.com", text="y")
    foreign = theirs(To="ann@example.com", **{"Message-ID": "<1@example.com>"})

    lists: list[list[t.Any]] = [
        [first, second],
        [first, foreign],
        [first, first.replace(subject="Other")],
    ]
    for messages in lists:
        with mail.capture(app) as outbox:
            with pytest.raises(MessageError, match=r"the same message_id, <1@example\.com>"):
                mail.send(messages)
            with pytest.raises(MessageError, match="the same message_id"):
                MemoryEmailHandler().send(messages)
        assert len(outbox) == 0
    # The same mail twice is the same mail.
    assert len(mail.send([first, first, first.replace(bcc="c@example.com")])) == 3


def none_is_left_out(fields: dict[str, str | None]) -> Message:
    """What type checkers see: None is allowed for each text."""
    subject: str | None = fields.get("subject")
    return Message(subject=subject, text=fields.get("text"), html=None).replace(subject=subject)


def test_none_is_left_out() -> None:
    """None is the same as leaving a text out, for type checkers too."""
    assert none_is_left_out({}) == Message()
    assert none_is_left_out({"subject": "Hi", "text": "x"}) == Message(subject="Hi", text="x")
