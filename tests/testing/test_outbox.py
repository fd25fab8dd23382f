"""Questions about captured messages."""

from __future__ import annotations

import re
import threading
import typing as t
from email.message import EmailMessage

import pytest
from flask import Flask

from flask_mailhandler import Attachment
from flask_mailhandler import Captured
from flask_mailhandler import Content
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import Outbox
from flask_mailhandler import Report
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler.mime.links import text_links

RESET = Message(
    subject="Reset your password",
    html=(
        '<p>Hello <a href="https://app.example/reset?t=1&amp;u=2">Choose a <b>new</b> password</a>'
        '<a name="x">no link</a> or <a href="https://app.example/help"><img alt="Help"></a>'
    ),
    from_addr="app@example.com",
    to=["Ann <ann@example.com>"],
    bcc="boss@example.com",
    attachments=[Attachment("a,b", filename="t.csv")],
)
NEWS = Message(
    subject="News",
    text="See https://app.example/news (today), or https://app.example/all.\n",
    from_addr="app@example.com",
    to="bob@example.com",
)


@pytest.fixture
def app() -> Flask:
    app = Flask("captured")
    app.config["MAIL_HOST"] = "mx.example.com"
    Mail(app)
    return app


@pytest.fixture
def outbox(app: Flask) -> t.Iterator[Outbox]:
    mail = t.cast(Mail, app.extensions["mailhandler"])
    with mail.capture() as outbox, app.app_context():
        mail.send(RESET)
        mail.send(NEWS)
        yield outbox


def test_captured(outbox: Outbox) -> None:
    """A captured message reads as its recipient would see it."""
    captured = outbox[0]

    assert captured.subject == "Reset your password"
    assert captured.from_addr == "app@example.com"
    assert captured.to == ["ann@example.com"]
    assert captured.bcc == ["boss@example.com"]
    assert captured.envelope.recipients == ["ann@example.com", "boss@example.com"]
    assert captured.report.ok
    assert captured.text.startswith("Hello ")
    assert captured.attachments[0].filename == "t.csv"
    assert captured.message_id in bytes(captured.content).decode()
    assert repr(captured) == (
        "<Captured 'Reset your password' to ann@example.com, boss@example.com>"
    )


def test_links(outbox: Outbox) -> None:
    """The links are those that a reader can follow, of the HTML or of the text."""
    assert [(link.text, link.url) for link in outbox[0].links] == [
        ("Choose a new password", "https://app.example/reset?t=1&u=2"),
        ("Help", "https://app.example/help"),
    ]
    assert [link.url for link in outbox[1].links] == [
        "https://app.example/news",
        "https://app.example/all",
    ]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://en.wikipedia.org/wiki/A_(b)", "https://en.wikipedia.org/wiki/A_(b)"),
        ("(see https://a.example/A_(b)).", "https://a.example/A_(b)"),
        ("(see https://a.example/b)!", "https://a.example/b"),
        ("[https://a.example/?q[]=1]", "https://a.example/?q[]=1"),
        ("https://a.example/x...", "https://a.example/x"),
    ],
)
def test_where_a_link_in_a_text_ends(text: str, url: str) -> None:
    """Punctuation at the end of a sentence is not part of the URL, except a bracket that the URL
    opens."""
    assert [link.url for link in text_links(text)] == [url]


