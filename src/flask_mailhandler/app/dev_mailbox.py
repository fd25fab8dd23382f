"""Where an app in development keeps its mail, and how it says so."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys

from flask import current_app
from flask import Flask
from flask import has_app_context
from flask import has_request_context
from flask import request
from flask import url_for

from ..handlers.console import visible
from ..handlers.file import FileEmailHandler
from ..handlers.mailbox import Kept
from ..handlers.mailbox import MailboxEmailHandler
from .settings import Account
from .settings import Settings

PAGE = "mailhandler"
"""The name of the blueprint."""
SEEN_AT = "mailhandler.seen_at"
"""Under this name an app's extensions hold the URL at which it was last asked on this machine."""
_LONG = 100


def folder_of(app: Flask, settings: Settings) -> str:
    """The folder that the page of the mailbox shows: that of the default account."""
    account = settings.account(None)
    if account.handler != "file":
        account = settled(account, app)
    return str(account.options.get("folder", FileEmailHandler().folder))


def settled(account: Account, app: Flask) -> Account:
    """The account with the folder in the instance path, if it names none."""
    folder = os.path.join(app.instance_path, "mail")
    return dataclasses.replace(account, options={"folder": folder, **account.options})


def in_app(account: Account, app: Flask) -> MailboxEmailHandler:
    """Build the handler ``mailbox`` of an app: it keeps mail where the app does, knows its
    templates, and tells the console."""
    from ..message.origin import origin_of

    built = settled(account, app).build("mailbox")
    assert isinstance(built, MailboxEmailHandler)
    return dataclasses.replace(built, template_of=origin_of, kept=_tell)


def _tell(kept: Kept) -> None:
    """Print one line: who would have got what, and where it can be looked at."""
    who = ", ".join(kept.recipients[:2])
    if len(kept.recipients) > 2:
        who += f" and {len(kept.recipients) - 2} more"
    subject = kept.subject if len(kept.subject) <= _LONG else f"{kept.subject[: _LONG - 3]}..."
    line = f"Mail to {who}: {subject or '(no subject)'}"
    # The message is kept, though nobody may be there to be told.
    with contextlib.suppress(OSError, ValueError):
        print(visible(f"{line} -> {_place(kept)}"), file=sys.stderr, flush=True)


def _place(kept: Kept) -> str:
    """The address of the message on the page, as far as it is known here."""
    if has_app_context() and PAGE not in current_app.blueprints:
        return f"{kept.folder} (to see it in a browser, set MAIL_MAILBOX to True)"
    if has_request_context():
        # In the address that the request was made to, so that it can be followed.
        return request.host_url.rstrip("/") + url_for(f"{PAGE}.message", id=kept.name)
    # A background process does not know where the app is served; a thread may.
    root = current_app.extensions.get(SEEN_AT, "/") if has_app_context() else "/"
    return f"{root}_mail/messages/{kept.name}"
