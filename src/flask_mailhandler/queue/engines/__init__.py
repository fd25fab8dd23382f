"""Who is told that mail waits.

==========  ================================  =====================================================
name        class                             who sends
==========  ================================  =====================================================
thread      :class:`.ThreadEngine`            a thread of this process, started when it is needed
none        :class:`.NoEngine`                ``flask mail worker``, which looks for itself
celery      :class:`.CeleryEngine`            workers of the app's Celery app
rq          :class:`.RQEngine`                workers of Flask-RQ
dramatiq    :class:`.DramatiqEngine`          workers of Dramatiq's global broker
==========  ================================  =====================================================
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
    """Find an engine by its name, its entry point, its place ``pkg.mod:Class``, or take the
    class itself.

    :raises ConfigurationError: if there is none, or it is no :class:`.Engine`.
    """
    return KIND.find(wanted, "MAIL_QUEUE_ENGINE", Engine)
