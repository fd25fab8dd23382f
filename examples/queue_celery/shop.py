"""A shop whose mail is sent by Celery workers.

::

    $ pip install 'Flask-MailHandler[celery]' 'celery[redis]'
    $ flask --app shop run
    $ celery --app shop:celery worker
"""

from __future__ import annotations

from celery import Celery
from celery import Task
from flask import Flask
from flask import request

from flask_mailhandler import Mail
from flask_mailhandler import Message

mail = Mail()


def create_app() -> Flask:
    """A shop that confirms each order by mail."""
    app = Flask(__name__)
    app.config["CELERY"] = {"broker_url": "redis://localhost"}
    app.config["MAIL_QUEUE_ENGINE"] = "celery"
    app.config["MAIL_DEFAULT_FROM"] = "shop@example.com"
    app.config.from_prefixed_env()
    celery_init_app(app)
    mail.init_app(app)

    @app.post("/orders/<int:number>")
    def order(number: int) -> tuple[dict[str, int], int]:
        message = Message(
            subject=f"Your order {number}", text="Thank you.", to=request.form["email"]
        )
        mail.send_later(message, key=f"order:{number}")
        return {"order": number}, 202

    return app


def celery_init_app(app: Flask) -> Celery:
    """Create the Celery app, as shown in Flask's documentation."""

    class FlaskTask(Task):
        def __call__(self, *args: object, **kwargs: object) -> object:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery_app = Celery(app.name, task_cls=FlaskTask)
    celery_app.config_from_object(app.config["CELERY"])
    celery_app.set_default()
    app.extensions["celery"] = celery_app
    return celery_app


app = create_app()
celery = app.extensions["celery"]
