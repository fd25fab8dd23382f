"""``flask mail suppressed``, and the events in ``flask mail queue show``."""

from __future__ import annotations

import json
import typing as t

import pytest
from flask import Flask

from flask_mailhandler import Mail
from flask_mailhandler import Message

if t.TYPE_CHECKING:
    from pathlib import Path

ANN, BOB = "ann@example.org", "bob@example.org"
BOUNCE = """\
From: MAILER-DAEMON@mx.example.net
Date: Sun, 29 Nov 2026 12:00:00 +0000
Content-Type: multipart/report; boundary="b"

--b
Content-Type: message/delivery-status

Final-Recipient: rfc822; ann@example.org
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 No \x1b[31m such user

--b
Content-Type: text/rfc822-headers

Message-ID: {}

--b--
"""


@pytest.fixture
def app(tmp_path: Path) -> t.Iterator[Flask]:
    app = Flask("shop", instance_path=str(tmp_path))
    app.config.update(
        MAIL_QUEUE="q.sqlite",
        MAIL_QUEUE_ENGINE="none",
        MAIL_SUPPRESSIONS=True,
        MAIL_DEFAULT_FROM="shop@example.com",
        MAIL_HANDLER="memory",
    )
    mail = Mail(app)
    yield app
    with app.app_context():
        mail.queue.close()


def run(app: Flask, *arguments: str, given: str | bytes | None = None) -> tuple[int, str]:
    """Run ``flask mail``, and return the exit code and the output."""
    result = app.test_cli_runner().invoke(args=["mail", *arguments], input=given)
    return result.exit_code, result.output


def test_the_commands(app: Flask) -> None:
    """Addresses are added, listed and removed."""
    assert run(app, "suppressed", "list") == (0, "No addresses.\n")
    added = run(app, "suppressed", "add", ANN, "Bob <bob@EXAMPLE.org>", "--reason", "by phone")
    assert added == (0, "2 addresses suppressed.\n")
    assert run(app, "suppressed", "add", ANN) == (0, "0 addresses suppressed.\n")
    assert run(app, "suppressed", "add", ANN, "--list", "news")[0] == 0

    code, output = run(app, "suppressed", "list")
    lines = [line.split()[1:] for line in output.splitlines()]
    assert lines == [
        ["all", "mail", ANN, "by", "phone"],
        ["news", ANN, "added", "by", "hand"],
        ["all", "mail", BOB, "by", "phone"],
    ]
    assert len(run(app, "suppressed", "list", "--list", "news")[1].splitlines()) == 1
    assert "There are more." in run(app, "suppressed", "list", "--limit", "2")[1]
    assert "suppressions  3 addresses" in run(app, "check")[1]

    code, output = run(app, "suppressed", "remove", ANN, "carl@example.org")
    assert code == 0
    assert "carl@example.org is not suppressed." in output
    assert output.endswith("1 address removed.\n")
    assert run(app, "suppressed", "remove", ANN)[0] == 1


def test_files(app: Flask, tmp_path: Path) -> None:
    """CSV goes to a file or to standard output, and comes from a file or from standard input."""
    run(app, "suppressed", "add", ANN)
    output = run(app, "suppressed", "export")[1]
    assert "1 written.\n" in output
    assert output.replace("1 written.\n", "").startswith(
        "address,list,reason,since\nann@example.org,,added by hand,2"
    )
    assert run(app, "suppressed", "export", str(tmp_path / "all.csv"))[0] == 0
    run(app, "suppressed", "remove", ANN)

    assert run(app, "suppressed", "import", str(tmp_path / "all.csv"))[1] == "1 address imported.\n"
    given = f"email\n{ANN}\n{BOB}\n"
    assert run(app, "suppressed", "import", given=given)[1] == "1 address imported.\n"
    named = run(app, "suppressed", "import", "--list", "news", given=given)
    assert named[1] == "2 addresses imported.\n"