@pytest.mark.parametrize("ending", [")", "].", ".", "([", "?)"])
def test_the_end_of_a_huge_url(ending: str) -> None:
    """A URL that ends with half a million brackets takes linear time."""
    (link,) = text_links("https://a.example/" + ending * (500_000 // len(ending)))

    assert link.url.rstrip("([") == "https://a.example/"


def test_link(outbox: Outbox) -> None:
    """link() returns the one URL by the link's text, a pattern, or a part of the URL."""
    captured = outbox[0]

    assert captured.link("Choose a new password") == "https://app.example/reset?t=1&u=2"
    assert captured.link(re.compile("^help$", re.I)) == "https://app.example/help"
    assert captured.link("/reset") == "https://app.example/reset?t=1&u=2"


@pytest.mark.parametrize(("text", "number"), [("Nothing", 0), ("app.example", 2)])
def test_no_such_link(outbox: Outbox, text: str, number: int) -> None:
    """The error for a missing or ambiguous link lists all links."""
    with pytest.raises(AssertionError) as caught:
        outbox[0].link(text)

    assert f"{number} links match" in str(caught.value)
    assert "'Help' -> https://app.example/help" in str(caught.value)


@pytest.mark.parametrize(
    ("criteria", "expect"),
    [
        ({}, 2),
        ({"to": "ann@example.com"}, 1),
        ({"to": "boss@example.com"}, 1),
        ({"to": re.compile("example")}, 2),
        ({"to": lambda address: address.local == "bob"}, 1),
        ({"subject": "News"}, 1),
        ({"subject": "New"}, 0),
        ({"subject": re.compile("^re", re.I)}, 1),
        ({"subject": lambda subject: len(subject) < 9}, 1),
        ({"text": "today"}, 1),
        ({"html": "<b>new</b>"}, 1),
        ({"html": re.compile("href")}, 1),
        ({"to": "ann@example.com", "subject": "News"}, 0),
    ],
)
def test_find(outbox: Outbox, criteria: dict[str, t.Any], expect: int) -> None:
    """find() takes strings, patterns and functions, and all criteria must be met."""
    assert len(outbox.find(**criteria)) == expect


def test_one(outbox: Outbox) -> None:
    """one() returns the only message that meets the criteria."""
    assert outbox.one(to="bob@example.com") is outbox[1]


def test_one_of_none_shows_all(outbox: Outbox) -> None:
    """The error lists every captured message with the criteria that it does not meet."""
    with pytest.raises(AssertionError) as caught:
        outbox.one(to="bob@example.com", subject=re.compile("Reset"))

    assert str(caught.value) == (
        "0 of 2 captured messages match to='bob@example.com', subject=/Reset/.\n"
        "  [0] 'Reset your password' to ann@example.com, boss@example.com  <- to\n"
        "  [1] 'News' to bob@example.com  <- subject"
    )


def test_one_of_several_shows_them(outbox: Outbox) -> None:
    """Several matches are an error, too."""
    with pytest.raises(AssertionError, match="2 of 2 captured messages match anything"):
        outbox.one()


def test_nothing_was_captured() -> None:
    """An empty outbox says so."""
    with pytest.raises(AssertionError, match=r"0 of 0.*\n  Nothing was captured"):
        Outbox().one(to="ann@example.com")


def test_waiting(app: Flask) -> None:
    """wait_for() returns the message as soon as a thread has sent it, with or without others
    before."""
    mail = t.cast(Mail, app.extensions["mailhandler"])
    waiting = threading.Event()

    def is_news(subject: str) -> bool:
        waiting.set()
        return subject == "News"

    def work() -> None:
        waiting.wait()
        with app.app_context():
            mail.send(RESET)
            mail.send(NEWS)

    with mail.capture() as outbox:
        outbox.append(Captured(RESET, RESET.envelope(), Content(b""), Report(RESET, "", ())))
        thread = threading.Thread(target=work)
        thread.start()
        assert outbox.wait_for(subject=is_news, timeout=60).subject == "News"
        assert outbox.wait_for(subject="News") is outbox[2]
        thread.join()


def test_waiting_in_vain(outbox: Outbox) -> None:
    """The error after the timeout lists the messages that were captured instead."""
    with pytest.raises(AssertionError) as caught:
        outbox.wait_for(to="cid@example.com", timeout=0.01)

    assert str(caught.value).splitlines() == [
        "0 of 2 captured messages match to='cid@example.com' after 0.01 s.",
        "  [0] 'Reset your password' to ann@example.com, boss@example.com  <- to",
        "  [1] 'News' to bob@example.com  <- to",
    ]


def test_waiting_for_one_of_two(outbox: Outbox) -> None:
    """Several matches are an error of wait_for() too, without waiting."""
    with pytest.raises(AssertionError, match="2 of 2 captured messages match anything"):
        outbox.wait_for(timeout=3600)


def test_capture_works_in_threads(app: Flask) -> None:
    """Messages of other threads are captured."""
    mail = t.cast(Mail, app.extensions["mailhandler"])

    def work() -> None:
        with app.app_context():
            mail.send(NEWS)

    with mail.capture() as outbox:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    assert len(outbox) == 1


def test_capture_nests(app: Flask) -> None:
    """The inner capture gets the messages. After it ends, the outer one gets them again."""
    mail = t.cast(Mail, app.extensions["mailhandler"])

    with app.app_context(), mail.capture() as outer:
        with mail.capture() as inner:
            mail.send(NEWS)
        mail.send(RESET)

    assert [captured.subject for captured in outer] == ["Reset your password"]
    assert [captured.subject for captured in inner] == ["News"]


def test_capture_ends(app: Flask) -> None:
    """After the capture the configured handler is used again."""
    mail = t.cast(Mail, app.extensions["mailhandler"])

    with app.app_context():
        with mail.capture():
            assert not isinstance(mail.handler, SMTPEmailHandler)
        assert isinstance(mail.handler, SMTPEmailHandler)


def test_capture_knows_the_account() -> None:
    """A captured message has the account that would have sent it."""
    app = Flask("accounts")
    app.config["MAIL_ACCOUNTS"] = {"bulk": {"host": "bulk.example.com"}}
    mail = Mail(app)

    with app.app_context(), mail.capture() as outbox:
        mail.send(NEWS, using="bulk")

    assert outbox[0].using == "bulk"
    assert "using=bulk" in repr(outbox[0])


@pytest.mark.parametrize("tags", [(), ("news",), ("news-48", "Grüße")])
def test_tags(app: Flask, tags: tuple[str, ...]) -> None:
    """A captured message has the tags that it was sent or queued with."""
    mail: Mail = app.extensions["mailhandler"]
    theirs = EmailMessage()
    theirs["From"] = theirs["To"] = "ann@example.com"
    with app.app_context(), mail.capture() as outbox:
        message = NEWS.replace(tags=tags)
        mail.send(message)
        mail.send_later(message)
        mail.send(theirs)

    assert [captured.tags for captured in outbox] == [tags, tags, ()]


def test_fields_for_a_provider(app: Flask) -> None:
    """A captured message has those that it was sent or queued with."""
    mail: Mail = app.extensions["mailhandler"]
    theirs = EmailMessage()
    theirs["From"] = theirs["To"] = "ann@example.com"
    with app.app_context(), mail.capture() as outbox:
        message = NEWS.replace(metadata={"a": "b"}, track_opens=False, stream="eu")
        mail.send(message)
        mail.send_later(message)
        mail.send(theirs)

    assert [one.metadata for one in outbox] == [{"a": "b"}, {"a": "b"}, {}]
    assert [one.track_opens for one in outbox] == [False, False, None]
    assert [one.track_clicks for one in outbox] == [None, None, None]
    assert [one.stream for one in outbox] == ["eu", "eu", None]


def test_an_email_message_reads_the_same(app: Flask) -> None:
    """A message of the standard library has the same properties."""
    mail = t.cast(Mail, app.extensions["mailhandler"])
    message = EmailMessage()
    message["From"] = "app@example.com"
    message["To"] = "Ann <ann@example.com>"
    message["Bcc"] = "boss@example.com"
    message["Subject"] = "Grüße"
    message["X-Tag"] = "yes"
    message.set_content("Hello\n")
    message.add_alternative("<p>Hello", subtype="html")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="bill.pdf")

    with app.app_context(), mail.capture() as outbox:
        mail.send(message)

    captured: Captured = outbox.one(subject="Grüße", to="boss@example.com")
    assert captured.to == ["ann@example.com"]
    assert captured.bcc == ["boss@example.com"]
    assert captured.text == "Hello\n"
    assert captured.html.strip() == "<p>Hello"
    assert captured.headers["X-Tag"] == "yes"
    assert captured.attachments[0].filename == "bill.pdf"
