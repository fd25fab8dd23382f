"""How the pages, the commands and the jobs of a broker find the queue of the current app."""

from __future__ import annotations

import typing as t

from ..app.current import registration

if t.TYPE_CHECKING:
    from .mail_queue import MailQueue


def current_queue() -> MailQueue:
    """Return the queue of the current app.

    :raises RuntimeError: outside an app context, or if the app has no Mail.
    """
    from .build import queue_of

    return queue_of(registration())
