"""A Flask app sends mail."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import types
import typing as t
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.mime.text import MIMEText

import pytest
from flask import current_app
from flask import Flask

from flask_mailhandler import BatchError
from flask_mailhandler import ConfigurationError
from flask_mailhandler import ConnectError
from flask_mailhandler import current_mail
from flask_mailhandler import DeferredError
from flask_mailhandler import FileEmailHandler
from flask_mailhandler import Mail
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler import message_failed
from flask_mailhandler import message_sent
from flask_mailhandler import MessageError
from flask_mailhandler import RefusedError
from flask_mailhandler import Report
from flask_mailhandler import UnknownOutcomeError
from sending import PATIENT
from sending import Scripted
from servers import DROP
from servers import ScriptedServer
from servers.dead_ends import closed_port


def create_app(**keys: object) -> Flask:
    app = Flask("sender")
    app.config["MAIL_DEFAULT_FROM"] = "The App <app@example.com>"
    app.config.update({f"MAIL_{name.upper()}": value for name, value in keys.items()})
    Mail(app, cli=None)
    return app


def mail_of(app: Flask) -> Mail:
    return t.cast(Mail, app.extensions["mailhandler"])


def over(server: ScriptedServer, **keys: object) -> Flask:
    """An app that sends to this server."""
    return create_app(host=server.host, port=server.port, **{**PATIENT, **keys})


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses of a rate limit, on a clock that only they move."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)

    # Not in the module "time" itself, which other threads use.
    clock = types.SimpleNamespace(sleep=sleep, monotonic=lambda: 100 + sum(pauses))
    monkeypatch.setattr("flask_mailhandler.app.rate_limit.time", clock)
    return pauses


HI = Message(subject="Hi", text="Hello\n", to="ann@example.com")


def test_send_a_message(scripted: Scripted) -> None:
    """A view sends a message, and gets a report."""
    server = scripted()
    app = over(server)

    with app.app_context():
        report = current_mail.send(HI)

    assert report.ok
    assert report.accepted == ["ann@example.com"]
    (accepted,) = server.accepted
    assert (accepted.sender, accepted.recipients) == ("app@example.com", ("ann@example.com",))
    assert report.message_id.encode() in accepted.content
    assert b"From: The App <app@example.com>\r\n" in accepted.content
    assert accepted.content.endswith(b"\r\n\r\nHello\r\n")


def test_cements_form(scripted: Scripted) -> None:
    """Cement's form: the text first, the other fields by keyword, through app.mail."""
    server = scripted()
    app = over(server, subject_prefix="MY PREFIX >")

    with app.app_context():
        t.cast(t.Any, current_app).mail.send(
            "This is my message",
            subject="This is my subject",
            to=["you@example.com"],
            from_addr="me@example.com",
            cc=["him@example.com", "her@example.com"],
            bcc=["boss@example.com"],
        )

    (accepted,) = server.accepted
    assert accepted.recipients == (
        "you@example.com",
        "him@example.com",
        "her@example.com",
        "boss@example.com",
    )
    assert b"Subject: MY PREFIX > This is my subject\r\n" in accepted.content
    assert b"boss" not in accepted.content


def test_a_text_needs_a_subject() -> None:
    """The first argument is the text; a call that passes the subject there gets an error that says
    so."""
    app = create_app(handler="memory")

    with app.app_context(), pytest.raises(MessageError, match="the first argument is the text"):
        mail_of(app).send("Hi", to="ann@example.com")


def test_a_default_subject() -> None:
    """With a configured default subject, a text needs no subject."""
    app = create_app(handler="memory", default_subject="News", default_to="ann@example.com")

    with app.app_context(), mail_of(app).capture() as outbox:
        mail_of(app).send("Hello")

    assert outbox[0].subject == "News"
    assert outbox[0].to == ["ann@example.com"]


def test_send_several(scripted: Scripted) -> None:
    """Several messages go over one connection and come back as a list of reports."""
    server = scripted()
    app = over(server)

    with app.app_context():
        reports = mail_of(app).send(HI.replace(subject=str(number)) for number in range(3))

    assert [report.ok for report in reports] == [True] * 3
    assert len(server.accepted) == 3
    assert len(server.connections) == 1


