"""A shop whose mail is sent by RQ workers.

::

    $ pip install 'Flask-MailHandler[rq]'
    $ flask --app shop run
    $ flask --app shop rq worker
"""

from __future__ import annotations

from flask import Flask
from flask import request
from flask_rq import RQ

from flask_mailhandler import Mail
from flask_mailhandler import Message

mail = Mail()
rq = RQ()


def create_app() -> Flask:
    """A shop that confirms each order by mail."""
    app = Flask(__name__)
    app.config["RQ_CONNECTION"] = "redis://localhost"
    app.config["MAIL_QUEUE_ENGINE"] = "rq"
    app.config["MAIL_DEFAULT_FROM"] = "shop@example.com"
    app.config.from_prefixed_env()
    rq.init_app(app)
    mail.init_app(app)

    @app.post("/orders/<int:number>")
    def order(number: int) -> tuple[dict[str, int], int]:
        message = Message(
            subject=f"Your order {number}", text="Thank you.", to=request.form["email"]
        )
        mail.send_later(message, key=f"order:{number}")
        return {"order": number}, 202

    return app


app = create_app()
