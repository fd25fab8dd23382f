"""``flask mail send``."""

from __future__ import annotations

import email.policy
import re
import typing as t

import pytest
from click.testing import CliRunner
from flask import Flask

from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler.cli import alone
from sending import PATIENT
from sending import Scripted
from servers import DROP
from servers import ScriptedServer
from servers.dead_ends import closed_port
from terminal import Terminal

if t.TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

    from click.testing import Result

    from servers.aiosmtpd_server import AiosmtpdServer


APP = """
from flask import Flask
from flask_mailhandler import Mail

app = Flask(__name__)
app.config.from_prefixed_env()
Mail(app)
"""
MESSAGE = ("--from", "me@example.com", "--to", "ann@example.com", "--subject", "Hi")


def create_app(**keys: object) -> Flask:
    app = Flask("sender")
    app.config.update({f"MAIL_{name.upper()}": value for name, value in keys.items()})
    Mail(app)
    return app


def over(server: ScriptedServer, **keys: object) -> Flask:
    return create_app(host=server.host, port=server.port, **{**PATIENT, **keys})


def run(app: Flask, *arguments: str, piped: str | bytes = "") -> Result:
    return app.test_cli_runner().invoke(args=["mail", "send", *arguments], input=piped)


def parsed(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_send_by_arguments(scripted: Scripted, tmp_path: Path) -> None:
    """Every field can be an argument; the report has a line for each recipient."""
    server = scripted(extensions=["SMTPUTF8", "8BITMIME"])
    (tmp_path / "page.html").write_text("<p>Grüße</p>", encoding="utf-8")
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    (tmp_path / "b.txt").write_text("b", encoding="utf-8")

    result = run(
        over(server),
        *(
            "--from",
            "Me <me@example.com>",
            "--to",
            "Ann <ann@example.com>",
            "--to",
            "b@example.com",
        ),
        *(
            "--cc",
            "c@example.com",
            "--bcc",
            "hidden@example.com",
            "--subject",
            "Grüße",
            "--text",
            "Hallo",
        ),
        *("--html", str(tmp_path / "page.html")),
        *("--attach", str(tmp_path / "a.pdf"), "--attach", str(tmp_path / "b.txt")),
    )

    assert result.exit_code == 0
    assert result.output.startswith(
        "  accepted  ann@example.com     250 2.0.0 accepted\n"
        "  accepted  b@example.com       250 2.0.0 accepted\n"
        "  accepted  c@example.com       250 2.0.0 accepted\n"
        "  accepted  hidden@example.com  250 2.0.0 accepted\n\n<"
    )
    assert re.search(rf"\nAccepted by {server.host}:{server.port} in \d+\.\d+ s", result.output)
    (accepted,) = server.accepted
    message = parsed(accepted.content)
    assert (message["Subject"], message["From"]) == ("Grüße", "Me <me@example.com>")
    assert (text_of(message), text_of(message, "html")) == ("Hallo", "<p>Grüße</p>")
    assert [part.get_filename() for part in message.iter_attachments()] == ["a.pdf", "b.txt"]
    assert b"hidden" not in accepted.content


@pytest.mark.parametrize("arguments", [(), ("--text", "-")])
def test_text_is_piped_in(scripted: Scripted, arguments: tuple[str, ...]) -> None:
    """Without --text, the text is read from standard input."""
    server = scripted()

    result = run(over(server), *MESSAGE, *arguments, piped="Größe\nzwei\n")

    assert result.exit_code == 0
    assert text_of(parsed(server.accepted[0].content)) == "Größe\nzwei\n"


def test_html_reads_no_input(scripted: Scripted, tmp_path: Path) -> None:
    """With --html, the text is made from it, and standard input is not read."""
    server = scripted()
    (tmp_path / "page.html").write_text("<p>Hello", encoding="utf-8")

    result = run(over(server), *MESSAGE, "--html", str(tmp_path / "page.html"), piped="not this")

    assert result.exit_code == 0
    assert text_of(parsed(server.accepted[0].content)).strip() == "Hello"


@pytest.mark.parametrize(
    ("given", "recipients"),
    [
        ((), ("list@example.com",)),
        (("--cc", "c@example.com"), ("list@example.com", "c@example.com")),
        (("--to", "a@example.com", "--bcc", "b@example.com"), ("a@example.com", "b@example.com")),
    ],
)
def test_defaults_and_account(
    given: tuple[str, ...], recipients: tuple[str, ...], scripted: Scripted
) -> None:
    """Configured defaults fill in what is left out, and --using selects another account."""
    server = scripted()
    app = create_app(
        url="smtp://127.0.0.1:9",
        default_subject="News",
        default_from="me@example.com",
        default_to="list@example.com",
        accounts={"bulk": {"host": server.host, "port": server.port}},
    )

    result = run(app, "--using", "bulk", "--text", "Hello", *given)

    assert result.exit_code == 0
    assert server.accepted[0].recipients == recipients
    assert b"Subject: News\r\n" in server.accepted[0].content


def test_some_are_refused(scripted: Scripted) -> None:
    """The exit code is 1 if any recipient was not accepted; a server's escape sequences do not
    reach the terminal."""
    server = scripted(on={"RCPT": ["250 ok", "550 5.1.1 no such \x1b[31muser", "450 4.2.1 later"]})
    to = ("--to", "b@example.com", "--to", "long.name@example.com")

    result = run(over(server), *MESSAGE, *to, "--text", "x")

    assert result.exit_code == 1
    assert result.output.startswith(
        "  accepted  ann@example.com        250 2.0.0 accepted\n"
        "  refused   b@example.com          550 5.1.1 no such \\x1b[31muser\n"
        "  deferred  long.name@example.com  450 4.2.1 later\n"
    )
    assert result.output.endswith("Error: 2 of 3 recipients not accepted.\n")


def test_no_server() -> None:
    """An error before the message is printed once, in one line, without a traceback."""
    with closed_port() as port:
        result = run(create_app(host="127.0.0.1", port=port), *MESSAGE, "--text", "x")

    assert result.exit_code == 1
    assert result.output.startswith("  deferred  ann@example.com\n\n<")
    assert result.output.count("Connection refused") == 1
    assert re.search(rf"\nNot accepted by 127\.0\.0\.1:{port} in \d+\.\d+ s", result.output)


def test_unknown_outcome(scripted: Scripted) -> None:
    """If it is unknown whether the message arrived, the output says so."""
    server = scripted(on={"end of data": DROP})

    result = run(over(server), *MESSAGE, "--text", "x")

    assert result.exit_code == 1
    assert "  unknown  ann@example.com  " in result.output
    assert "sending it again may double it" in result.output


def test_wrong_password_is_not_shown(scripted: Scripted) -> None:
    """A failed login says what to do, and shows no password."""
    server = scripted(users={"ann": "right"})

    result = run(over(server, username="ann", password="hunter2"), *MESSAGE, "--text", "x")

    assert result.exit_code == 1
    assert "Check MAIL_USERNAME and MAIL_PASSWORD" in result.output
    assert "hunter2" not in result.output


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--to", "a@example.com"), "Give --from, or set MAIL_DEFAULT_FROM."),
        (("--from", "a@example.com"), "Give --to, or set MAIL_DEFAULT_TO."),
        (MESSAGE[:4], "Give --subject, or set MAIL_DEFAULT_SUBJECT."),
        (MESSAGE, "There is no text: give --text or --html, or pipe it in."),
        ((*MESSAGE, "--to", "a, b@example.com", "--text", "x"), "to "),
        ((*MESSAGE[:4], "--subject", "a\nBcc: b@example.com", "--text", "x"), "subject has"),
        ((*MESSAGE, "--text", "x", "--attach", "/no/such"), "The attachment '/no/such'"),
        ((*MESSAGE, "--html", "/no/such"), "/no/such cannot be read: No such file"),
        ((*MESSAGE, "--using", "no\x1b[1m"), "There is no account 'no\\x1b[1m'"),
    ],
)
def test_what_cannot_be_sent(arguments: tuple[str, ...], error: str) -> None:
    """A missing or wrong value is an error in one line, and no connection is opened."""
    result = run(create_app(url="smtp://127.0.0.1:9"), *arguments)

    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {error}")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--to", "a@example.com"), "Error: Give --from.\n"),
        (("--from", "a@example.com"), "Error: Give --to.\n"),
        (MESSAGE[:4], "Error: Give --subject.\n"),
    ],
)
def test_what_is_missing_without_an_app(arguments: tuple[str, ...], error: str) -> None:
    """Without an app, the error names no configuration key."""
    result = CliRunner().invoke(alone(), ["send", "--url", "smtp://127.0.0.1:9", *arguments])

    assert (result.exit_code, result.output) == (1, error)


