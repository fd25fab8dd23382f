"""``flask mail check`` and ``flask mail queue status`` for an account that has a reserve."""

from __future__ import annotations

import typing as t

from flask import current_app

from failing_over import app_of
from failing_over import url_of
from sending import letter
from sending import Scripted

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
