"""Errors of an app as mail: what it shows, where it goes, and what it must never do."""

from __future__ import annotations

import gc
import logging
import threading
import typing as t
import weakref

import click
import pytest
from flask import Flask
from flask import g

from error_shop import error_shop
from error_shop import OPS
from flask_mailhandler import ConfigurationError
from flask_mailhandler import Mail
from flask_mailhandler import MessageError
from flask_mailhandler.previews.rendering import render
from queueing import url_of
from servers.waiting import until

if t.TYPE_CHECKING:
    from pathlib import Path

    from sending import Scripted


def test_an_error_in_a_view(tmp_path: Path) -> None:
    """The first error is a mail that shows the request and the traceback, without secrets."""
    with error_shop(tmp_path) as shop, shop.mail.capture(shop.app) as outbox:
        answer = shop.app.test_client().post(
            "/reset/tok-3417?page=2&api_key=key-8812",
            data={"name": "Ann", "password": "hunter2-hunter2"},
            headers={"Authorization": "Bearer abc-9944-def", "Cookie": "session=cookie-5566"},
        )
        assert answer.status_code == 500
        message = outbox.one(to=OPS)

    assert message.subject == f"{shop.app.name}: ValueError: no reset *** for Ann"
    assert "POST /reset/***?page=2&api_key=***" in message.text
    assert 'raise ValueError(f"no reset {token} for' in message.text
    assert "\nname: Ann\n" in message.text
    assert "\nUser: 42\n" in message.text
    assert message.headers["Auto-Submitted"] == "auto-generated"
    for secret in ("tok-3417", "key-8812", "hunter2", "9944", "cookie-5566", "1234-csrf"):
        assert secret not in message.text + message.html + message.subject


def test_the_response_does_not_change(tmp_path: Path) -> None:
    """A body that the view has not read is not read, and the session is not marked as accessed."""
    with error_shop(tmp_path) as shop, shop.mail.capture(shop.app) as outbox:
        answer = shop.app.test_client().post("/orders/0", data={"name": "Ann"})
        assert "Vary" not in answer.headers
        assert "Ann" not in outbox.one(to=OPS).text


def test_one_mail_and_a_digest(tmp_path: Path) -> None:
    """The same error again is counted, and flush() mails the digest. Another error is a mail."""
    with error_shop(tmp_path) as shop, shop.mail.capture(shop.app) as outbox:
        for _ in range(3):
            shop.get()
        for number in range(5):
            shop.app.logger.error(f"Payment {number} was refused")
        assert len(outbox) == 2

        shop.handler.flush()
        shop.handler.flush()
        assert len(outbox) == 3
        assert "6 errors of 2 kinds" in outbox[2].subject
        assert "2 times: ZeroDivisionError" in outbox[2].text
        assert "4 times: Payment 0 was refused" in outbox[2].text


def test_two_loggers_with_one_handler(tmp_path: Path) -> None:
    """A record that reaches the handler by two loggers, or two handlers, is one error."""
    with error_shop(tmp_path) as shop, shop.mail.capture(shop.app) as outbox:
        logging.getLogger().addHandler(shop.handler)
        shop.app.logger.addHandler(shop.mail.error_handler(to=OPS))
        shop.app.logger.propagate = True
        shop.app.logger.error("One")
        shop.handler.flush()
        assert len(outbox) == 1


def test_what_a_record_keeps(tmp_path: Path) -> None:
    """A formatter that writes all attributes of a record writes no address of ours."""
    with error_shop(tmp_path) as shop, shop.mail.capture(shop.app) as outbox:
        record = logging.makeLogRecord({"levelno": logging.ERROR, "msg": "gone"})
        shop.handler.handle(record)
        outbox.one(to=OPS)
    assert "@" not in str(vars(record))


def test_groups_of_exceptions(tmp_path: Path) -> None:
    """The mail has a group that is a cause with its members, and each of these with its own
    cause. The subject is the exception that was logged."""
    member, outer = ValueError("the member"), RuntimeError("the outer one")
    member.__cause__ = KeyError("the cause of the member")
    inner = ExceptionGroup("the inner group", [member, OSError("another member")])
    outer.__cause__ = ExceptionGroup("the group", [inner])
    with error_shop(tmp_path) as shop, shop.mail.capture(shop.app) as outbox:
        shop.app.logger.error("failed", exc_info=outer)
        (message,) = outbox

    assert message.subject.endswith("RuntimeError: the outer one")
    _, _, traceback = message.text.partition("Machine: ")
    places = [
        traceback.index(text)
        for text in (
            "ExceptionGroup: the group (1 sub-exception)",
            "In the group:\n\nExceptionGroup: the inner group (2 sub-exceptions)",
            "In the group:\n\nKeyError: 'the cause of the member'",
            "The above exception was the direct cause",
            "ValueError: the member",
            "In the group:\n\nOSError: another member",
            "RuntimeError: the outer one",
        )
    ]
    assert places == sorted(places)


