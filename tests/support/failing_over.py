"""An app with two servers, for the tests of failover."""

from __future__ import annotations

import contextlib
import typing as t

from flask import Flask

from flask_mailhandler import Mail
from flask_mailhandler.handlers.failover.handler import FailoverEmailHandler

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from flask_mailhandler.handlers.failover.health import Health
    from sending import Listener


def url_of(server: Listener, **options: object) -> str:
    """The MAIL_URL of a server. Even a busy machine reaches no time-out."""
    given = {"timeout": 60, "connect_timeout": 60, "pool_idle": 600, **options}
    query = "&".join(f"{name}={value}" for name, value in given.items())
    return f"smtp://{server.host}:{server.port}?{query}"


@contextlib.contextmanager
def app_of(first: str, second: str, **keys: t.Any) -> Iterator[Mail]:
    """A Mail in the context of an app that sends through the first URL, and else the second."""
    app = Flask("shop")
    backup = {"url": second, **keys.pop("backup", {})}
    app.config["MAIL_URL"] = first
    app.config["MAIL_DEFAULT_FROM"] = "shop@example.com"
    app.config["MAIL_ACCOUNTS"] = {"backup": backup, **keys.pop("accounts", {})}
    app.config["MAIL_FAILOVER"] = ["default", "backup"]
    app.config.update(keys)
    mail = Mail(app)
    with app.app_context():
        try:
            yield mail
        finally:
            mail.handler.close()


@contextlib.contextmanager
def two(first: Listener, second: Listener, **keys: t.Any) -> Iterator[Mail]:
    """The same, for two servers."""
    with app_of(url_of(first), url_of(second), **keys) as mail:
        yield mail


def health_of(mail: Mail) -> Health:
    """What the current process knows about the accounts of the current app."""
    handler = mail.handler
    assert isinstance(handler, FailoverEmailHandler)
    return handler.health
