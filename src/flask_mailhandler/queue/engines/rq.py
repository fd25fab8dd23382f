"""The engine "rq": workers of Flask-RQ."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from ...current import current_mail
from ...errors import ConfigurationError
from .broker import BrokerEngine
from .broker import EXPIRES
from .broker import TIME_LIMIT


class RQEngine(BrokerEngine):
    """Tells the queue ``"mail"`` of Flask-RQ, or ``"default"`` where there is none."""

    def check(self) -> None:
        if "rq" not in self.queue.app.extensions:
            raise ConfigurationError(
                "MAIL_QUEUE_ENGINE = 'rq' needs Flask-RQ: pip install 'Flask-MailHandler[rq]', and"
                " write RQ(app)."
            )

    def tell(self, ids: Sequence[int], delay: float) -> None:
        if delay:
            return  # RQ holds nothing back unless a scheduler runs. It is found by a look.
        with self.queue.app_context():
            queues = self.queue.app.extensions["rq"].queues
            queue = queues["mail" if "mail" in queues else "default"]
            queue.enqueue(
                send,
                [*ids],
                job_timeout=TIME_LIMIT,
                ttl=EXPIRES,
                result_ttl=0,
                failure_ttl=EXPIRES,
            )


def send(ids: list[int]) -> None:
    """What a worker runs, in a context of the app."""
    t.cast(RQEngine, current_mail.queue.engine).answer(ids)
