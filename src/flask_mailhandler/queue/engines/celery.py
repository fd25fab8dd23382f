"""The engine "celery": the workers of the app's Celery app."""

from __future__ import annotations

import typing as t

from celery import shared_task
from celery.signals import worker_process_init
from celery.signals import worker_process_shutdown

from ...app.framework import current_app_object
from ...errors import ConfigurationError
from ..current import current_queue
from .broker import BrokerEngine
from .broker import EXPIRES
from .broker import TASK

if t.TYPE_CHECKING:
    from ..mail_queue import MailQueue


class CeleryEngine(BrokerEngine):
    """Tells the Celery app in ``app.extensions["celery"]``, as Flask's documentation sets it up."""

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
        # One try without a retry: with retries, a broker that is down would cost seconds.
        self.queue.app.extensions["celery"].tasks[TASK].apply_async(
            (account,),
            expires=EXPIRES,
            # The app's own time limits may be too short for a slow server.
            time_limit=self.time_limit,
            soft_time_limit=self.time_limit - 30,
            retry_policy={"max_retries": 0},
        )

    def _begin(self, **extra: object) -> None:
        """Start the lookout in a new process of a worker."""
        self.boot()

    def _end(self, **extra: object) -> None:
        """End the worker of a process, which runs no hooks of atexit."""
        self.stop()


def _send(account: str) -> None:
    if current_app_object() is None:
        raise ConfigurationError(
            "The Celery app runs its tasks without an app context: give it the FlaskTask of Flask's"
            " page 'Background Tasks with Celery'."
        )
    engine = t.cast(CeleryEngine, current_queue().engine)
    engine.boot()  # not every pool of workers starts processes
    engine.answer(account)


# For every Celery app, in whatever order they are created.
shared_task(_send, name=TASK, ignore_result=True)
