"""What the user of a request may see and do on the pages of the queue."""

from __future__ import annotations

import dataclasses
import secrets
import typing as t
from collections.abc import Callable

from flask import session

from ...errors import ConfigurationError

if t.TYPE_CHECKING:
    from ..mailbox.store import Entry
    from ..mailbox.store import Store

_TOKEN = "mailhandler_queue_token"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rights:
    """What the user of a request may see and do. The functions are called in each request."""

    token: Callable[[], str]
    """Returns the token that a page needs to change anything."""
    may_change: Callable[[], bool]
    """Whether the user may send messages again and cancel them."""
    may_read: Callable[[], bool]
    """Whether the user may read the contents of messages."""
    purges: bool
    """Whether the page has the button that deletes finished messages."""
    seconds: int
    """After so many seconds, an open page looks for changes."""
    in_mailbox: Callable[[str], Entry | None] = lambda message_id: None
    """Finds a message in the mailbox by its Message-ID."""


def of_developer(mailbox: Store) -> Rights:
    """Return the rights of a developer, who may do everything.

    :param mailbox: The messages of the mailbox, whose token the pages use.
    """
    return Rights(
        token=mailbox.token,
        may_change=lambda: True,
        may_read=lambda: True,
        purges=True,
        seconds=2,
        in_mailbox=mailbox.of_message,
    )


def token_in_session() -> str:
    """Return the token in the session of the app's user, which is made by the first call.

    :raises ConfigurationError: if the app has no sessions.
    """
    found: object = session.get(_TOKEN)
    if isinstance(found, str) and found:
        return found
    try:
        session[_TOKEN] = made = secrets.token_hex(32)
    except RuntimeError:
        raise ConfigurationError(
            "The queue page keeps a token in the session of its user. Set SECRET_KEY, or pass no"
            " may_change= to mail.queue_page(), for a page without buttons."
        ) from None
    return made
