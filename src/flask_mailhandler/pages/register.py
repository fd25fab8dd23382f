"""The blueprint with the pages of an app."""

from __future__ import annotations

import functools
import logging
import re
import typing as t
from collections.abc import Callable

from flask import abort
from flask import Blueprint
from flask import current_app
from flask import Flask
from flask import request

from ..app.dev_mailbox import folder_of
from ..app.dev_mailbox import PAGE
from ..app.dev_mailbox import SEEN_AT
from ..app.settings import Settings
from ..handlers.console import visible
from ..log import logger
from .access import is_local
from .access import refusal
from .csrf import exempt
from .mailbox.api import MailboxAPI
from .mailbox.store import Store
from .mailbox.views import MailboxViews
from .previews.views import add as add_previews
from .shell import close
from .shell import Shell
from .static_files import static_file

PREFIX = "/_mail"
# As the development server logs it, with or without colours: GET /_mail/list?q=ann HTTP/1.1
_POLL = re.compile(rf"(?:\x1b\[[0-9;]*m)*GET {PREFIX}/(?:queue/)?list[? ]")


def register_on(app: Flask, settings: Settings, agrees: Callable[[], bool]) -> None:
    """Register the pages on an app that sends mail.

    :param agrees: The app's ``allow_mailbox`` function.
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
    """Register the pages on an app.

    :param folder: The folder of the messages.
    :param agrees: Whether the current request may see the pages outside debug mode.
    :param remote: Whether *agrees* also decides on requests from other machines.
    :param about: A text for the empty list.
    :param more: Functions that add other pages to the blueprint.
    """
    blueprint = Blueprint(PAGE, __name__, url_prefix=PREFIX)
    blueprint.get("/static/<filename>", endpoint="static")(static_file)
    logged: set[str] = set()

    # For the whole app, so that a wrong method or a missing slash does not reveal the pages.
    @blueprint.before_app_request
    def check_access() -> None:
        if is_local(request):
            current_app.extensions[SEEN_AT] = request.url_root
        if request.blueprint != PAGE and not f"{request.path}/".startswith(f"{PREFIX}/"):
            return
        reason = refusal(request, debug=current_app.debug, agrees=agrees, remote=remote)
        if reason is None:
            return
        if reason not in logged and len(logged) < 10:
            logged.add(reason)
            logger.warning("%s got a 404: %s.", visible(request.path)[:80], visible(reason))
        abort(404)

    # These run before the functions of the app and its extensions.
    exempt(blueprint)
    blueprint.after_request(close)
    store = Store(folder)
    shell = Shell()
    MailboxViews(store, shell, about).add_to(blueprint)
    MailboxAPI(store).add_to(blueprint)
    for add in more:
        add(blueprint, shell)
    app.register_blueprint(blueprint)
    # The development server has one log for all apps of the process, and an app cannot choose which
    # of its requests are logged. So the filter is global and has no state: a logger adds the same
    # function only once, however many apps there are.
    logging.getLogger("werkzeug").addFilter(_is_worth_showing)


def _is_worth_showing(record: logging.LogRecord) -> bool:
    """Whether a line of the development server's log is worth showing. The request of an open page
    that gets a 304 is not: the page sends one every two seconds.

    The line is not formatted here, so an error in a line of the app is left to the log handlers.
    """
    match record.args:
        case (str(request_line), "304", _):
            return _POLL.match(request_line) is None
    return True
