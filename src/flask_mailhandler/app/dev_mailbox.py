"""Where an app in development stores its mail, and the line it prints about each message."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import typing as t

from flask import url_for

from ..handlers.console import visible
from ..handlers.file import FileEmailHandler
from ..handlers.mailbox import Kept
from ..handlers.mailbox import MailboxEmailHandler
from .account import Account
from .framework import current_app_object
from .framework import current_request
from .framework import framework_of
from .settings import Settings

if t.TYPE_CHECKING:
    from flask.sansio.app import App

PAGE = "mailhandler"
"""The name of the blueprint."""
SEEN_AT = "mailhandler.seen_at"
"""Where ``app.extensions`` stores the URL of the last request from this machine."""
_LONG = 100


def folder_of(app: App, settings: Settings) -> str:
    """Return the folder that the mailbox page shows: the one of the default account."""
    account = settings.account(None)
    if account.handler != "file":
        account = with_folder(account, app)
    return str(account.options.get("folder", FileEmailHandler().folder))


def with_folder(account: Account, app: App) -> Account:
    """Return the account with the folder in the instance path, unless it names its own."""
    folder = os.path.join(app.instance_path, "mail")
    return dataclasses.replace(account, options={"folder": folder, **account.options})


def mailbox_handler(account: Account, app: App) -> MailboxEmailHandler:
    """Build the handler ``mailbox`` of an app: it stores mail in the app's folder, knows the
    templates, and prints a line about each message."""
    from ..message.template_name import origin_of

    built = with_folder(account, app).build("mailbox")
    assert isinstance(built, MailboxEmailHandler)
    return dataclasses.replace(built, template_of=origin_of, kept=_print)


def _print(kept: Kept) -> None:
    """Print one line: the recipients, the subject, and where to look at the message."""
    who = ", ".join(kept.recipients[:2])
    if len(kept.recipients) > 2:
        who += f" and {len(kept.recipients) - 2} more"
    subject = kept.subject if len(kept.subject) <= _LONG else f"{kept.subject[: _LONG - 3]}..."
    line = f"Mail to {who}: {subject or '(no subject)'}"
    # The message is stored, even if there is no console.
    with contextlib.suppress(OSError, ValueError):
        print(visible(f"{line} -> {_place(kept)}"), file=sys.stderr, flush=True)


def _place(kept: Kept) -> str:
    """Return the URL of the message on the page, as far as it is known here."""
    app = current_app_object()
    if app is not None and PAGE not in app.blueprints:
        how = framework_of(app).to_see_mail
        return f"{kept.folder} (to see it in a browser, {how})"
    if (request := current_request()) is not None:
        # With the host that the request was made to, so that the link works.
        return request.host_url.rstrip("/") + url_for(f"{PAGE}.message", id=kept.name)
    # A background process does not know the URL of the app; a thread may.
    root = "/" if app is None else app.extensions.get(SEEN_AT, "/")
    return f"{root}_mail/messages/{kept.name}"
