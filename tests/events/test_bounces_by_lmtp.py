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


@pytest.mark.parametrize("name", ["postfix", "exim"])
def test_a_verified_bounce(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The mail server delivers the bounce to the command, which verifies it by the recipient."""
    server: Postfix | Exim = request.getfixturevalue(name)
    port = server.port if name == "exim" else server.ports["plain"]  # type: ignore[union-attr]
    recipient = "unknown@status.example" if name == "exim" else "5-1-1@status.example"
    running = Running(
        tmp_path, str(server.folder / "bounces.sock"), KEY="secret", BOUNCES="bounces@lmtp.example"
    )
    try:
        send(server.host, port, recipient)
        told, printed = running.line(), running.line()
    finally:
        code, _ = running.stop()

    assert told == f"told {recipient} True\n"
    assert printed.startswith(f"{recipient} bounced: 550 5.1.1 ")
    assert code == 0
