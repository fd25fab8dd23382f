"""The engine "rq": the workers of Flask-RQ."""

from __future__ import annotations

import typing as t

from ...errors import ConfigurationError
from ..current import current_queue
from .broker import BrokerEngine
from .broker import EXPIRES


class RQEngine(BrokerEngine):
    """Tells the queue ``"mail"`` of Flask-RQ, or ``"default"`` if there is no such queue."""

    stay: float = float("inf")  # each job has a process of its own

    def check(self) -> None:
        if "rq" not in self.queue.app.extensions:
            raise ConfigurationError(
                "MAIL_QUEUE_ENGINE = 'rq' needs Flask-RQ: pip install 'Flask-MailHandler[rq]', and"
                " write RQ(app)."
            )

    def tell(self, account: str) -> None:
        with self.queue.app_access.app_context():
            queues = self.queue.app.extensions["rq"].queues
            queue = queues["mail" if "mail" in queues else "default"]
            queue.enqueue(
                send,
                account,
                job_timeout=int(self.time_limit),
                ttl=EXPIRES,
                result_ttl=0,
                failure_ttl=EXPIRES,
            )


def send(account: str) -> None:
    """Send due mail. A worker runs this job in a context of the app."""
    queue = current_queue()
    try:
        t.cast(RQEngine, queue.engine).answer(account)
    finally:
        # RQ ends the process of a job with os._exit(), so no thread of an SDK exports later.
        queue.app_access.flush()
