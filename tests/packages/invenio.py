"""The Celery tasks of Invenio-Mail: a message from a dict, and an attachment."""

from __future__ import annotations

import base64
import sys

import flask_mailhandler.flask_mail as fm

if sys.argv[1] == "installed":
    fm.install()

import celery
from flask import Flask
from invenio_mail import InvenioMail
from invenio_mail import tasks

from flask_mailhandler import SMTPServer

celery.current_app.conf.task_always_eager = True
celery.current_app.conf.task_eager_propagates = True
with SMTPServer() as server:
    app = Flask("shop")
    app.config.update(
        MAIL_SERVER="127.0.0.1", MAIL_PORT=server.port, MAIL_DEFAULT_SENDER="shop@example.com"
    )
    fm.Mail(app)
    InvenioMail(app)
    letter = {"subject": "Hi", "recipients": ["ann@example.com"], "sender": "shop@example.com"}
    file = {
        "filename": "a.txt",
        "content_type": "text/plain",
        "base64": base64.b64encode(b"text").decode(),
        "disposition": "attachment",
    }
    with app.app_context():
        tasks.send_email.delay({**letter, "body": "Hello", "html": "<p>Hello"})
        tasks.send_email_with_attachments({**letter, "body": "Hello"}, attachments=[file])
    for sent in server.outbox:
        print(sent.html.strip() or sent.attachments[0].filename, *sent.to)
