"""The engine "dramatiq": the workers of Dramatiq's global broker."""

from __future__ import annotations

import typing as t
import weakref

import dramatiq

from ...errors import ConfigurationError
from .broker import BrokerEngine
from .broker import EXPIRES
from .broker import TASK

if t.TYPE_CHECKING:
    from ..mail_queue import MailQueue


class DramatiqEngine(BrokerEngine):
    """Tells the broker that ``dramatiq.set_broker()`` has set before the app is created."""

    def __init__(self, queue: MailQueue) -> None:
        super().__init__(queue)
        broker = dramatiq.get_broker()
        name = f"{TASK}.{queue.app.name}"
        broker.actors.pop(name, None)  # of an earlier app in this process
        # Which options a broker knows depends on its middleware.
        wanted: dict[str, t.Any] = {"max_retries": 0, "time_limit": int(self.time_limit * 1000)}
        known = {key: value for key, value in wanted.items() if key in broker.actor_options}
        self._actor = dramatiq.actor(actor_name=name, broker=broker, **known)(self.answer)
        broker.add_middleware(_Boot(self))

    def check(self) -> None:
        if self._actor.broker is not dramatiq.get_broker():
            raise ConfigurationError(
                "MAIL_QUEUE_ENGINE = 'dramatiq' uses the broker that is set when the app is made:"
                " call dramatiq.set_broker() before Mail(app) or mail.init_app(app)."
            )

    def tell(self, account: str) -> None:
        self._actor.send_with_options(args=(account,), max_age=EXPIRES * 1000)


class _Boot(dramatiq.Middleware):
    """Starts the engine's lookout in the processes of the workers, and ends it with them."""

    def __init__(self, engine: DramatiqEngine) -> None:
        self._engine = weakref.ref(engine)

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        if engine := self._engine():
            engine.boot()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        if engine := self._engine():
            engine.stop()
