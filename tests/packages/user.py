"""The adapter of Flask-User, which makes a Mail itself, and catches errors of smtplib."""

from __future__ import annotations

import flask_mailhandler.flask_mail as fm

fm.install()

from flask import Flask
from flask_user import EmailError
from flask_user.email_adapters import SMTPEmailAdapter

from flask_mailhandler import SMTPServer

with SMTPServer() as server:
    app = Flask("shop")
    app.config.update(
        MAIL_SERVER="127.0.0.1", MAIL_PORT=server.port, MAIL_DEFAULT_SENDER="shop@example.com"
    )
    adapter = SMTPEmailAdapter(app)
    letter = ("ann@example.com", "Hi", "<p>Hello", "Hello", "shop@example.com", "The Shop, Inc.")
    with app.app_context():
        adapter.send_email_message(*letter)
        server.reply("RCPT", "550 5.1.1 No such user")
        try:
            adapter.send_email_message(*letter)
        except EmailError as error:
            print(error)
    for sent in server.outbox:
        print(sent.subject, *sent.to)
