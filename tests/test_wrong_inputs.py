"""What users write wrong, and the errors that say what to write instead."""

from __future__ import annotations

import datetime
import re
import typing as t
from pathlib import Path

import jinja2
import pytest
from flask import Flask

from flask_mailhandler import Attachment
from flask_mailhandler import ConfigurationError
from flask_mailhandler import DeferredError
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.errors import ConfigurationWarning
from flask_mailhandler.errors import QueueError
from sending import Scripted
from servers.dead_ends import closed_port

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from flask_mailhandler import Ticket


def letter() -> Message:
    return Message(from_addr="shop@example.com", to="ann@example.com", subject="Hi", text="Hello")


def create_app(keys: Mapping[str, object], folder: Path | None = None) -> tuple[Flask, Mail]:
    app = Flask("shop", root_path=None if folder is None else str(folder))
    app.testing = True
    app.config.update(keys)
    return app, Mail(app)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"MAIL_HOST": "localhost:25"}, "write MAIL_HOST = 'localhost' and MAIL_PORT = 25"),
        ({"MAIL_HOST": "smtp://localhost"}, "Set MAIL_URL to the URL"),
        ({"MAIL_HOST": "h", "MAIL_PORT": "58x"}, "MAIL_PORT must be a whole number, not '58x'"),
        ({"MAIL_URL": "https://h"}, "For a server, write 'smtps://user:password@host'"),
        ({"MAIL_URL": "smtps://a@b:p@ss/w@host"}, "In the user name and the password, write '@'"),
        ({"MAIL_URL": "smtps://ann:pass/word@host"}, "as %40, %3A, %2F"),
        ({"MAIL_URL": "smtp://h?timout=5"}, "unknown options: timout. Did you mean timeout?"),
        ({"MAIL_URL": "smtp://h?pool_sise=5"}, "Did you mean pool_size?"),
        ({"MAIL_HOST": "h", "MAIL_PASSWORD": "x"}, "MAIL_USERNAME is not: set both, or neither"),
        ({"MAIL_HOST": "h", "MAIL_OAUTH_TOKEN": "x"}, "set both, or neither"),
        ({"MAIL_ACCOUNTS": {"news": {"timout": 3}}}, "unknown options: timout. Did you mean timeo"),
        ({"MAIL_ACCOUNTS": {"news": {"MAIL_URL": "smtp://h"}}}, "Did you mean url?"),
        ({"MAIL_ACCOUNTS": {"news": {"mail_port": 25}}}, "Did you mean port?"),
        ({"MAIL_HANDLER": "smpt"}, "Built in: 'smtp', 'console'"),
        ({"MAIL_RATE_LIMIT": "14 per second"}, "must be like '14/s; 500/h'"),
    ],
)
def test_configuration(keys: Mapping[str, object], says: str) -> None:
    """An error of the configuration says what to write."""
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        create_app(keys)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("MAIL_FROM", "MAIL_DEFAULT_FROM"),
        ("MAIL_SENDER", "MAIL_DEFAULT_FROM"),
        ("MAIL_QUEUE_URL", "MAIL_QUEUE"),
        ("MAIL_REPLYTO", "MAIL_DEFAULT_REPLY_TO"),
        ("MAIL_BROKER_URL", "MAIL_QUEUE_ENGINE"),
        ("MAIL_APP_URL", "MAIL_BASE_URL"),
        ("MAIL_PASWORD", "MAIL_PASSWORD"),
    ],
)
def test_unknown_key(key: str, meant: str) -> None:
    """A warning about an unknown key names the one that was probably meant."""
    with pytest.warns(ConfigurationWarning, match=f"{key}. Did you mean {meant}[?]"):
        create_app({key: "x"})


