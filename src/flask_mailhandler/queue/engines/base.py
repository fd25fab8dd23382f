"""The contract of an engine: it rings the bell, and knows nothing of mail."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

if t.TYPE_CHECKING:
    from ..mail_queue import MailQueue


class Engine:
    """Tells somebody, somewhere, that mail waits: who is told calls
    :meth:`.MailQueue.run_these` with the numbers, in an app of the same configuration. If a ring
    is lost or comes twice no mail is: the row is the queue.

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

    def ring(self, ids: Sequence[int], due: float) -> None:
        """Tell that rows wait. They are in the store. What this raises is logged.

        :param ids: Their numbers.
        :param due: When they are due, in seconds since 1970.
        """
        raise NotImplementedError(f"{type(self).__name__} does not write ring().")

    def wake(self) -> None:
        """The app has begun to work in this process: there may be rows of an earlier one."""

    def close(self) -> None:
        """Let go of what is held in this process. It may be used again."""