def test_outside_a_request(tmp_path: Path) -> None:
    """In a command and in a thread, the mail shows the command and the thread instead."""
    with error_shop(tmp_path) as shop, shop.mail.capture(shop.app) as outbox:

        @shop.app.cli.command()
        @click.option("--token")
        def sync(token: str) -> None:
            shop.app.logger.error("Stock is gone")

        shop.app.test_cli_runner().invoke(args=["sync", "--token", "s"])

        def work() -> None:
            shop.app.logger.warning("not mailed")
            shop.app.logger.error("Thread is gone")

        thread = threading.Thread(target=work, name="stock-thread")
        thread.start()
        thread.join()
        assert "\nCommand: " in outbox.one(subject=f"{shop.app.name}: Stock is gone").text
        assert "thread stock-thread" in outbox.one(subject=f"{shop.app.name}: Thread is gone").text


@pytest.mark.parametrize("kind", ["callable", "raises", "token login"])
def test_user(kind: str, tmp_path: Path) -> None:
    """user= says who it is; one that raises, or logs, does no harm. Flask-Login's user is shown if
    it was loaded for this request."""

    class User:
        def get_id(self) -> str:
            return "user 17"

    def ask() -> str:
        shop.app.logger.error("within")
        return str({"callable": "user 17"}[kind])

    options: dict[str, t.Any] = {} if kind == "token login" else {"user": ask}
    with error_shop(tmp_path, **options) as shop, shop.mail.capture(shop.app) as outbox:

        @shop.app.before_request
        def load() -> None:
            g._login_user = User()

        assert shop.get().status_code == 500
        wanted = "[KeyError: it cannot be shown]" if kind == "raises" else "user 17"
        assert f"\nUser: {wanted}\n" in outbox.one(to=OPS).text


def test_nothing_of_the_request_is_kept(tmp_path: Path) -> None:
    """No frame, local variable or exception lives on in what waits to be mailed."""
    kept: list[weakref.ref[t.Any]] = []

    class Large:
        pass

    def fail() -> t.NoReturn:
        large = Large()
        kept.append(weakref.ref(large))
        raise RuntimeError(large)

    with error_shop(tmp_path, {"MAIL_URL": "smtp://127.0.0.1:1"}, show_locals=True) as shop:
        shop.app.add_url_rule("/fail", "fail", fail)
        shop.get("/fail")
        gc.collect()
        assert kept[0]() is None


@pytest.mark.parametrize("show", [False, True])
def test_local_variables(show: bool, tmp_path: Path) -> None:
    """Local variables are shown only if asked for, and then those that look secret are masked."""

    def fail() -> t.NoReturn:
        amount, password = "amount-17", "hunter2-hunter2"  # noqa: F841
        raise RuntimeError("no")

    with (
        error_shop(tmp_path, show_locals=show) as shop,
        shop.mail.capture(shop.app) as outbox,
    ):
        shop.app.add_url_rule("/fail", "fail", fail)
        shop.get("/fail")
        text = outbox.one(to=OPS).text
    assert ("amount = 'amount-17'" in text) is show
    assert ("password = ***" in text) is show
    assert "password = 'hunter2" not in text


def test_guards_of_the_app(tmp_path: Path) -> None:
    """MAIL_REDIRECT_TO, a subject prefix and before_send functions apply to error mail too."""
    keys = {"MAIL_REDIRECT_TO": "dev@example.com", "MAIL_SUBJECT_PREFIX": "[staging] "}
    with error_shop(tmp_path, keys) as shop, shop.mail.capture(shop.app) as outbox:
        seen: list[object] = []

        @shop.mail.before_send
        def see(message: t.Any) -> t.Any:
            seen.append(message)
            return message

        shop.get()
        assert outbox[0].envelope.recipients == ("dev@example.com",)
        assert outbox[0].subject.startswith("[staging] error_shop")
        assert len(seen) == 1


