"""Bounces that a real mail server delivers by LMTP."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from flask import Flask

from flask_mailhandler import Mail
from running_lmtp import Running

if t.TYPE_CHECKING:
    from servers.exim import Exim
    from servers.postfix import Postfix

pytestmark = pytest.mark.services


def send(host: str, port: int, recipient: str) -> None:
    """Send a message of an app whose bounces go to ``lmtp.example``."""
    app = Flask("shop")
    app.config.update(
        SECRET_KEY="secret",
        MAIL_URL=f"smtp://{host}:{port}",
        MAIL_BOUNCE_ADDRESS="bounces@lmtp.example",
    )
    mail = Mail(app, cli=None)
    with app.app_context():
        mail.send("Hello", subject="Hi", from_addr="shop@lmtp.example", to=recipient)


def told(folder: Path, place: str, send: t.Callable[[], None]) -> list[str]:
    """Run the command while a message is sent, and return what it prints of the bounce."""
    running = Running(folder, place, KEY="secret", BOUNCES="bounces@lmtp.example")
    try:
        send()
        return [running.line(), running.line()]
    finally:
        assert running.stop()[0] == 0


def test_postfix(postfix: Postfix, tmp_path: Path) -> None:
    """Postfix delivers the bounce to the command, which verifies it by the recipient."""
    place = str(postfix.folder / "bounces.sock")
    recipient, port = "5-1-1@status.example", postfix.ports["plain"]

    assert told(tmp_path, place, lambda: send(postfix.host, port, recipient)) == [
        f"told {recipient} True\n",
        f"{recipient} bounced: 550 5.1.1 <5-1-1@status.example>: Recipient address rejected: The"
        " status is 5.1.1\n",
    ]


def test_exim(exim: Exim, tmp_path: Path) -> None:
    """Exim does, too."""
    place, recipient = f"127.0.0.1:{exim.lmtp_port}", "unknown@status.example"

    assert told(tmp_path, place, lambda: send(exim.host, exim.port, recipient)) == [
        f"told {recipient} True\n",
        f"{recipient} bounced: 550 5.1.1 No such user here\n",
    ]
