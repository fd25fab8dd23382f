"""A shop in production whose staff looks at its queue."""

from __future__ import annotations

import functools
import typing as t

from flask import abort
from flask import g
from flask import redirect
from flask import request
from flask import session
from flask import url_for

from flask_mailhandler import Message
from queueing import Shop

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flask.testing import FlaskClient

View: t.TypeAlias = "Callable[..., t.Any]"
SECRET = "https://shop.example/reset/7f3a"


def login_required(view: View) -> View:
    """The decorator of Flask's tutorial."""

    @functools.wraps(view)
    def wrapped_view(**arguments: t.Any) -> t.Any:
        if session.get("user") is None:
            return redirect(url_for("login", next=request.path))
        if session["user"] == "customer":
            abort(403)
        g.user = session["user"]
        return view(**arguments)

    return wrapped_view


def staffed(folder: Path, **keys: t.Any) -> Shop:
    """Return a shop that is not in debug mode, with one message in its queue. The user "admin" may
    change and read, "reader" may read, and others may not. Register the page."""
    shop = Shop(folder, SECRET_KEY="x", MAIL_HANDLER="memory", **keys)

    @shop.app.route("/login", methods=["GET", "POST"])
    def login() -> str:
        session["user"] = request.args.get("user")
        return "<h1>Log in</h1>"

    message = Message(
        subject="Your order",
        html=f"<p>{SECRET}</p>",
        to=["ann@example.com", "ben@example.com"],
    )
    with shop.app.app_context():
        shop.mail.send_later(message, delay=3600)
    return shop


def page_of(shop: Shop, **options: t.Any) -> t.Any:
    """The blueprint with the page for the users of :func:`staffed`."""
    return shop.mail.queue_page(
        login_required,
        may_change=lambda: g.user == "admin",
        may_read=lambda: g.user in ("admin", "reader"),
        **options,
    )


def browser_of(shop: Shop, user: str | None) -> FlaskClient:
    """A browser in which a user is logged in; None for nobody."""
    browser = shop.app.test_client()
    if user is not None:
        browser.get(f"/login?user={user}")
    return browser
