"""The contract of an engine: it rings the bell, and knows nothing of mail."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..mail_queue import MailQueue


class Engine:
    """Tells somebody, somewhere, that mail waits: who is told sends what is due, in an app of the
    same configuration. If a ring is lost or comes twice no mail is: the row is the queue.

    It is made when the app is registered, so that processes of a broker's workers know its task;
    what it needs of the app may not be there yet.

    :param queue: Of the app.
    """

    def __init__(self, queue: MailQueue) -> None:
        self.queue: MailQueue = queue

    def check(self) -> None:
        """Find out, before mail is taken in, whether there is somebody to tell.

        :raises ConfigurationError: if not, saying what to write.
        """

    def ring(self, account: str, due: float) -> None:
        """Tell that mail waits. It is in the store. What this raises is logged.

        :param account: By which it is sent.
        :param due: When the first of it is due, in seconds since 1970 by :meth:`.Store.now`.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement ring().")

    def wake(self) -> None:
        """The app has begun to work in this process: there may be rows of an earlier one."""

    def close(self) -> None:
        """Let go of what is held in this process. It may be used again."""
