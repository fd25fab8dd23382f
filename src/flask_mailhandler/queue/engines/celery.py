"""The engine "celery": workers of the app's Celery app."""

from __future__ import annotations

import typing as t

from celery import shared_task
from celery.signals import worker_process_init
from celery.signals import worker_process_shutdown
from flask import has_app_context

from ...app.current import registration
from ...errors import ConfigurationError
from ..build import queue_of
from .broker import BrokerEngine
from .broker import EXPIRES
from .broker import TASK

if t.TYPE_CHECKING:
    from ..mail_queue import MailQueue


class CeleryEngine(BrokerEngine):
    """Tells the Celery app ``app.extensions["celery"]``, as Flask's documentation has it."""

    def __init__(self, queue: MailQueue) -> None:
        super().__init__(queue)
        worker_process_init.connect(self._begin)  # holds it weakly
        worker_process_shutdown.connect(self._end)

    def check(self) -> None:
        if "celery" not in self.queue.app.extensions:
            raise ConfigurationError(
                "MAIL_QUEUE_ENGINE = 'celery' needs the Celery app in app.extensions['celery']:"
                " call celery_init_app(app) of Flask's page 'Background Tasks with Celery'."
            )

    def tell(self, account: str) -> None:
        # One try, at once: without max_retries a broker that is gone costs seconds.
        self.queue.app.extensions["celery"].tasks[TASK].apply_async(
            (account,),
            expires=EXPIRES,
            # The app's own limits may be shorter than a server is slow.
            time_limit=self.time_limit,
            soft_time_limit=self.time_limit - 30,
            retry_policy={"max_retries": 0},
        )

    def _begin(self, **extra: object) -> None:
        """A process of a worker has begun."""
        self.boot()

    def _end(self, **extra: object) -> None:
        """A process of a worker ends, and no hook of atexit runs in it."""
        self.stop()


def _send(account: str) -> None:
    if not has_app_context():
        raise ConfigurationError(
            "The Celery app runs its tasks without an app context: give it the FlaskTask of Flask's"
            " page 'Background Tasks with Celery'."
        )
    engine = t.cast(CeleryEngine, queue_of(registration()).engine)
    engine.boot()  # not every pool of workers has processes
    engine.answer(account)


# Of every Celery app, whichever is made first.
shared_task(_send, name=TASK, ignore_result=True)
