"""The names of Flask-Mail, over this package."""

from __future__ import annotations

import base64
import copy
import datetime
import pickle
import re
import smtplib
import subprocess
import sys
import typing as t
import warnings
from types import SimpleNamespace

import flask_mail as real
import pytest
from flask import current_app
from flask import Flask
from werkzeug.local import LocalProxy

import flask_mailhandler as mh
from flask_mailhandler import flask_mail as fm
from flask_mailhandler import SMTPServer
from flask_mailhandler.errors import MailWarning
from servers.dead_ends import closed_port

TO = "ann@example.com"


@pytest.fixture
def server() -> t.Iterator[SMTPServer]:
    with SMTPServer() as server:
        yield server


@pytest.fixture
def app(server: SMTPServer) -> Flask:
    return create_app(server)


@pytest.fixture
def context(app: Flask) -> t.Iterator[fm.Mail]:
    mail = fm.Mail(app)
    with app.app_context():
        yield mail


def create_app(server: SMTPServer, **keys: object) -> Flask:
    app = Flask("shop")
    app.config.update(
        MAIL_SERVER="127.0.0.1",
        MAIL_PORT=server.port,
        MAIL_DEFAULT_SENDER=("The Shop", "shop@example.com"),
    )
    app.config.update(keys)
    return app


def letter(**given: t.Any) -> fm.Message:
    return fm.Message("Hi", **{"recipients": [TO], "body": "Hello", **given})


def test_a_message_is_changed_and_sent(context: fm.Mail, server: SMTPServer) -> None:
    """Every attribute may be set until the message is sent."""
    message = fm.Message("Hello", sender=("Ann, Inc.", "ann@example.org"))
    message.recipients = [("Bob", "bob@example.com")]
    message.add_recipient(TO)
    message.cc, message.bcc = ["cc@example.com"], ["bcc@example.com"]
    message.body, message.html = "Hello", "<p>Hello"
    message.reply_to = "Help <help@example.org>"
    message.extra_headers = {"X-Shop": LocalProxy(lambda: 7), "Message-ID": "<1@example.org>"}
    message.attach("bill.pdf", "application/pdf", b"%PDF")
    context.send(message)

    sent = server.outbox.one()
    assert sent.message_id == "<1@example.org>"
    others = ("bob@example.com", TO, "cc@example.com", "bcc@example.com")
    assert sent.envelope.recipients == others
    assert b'From: "Ann, Inc." <ann@example.org>' in bytes(sent.content)
    assert (sent.text.strip(), sent.html.strip()) == ("Hello", "<p>Hello")
    assert (sent.reply_to, sent.headers["X-Shop"]) == (("help@example.org",), "7")
    assert sent.attachment("bill.pdf").mimetype == "application/pdf"
    assert message.date is not None
    assert "bcc@example.com" not in message.as_string()


SENT: dict[str, tuple[dict[str, t.Any], str]] = {
    "a folded subject": (
        {"subject": "Hello\r\n  Ann"},
        r"Subject: =\?utf-8\?\S+|Subject: Hello  ?Ann",
    ),
    "a lazy subject": ({"subject": LocalProxy(lambda: "Hello")}, "Subject: Hello\r"),
    "octets": ({"body": b"As octets"}, "As octets"),
    "one recipient as a text": ({"recipients": TO}, f"To: {TO}\r"),
    "a calendar": ({"alts": {"calendar": "BEGIN:VCALENDAR"}}, "Content-Type: text/calendar"),
    "a whole type": (
        {"alts": [("text/calendar; method=REQUEST", "BEGIN")]},
        "text/calendar; method=REQUEST",
    ),
    "a Reply-To among the headers": (
        {"extra_headers": {"Reply-To": "help@example.com"}},
        "Reply-To: help@example.com\r",
    ),
    "HTML among the other forms": ({"alts": {"html": "<p>Hi"}}, "Content-Type: text/html"),
    "a date in seconds": ({"date": 0.0}, r"Date: \w+, (31 Dec 1969|01 Jan 1970)"),
    "neither a text nor another form": ({"body": None}, "\r\n\r\n"),
    "an IDN": ({"recipients": ["ann@bücher.example"]}, "To: ann@xn--bcher-kva.example"),
    "html before alts": (
        {"html": "<p>New", "alts": {"html": "<p>Old"}},
        r"text/html; charset=us-ascii\r\n.*\r\n\r\n<p>New\r\n--[^<]*\Z",
    ),
    "another charset": ({"body": "Grüße", "charset": "iso-8859-1"}, "charset=utf-8"),
    "options of the session": ({"mail_options": ["X=1"], "rcpt_options": ["Y=2"]}, "Hello"),
}