def test_on_the_mailbox_page(tmp_path: Path) -> None:
    """In debug mode, error mail is on the mailbox page with all other mail."""
    with error_shop(tmp_path, {"MAIL_MAILBOX": True, "MAIL_HANDLER": "mailbox"}) as shop:
        shop.get()
        shop.handler.flush()
        shop.app.debug = True
        listed = shop.app.test_client().get("/_mail/api/messages").get_json()["messages"]
    assert [one["subject"].split(": ")[1] for one in listed] == ["ZeroDivisionError"]


def test_previews() -> None:
    """The preview is there once an app uses the handler, once, and lint finds nothing."""
    app = Flask("shop")
    app.config["MAIL_DEFAULT_FROM"] = "shop@example.com"
    mail = Mail(app)
    assert "Error mail" not in mail.previews
    mail.error_handler(to=OPS)
    mail.error_handler(to="dev@example.com", level="WARNING")

    made = [render(app, sample) for sample in mail.previews.samples()]
    assert [one.sample.variant for one in made] == ["first", "command", "digest"]
    assert [one.failure for one in made] == [None, None, None]
    assert [finding for one in made for finding in one.findings] == []


def test_other_contexts(tmp_path: Path) -> None:
    """Of several apps, that of the context mails; without one, the app that was passed."""
    mail, apps = Mail(), [Flask("one"), Flask("two")]
    for app in apps:
        app.config["MAIL_DEFAULT_FROM"] = f"{app.name}@example.com"
        mail.init_app(app)
    handler = mail.error_handler(to=OPS, app=apps[0])
    logger = logging.getLogger("test_other_contexts")
    logger.addHandler(handler)
    logger.propagate = False
    with mail.capture() as outbox:
        logger.error("a")
        with apps[1].app_context():
            logger.error("b")
    assert [one.subject for one in outbox] == ["one: a", "two: b"]
    logger.removeHandler(handler)


def test_no_app(capsys: pytest.CaptureFixture[str]) -> None:
    """Before init_app, an error goes to stderr, which says what to call."""
    handler = Mail().error_handler(to=OPS)
    handler.handle(logging.makeLogRecord({"msg": "early", "levelno": 40}))
    said = capsys.readouterr().err
    assert "call mail.init_app(app)" in said
    assert "early" in said


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ({}, ConfigurationError, "write to='ops@example.com'"),
        ({"to": None}, ConfigurationError, "write to='ops@example.com'"),
        ({"to": ""}, ConfigurationError, "write to='ops@example.com'"),
        ({"to": []}, ConfigurationError, "write to='ops@example.com'"),
        ({"to": "nobody"}, MessageError, "nobody"),
        ({"to": ["a@b.example", 7]}, MessageError, "7"),
        ({"to": {"a@b.example": 1}}, MessageError, "to takes addresses"),
        ({"to": OPS, "level": "EROR"}, ConfigurationError, "'ERROR' or logging.ERROR"),
        ({"to": OPS, "level": True}, ConfigurationError, "not True"),
        ({"to": OPS, "level": 1.5}, ConfigurationError, "not 1.5"),
        ({"to": OPS, "level": -1}, ConfigurationError, "not -1"),
        ({"to": OPS, "from_addr": "me"}, MessageError, "from_addr"),
        ({"to": OPS, "digest_every": 0}, ConfigurationError, "digest_every="),
        ({"to": OPS, "digest_every": "soon"}, ConfigurationError, "'24h'"),
        ({"to": OPS, "per_hour": 0}, ConfigurationError, "per_hour="),
        ({"to": OPS, "per_hour": "many"}, ConfigurationError, "per_hour="),
        ({"to": OPS, "user": "ann"}, ConfigurationError, "takes a function"),
        ({"to": OPS, "mask": 7}, ConfigurationError, "list of names"),
        ({"to": OPS, "mask": [""]}, ConfigurationError, "mask everything"),
        ({"to": OPS, "show_locals": "perhaps"}, ConfigurationError, "show_locals="),
        ({"to": OPS, "digest_every": 5}, ConfigurationError, "at least a minute"),
        ({"to": OPS, "app": "shop"}, ConfigurationError, "app= takes the app, not 'shop'"),
        ({"toaddrs": OPS}, TypeError, "write to="),
        ({"to": OPS, "mailhost": "mx"}, TypeError, "MAIL_URL"),
        ({"to": OPS, "per_hours": 3}, TypeError, "write per_hour="),
        ({"to": OPS, "colour": "red"}, TypeError, "Its arguments are app, digest_every"),
    ],
    ids=str,
)
def test_wrong_arguments(given: dict[str, t.Any], kind: type[Exception], text: str) -> None:
    """A wrong argument is an error where the handler is made, and says what to write."""
    with pytest.raises(kind) as raised:
        Mail().error_handler(**given)
    assert text in str(raised.value)


