"""``flask mail check`` and ``flask mail queue status`` for an account that has a reserve."""

from __future__ import annotations

import typing as t

from flask import current_app

from failing_over import app_of
from failing_over import url_of
from sending import letter
from sending import Scripted
from servers.dead_ends import closed_port

if t.TYPE_CHECKING:
    from pathlib import Path


def test_each_account_is_tried(scripted: Scripted, tmp_path: Path) -> None:
    """The accounts are shown in their order, with what the queue's workers know about them, and
    each is tried. The exit code is 0 if all would accept mail."""
    first, second = scripted(on={"greeting": "421 4.3.2 no"}), scripted()
    queue = {"MAIL_QUEUE": str(tmp_path / "queue.sqlite"), "MAIL_QUEUE_ENGINE": "none"}
    with app_of(url_of(first), url_of(second), **queue) as mail:
        run = current_app.test_cli_runner().invoke
        before = run(args=["mail", "check"])
        assert mail.send(letter()).account == "backup"
        mail.send_later(letter())
        mail.queue.run_once()
        after = run(args=["mail", "check"])
        status = run(args=["mail", "queue", "status"])
        reserve = run(args=["mail", "check", "--using", "backup"])
        mail.queue.close()

    head = "Account 'default' passes its messages on: default"
    assert before.output.startswith(f"{head}, then backup\n\nAccount 'default': SMTPEmailHandler")
    assert before.output.count("For the whole app:") == 1
    assert "Account 'backup': SMTPEmailHandler" in before.output
    assert "would accept mail from shop@example.com" in before.output
    assert before.exit_code == 1
    assert after.output.startswith(f"{head} (down: 127.0.0.1:{first.port} greets with 421")
    assert (
        "The account 'default' is down, and others send its mail while they are up:"
        in status.output
    )
    assert reserve.exit_code == 0
    assert "passes its messages on" not in reserve.output
    assert len(second.accepted) == 2


def test_live(scripted: Scripted) -> None:
    """With --live, one message goes through each account, whatever is down."""
    servers = [scripted(), scripted()]
    with app_of(*map(url_of, servers)):
        run = current_app.test_cli_runner().invoke
        tried = run(args=["mail", "check", "--live", "--to", "ann@example.com"])
        sent = run(
            args=["mail", "send", "--to", "ann@example.com", "--subject", "Hi", "--text", "x"]
        )

    assert (tried.exit_code, sent.exit_code) == (0, 0), tried.output + sent.output
    assert [len(server.accepted) for server in servers] == [2, 1]


def test_the_server_that_accepted_is_named(scripted: Scripted, tmp_path: Path) -> None:
    """``flask mail send`` names the server of the account that sent, and ``flask mail queue show``
    the account, for each recipient that another one sent to."""
    refusal = "554 5.7.1 <bob@example.com>: relay access denied"
    first, second = scripted(on={"RCPT TO:<bob@example.com>": refusal}), scripted()
    to = ("--to", "ann@example.com", "--to", "bob@example.com", "--subject", "Hi", "--text", "x")
    queue = {"MAIL_QUEUE": str(tmp_path / "queue.sqlite"), "MAIL_QUEUE_ENGINE": "none"}
    with closed_port() as port, app_of(f"smtp://127.0.0.1:{port}", url_of(second)):
        elsewhere = current_app.test_cli_runner().invoke(args=["mail", "send", *to])
    with app_of(url_of(first), url_of(second), **queue) as mail:
        run = current_app.test_cli_runner().invoke
        both = run(args=["mail", "send", *to])
        mail.send_later(letter("ann@example.com", "bob@example.com"))
        mail.queue.run_once()
        shown = run(args=["mail", "queue", "show", "1"])
        mail.queue.close()

    assert f"Accepted by 127.0.0.1:{second.port} in" in elsewhere.output
    assert f"Accepted by 127.0.0.1:{second.port} in" in both.output
    assert "  accepted  ann@example.com via default  250" in both.output
    assert "  accepted  ann@example.com via default  250" in shown.output
    assert "  accepted  bob@example.com via backup   250" in shown.output
