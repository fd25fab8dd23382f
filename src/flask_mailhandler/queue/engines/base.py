"""The contract of an engine: it rings the bell, and knows nothing about mail."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..mail_queue import MailQueue


class Engine:
    """Tells a worker that mail waits.

    The worker sends all due mail, in an app with the same configuration. If a ring is lost or comes
    twice, no message is: the row is the queue. ::

        class LogEngine(Engine):
            def ring(self, account, due):
                print("mail of the account", account, "waits")

    It is made when the app is registered, so that the processes of a broker's workers know its
    task. Other extensions may not be registered on the app yet.

    :param queue: The :class:`.MailQueue` of the app.
    """

    def __init__(self, queue: MailQueue) -> None:
        self.queue: MailQueue = queue

    def check(self) -> None:
        """Check, before a message is queued, that the engine can tell a worker.

        :raises ConfigurationError: if it cannot, saying what to write.
        """

    def ring(self, account: str, due: float) -> None:
        """Tell a worker that mail waits.

        It is in the store already. If this raises, the error is logged.

        :param account: The account of the mail.
        :param due: When the first message is due, in seconds since 1970 by :meth:`.Store.now`.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement ring().")

    def wake(self) -> None:
        """Look for mail that an earlier process has left. Called when the app handles a request."""

    def drain(self) -> None:
        """Send due mail for a while, because the server stops. An engine without a thread that
        sends has nothing to do."""

    def close(self) -> None:
        """Release the resources of this process. The engine may be used again."""
