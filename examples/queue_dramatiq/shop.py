"""A shop whose mail is sent by Dramatiq workers.

::

    $ pip install 'Flask-MailHandler[dramatiq]' 'dramatiq[redis]'
    $ flask --app shop run
    $ dramatiq shop
"""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from flask import Flask
from flask import request

from flask_mailhandler import Mail
from flask_mailhandler import Message

mail = Mail()
# Set the broker before the app is created.
dramatiq.set_broker(RedisBroker(url=os.environ.get("BROKER_URL", "redis://localhost")))


def create_app() -> Flask:
    """A shop that confirms each order by mail."""
    app = Flask(__name__)
    app.config["MAIL_QUEUE_ENGINE"] = "dramatiq"
    app.config["MAIL_DEFAULT_FROM"] = "shop@example.com"
    app.config.from_prefixed_env()
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