@pytest.mark.parametrize("name", SENT)
def test_forms_of_flask_mail(name: str, context: fm.Mail, server: SMTPServer) -> None:
    """What Flask-Mail sends is sent."""
    given, expected = SENT[name]
    context.send(fm.Message(**{"subject": "Hi", "recipients": [TO], "body": "Hello", **given}))

    assert re.search(expected, bytes(server.outbox.one().content).decode())


@pytest.mark.parametrize(
    "headers", [{"Content-ID": "<logo>"}, [("Content-ID", "<logo>")]], ids=["0.10", "0.9"]
)
def test_an_image_in_the_html(headers: t.Any, context: fm.Mail, server: SMTPServer) -> None:
    """An attachment with a Content-ID is the image that the HTML shows by it."""
    message = letter(html="<img src='cid:logo'>")
    message.attach("logo.png", "image/png", b"PNG", "inline", headers)
    context.send(message)

    sent = bytes(server.outbox.one().content).decode()
    assert "multipart/related" in sent
    assert "Content-ID: <logo>" in sent


@pytest.mark.parametrize(
    ("html", "sent"),
    [
        (
            "<img src='cid:no' alt=x>cid:no <b title='cid:no'>placid:no",
            ("<img  alt=x>", "cid:no <b"),
        ),
        ('<td background="cid:a&amp;b">a <img src=CID:logo>', ("<td >", "<img src=CID:logo>")),
        ("<img src=' cid:lo'><img src='cid:logo'>", ("<img >", "<img src='cid:logo'>")),
    ],
)
def test_an_image_that_is_not_attached(
    html: str,
    sent: tuple[str, str],
    context: fm.Mail,
    server: SMTPServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The mail is sent without it, as by Flask-Mail, and the log names it. The text stays as it is,
    and so do the images that are attached."""
    message = letter(html=html)
    message.attach("logo.png", "image/png", b"PNG", headers={"Content-ID": "<logo>"})
    context.send(message)

    assert "which is not attached" in caplog.text
    received = server.outbox.one().html
    assert [part in received for part in sent] == [True, True]
    assert received.count("cid:") == html.count("cid:") - 1


def test_old_and_new_on_one_app(app: Flask, server: SMTPServer) -> None:
    """Both names share the app's Mail, its redirection, its captures and its signals."""
    app.config["MAIL_REDIRECT_TO"] = "staging@example.com"
    mail = mh.Mail(app)
    old = fm.Mail(app)
    reports: list[object] = []
    with (
        app.app_context(),
        mh.message_sent.connected_to(lambda app, report, **more: reports.append(report), app),
    ):
        old.send(letter())
        mail.send("Hello", subject="Hi", to=TO)
        with mail.capture() as outbox:
            old.send(letter())

    assert app.extensions["mailhandler"] is mail
    assert [[*sent.envelope.recipients] for sent in server.outbox] == [["staging@example.com"]] * 2
    assert len(outbox) == 1
    assert len(reports) == 3


def test_registered_again(app: Flask, server: SMTPServer) -> None:
    """Some packages make a Mail of current_app for each mail, also in debug mode."""
    app.debug = True

    @app.route("/")
    def index() -> str:
        mail = fm.Mail(current_app)
        mail.send(letter())
        return str(mail.state is app.extensions["mail"])

    answers = [app.test_client().get("/").text for _ in range(2)]

    assert answers == ["True", "True"]


def test_the_state(app: Flask) -> None:
    """app.extensions["mail"] sends, shows the settings, and obeys three of them."""
    mail = fm.Mail(app)
    state = app.extensions["mail"]
    with app.app_context(), mh.current_mail.capture() as outbox:
        assert (state.server, state.port) == ("127.0.0.1", app.config["MAIL_PORT"])
        assert letter().sender == "The Shop <shop@example.com>"
        state.default_sender = "other@example.com"
        state.ascii_attachments = True
        message = letter()
        message.attach("Größe 1.txt", "text/plain", b"1")
        state.send(message)
        state.suppress = True
        with mail.record_messages() as recorded:
            state.send_message("Not sent", recipients=[TO], body="")

    assert outbox.one().from_addr == "other@example.com"
    assert outbox.one().attachments[0].filename == "Groe 1.txt"
    assert [message.subject for message in recorded] == ["Not sent"]
    assert mail.suppress is True


def test_a_key_without_effect(app: Flask) -> None:
    """MAIL_DEBUG has no effect, so any value of it may stay."""
    app.config["MAIL_DEBUG"] = "yes"
    assert str(fm.Mail(app).init_app(app).debug) == "yes"


def test_testing_sends_nothing(app: Flask, server: SMTPServer) -> None:
    """In a test, messages are recorded and not sent, whenever TESTING was set."""
    mail = fm.Mail(app)
    app.testing = True
    with app.app_context(), mail.record_messages() as outbox:
        message = letter()
        mail.send(message)

    assert outbox == [message]
    assert mail.suppress is True
    assert len(server.outbox) == 0


def test_receivers_of_the_signal(context: fm.Mail, caplog: pytest.LogCaptureFixture) -> None:
    """Receivers of 0.10 and of 0.9 are called; one that raises does not stop the others."""
    told: list[tuple[object, object]] = []

    def new(app: Flask, message: fm.Message) -> None:
        told.append((app, message))

    def old(message: fm.Message, app: Flask) -> None:
        told.append((app, message))

    def broken(sender: object, **more: object) -> None:
        raise LookupError("broken")

    message = letter()
    signal = fm.email_dispatched
    with signal.connected_to(new), signal.connected_to(old), signal.connected_to(broken):
        context.send(message)

    assert told == [(current_app, message)] * 2
    assert "LookupError: broken" in caplog.text


def test_a_connection(context: fm.Mail, server: SMTPServer) -> None:
    """connect() sends one message after the other, with the envelope sender of each."""
    with context.connect() as connection:
        connection.send(letter(), envelope_from="bounces@example.com")
        connection.send_message("Again", recipients=[TO], body="Hello")

    assert [str(sent.envelope.sender) for sent in server.outbox] == [
        "bounces@example.com",
        "shop@example.com",
    ]
    assert connection.num_emails == 2


def test_a_connection_raises_at_once(context: fm.Mail, server: SMTPServer) -> None:
    """A message that fails raises when it is sent, and is not recorded; those before it are."""
    server.reply("RCPT", "250 2.1.5 OK", times=1)
    server.reply("RCPT", "550 5.1.1 No such user")
    messages = [letter(), letter()]
    with context.record_messages() as outbox, context.connect() as connection:
        sends: t.Callable[[fm.Message], None] = connection.send
        assert sends(messages[0]) is None  # type: ignore[func-returns-value]
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            sends(messages[1])

    assert outbox == messages[:1]
    assert connection.num_emails == 1
    assert len(server.outbox) == 1


def test_arguments_that_are_kept() -> None:
    """Every argument is an attribute of its name, in the order of Flask-Mail's."""
    given: dict[str, t.Any] = {
        "subject": "Hi",
        "recipients": [TO],
        "body": "Hello",
        "html": "<p>Hello",
        "alts": {"calendar": "BEGIN"},
        "sender": "shop@example.com",
        "cc": ["cc@example.com"],
        "bcc": ["bcc@example.com"],
        "attachments": [fm.Attachment("a.txt", None, "text")],
        "reply_to": "help@example.com",
        "date": 1.0,
        "charset": "iso-8859-1",
        "extra_headers": {"X-A": "b"},
        "mail_options": ["X=1"],
        "rcpt_options": ["Y=2"],
    }

    mine, theirs = (kind(*given.values()) for kind in (fm.Message, real.Message))

    for name, value in given.items():
        expected = {**value, "html": "<p>Hello"} if name == "alts" else value
        assert getattr(mine, name) == getattr(theirs, name) == expected


def bypassed(app: Flask, message: t.Callable[..., t.Any]) -> list[str]:
    """Send by app.extensions["mail"], also in a capture, and return the warnings."""
    with app.app_context(), warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        app.extensions["mail"].send(message("1", recipients=[TO], body="Hello"))
        mh.current_mail.send("Hello", subject="2", to=TO)
        with mh.current_mail.capture() as outbox:
            app.extensions["mail"].send(message("3", recipients=[TO], body="Hello"))
    said = [str(one.message) for one in found if one.category is mh.ConfigurationWarning]
    return [*said, f"{len(outbox)} captured"]


@pytest.mark.parametrize("message", [fm.Message, real.Message], ids=["ours", "theirs"])
@pytest.mark.parametrize("ours_too", [False, True])
def test_nothing_bypasses_these_names(ours_too: bool, message: t.Any, server: SMTPServer) -> None:
    """With these names on the app, the staging guard and the capture hold, so nothing warns."""
    app = create_app(server, MAIL_REDIRECT_TO="staging@example.com")
    if ours_too:
        mh.Mail(app)
    fm.Mail(app)

    assert bypassed(app, message) == ["1 captured"]
    assert [[*sent.envelope.recipients] for sent in server.outbox] == [["staging@example.com"]] * 2


def test_flask_mail_itself_bypasses_them(server: SMTPServer) -> None:
    """The guard and the capture warn of it, once each."""
    app = create_app(server, MAIL_REDIRECT_TO="staging@example.com")
    mh.Mail(app)
    real.Mail(app)

    guard, capture, number = bypassed(app, real.Message)

    assert "bypasses MAIL_REDIRECT_TO" in guard
    assert "is not captured" in capture
    assert number == "0 captured"
    assert [sent.to[0] for sent in server.outbox] == [TO, "staging@example.com", TO]


def test_a_connection_of_ones_own(context: fm.Mail) -> None:
    """A class that configures smtplib is told what to set instead."""

    class Own(fm.Connection):
        def configure_host(self) -> None:
            raise AssertionError("It must not be called.")

    with pytest.warns(MailWarning, match="MAIL_TIMEOUT"), Own(current_app.extensions["mail"]):
        pass


class Signed(fm.Message):
    def as_bytes(self) -> bytes:
        return b"Subject: Own\r\nFrom: a@example.com\r\nTo: x@example.com\r\n\r\nOwn\r\n"


class OfReal(real.Message):
    pass


class RealSigned(real.Message):
    def _message(self) -> t.Any:
        made = super()._message()
        del made["Subject"]
        made["Subject"] = "Own below"
        return made


def of_invenio() -> t.Any:
    message = real.Message("Hi")
    message.__dict__.update(body="Hello", html="<p>Hello", recipients=[TO])
    return message


def like_one() -> t.Any:
    return SimpleNamespace(
        subject="Hi",
        sender="a@example.com",
        recipients=[TO],
        cc=[],
        bcc=[],
        reply_to=None,
        body="Hello",
        html="<p>Hello",
        attachments=[],
        date=None,
        charset=None,
        extra_headers=None,
        send_to={TO},
        has_bad_headers=lambda: False,
        send=lambda connection: None,
    )


FOREIGN: dict[str, tuple[t.Callable[[], t.Any], str]] = {
    "real": (lambda: real.Message("Hi", [TO], html="<p>Hello"), "<p>Hello"),
    "a class below the real one": (lambda: OfReal("Hi", [TO], html="<p>Hello"), "<p>Hello"),
    "Invenio-Mail": (of_invenio, "<p>Hello"),
    "of 0.9, without alts": (like_one, "<p>Hello"),
    "octets of its own": (lambda: Signed("Hi", [TO]), "Subject: Own"),
    "octets of a class below the real one": (
        lambda: RealSigned("Hi", [TO]),
        "Subject: Own below",
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_messages_of_other_classes(name: str, context: fm.Mail, server: SMTPServer) -> None:
    """Anything with the attributes of a message is sent; a class with octets of its own, as it
    says."""
    make, expected = FOREIGN[name]
    with context.connect() as connection:
        connection.send(make())

    sent = server.outbox.one()
    assert expected in bytes(sent.content).decode()
    assert [*sent.envelope.recipients] == [TO]


def test_html_that_is_replaced_past_the_property(context: fm.Mail, server: SMTPServer) -> None:
    """The HTML is sent once."""
    message = letter(html="<p>Old")
    message.__dict__["html"] = "<p>New"
    context.send(message)

    assert re.findall("<p>.*", bytes(server.outbox.one().content).decode()) == ["<p>New\r"]


REPLIES: dict[str, tuple[t.Any, str | None, type[Exception], type[Exception], dict[str, t.Any]]] = {
    "recipient": (
        "RCPT",
        "550 5.1.1 No such user",
        smtplib.SMTPRecipientsRefused,
        mh.RefusedError,
        {"recipients": {TO: (550, b"No such user")}},
    ),
    "recipient for now": (
        "RCPT",
        "450 4.2.1 Later",
        smtplib.SMTPRecipientsRefused,
        mh.DeferredError,
        {"recipients": {TO: (450, b"Later")}},
    ),
    "sender": (
        "MAIL",
        "550 5.1.8 Not you",
        smtplib.SMTPSenderRefused,
        mh.RefusedError,
        {"smtp_code": 550, "sender": "shop@example.com"},
    ),
    "content": (
        "end of data",
        "554 5.6.0 Bad content",
        smtplib.SMTPDataError,
        mh.RefusedError,
        {"smtp_code": 554, "smtp_error": b"Bad content"},
    ),
    "login": (
        "AUTH",
        "535 5.7.8 Wrong password",
        smtplib.SMTPAuthenticationError,
        mh.LoginError,
        {"smtp_code": 535},
    ),
    "TLS": (
        "STARTTLS",
        "454 4.7.0 Not now",
        smtplib.SMTPConnectError,
        mh.TLSError,
        {"smtp_code": 454},
    ),
    "no session": (
        "greeting",
        "554 Go away",
        smtplib.SMTPConnectError,
        mh.ConnectError,
        {"smtp_code": 554},
    ),
    "cut": ("DATA", None, smtplib.SMTPServerDisconnected, mh.DeferredError, {}),
    "cut after the content": (
        "end of data",
        None,
        smtplib.SMTPServerDisconnected,
        mh.UnknownOutcomeError,
        {},
    ),
}


@pytest.mark.parametrize("name", REPLIES)
def test_errors(name: str, server: SMTPServer) -> None:
    """An error is the one of smtplib that Flask-Mail raises, and ours, with the report."""
    step, reply, theirs, ours, facts = REPLIES[name]
    server.reply(t.cast(t.Any, step), reply)
    keys: dict[str, dict[str, object]] = {
        "login": {"MAIL_USERNAME": "ann", "MAIL_PASSWORD": "secret"},
        "TLS": {"MAIL_USE_TLS": True},
    }
    app = create_app(server, **keys.get(name, {}))
    mail = fm.Mail(app)

    with app.app_context(), mail.record_messages() as outbox, pytest.raises(theirs) as found:
        mail.send(letter())

    error = found.value
    assert isinstance(error, ours) and isinstance(error, OSError)
    assert {name: getattr(error, name) for name in facts} == facts
    assert isinstance(error, mh.DeliveryError) and error.report is not None
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert outbox == []


def test_no_server(server: SMTPServer) -> None:
    """Without a server, "except OSError" catches the error, as in Flask-Mail."""
    with closed_port() as port:
        app = create_app(server, MAIL_PORT=port)
        mail = fm.Mail(app)
        with app.app_context(), pytest.raises(smtplib.SMTPConnectError):
            mail.send(letter())


WRONG: dict[str, tuple[dict[str, t.Any], type[Exception], str]] = {
    "nobody": ({"recipients": []}, AssertionError, "no recipient"),
    "a line break in the subject": ({"subject": "a\nb"}, fm.BadHeaderError, "line break"),
    "a fold with nothing": ({"subject": "a\r\n "}, fm.BadHeaderError, "line break"),
    "a line break in a recipient": (
        {"recipients": ["a@b.c\r\n"]},
        fm.BadHeaderError,
        "line break",
    ),
    "a line break in a pair": ({"sender": ("a\n", "a@b.c")}, fm.BadHeaderError, "line break"),
    "not an address": ({"recipients": ["nobody"]}, mh.MessageError, "recipients is not an address"),
    "a pair of no address": ({"cc": [("Ann", "ann")]}, mh.MessageError, "cc is not an address"),
    "a sender of no address": ({"sender": "shop"}, mh.MessageError, "sender is not an address"),
    "a Reply-To of no address": ({"reply_to": "ann"}, mh.MessageError, "reply_to is not"),
    "a field of ours": ({"extra_headers": {"Bcc": TO}}, mh.MessageError, "Bcc"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_messages(name: str, context: fm.Mail, server: SMTPServer) -> None:
    """What cannot be sent raises an error that is a MessageError too, and nothing is sent."""
    given, kind, text = WRONG[name]
    message = fm.Message(**{"subject": "Hi", "recipients": [TO], "body": "Hello", **given})

    with pytest.raises(kind, match=text) as found:
        context.send(message)

    assert isinstance(found.value, mh.MessageError)
    assert len(server.outbox) == 0


def test_no_sender(context: fm.Mail) -> None:
    """Without a sender, the error is an AssertionError, as in Flask-Mail."""
    current_app.extensions["mail"].default_sender = None
    with pytest.raises(AssertionError, match="MAIL_DEFAULT_SENDER"):
        context.send(letter())


def test_outside_of_a_context() -> None:
    """A message may be made without an app; sending it asks for one."""
    message = letter()
    assert message.sender is None
    with pytest.raises(RuntimeError, match="context"):
        fm.Mail().send(message)


def test_a_mail_of_another_app(server: SMTPServer) -> None:
    """Mail(app) sends for its app: outside of a context, where a message has no sender yet, and in
    the context of another app."""
    app, other = create_app(server), Flask("other")
    mail, told = fm.Mail(app), list[Flask]()

    def note(sender: Flask, message: fm.Message) -> None:
        told.append(sender)

    with fm.email_dispatched.connected_to(note):
        mail.send(letter())
        with other.app_context():
            mail.send(letter())
            assert current_app.name == "other"

    assert [sent.from_addr for sent in server.outbox] == ["shop@example.com"] * 2
    assert told == [app, app]


def test_a_message_of_before_the_context(app: Flask, server: SMTPServer) -> None:
    """A message that was made outside of a context gets the sender of the app that sends it."""
    message, mail = letter(), fm.Mail()
    mail.init_app(app)
    with app.app_context():
        mail.send(message)

    assert server.outbox.one().from_addr == "shop@example.com"
    assert message.sender == "The Shop <shop@example.com>"


def test_octets_of_ones_own_and_an_envelope(context: fm.Mail, server: SMTPServer) -> None:
    """A message that writes its own octets has the sender of envelope_from=, as any other has."""

    class Own(fm.Message):
        def as_bytes(self) -> bytes:
            return super().as_bytes()

    message = Own("Hi", recipients=[TO], body="Hello")
    context.connect().send(message, envelope_from="bounces@example.com")

    assert server.outbox.one().envelope.sender == "bounces@example.com"


def test_a_message_is_copied_and_pickled() -> None:
    """A worker of Celery gets the same message."""
    message = letter(html="<p>Hello", attachments=[fm.Attachment("a.txt", None, "text")])
    for other in (copy.deepcopy(message), pickle.loads(pickle.dumps(message))):
        assert (other.html, other.msgId) == (message.html, message.msgId)
        assert other.attachments[0].content_type == "text/plain"


SANITIZED = {
    "ann@example.com": "ann@example.com",
    "Ann Lee <ann@example.com>": "Ann Lee <ann@example.com>",
    ("Ä", "ann@example.com"): "=?utf-8?",
    "ann@bücher.example": "ann@xn--bcher-kva.example",
}


@pytest.mark.parametrize("address", SANITIZED, ids=str)
def test_sanitizing(address: t.Any) -> None:
    """The functions for header fields have Flask-Mail's names and results."""
    assert fm.sanitize_address(address).startswith(SANITIZED[address])
    assert fm.sanitize_addresses([address]) == [fm.sanitize_address(address)]
    assert fm.force_text(b"a") == "a"
    assert fm.sanitize_subject("Grüße").startswith("=?utf-8?")


def test_every_name_is_here() -> None:
    """A package that imports a name of Flask-Mail finds it."""
    public = {name for name, value in vars(real).items() if value.__class__.__module__ != "typing"}
    own = {
        name
        for name in public
        if getattr(getattr(real, name), "__module__", "") == "flask_mail"
        and not name.startswith("__")
    } - {"FlaskMailUnicodeDecodeError", "_has_newline"}
    assert own <= set(dir(fm))


PROGRAM = """
import sys
import flask_mailhandler.flask_mail as ours
assert "flask_mail" not in sys.modules
ours.install()
ours.install()
import flask_mail
from flask_mail import Mail, Message
print(flask_mail is ours, Mail is ours.Mail)
"""
TOO_LATE = """
import flask_mail
from flask_mailhandler.flask_mail import install
try:
    install()
except RuntimeError as error:
    print(flask_mail.__file__ in str(error))
"""


@pytest.mark.parametrize(("program", "printed"), [(PROGRAM, "True True"), (TOO_LATE, "True")])
def test_install(program: str, printed: str) -> None:
    """install() gives the packages that import flask_mail these names, and only before they do."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == printed


def test_check_says_that_it_is_installed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """``flask mail check`` says so, because nothing else shows it."""
    fm.Mail(app)
    text = "'import flask_mail' means flask_mailhandler.flask_mail"
    run = app.test_cli_runner().invoke

    assert text not in run(args=["mail", "check"]).output
    monkeypatch.setitem(sys.modules, "flask_mail", fm)
    assert text in run(args=["mail", "check"]).output


def test_the_octets(context: fm.Mail) -> None:
    """as_bytes() has what is sent, and str() the same."""
    message = letter(attachments=[fm.Attachment("a.bin", None, b"\0\1")])
    message.date = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC).timestamp()

    assert message.as_bytes() == bytes(message) == str(message).encode()
    assert base64.b64encode(b"\0\1") in message.as_bytes()
    assert f"Message-ID: {message.msgId}" in str(message)