@pytest.mark.parametrize(
    ("keys", "using", "check"),
    [
        ({"MAIL_URL": "smtp://127.0.0.1:{}"}, None, "Check 'host' and 'port' in MAIL_URL."),
        (
            {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": "{}"},
            None,
            "Check MAIL_SERVER and MAIL_PORT.",
        ),
        (
            {"MAIL_ACCOUNTS": '{{"news": {{"url": "smtp://127.0.0.1:{}"}}}}'},
            "news",
            "Check 'host' and 'port' in MAIL_ACCOUNTS['news']['url'].",
        ),
        (
            {"MAIL_ACCOUNTS": '{{"news": {{"host": "127.0.0.1", "port": {}}}}}'},
            "news",
            "Check MAIL_ACCOUNTS['news']['host'] and MAIL_ACCOUNTS['news']['port'].",
        ),
    ],
)
def test_no_connection(keys: Mapping[str, str], using: str | None, check: str) -> None:
    """The hint for a failed connection names the place where the user wrote the server."""
    with closed_port() as port:
        given = {key: value.format(port) for key, value in keys.items()}
        app, mail = create_app({"MAIL_TESTING_HANDLER": "configured", **given})
        with app.app_context(), pytest.raises(DeferredError) as failed:
            mail.send(letter(), using=using)

    assert str(failed.value).endswith(f"Connection refused. {check}")


def test_wrong_password_in_a_url(scripted: Scripted) -> None:
    """The hint for a refused login names the URL that has the login."""
    server = scripted(users={"ann": "right"})
    url = f"smtp://ann:wrong@{server.host}:{server.port}"
    app, mail = create_app({"MAIL_URL": url, "MAIL_TESTING_HANDLER": "configured"})

    with app.app_context(), pytest.raises(DeferredError) as failed:
        mail.send(letter())

    assert "Check 'username' and 'password' in MAIL_URL" in str(failed.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("The Shop shop@example.com", "Write 'The Shop <shop@example.com>'."),
        ("José Pérez jose@example.com", "Write 'José Pérez <jose@example.com>'."),
        ('"Shop, Inc." shop@example.com', """Write '"Shop, Inc." <shop@example.com>'."""),
        ("The Shop (shop@example.com)", "Write 'The Shop <shop@example.com>'."),
        ("Shop: shop@example.com", "Write 'Shop <shop@example.com>'."),
        ("mailto:shop@example.com", "is a URL; leave out 'mailto:'"),
        ("shop", "has no @"),
        (5, "takes strings and (name, address) pairs, not 5"),
    ],
)
def test_sender(given: t.Any, says: str) -> None:
    """A sender that is not an address is shown with the form that was probably meant."""
    with pytest.raises(MessageError, match=re.escape(says)):
        Message(from_addr=given)


@pytest.mark.parametrize("given", [5, {"ann@example.com": "Ann"}, b"ann@example.com", object()])
def test_recipient(given: t.Any) -> None:
    """A recipient that is not text is refused with the forms that are accepted."""
    with pytest.raises(MessageError, match=r"write 'ann@example.com', the pair \('Ann', "):
        Message(to=given)


@pytest.mark.parametrize(
    ("field", "ours"),
    [
        ("recipients", "to"),
        ("recipient", "to"),
        ("body", "text"),
        ("content", "text"),
        ("sender", "from_addr"),
        ("html_content", "html"),
        ("attachment", "attachments"),
        ("replyto", "reply_to"),
    ],
)
def test_field(field: str, ours: str) -> None:
    """A field with a name from elsewhere, or a misspelt one, is answered with ours."""
    with pytest.raises(TypeError, match=f"no field '{field}': write {ours}=[.]"):
        Message(**t.cast("t.Any", {field: "x"}))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("set_content", "write Message(text=...)"),
        ("add_attachment", "write Message(attachments=[Attachment(data, filename=...)])"),
        ("is_multipart", "write message.to_mime().is_multipart()"),
        ("recipients", "write message.to"),
    ],
)
def test_attribute(name: str, says: str) -> None:
    """A method of another library's message is answered with what to write."""
    with pytest.raises(AttributeError, match=re.escape(says)):
        getattr(Message(text="Hello"), name)


def test_positional_subject() -> None:
    """Flask-Mail's positional arguments are answered with ours."""
    with pytest.raises(TypeError, match=re.escape("Message(subject=..., text=...)")):
        Message("Hello")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=re.escape("write Attachment(data, filename=..., mime")):
        Attachment("a.pdf", "application/pdf", b"%PDF")  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["a.pdf", [b"%PDF"], [Path("a.pdf")]])
