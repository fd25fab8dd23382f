"""A shop with Flask-Security: register, confirm, and reset the password."""

from __future__ import annotations

import sys

import flask_mailhandler.flask_mail as fm

if sys.argv[1] == "installed":
    fm.install()

import flask_mailman
from flask import Flask
from flask_security import Security
from flask_security import SQLAlchemyUserDatastore
from flask_security.models import fsqla_v3 as fsqla
from flask_sqlalchemy import SQLAlchemy

from flask_mailhandler import Mail
from flask_mailhandler import SMTPServer

with SMTPServer() as server:
    app = Flask("shop")
    app.config.update(
        SECRET_KEY="of a test, and of nothing else",
        SECURITY_PASSWORD_SALT="of a test",
        SECURITY_PASSWORD_HASH="argon2",
        SECURITY_REGISTERABLE=True,
        SECURITY_CONFIRMABLE=True,
        SECURITY_RECOVERABLE=True,
        SECURITY_USE_REGISTER_V2=True,
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},
        SQLALCHEMY_DATABASE_URI="sqlite://",
        WTF_CSRF_ENABLED=False,
        MAIL_SERVER="127.0.0.1",
        MAIL_PORT=server.port,
        MAIL_DEFAULT_SENDER="shop@example.com",
    )
    if sys.argv[1] == "mailman":
        app.config["MAIL_BACKEND"] = "flask_mailhandler.flask_mailman"
        Mail(app)
        flask_mailman.Mail(app)
    else:
        fm.Mail(app)
    db = SQLAlchemy(app)
    fsqla.FsModels.set_db_info(db)

    class Role(db.Model, fsqla.FsRoleMixin):
        pass

    class User(db.Model, fsqla.FsUserMixin):
        pass

    Security(app, SQLAlchemyUserDatastore(db, User, Role))
    with app.app_context():
        db.create_all()
    client = app.test_client()
    password = "battery staple"
    ann = {"email": "ann@example.com", "password": password, "password_confirm": password}
    client.post("/register", json=ann)
    confirmed = client.get(server.outbox.one().links[0].url.removeprefix("http://localhost"))
    client.post("/reset", json={"email": ann["email"]})
    print(confirmed.status_code)
    for sent in server.outbox:
        print(sent.subject, *sent.to)
