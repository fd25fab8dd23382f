"""An app whose views fail, and whose errors are mailed."""

from __future__ import annotations

import contextlib
import logging
import typing as t

from flask import Flask
from flask import request
from flask import session

from flask_mailhandler import Mail
from flask_mailhandler.extension.error_mail import courier
from flask_mailhandler.extension.error_mail import desk
from flask_mailhandler.queue.engines import background

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from werkzeug.test import TestResponse

OPS = "ops@example.com"
# A busy machine may stop a thread for many seconds.
courier.DRAIN = desk.PATIENCE = background._LAST = 60.0


class ErrorShop:
    """The app, its Mail, and the handler on its logger. Its name is new for each, because an app's
    logger has the name of the app, and outlives it."""

    number = 0

    def __init__(self, folder: Path, keys: dict[str, t.Any], options: dict[str, t.Any]) -> None:
        ErrorShop.number += 1
        self.app = Flask(f"error_shop_{ErrorShop.number}", instance_path=str(folder))
        self.app.config.update(
            SECRET_KEY="a secret that signs", MAIL_DEFAULT_FROM="shop@example.com", **keys
        )
        self.mail = Mail(self.app)
        self.handler = self.mail.error_handler(OPS, **t.cast("t.Any", options))
        self.app.logger.addHandler(self.handler)
        self.app.logger.propagate = False
        self.app.add_url_rule("/orders/<int:number>", "order", self.order, methods=["GET", "POST"])
        self.app.add_url_rule("/reset/<token>", "reset", self.reset, methods=["POST"])

    def order(self, number: int) -> dict[str, int]:
        return {"left": 12 // number}

    def reset(self, token: str) -> t.NoReturn:
        session.update(_user_id="42", csrf_token="1234-csrf")
        raise ValueError(f"no reset {token} for {request.form.get('name')}")

    def log_error(self) -> None:
        """Log an error as a view that fails does."""
        try:
            self.order(0)
        except ZeroDivisionError:
            self.app.logger.exception("Exception on /orders/0 [GET]")

    def get(self, path: str = "/orders/0", **options: t.Any) -> TestResponse:
        return self.app.test_client().get(path, **options)


@contextlib.contextmanager
def error_shop(
    folder: Path, keys: dict[str, t.Any] | None = None, **options: t.Any
) -> Iterator[ErrorShop]:
    """Return an app, and end its thread.

    :param keys: More keys of its configuration.
    :param options: Those of ``Mail.error_handler``.
    """
    made = ErrorShop(folder, keys or {}, options)
    root = logging.getLogger()
    try:
        yield made
    finally:
        root.removeHandler(made.handler)
        made.app.logger.removeHandler(made.handler)
        made.handler.close()
        with made.app.app_context():
            made.mail.queue.close()