def test_several_are_checked_before_the_first_is_sent(scripted: Scripted) -> None:
    """A list with one wrong message sends nothing at all."""
    server = scripted()
    app = over(server)

    with app.app_context(), pytest.raises(MessageError, match="no recipient"):
        mail_of(app).send([HI, Message(subject="To nobody")])

    assert server.connections == []


def test_nobody_accepted(scripted: Scripted) -> None:
    """F-32: a message that no recipient accepted raises an error with its report."""
    server = scripted(on={"RCPT": "550 5.1.1 no such user"})
    app = over(server)

    with app.app_context(), pytest.raises(RefusedError) as caught:
        mail_of(app).send(HI)

    assert caught.value.report is not None
    assert caught.value.report.refused == ["ann@example.com"]
    assert "5.1.1 no such user" in str(caught.value)


def test_a_partial_refusal_is_a_report(
    scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    """F-30: one refused recipient of two is a report and a warning, not an error."""
    server = scripted(on={"RCPT TO:<bob@": "550 5.1.1 no such user"})
    app = over(server)

    with app.app_context():
        report = mail_of(app).send(HI.replace(to=["ann@example.com", "bob@example.com"]))

    assert report.accepted == ["ann@example.com"]
    assert report.refused == ["bob@example.com"]
    assert not report.ok
    with pytest.raises(RefusedError):
        report.raise_for_failures()
    (record,) = [r for r in caplog.records if r.name == "flask_mailhandler"]
    assert record.levelno == logging.WARNING
    assert "bob@" not in record.message
    assert "bo…@example.com" in record.message


def test_retry_to_the_deferred(scripted: Scripted) -> None:
    """F-31: the deferred recipients can be tried again, with the same header and Message-ID."""
    server = scripted(on={"RCPT TO:<bob@": ["450 4.2.0 greylisted"]})
    app = over(server)
    message = HI.replace(to=["ann@example.com", "bob@example.com"])

    with app.app_context():
        first = mail_of(app).send(message)
        second = mail_of(app).send(message, recipients=first.deferred)

    assert second.accepted == ["bob@example.com"]
    assert server.accepted[0].content == server.accepted[1].content
    assert server.accepted[1].recipients == ("bob@example.com",)


def test_unknown_comes_before_deferred(scripted: Scripted) -> None:
    """F-53: a connection lost after the end of data is an unknown outcome, and the error says
    so."""
    server = scripted(on={"end of data": DROP})
    app = over(server)

    with app.app_context(), pytest.raises(UnknownOutcomeError, match="may have arrived") as caught:
        mail_of(app).send(HI)

    assert caught.value.report is not None
    assert caught.value.report.unknown == ["ann@example.com"]
    assert caught.value.phase is not None
    assert str(caught.value.phase) == "end of data"


def test_a_batch_error_has_all_reports(scripted: Scripted) -> None:
    """Every message of a list is tried, and a failed one does not hide the others."""
    server = scripted(on={"MAIL": ["250 ok", "550 5.7.1 not you", "250 ok"]})
    app = over(server)

    with app.app_context(), pytest.raises(BatchError, match="1 of 3 messages") as caught:
        mail_of(app).send([HI, HI.replace(), HI.replace()])

    assert [report.ok for report in caught.value.reports] == [True, False, True]
    assert len(server.accepted) == 2


def test_a_dead_server() -> None:
    """F-1: a port without a listener raises a ConnectError that names it."""
    with closed_port() as port:
        app = create_app(host="127.0.0.1", port=port)

        with app.app_context(), pytest.raises(ConnectError) as caught:
            mail_of(app).send(HI)

    assert f"127.0.0.1:{port}" in str(caught.value)
    assert isinstance(caught.value, DeferredError)
    assert caught.value.temporary


def test_send_each_is_lazy(scripted: Scripted) -> None:
    """send_each asks for a message after it has reported the one before."""
    server = scripted()
    app = over(server)
    made: list[int] = []

    def newsletter() -> t.Iterator[Message]:
        for number in range(3):
            made.append(number)
            yield HI.replace(subject=str(number))

    with app.app_context():
        reports = mail_of(app).send_each(newsletter())
        assert made == []
        next(reports)
        assert made == [0]
        rest = list(reports)

    assert [report.ok for report in rest] == [True, True]
    assert len(server.connections) == 1


def test_send_each_may_be_given_up(scripted: Scripted) -> None:
    """A caller that stops iterating leaves the connection in a usable state."""
    server = scripted()
    app = over(server)

    with app.app_context():
        reports = mail_of(app).send_each(HI.replace() for _ in range(3))
        next(reports)
        t.cast(t.Generator[Report, None, None], reports).close()
        mail_of(app).handler.close()

    server.settle()
    assert len(server.accepted) == 1
    assert server.connections[0].closed_by == "QUIT"


def test_send_each_keeps_to_the_rate(pauses: list[float]) -> None:
    """send_each stays within MAIL_RATE_LIMIT."""
    app = create_app(handler="memory", rate_limit="2/s; 5/min")

    with app.app_context():
        list(mail_of(app).send_each(HI.replace() for _ in range(6)))

    assert pauses == pytest.approx([1, 1, 58])


def test_send_async(scripted: Scripted) -> None:
    """send_async runs send in a thread that has the app context."""
    server = scripted()
    app = over(server)

    with app.app_context():
        report = asyncio.run(t.cast(t.Any, mail_of(app).send_async(HI)))

    assert report.ok
    assert len(server.accepted) == 1


async def give_up(mail: Mail) -> None:
    """Send, and cancel the wait for it as soon as it has begun."""
    task = asyncio.ensure_future(mail.send_async(HI))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_cancelling_does_not_stop_the_send(scripted: Scripted) -> None:
    """F-80: cancelling send_async ends the wait only; the report goes to the signal."""
    server = scripted()
    app = over(server)
    told = threading.Event()

    def receiver(sender: Flask, **facts: t.Any) -> None:
        told.set()

    with app.app_context(), message_sent.connected_to(receiver, app):
        asyncio.run(give_up(mail_of(app)))

    assert told.is_set()
    assert len(server.accepted) == 1


def test_cancelling_before_the_send_has_begun(scripted: Scripted) -> None:
    """F-80: cancelling does not withdraw a send that waits for a free thread either."""
    server = scripted()
    app = over(server)
    free = threading.Event()

    async def cancelled() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        busy = loop.run_in_executor(None, free.wait)
        await give_up(mail_of(app))
        free.set()
        await busy

    with app.app_context():
        asyncio.run(cancelled())

    assert len(server.accepted) == 1


@pytest.mark.parametrize("ends", [True, False])
def test_nobody_waits_for_an_error(
    scripted: Scripted, caplog: pytest.LogCaptureFixture, ends: bool
) -> None:
    """F-80: an error after a cancelled wait goes to the signal and the log, and the event loop does
    not complain about it."""
    server = scripted(on={"RCPT": "550 5.1.1 no such user"})
    app = over(server)
    failed = threading.Event()

    def receiver(sender: Flask, **facts: t.Any) -> None:
        failed.set()

    async def cancelled() -> None:
        await give_up(mail_of(app))
        if not ends:
            await asyncio.to_thread(failed.wait)
            await asyncio.get_running_loop().shutdown_default_executor()

    with app.app_context(), message_failed.connected_to(receiver, app):
        asyncio.run(cancelled())
    gc.collect()

    assert failed.is_set()
    assert [record for record in caplog.records if record.name == "asyncio"] == []


def test_signals() -> None:
    """A sent and a failed message each send one signal, with the message as it was sent."""
    app = create_app(handler="memory", allow_to="@example.com")
    told: list[tuple[str, t.Any, t.Any]] = []

    def sent(sender: Flask, *, message: Message, report: Report) -> None:
        told.append(("sent", sender, message.from_addr))

    def failed(sender: Flask, *, message: Message, report: Report) -> None:
        told.append(("failed", sender, report.refused))

    with app.app_context(), message_sent.connected_to(sent), message_failed.connected_to(failed):
        mail_of(app).send(HI)
        with pytest.raises(RefusedError):
            mail_of(app).send(HI.replace(to="ann@elsewhere.example"))

    assert told == [("sent", app, "app@example.com"), ("failed", app, ["ann@elsewhere.example"])]


def test_a_receiver_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A success stays a success if a receiver raises, and the next receiver is called."""
    app = create_app(handler="memory")
    called: list[str] = []

    def broken(sender: Flask, **facts: t.Any) -> None:
        called.append("broken")
        raise ZeroDivisionError

    def sound(sender: Flask, **facts: t.Any) -> None:
        called.append("sound")

    with app.app_context(), message_sent.connected_to(broken), message_sent.connected_to(sound):
        report = mail_of(app).send(HI)

    assert report.ok
    assert sorted(called) == ["broken", "sound"]
    assert "ZeroDivisionError" in caplog.text


def test_before_send_changes_a_message() -> None:
    """A before_send function gets the completed message, and its copy is the same mail."""
    app = create_app(handler="memory")
    mail = mail_of(app)

    @mail.before_send
    def tag(message: Message) -> Message:
        assert message.from_addr == "app@example.com"
        return message.replace(headers={"X-Tag": "yes"})

    with app.app_context(), mail.capture() as outbox:
        first, second = mail.send(HI), mail.send(HI)

    assert outbox[0].headers["X-Tag"] == "yes"
    assert first.message_id == second.message_id


def test_before_send_stops_a_message(caplog: pytest.LogCaptureFixture) -> None:
    """A message that a before_send function stops has a report without outcomes; this is logged,
    and is not an error."""
    caplog.set_level(logging.INFO)
    app = create_app(handler="memory")
    mail = mail_of(app)

    @mail.before_send
    def unsubscribed(message: Message) -> Message | None:
        return None if "bob@example.com" in message.to else message

    with app.app_context(), mail.capture() as outbox:
        reports = mail.send([HI, HI.replace(to="bob@example.com"), HI.replace()])

    assert [len(report.outcomes) for report in reports] == [1, 0, 1]
    assert [report.ok for report in reports] == [True, False, True]
    assert len(outbox) == 2
    assert (
        " was stopped by the before_send function"
        " test_before_send_stops_a_message.<locals>.unsubscribed."
    ) in caplog.text


def test_redirect() -> None:
    """The staging guard sends every message to another address, and says for which recipients it
    was."""
    app = create_app(handler="memory", redirect_to="staging@example.com")
    message = HI.replace(cc="bob@example.com", bcc="boss@example.com")

    with app.app_context(), mail_of(app).capture() as outbox:
        report = mail_of(app).send(message)

    (captured,) = outbox
    assert captured.envelope.recipients == ["staging@example.com"]
    assert captured.to == ["staging@example.com"]
    assert captured.cc == captured.bcc == []
    originals = "ann@example.com, bob@example.com, boss@example.com"
    assert captured.headers["X-Original-To"] == originals
    assert report.accepted == ["staging@example.com"]


def test_redirect_of_an_email_message() -> None:
    """The staging guard also applies to the standard library's messages."""
    app = create_app(handler="memory", redirect_to="staging@example.com")
    message = EmailMessage()
    message["To"] = "Ann <ann@example.com>"
    message["Bcc"] = "boss@example.com"
    message["Subject"] = "Hi"
    message.set_content("Hello")

    with app.app_context(), mail_of(app).capture() as outbox:
        mail_of(app).send(message)

    (captured,) = outbox
    assert captured.envelope.recipients == ["staging@example.com"]
    header = bytes(captured.content).partition(b"\r\n\r\n")[0]
    assert b"To: staging@example.com" in header
    assert b"X-Original-To: ann@example.com, boss@example.com" in header
    assert message["Bcc"] == "boss@example.com"


def test_allow_to() -> None:
    """Only allowed addresses and domains get mail; other recipients are reported as refused."""
    app = create_app(handler="memory", allow_to="@example.com, bob@other.example")
    message = HI.replace(to=["ann@example.com", "bob@other.example", "eve@other.example"])

    with app.app_context(), mail_of(app).capture() as outbox:
        report = mail_of(app).send(message)

    assert outbox[0].envelope.recipients == ["ann@example.com", "bob@other.example"]
    assert report.refused == ["eve@other.example"]
    assert "MAIL_ALLOW_TO" in str(report.error)


@pytest.mark.parametrize("policy", ["new", "legacy"])
def test_a_message_of_the_standard_library(policy: str, scripted: Scripted) -> None:
    """An EmailMessage and a MIMEText are sent: From is filled in, and Bcc is only in the
    envelope."""
    server = scripted()
    app = over(server)
    message: t.Any = EmailMessage() if policy == "new" else MIMEText("Hällo\n", "plain", "utf-8")
    if policy == "new":
        message.set_content("Hällo\n")
    message["To"] = "ann@example.com"
    message["Bcc"] = "boss@example.com"
    message["Subject"] = "Hi"

    with app.app_context():
        report = mail_of(app).send(message)

    (accepted,) = server.accepted
    assert accepted.recipients == ("ann@example.com", "boss@example.com")
    assert b"boss" not in accepted.content
    assert b"From: The App <app@example.com>" in accepted.content
    assert report.message_id.encode() in accepted.content
    assert "From" not in message


def test_accounts(scripted: Scripted) -> None:
    """using= names the account to send with."""
    first, second = scripted(), scripted()
    where = {"host": second.host, "port": second.port, **PATIENT}
    bulk = {**where, "default_from": "news@example.com"}
    app = over(first, accounts={"bulk": bulk})

    with app.app_context():
        mail_of(app).send(HI)
        mail_of(app).send(HI, using="bulk")

    assert [accepted.sender for accepted in first.accepted] == ["app@example.com"]
    assert [accepted.sender for accepted in second.accepted] == ["news@example.com"]


def test_sending_changes_nothing_of_the_message(scripted: Scripted) -> None:
    """Sending does not change a message, and sending it again sends the same mail."""
    server = scripted()
    app = over(server, subject_prefix="[app]", default_reply_to="help@example.com")
    message = Message(subject="Hi", text="Hello", to="ann@example.com")
    before = message.to_dict()

    with app.app_context():
        first, second = mail_of(app).send(message), mail_of(app).send(message)

    assert message.to_dict() == before
    assert first.message_id == second.message_id
    assert server.accepted[0].content == server.accepted[1].content


def test_outside_an_app_context() -> None:
    """Outside an app context the error says what to write."""
    mail = mail_of(create_app())

    with pytest.raises(RuntimeError, match=r"app\.app_context\(\)"):
        mail.send(HI)
    with pytest.raises(RuntimeError, match=r"app\.app_context\(\)"):
        current_mail.send(HI)


def test_an_app_without_mail() -> None:
    """On an app without a Mail, the error says how to register one."""
    with Flask("other").app_context():
        with pytest.raises(RuntimeError, match=r"mail\.init_app\(app\)"):
            mail_of(create_app()).send(HI)
        with pytest.raises(RuntimeError, match=r"mail\.init_app\(app\)"):
            current_mail.send(HI)


def test_one_mail_for_one_app() -> None:
    """A second Mail on one app is an error, and so is registering the same one twice."""
    app = create_app()

    with pytest.raises(RuntimeError, match="has a Mail already"):
        Mail(app)
    with pytest.raises(RuntimeError, match="has a Mail already"):
        mail_of(app).init_app(app)


def test_one_mail_for_two_apps() -> None:
    """Two apps share a Mail and nothing else."""
    mail = Mail(cli=None)
    apps = [Flask("one"), Flask("two")]
    for app in apps:
        app.config["MAIL_DEFAULT_FROM"] = f"{app.name}@example.com"
        app.config["MAIL_HANDLER"] = "memory"
        mail.init_app(app)

    with mail.capture(apps[0]) as outbox, apps[0].app_context():
        mail.send(HI)
        with apps[1].app_context():
            mail.send(HI)
            other = t.cast(MemoryEmailHandler, mail.handler).outbox

    assert [captured.from_addr for captured in outbox] == ["one@example.com"]
    assert [captured.from_addr for captured in other] == ["two@example.com"]


@pytest.mark.parametrize(
    ("receiver", "hint"),
    [
        (lambda app, message: None, " It must take (app, message, report, **more)."),
        (lambda message, **more: None, " It must take (app, message, report, **more)."),
        (lambda: None, " It must take (app, message, report, **more)."),
        (lambda app, message, report: message.nothing, ""),
        (lambda app, **more: more["report"](), ""),
    ],
)
def test_a_receiver_that_cannot_be_called(
    receiver: t.Any, hint: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A receiver for another library's signal, which has no report, gets an error that says what it
    must take."""
    app = create_app(handler="memory")

    with message_sent.connected_to(receiver, app), app.app_context():
        mail_of(app).send(HI)

    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    said = f"A receiver of the signal mail-message-sent raised an error.{hint}"
    assert record.getMessage() == said


def test_somebody_elses_attribute_is_kept() -> None:
    """app.mail is not overwritten if it is set already."""
    app = Flask("taken")
    t.cast(t.Any, app).mail = "theirs"

    Mail(app, cli=None)

    assert t.cast(t.Any, app).mail == "theirs"


class Foreign:
    """Resembles a message of Flask-Mail, Flask-Mailman and the like."""

    subject = "Hi"
    recipients = ("ann@example.com",)


@pytest.mark.parametrize(
    ("arguments", "fields", "said"),
    [
        ((3,), {}, "send takes a message, a text or several messages, not 3: write Message(subj"),
        ((b"Hello",), {}, "send takes a message, a text or several messages, not b'Hello'"),
        (({"to": "a@b.c"},), {}, "or Message.from_dict(...)"),
        (
            (Foreign(),),
            {},
            "that is a Foreign of test_extension; write flask_mailhandler's Message(",
        ),
        (([HI, Foreign()],), {}, "that is a Foreign of test_extension; write flask_mailhandler's"),
        (
            ([HI, "Hello"],),
            {},
            "'Hello' is not a message: write Message(",
        ),
    ],
)
def test_what_send_does_not_take(
    arguments: tuple[t.Any, ...], fields: dict[str, t.Any], said: str
) -> None:
    """An object that is not a message is refused, and the error names its type."""
    app = create_app(handler="memory")

    with app.app_context(), pytest.raises(MessageError) as caught:
        mail_of(app).send(*arguments, **fields)

    assert said in str(caught.value)


def test_fields_beside_a_message() -> None:
    """Fields are only for a text; next to a message they are an error, not ignored. It says how to
    change a message of each kind."""
    app = create_app(handler="memory")
    send: t.Any = mail_of(app).send

    with app.app_context():
        with pytest.raises(TypeError, match=r"subject only with a text.* write message\.replace"):
            send(HI, subject="Ho")
        for theirs in (EmailMessage(), MIMEText("Hello\n")):
            with pytest.raises(
                TypeError, match=r" write Message\.from_mime\(message\)\.replace\(to="
            ):
                send(theirs, to="bob@example.com")
        with pytest.raises(TypeError, match="recipients= only for a single message"):
            send([HI], recipients=["bob@example.com"])


@pytest.mark.parametrize(
    ("arguments", "fields", "said"),
    [
        ((), {"subject": "Hi", "html": "<p>Hi"}, r"takes a message, or its text, first"),
        ((), {"text": "Hi", "subject": "Hi"}, r"takes a message, or its text, first"),
        ((HI,), {"key": "order:17"}, r"sends now: key is an argument of send_later\(\)"),
        (("Hello",), {"subject": "Hi", "delay": 60}, r"sends now: delay is an argument of"),
        (([HI],), {"priority": "bulk", "at": None}, r"sends now: at, priority is an argument of"),
    ],
)
def test_arguments_that_are_left_out_or_not_of_send(
    arguments: tuple[t.Any, ...], fields: dict[str, t.Any], said: str
) -> None:
    """A missing argument, or one of send_later, is an error that says what to write."""
    app = create_app(handler="memory")
    send: t.Any = mail_of(app).send

    with app.app_context(), pytest.raises(TypeError, match=said):
        send(*arguments, **fields)


def test_what_a_text_does_not_take() -> None:
    """Next to a text, an unknown field is named in the error, and recipients belong in to=."""
    app = create_app(handler="memory")
    send: t.Any = mail_of(app).send

    with app.app_context():
        with pytest.raises(TypeError, match="no field 'subjct'"):
            send("Hello", subjct="Hi", to="bob@example.com")
        with pytest.raises(TypeError, match="with a text, to="):
            send("Hello", subject="Hi", recipients=["bob@example.com"])


ENVELOPE_SENDERS: dict[str, tuple[str, dict[str, t.Any], str]] = {
    "another address": (
        "EmailMessage",
        {"envelope_sender": "bounces@example.com"},
        "bounces@example.com",
    ),
    "with its name": (
        "MIMEText",
        {"envelope_sender": ("Bounces", "bounces@x.example")},
        "bounces@x.example",
    ),
    "no bounces": ("MIMEText", {"envelope_sender": ""}, ""),
    "the From": ("EmailMessage", {"envelope_sender": None}, "shop@example.com"),
    "redirected": (
        "MIMEText",
        {"envelope_sender": "bounces@example.com", "redirect_to": "staging@example.com"},
        "bounces@example.com",
    ),
    "of a text": (
        "text",
        {"envelope_sender": "bounces@example.com", "subject": "Hi"},
        "bounces@example.com",
    ),
}


@pytest.mark.parametrize("name", ENVELOPE_SENDERS)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["send", "send_async"])
def test_the_envelope_sender_of_other_messages(name: str, asynchronous: bool) -> None:
    """A message of the standard library has no field for the address of bounces, so the call takes
    it. It does not change the header."""
    form, arguments, expected = ENVELOPE_SENDERS[name]
    app = create_app(handler="memory", redirect_to=arguments.get("redirect_to"))
    made = EmailMessage() if form == "EmailMessage" else MIMEText("Hello\n")
    made["From"], made["To"] = "Shop <shop@example.com>", "ann@example.com"
    message: t.Any = made
    arguments = {name: value for name, value in arguments.items() if name != "redirect_to"}
    if form == "text":
        message = "Hello"
        arguments |= {"to": "ann@example.com", "from_addr": "shop@example.com"}
    with app.app_context(), mail_of(app).capture() as outbox:
        if asynchronous:
            asyncio.run(mail_of(app).send_async(message, **arguments))
        else:
            mail_of(app).send(message, **arguments)

    assert outbox.one().envelope.sender == expected
    assert b"shop@example.com" in bytes(outbox.one().content)
    assert b"bounces" not in bytes(outbox.one().content)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["send", "send_async"])
def test_no_envelope_sender(asynchronous: bool) -> None:
    """None is the same as no argument, so the field of a Message counts."""
    app = create_app(handler="memory")
    message = HI.replace(envelope_sender="bounces@example.com")
    with app.app_context(), mail_of(app).capture() as outbox:
        if asynchronous:
            asyncio.run(mail_of(app).send_async(message, envelope_sender=None))
        else:
            mail_of(app).send(message, envelope_sender=None)

    assert outbox.one().envelope.sender == "bounces@example.com"


def test_a_wrong_envelope_sender() -> None:
    """It must be an address; a Message has its own field."""
    app = create_app(handler="memory")
    made = MIMEText("Hello\n")
    made["To"] = "ann@example.com"
    send: t.Any = mail_of(app).send
    with app.app_context():
        with pytest.raises(MessageError, match="envelope_sender is not an address"):
            send(made, envelope_sender="shop")
        with pytest.raises(TypeError, match=r"message\.replace\(envelope_sender="):
            send(HI, envelope_sender="b@example.com")


@pytest.mark.parametrize(
    ("accounts", "known"),
    [
        ({}, "there is 'default'."),
        ({"news": {}}, "there are 'default' and 'news'."),
        ({"bulk": {}, "news": {}}, "there are 'default', 'bulk' and 'news'."),
    ],
)
def test_an_account_that_is_not_there(accounts: dict[str, t.Any], known: str) -> None:
    """The error names the accounts that there are."""
    app = create_app(handler="memory", accounts=accounts)
    with app.app_context(), pytest.raises(ConfigurationError) as caught:
        mail_of(app).send(HI, using="nwes")

    assert str(caught.value) == f"There is no account 'nwes' in MAIL_ACCOUNTS; {known}"


def test_nobody_is_left() -> None:
    """recipients=[] does not mean all recipients: a retry without any must not send the mail
    twice."""
    app = create_app(handler="memory")

    with app.app_context():
        report = mail_of(app).send(HI)
        with pytest.raises(MessageError, match="recipients= is empty"):
            mail_of(app).send(HI, recipients=report.deferred)


def test_a_single_message_is_not_several() -> None:
    """A message is iterable, but is not taken for an iterable of messages."""
    app = create_app(handler="memory")
    single: t.Any = EmailMessage()

    with app.app_context():
        with pytest.raises(MessageError, match=r"send_each takes several.*\[message\]"):
            list(mail_of(app).send_each(single))
        with pytest.raises(MessageError, match=r"send takes a message.*\[message\]"):
            mail_of(app).handler.send(t.cast(t.Any, HI))


def test_a_wrong_address_in_a_generator() -> None:
    """An error in the caller's generator says why the messages after it are not sent; a generator
    that was left early still has its other messages."""
    app = create_app(handler="memory")
    letters = (HI.replace() for _ in range(2))

    with app.app_context():
        members = ["ann@example.com", "b@@example.com", "cid@example.com"]
        reports = mail_of(app).send_each(HI.replace(to=member) for member in members)
        assert next(reports).ok
        with pytest.raises(MessageError) as caught:
            next(reports)
        for _ in mail_of(app).send_each(letters):
            break

    assert "Catch MessageError in the generator" in caught.value.__notes__[0]
    assert len([*letters]) == 1


def test_the_prefix_stands_once() -> None:
    """A completed message gets no second subject prefix when it is sent again."""
    app = create_app(handler="memory", subject_prefix="[app]")

    with app.app_context(), mail_of(app).capture() as outbox:
        report = mail_of(app).send(HI)
        mail_of(app).send(report.message)

    assert [captured.subject for captured in outbox] == ["[app] Hi", "[app] Hi"]


@pytest.mark.parametrize("timeout", ["soon", 0, -1, float("nan"), float("inf"), True, [1]])
def test_a_wrong_timeout(timeout: t.Any) -> None:
    """Every handler refuses a wrong timeout before it sends."""
    app = create_app(handler="memory")

    with app.app_context(), pytest.raises(ConfigurationError, match="timeout= must be a number"):
        mail_of(app).send(HI, timeout=timeout)


def test_before_send_does_not_write_into_the_callers_message() -> None:
    """A before_send function changes a copy of an EmailMessage, not the caller's."""
    app = create_app(handler="memory")
    mail = mail_of(app)
    message = EmailMessage()
    message["To"] = "ann@example.com"
    message.set_content("Hello")

    @mail.before_send
    def tag(message: EmailMessage) -> EmailMessage:
        message["X-Tag"] = "yes"
        return message

    with app.app_context(), mail.capture() as outbox:
        mail.send(message)

    assert b"X-Tag: yes" in bytes(outbox[0].content)
    assert "X-Tag" not in message


def test_before_send_that_returns_no_message() -> None:
    """If a before_send function returns something else than a message, the error names the
    function."""
    app = create_app(handler="memory")
    mail_of(app).before_send(lambda message: t.cast(t.Any, True))

    with (
        app.app_context(),
        pytest.raises(MessageError, match=r"before_send function.*returned True"),
    ):
        mail_of(app).send(HI)


def test_captures_in_threads_are_not_lost() -> None:
    """F-94: captures that start and end in threads are neither lost nor left over."""
    app = create_app(handler="file", folder="/nowhere")
    mail = mail_of(app)
    interval = sys.getswitchinterval()
    lost: list[int] = []

    def work() -> None:
        for _ in range(300):
            with app.app_context(), mail.capture(app):
                if not isinstance(mail.handler, MemoryEmailHandler):
                    lost.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)

    assert lost == []
    with app.app_context():
        assert isinstance(mail.handler, FileEmailHandler)


def test_the_rate_is_shared_by_all_callers(pauses: list[float]) -> None:
    """MAIL_RATE_LIMIT applies to the account, not to each call of send_each."""
    app = create_app(handler="memory", rate_limit="1/s")

    with app.app_context():
        for _ in range(3):
            list(mail_of(app).send_each([HI]))

    assert pauses == pytest.approx([1, 1])


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({}, "localhost:25"),
        ({"server": None, "port": 2525, "use_tls": False}, "localhost:2525"),
        ({"host": "", "security": "tls"}, "localhost:465"),
    ],
)
def test_nothing_configured_is_logged_once(
    keys: dict[str, object], place: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a server, mail is sent through this machine, and a warning says so once."""
    app = create_app(**keys)

    with app.app_context():
        handlers = [mail_of(app).handler, mail_of(app).handler]

    assert handlers[0] is handlers[1]
    assert [r.message for r in caplog.records if r.name == "flask_mailhandler"] == [
        f"Neither MAIL_URL nor MAIL_HOST is set: mail is sent through {place}."
    ]


def test_threads_share_an_app(scripted: Scripted) -> None:
    """F-94: eight threads send at once, and each message arrives exactly once."""
    server = scripted()
    app = over(server)

    def work(name: int) -> None:
        with app.app_context():
            for number in range(5):
                mail_of(app).send(HI.replace(subject=f"{name}-{number}"))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    subjects = [
        line
        for accepted in server.accepted
        for line in accepted.content.splitlines()
        if line.startswith(b"Subject: ")
    ]
    assert len(subjects) == len(set(subjects)) == 40


def test_repr() -> None:
    """repr() lists the apps that the extension is registered on."""
    assert repr(mail_of(create_app())) == "<Mail on sender>"
    assert repr(Mail()) == "<Mail on no app>"