@pytest.mark.parametrize(
    ("arguments", "given", "error"),
    [
        (["add", "ann"], None, "'ann' has no @"),
        (["add", ANN, "b@"], None, "no valid domain after the @: 'b@'"),
        (["remove", "@"], None, "'@' has nothing before the @"),
        (["import"], "email\nann\n", "line 2: "),
        (["import"], b"email\n\xff\n", "is not UTF-8"),
        (["import", "nowhere.csv"], None, "nowhere.csv"),
        (["export", "nowhere/a.csv"], None, "nowhere/a.csv"),
    ],
)
def test_errors(app: Flask, arguments: list[str], given: str | bytes | None, error: str) -> None:
    """An error is printed without a traceback, and nothing is changed."""
    code, output = run(app, "suppressed", *arguments, given=given)

    assert code != 0
    assert error in output
    assert "Traceback" not in output
    assert run(app, "suppressed", "list") == (0, "No addresses.\n")


def test_off(tmp_path: Path) -> None:
    """Without MAIL_SUPPRESSIONS the commands say what to set."""
    app = Flask("shop", instance_path=str(tmp_path))
    Mail(app)

    code, output = run(app, "suppressed", "list")
    assert code == 1
    assert "set MAIL_SUPPRESSIONS = True, and MAIL_QUEUE" in output


def test_the_events_of_a_message(app: Flask) -> None:
    """``queue show`` prints what became of a message, with its recipient and the server's words."""
    mail: Mail = app.extensions["mailhandler"]
    with app.app_context():
        ticket = mail.send_later(Message(subject="Hi", text="Hello", to=ANN))
        before = run(app, "queue", "show", str(ticket.id))[1]
        mail.handle_notification(BOUNCE.format(ticket.message_id).encode())

    output = run(app, "queue", "show", str(ticket.id))[1]
    assert "What became of it" not in before
    _, _, shown = output.partition("What became of it:\n\n")
    assert "bounced (hard)  ann@example.org  not verified  550 5.1.1" in shown
    assert "\x1b[31m" not in shown
    found = json.loads(run(app, "queue", "show", str(ticket.id), "--json")[1])
    assert (found["id"], found["recipients"][0]["address"]) == (ticket.id, ANN)
    (event,) = found["events"]
    assert (event["kind"], event["severity"], event["code"]) == ("bounced", "hard", 550)
    assert event["account"] == "default"


def test_the_page(app: Flask) -> None:
    """The page of a queued message shows its events, and so does its API."""
    page = Flask("shop", instance_path=app.instance_path)
    page.config.update({**app.config, "MAIL_MAILBOX": True, "MAIL_HANDLER": "memory"})
    page.debug = True
    mail = Mail(page)
    with page.app_context():
        ticket = mail.send_later(Message(subject="Hi", text="Hello", to=ANN))
        mail.handle_notification(BOUNCE.format(ticket.message_id).encode())
        mail.queue.close()
    client = page.test_client()

    text = client.get(f"/_mail/queue/{ticket.id}").text
    assert 'id="events"' in text
    assert "not verified" in text
    (event,) = client.get(f"/_mail/api/queue/{ticket.id}").json["events"]  # type: ignore[index]
    assert (event["kind"], event["recipient"]) == ("bounced", ANN)


def test_lines_that_cannot_be_read(app: Flask) -> None:
    """Each line of the file that cannot be read is named on a line of its own, made harmless."""
    given = f"{ANN}\nnobody\n\x1b[31mx\n"

    code, output = run(app, "suppressed", "import", given=given)

    first, *lines = output.splitlines()
    assert code == 1
    assert first == "Error: Nothing is imported, because of these lines:"
    assert [line[:9] for line in lines] == ["  line 2:", "  line 3:"]
    assert "\x1b" not in output


@pytest.mark.parametrize("command", ["add", "remove"])
def test_what_is_not_an_address(app: Flask, command: str) -> None:
    """The error says what the wrong value was meant for."""
    purpose = {"add": "suppress"}.get(command, command)

    code, output = run(app, "suppressed", command, ANN, "nobody")

    said = f"the address to {purpose} is not an address: 'nobody' has no @"
    assert (code, said in output) == (1, True), output


def test_a_message_to_a_suppressed_address(app: Flask) -> None:
    """If nothing was stored, the last line does not say that a message was."""
    run(app, "suppressed", "add", ANN)

    code, output = run(app, "send", "--to", ANN, "--subject", "Hi", "--text", "Hello")

    assert code == 1
    assert "suppressed since" in output
    assert "\nNot accepted in " in output
    assert "Stored in memory" not in output