def test_an_account_that_is_not_there(tmp_path: Path) -> None:
    """using= names an account of the app."""
    with error_shop(tmp_path) as shop, pytest.raises(ConfigurationError, match="no account 'ops'"):
        shop.mail.error_handler(to=OPS, using="ops")


def test_async_user() -> None:
    """user= cannot be awaited in the call that logs."""

    async def who() -> str:
        return "ann"

    with pytest.raises(TypeError, match="write 'def'"):
        Mail().error_handler(to=OPS, user=who)


def test_by_a_thread(tmp_path: Path, scripted: Scripted, no_leaks: None) -> None:
    """Without a queue, a thread sends, and closing the handler mails what waits."""
    server = scripted()
    with error_shop(tmp_path, {"MAIL_URL": url_of(server)}) as shop:
        shop.get()
        until(lambda: len(server.accepted) == 1, 60, "the first mail")
        started = threading.Barrier(8)

        def errors() -> None:
            started.wait(60)
            for _ in range(1250):
                shop.log_error()

        threads = [threading.Thread(target=errors) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.accepted) == 2
    assert b"10,000 times" in server.accepted[1].content


def test_without_a_thread(
    tmp_path: Path,
    scripted: Scripted,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """If no thread can be started, stderr says so once, and the next error tries again."""
    server = scripted()
    with error_shop(tmp_path, {"MAIL_URL": url_of(server)}) as shop:
        with monkeypatch.context() as patched:
            patched.setattr("flask_mailhandler.queue.threads.start", lambda run, name: None)
            for _ in range(3):
                shop.log_error()
        said = capsys.readouterr().err
        assert said.count("no thread can be started to mail errors: ZeroDivisionError") == 1

        shop.log_error()
        until(lambda: len(server.accepted) == 1, 60, "the mail")
    assert b"4 times" in server.accepted[0].content.lower()


def test_by_the_queue(tmp_path: Path, scripted: Scripted) -> None:
    """An app with a queue queues error mail. Two processes queue the first mail of a kind once."""
    server = scripted()
    keys = {
        "MAIL_URL": url_of(server),
        "MAIL_QUEUE": str(tmp_path / "q.sqlite"),
        "MAIL_QUEUE_ENGINE": "none",
    }
    with error_shop(tmp_path, keys) as shop, error_shop(tmp_path, keys) as other:
        for here in (shop, other):
            # Another process has the same kinds, and another handler object.
            here.app.logger.error("Stock is gone")
            here.handler.flush()
        with shop.app.app_context():
            rows = [*shop.mail.queue.rows()]
    assert len(rows) == 1
    assert server.accepted == []


@pytest.mark.parametrize("reply", ["550 5.7.1 no", "451 4.3.0 later"])
def test_no_loop(
    reply: str, tmp_path: Path, scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error mail that is refused goes to stderr; what is logged about it is not mailed, even if
    the root logger has the handler."""
    server = scripted(on={"RCPT": reply})
    with error_shop(tmp_path, {"MAIL_URL": url_of(server)}) as shop:
        logging.getLogger().addHandler(shop.handler)
        shop.get()
        shop.handler.flush()
        kinds = next(iter(shop.handler._desks)).counts._kinds
        assert [key.words for key in kinds] == ["raised ZeroDivisionError"]
    said = capsys.readouterr().err
    assert "a mail about errors was not sent" in said or "is not sent again" in said
    assert "because it was logged while an error was mailed" in said


def test_no_loop_by_the_queue(
    tmp_path: Path, scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a worker logs about an error mail that failed is not mailed; about other mail, it is."""
    server = scripted(on={"RCPT": "550 5.7.1 no"})
    keys = {"MAIL_URL": url_of(server), "MAIL_QUEUE": "sqlite", "MAIL_QUEUE_ENGINE": "none"}
    with error_shop(tmp_path, keys) as shop:
        logging.getLogger().addHandler(shop.handler)
        shop.get()
        shop.handler.flush()
        with shop.app.app_context():
            shop.mail.queue.run_once()
            desk = next(iter(shop.handler._desks))
            assert desk.counts.left().count == 0
            assert "because it is about an error mail" in capsys.readouterr().err
            assert len([*shop.mail.queue.rows()]) == 1
            with pytest.raises(Exception, match="no"):
                shop.mail.send("Hi", subject="Hi", to="ann@example.com")
            shop.handler.flush()
            assert len([*shop.mail.queue.rows()]) == 2
