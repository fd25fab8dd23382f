"""``flask mail bounce --imap``: the unseen messages of a mailbox."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

import click

from ..app.current import registration
from ..errors import ConfigurationError
from ..handlers.bounce_imap import IMAPMailbox
from ..handlers.console import visible
from ..net.oauth.current import current
from ..secret import Secret
from .bounce import tell
from .imap_session import IMAPSession
from .imap_session import Refused
from .piped import TEMPORARY_FAILURE

if t.TYPE_CHECKING:
    from ..app.account import Account

# If the app cannot be told of so many in a row, it is not the fault of a message.
_MOST_FAILURES = 10


def from_imap(using: str, recipient: str | None) -> int:
    """Read the unseen messages of an account's mailbox, and mark each as seen.

    :return: The exit code: 75 if a message is still unseen.
    :raises MailError: if the mailbox cannot be read, or a message cannot be marked.
    """
    account = registration().settings.account(using)
    mailbox = account.options.get("bounce_imap")
    if not isinstance(mailbox, IMAPMailbox):
        key = account.label("bounce_imap")
        raise ConfigurationError(
            f"{key} is not set: set it to the mailbox of the bounces, such as"
            " 'imaps://user:password@imap.example.com/INBOX'."
        )
    token = None if mailbox.password else _token(account, mailbox)
    failed = in_a_row = 0
    with IMAPSession(mailbox, token) as session:
        for uid in session.unseen():
            if _is_read(session, uid, recipient):
                in_a_row = 0
                continue
            failed, in_a_row = failed + 1, in_a_row + 1
            if in_a_row == _MOST_FAILURES:
                click.echo("The next messages are left for later.", err=True)
                break
    return TEMPORARY_FAILURE if failed else 0


def _is_read(session: IMAPSession, uid: bytes, recipient: str | None) -> bool:
    """Tell the app of a message, and mark it as seen, unless the app could not be told."""
    try:
        head = session.head(uid)
    except Refused as error:
        click.echo(visible(f"Error: message {uid.decode()}: {error}"), err=True)
        return False
    if head is None:
        return True
    try:
        tell(head, recipient)
    except Exception as error:
        text = f"Error: message {uid.decode()}: {type(error).__name__}: {error}"
        click.echo(f"{visible(text)} It stays unseen.", err=True)
        return False
    # If the server refuses this, it ends the run: it would refuse it for the next messages too, and
    # each run would tell the app of all of them.
    session.mark(uid)
    return True


def _token(account: Account, mailbox: IMAPMailbox) -> Secret:
    found = t.cast("Secret | Callable[[], str] | None", account.options.get("oauth_token"))
    if found is None:
        raise ConfigurationError(
            f"{mailbox.setting} has no password: write it like"
            " 'imaps://user:password@host/INBOX', or set MAIL_OAUTH_TOKEN."
        )
    return current(found, str(mailbox))