def test_input_that_is_not_utf8() -> None:
    """Input that is not UTF-8 is refused, and the error names its source."""
    result = run(create_app(url="memory:"), *MESSAGE, piped=b"Gr\xfc\xdfe")

    assert result.exit_code == 1
    assert result.output.startswith("Error: standard input is not UTF-8")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"url": "console:"}, "Printed and not sent (chosen by MAIL_URL)"),
        ({"handler": "memory"}, "Stored in memory until this command ended, and not sent"),
        ({"backend": "file", "file_path": "out"}, "/out and not sent (chosen by MAIL_BACKEND)"),
        ({"handler": "flask_mailhandler.handlers.base:EmailHandler"}, None),
    ],
)
def test_other_handlers(
    keys: dict[str, object],
    said: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the handler sends nothing, the output says so."""
    monkeypatch.chdir(tmp_path)

    result = run(create_app(**keys), *MESSAGE, "--text", "x")

    if said is None:
        assert isinstance(result.exception, NotImplementedError)
    else:
        assert result.exit_code == 0
        assert said in result.output


def test_testing_is_said() -> None:
    """In tests nothing is sent, and the output says why."""
    app = create_app(url="smtp://127.0.0.1:9")
    app.testing = True

    result = run(app, *MESSAGE, "--text", "x")

    assert "not sent (chosen by MAIL_TESTING_HANDLER, because TESTING is on)" in result.output


def test_stopped_by_a_function() -> None:
    """A message that a before_send function stops is not reported as accepted."""
    app = create_app(url="memory:")

    @t.cast(Mail, app.extensions["mailhandler"]).before_send
    def stop(message: Message) -> None:
        return None

    result = run(app, *MESSAGE, "--text", "x")

    assert result.exit_code == 1
    assert result.output.startswith("Error: A before_send function stopped the message")


def test_the_group_can_be_named_or_left_out() -> None:
    """The group of commands has the given name, and with None there is none."""
    named, without = Flask("named"), Flask("without")
    Mail(named, cli="post")
    Mail(without, cli=None)

    assert "send" in named.test_cli_runner().invoke(args=["post", "--help"]).output
    assert [*without.cli.commands] == []


def test_without_an_app(scripted: Scripted) -> None:
    """python -m flask_mailhandler sends with a URL."""
    server = scripted()
    url = f"smtp://{server.host}:{server.port}"

    result = (
        Flask("x")
        .test_cli_runner()
        .invoke(alone(), ["send", "--url", url, *MESSAGE, "--text", "x"])
    )

    assert result.exit_code == 0
    assert server.accepted[0].recipients == ("ann@example.com",)


def test_asks_as_the_tutorial_does(
    aiosmtpd_server: t.Callable[..., AiosmtpdServer], certificates: t.Any, tmp_path: Path
) -> None:
    """If nothing is configured, the user is asked for address, password, server, recipient, subject
    and text. The password is not shown, and is sent only after STARTTLS."""
    server = aiosmtpd_server(starttls=certificates.valid, users={"me@example.com": "hunter2"})
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    environment = {
        "SSL_CERT_FILE": str(certificates.ca_file),
        "FLASK_MAIL_SUBJECT_PREFIX": "[staging]",
        **{f"FLASK_MAIL_{name.upper()}": str(value) for name, value in PATIENT.items()},
    }

    with Terminal("flask", "mail", "send", cwd=tmp_path, environment=environment) as terminal:
        terminal.expect("Neither MAIL_URL nor MAIL_HOST is set")
        terminal.answer("Your email address: ", "me@")
        terminal.expect("Error: ")
        terminal.answer("Your email address: ", "me@example.com")
        terminal.answer("Your password: ", "hunter2")
        terminal.answer("server [smtp.example.com]: ", "smtps://localhost")
        terminal.expect("Error: the host must be a host name")
        terminal.answer("server [smtp.example.com]: ", f"localhost:{server.port}")
        terminal.answer("To: ", "Ann <ann@example.com>")
        terminal.answer("Subject: ", "Hi")
        terminal.answer("Text (end with a line that is only a dot", "Hello\nAnn\n.")
        code = terminal.end()

    assert code == 0, terminal.screen
    assert "hunter2" not in terminal.screen
    assert "ann@example.com  250 2.0.0 OK" in terminal.screen
    (received,) = server.messages
    assert (received.sender, received.recipients) == ("me@example.com", ["ann@example.com"])
    assert b"Subject: [staging] Hi\r\n" in received.content
    assert received.content.endswith(b"\r\n\r\nHello\r\nAnn\r\n")


def test_a_password_that_the_url_leaves_out_is_asked_for(
    scripted: Scripted, tmp_path: Path
) -> None:
    """The user is asked for a password that the URL leaves out, because other users can read a
    command line."""
    server = scripted(users={"me@example.com": "hunter2"})
    url = f"smtp://me%40example.com@{server.host}:{server.port}?timeout=60&connect_timeout=60"

    with Terminal(
        *("flask_mailhandler", "send", *MESSAGE, "--text", "x"),
        cwd=tmp_path,
        environment={"MAIL_URL": url},
    ) as terminal:
        terminal.answer("Password of me@example.com: ", "hunter2")
        code = terminal.end()

    assert code == 0, terminal.screen
    assert "hunter2" not in terminal.screen
    assert server.accepted[0].sender == "me@example.com"


def test_no_password_is_asked_for_a_mailbox(tmp_path: Path) -> None:
    """A provider that takes a token has no password, although its URL names a user."""
    with Terminal(
        *("flask_mailhandler", "send", *MESSAGE, "--text", "x"),
        cwd=tmp_path,
        environment={"MAIL_URL": "graph://me%40example.com@default"},
    ) as terminal:
        code = terminal.end()

    assert code == 1
    assert "MAIL_OAUTH_TOKEN is not set" in terminal.screen
    assert "Password" not in terminal.screen
