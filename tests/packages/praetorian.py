"""Flask-Praetorian sends through Flask-Mailman, and Flask-Mailman through this package."""

from __future__ import annotations

import flask_mailman
from flask import Flask
from flask_praetorian import Praetorian

from flask_mailhandler import Mail
from flask_mailhandler import SMTPServer


class User:
    identity = 1
    rolenames = ()
    password = "secret"

    @classmethod
    def lookup(cls, username: str) -> User:
        return cls()

    @classmethod
    def identify(cls, identity: int) -> User:
        return cls()


with SMTPServer() as server:
    app = Flask("shop")
    app.config.update(
        SECRET_KEY="of a test, and of nothing else",
        MAIL_SERVER="127.0.0.1",
        MAIL_PORT=server.port,
        MAIL_BACKEND="flask_mailhandler.flask_mailman",
        PRAETORIAN_RESET_SENDER="shop@example.com",
        PRAETORIAN_RESET_URI="https://shop.example/reset",
    )
    Mail(app)
    flask_mailman.Mail(app)
    guard = Praetorian(app, User)
    with app.app_context():
        guard.send_reset_email("ann@example.com", user=User())
    sent = server.outbox.one()
    print(sent.subject, *sent.to, sent.links[0].url.partition("?")[0])
