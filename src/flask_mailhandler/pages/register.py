"""The mailbox of an app: its blueprint."""

from __future__ import annotations

import functools
import hashlib
import io
import logging
import re
import sys
import typing as t
from collections.abc import Callable

from flask import abort
from flask import Blueprint
from flask import current_app
from flask import Flask
from flask import request
from flask import Response
from flask import send_file

from ..app.dev_mailbox import folder_of
from ..app.dev_mailbox import PAGE
from ..app.dev_mailbox import SEEN_AT
from ..app.settings import Settings
from ..handlers.console import visible
from ..log import logger
from ..templating.package_files import package_file
from .access import is_local
from .access import refusal
from .mailbox.api import MailboxAPI
from .mailbox.store import Store
from .mailbox.views import MailboxViews
from .previews.views import add as add_previews
from .shell import close
from .shell import Shell

PREFIX = "/_mail"
# As the development server writes it, perhaps in colours: GET /_mail/list?q=ann HTTP/1.1
_POLL = re.compile(rf"(?:\x1b\[[0-9;]*m)*GET {PREFIX}/(?:queue/)?list[? ]")


def register_on(app: Flask, settings: Settings, agrees: Callable[[], bool]) -> None:
    """Put the pages on an app that sends mail.

    :param agrees: What the app's ``allow_mailbox`` function says.
    """
    from .queue.views import add as add_queue

    folder = folder_of(app, settings)
    register(
        app,
        folder,
        agrees=agrees,
        remote=settings.remote_mailbox,
        more=[add_previews, functools.partial(add_queue, mailbox=Store(folder))],
    )


def register(
    app: Flask,
    folder: str,
    *,
    agrees: Callable[[], bool],
    remote: bool = False,
    about: str = "",
    more: t.Sequence[Callable[[Blueprint, Shell], None]] = (),
) -> None:
    """Put the pages on an app.

    :param folder: Of the messages.
    :param agrees: Whether the request in hand may see them, though the app is not in debug mode.
    :param remote: Whether *agrees* decides on requests from other machines, too.
    :param about: A word for who sees no message yet.
    :param more: Whoever adds pages of its own, which the guard and the shell hold for.
    """
    blueprint = Blueprint(PAGE, __name__, url_prefix=PREFIX)
    blueprint.get("/static/<filename>", endpoint="static")(_static)
    told: set[str] = set()

    # Of the whole app, so that a wrong method or a missing slash tells strangers no more.
    @blueprint.before_app_request
    def check_access() -> None:
        if is_local(request):
            current_app.extensions[SEEN_AT] = request.url_root
        if request.blueprint != PAGE and not f"{request.path}/".startswith(f"{PREFIX}/"):
            return
        reason = refusal(request, debug=current_app.debug, agrees=agrees, remote=remote)
        if reason is None:
            return
        if reason not in told and len(told) < 10:
            told.add(reason)
            logger.warning("%s was answered 404: %s.", visible(request.path)[:80], visible(reason))
        abort(404)

    # Called before whatever the app or its extensions do before and after a request.
    blueprint.url_value_preprocessor(functools.partial(_exempt, blueprint))
    blueprint.after_request(close)
    store = Store(folder)
    shell = Shell()
    MailboxViews(store, shell, about).add_to(blueprint)
    MailboxAPI(store).add_to(blueprint)
    for add in more:
        add(blueprint, shell)
    app.register_blueprint(blueprint)
    # The development server has one log for all apps of the process, and lets no app say which of
    # its own requests are told. So the filter is for all, and keeps nothing: a logger takes the
    # same function once, however many apps add it.
    logging.getLogger("werkzeug").addFilter(_is_news)


def _exempt(blueprint: Blueprint, endpoint: str | None, values: dict[str, t.Any] | None) -> None:
    """Have Flask-WTF ask for no token of its own: our pages have theirs, and cannot know whether
    the app's protection was set up before or after them."""
    module = sys.modules.get("flask_wtf.csrf")
    protection: t.Any = current_app.extensions.get("csrf")
    if module is not None and isinstance(protection, module.CSRFProtect):
        protection.exempt(blueprint)


def _static(filename: str) -> Response:
    """A style sheet, a script or an icon of the pages."""
    found = package_file("pages", "static", filename)
    if not re.fullmatch(r"[a-z]+\.[a-z]+", filename) or not found.is_file():
        abort(404)
    octets = found.read_bytes()
    tag = hashlib.sha256(octets).hexdigest()[:32]
    return send_file(io.BytesIO(octets), download_name=filename, etag=tag)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of the development server's log tells more than that an open page has asked,
    and nothing had changed. It asks every two seconds.

    Nothing is formatted: what is wrong with somebody's line is for the handlers to find.
    """
    match record.args:
        case (str(asked), "304", _):
            return _POLL.match(asked) is None
    return True
