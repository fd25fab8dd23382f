"""The registration of Flask-AppBuilder, which makes a Mail of current_app for each mail."""

from __future__ import annotations

import flask_mailhandler.flask_mail as fm

fm.install()

from flask import Flask
from flask_appbuilder import AppBuilder
from flask_appbuilder.utils.legacy import get_sqla_class

from flask_mailhandler import SMTPServer

with SMTPServer() as server:
    app = Flask("shop")
    app.config.update(
        SECRET_KEY="of a test, and of nothing else",
        AUTH_TYPE=1,
        AUTH_USER_REGISTRATION=True,
        AUTH_USER_REGISTRATION_ROLE="Public",
        RECAPTCHA_PUBLIC_KEY="key",
        RECAPTCHA_PRIVATE_KEY="key",
        SQLALCHEMY_DATABASE_URI="sqlite://",
        MAIL_SERVER="127.0.0.1",
        MAIL_PORT=server.port,
        MAIL_DEFAULT_SENDER="shop@example.com",
    )
    db = get_sqla_class()()
    db.init_app(app)
    with app.app_context():
        builder = AppBuilder(app, db.session)
        manager = builder.sm
        manager.add_register_user("ann", "Ann", "Lee", "ann@example.com", "secret")
    for _ in range(2):
        with app.test_request_context("/register/form"):
            user = db.session.query(manager.registeruser_model).one()
            print(manager.registeruser_view.send_email(user))
    for sent in server.outbox:
        print(sent.subject, *sent.to)