def test_attachments(given: t.Any) -> None:
    """What is not an attachment is answered with both ways to attach."""
    with pytest.raises(MessageError, match=r"write Attachment\(data, filename=...\) or Attach"):
        Message(attachments=given)


def test_missing_attachment(tmp_path: Path) -> None:
    """A missing file is named once. For a relative path, the error says where it starts."""
    with pytest.raises(MessageError) as relative:
        Attachment.from_path("nope.pdf")
    with pytest.raises(MessageError) as absolute:
        Attachment.from_path(tmp_path / "nope.pdf")

    assert str(relative.value).count("nope.pdf") == 1
    assert f"A relative path starts at {Path.cwd()}" in str(relative.value)
    assert str(absolute.value).endswith("nope.pdf' cannot be read: No such file or directory.")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("Dear\n{{ user }}", "mail/m.{}, line 2: 'user' is undefined. Pass it in the second arg"),
        ("{{ nmae }}", "mail/m.{}, line 1: 'nmae' is undefined. Did you mean 'name'?"),
        ("\n\n{{ name.first }}", "mail/m.{}, line 3: 'str object' has no attribute 'first'."),
        ("{% include 'mail/part.txt' %}", "mail/part.txt, line 2: 'total' is undefined."),
        ("{% include 'mail/nope.txt' %}", "mail/m.{}, line 1: there is no template 'mail/nope.t"),
    ],
)
@pytest.mark.parametrize("ending", ["txt", "html"])
def test_template(tmp_path: Path, ending: str, source: str, says: str) -> None:
    """The text of an error in a template names the file and the line, also in a log without the
    traceback."""
    folder = tmp_path / "templates" / "mail"
    folder.mkdir(parents=True)
    (folder / f"m.{ending}").write_text(source)
    (folder / "part.txt").write_text("Sum:\n{{ total }}")
    app, mail = create_app({}, tmp_path)

    with (
        app.app_context(),
        pytest.raises(jinja2.TemplateError, match=re.escape(says.format(ending))),
    ):
        mail.render("mail/m", {"name": "Ann"}, subject="Hi")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"delay": "5min"}, "Write delay=timedelta(minutes=5)."),
        ({"delay": "2 hours"}, "Write delay=timedelta(hours=2)."),
        ({"delay": "30"}, "Write delay=timedelta(seconds=30)."),
        ({"expires": "1d"}, "Write expires=timedelta(days=1)."),
        ({"delay": datetime.datetime.now(datetime.UTC)}, "Write at= for a datetime."),
        ({"at": datetime.timedelta(hours=1)}, "write delay="),
        ({"at": "2030-01-01"}, "write datetime.fromisoformat(...), with a time zone"),
        ({"at": 1_900_000_000}, "write datetime.now(UTC) + timedelta(hours=1)"),
        ({"priority": "low"}, "is one of 'high', 'normal', 'bulk'"),
    ],
)
def test_time(options: Mapping[str, t.Any], says: str) -> None:
    """A wrong time or priority is answered with what to write."""
    app, mail = create_app({})

    with app.app_context(), pytest.raises(MessageError, match=re.escape(says)):
        mail.send_later(letter(), **options)


def queued(queue: str) -> Ticket:
    app, mail = create_app({"MAIL_QUEUE": queue, "MAIL_TESTING_QUEUE": "configured"})
    with app.app_context():
        return mail.send_later(letter())


@pytest.mark.parametrize("scheme", ["mssql", "mssql+pyodbc", "oracle"])
def test_other_database(scheme: str) -> None:
    """A database that cannot hold the queue is refused before its driver is missed."""
    with pytest.raises(ConfigurationError, match="MariaDB or MySQL, not of"):
        queued(f"{scheme}://root@localhost/shop")


def test_queue_out_of_reach(tmp_path: Path) -> None:
    """A database that cannot be opened is answered with what to do."""
    with pytest.raises(QueueError, match="Create its folder, and give the app permission"):
        queued(f"sqlite:///{tmp_path}/nope/queue.db")
    with (
        closed_port() as port,
        pytest.raises(QueueError, match="Start the database server, or set MAIL_QUEUE"),
    ):
        queued(f"postgresql+psycopg://127.0.0.1:{port}/shop")
