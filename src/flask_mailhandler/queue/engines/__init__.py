"""Engines: they tell a worker that mail waits.

==========  ================================  =====================================================
name        class                             which worker sends
==========  ================================  =====================================================
thread      :class:`.ThreadEngine`            a thread of this process, started when it is needed
none        :class:`.NoEngine`                ``flask mail worker``, which looks by itself
celery      :class:`.CeleryEngine`            workers of the app's Celery app
rq          :class:`.RQEngine`                workers of Flask-RQ
dramatiq    :class:`.DramatiqEngine`          workers of Dramatiq's global broker
==========  ================================  =====================================================

::

    base          Engine: what an engine implements
    thread, none  the engines without a broker
    broker        BrokerEngine: tells a broker, and sends when a job hears it
    celery, rq, dramatiq
    lookout       the thread that tells the broker, and finds mail of which no job has heard
    background    the base of both threads: start, stop, the end of the process
"""

from __future__ import annotations

from ...config.named_class import Kind
from .base import Engine

KIND = Kind(
    "engine",
    {
        "thread": "flask_mailhandler.queue.engines.thread:ThreadEngine",
        "none": "flask_mailhandler.queue.engines.none:NoEngine",
        "celery": "flask_mailhandler.queue.engines.celery:CeleryEngine",
        "rq": "flask_mailhandler.queue.engines.rq:RQEngine",
        "dramatiq": "flask_mailhandler.queue.engines.dramatiq:DramatiqEngine",
    },
    "flask_mailhandler.engines",
    "The URL of a broker belongs in the settings of Celery, Flask-RQ or Dramatiq.",
)


def find(wanted: object) -> type[Engine]:
    """Return an engine class by its name, its entry point, or its path ``pkg.mod:Class``.

    A class is returned as it is.

    :raises ConfigurationError: if it is not found, or is not an :class:`.Engine`.
    """
    return KIND.find(wanted, "MAIL_QUEUE_ENGINE", Engine)
