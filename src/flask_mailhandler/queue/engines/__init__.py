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

from ...errors import ConfigurationError
from .base import Engine

BUILT_IN = {
    "thread": "flask_mailhandler.queue.engines.thread:ThreadEngine",
    "none": "flask_mailhandler.queue.engines.none:NoEngine",
    "celery": "flask_mailhandler.queue.engines.celery:CeleryEngine",
    "rq": "flask_mailhandler.queue.engines.rq:RQEngine",
    "dramatiq": "flask_mailhandler.queue.engines.dramatiq:DramatiqEngine",
}
ENTRY_POINTS = "flask_mailhandler.engines"


def find(wanted: object) -> type[Engine]:
    """Find an engine by its name, its entry point, its place ``pkg.mod:Class``, or take the
    class itself.

    :raises ConfigurationError: if there is none, or it is no :class:`.Engine`.
    """
    found: object = wanted
    if isinstance(wanted, str):
        place = BUILT_IN.get(wanted, wanted)
        found = _load(place) if ":" in place else _entry_point(wanted)
    if not isinstance(found, type) or not issubclass(found, Engine):
        raise ConfigurationError(
            f"MAIL_QUEUE_ENGINE must be one of {', '.join(map(repr, BUILT_IN))}, the name of an"
            f" installed engine, 'package.module:Class', or a class derived from Engine, not"
            f" {found!r}."
        )
    return found


def _load(place: str) -> object:
    import importlib

    module, _, attribute = place.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        name = next((name for name, built_in in BUILT_IN.items() if built_in == place), "")
        what_to_do = f" Write pip install 'Flask-MailHandler[{name}]'." if name else ""
        raise ConfigurationError(
            f"MAIL_QUEUE_ENGINE = {name or place!r} cannot be imported: {error}.{what_to_do}"
        ) from error


def _entry_point(wanted: str) -> object:
    from importlib.metadata import entry_points

    for entry in entry_points(group=ENTRY_POINTS, name=wanted):
        return _load(entry.value)
    raise ConfigurationError(
        f"MAIL_QUEUE_ENGINE = {wanted!r} is no engine. There are {', '.join(map(repr, BUILT_IN))};"
        f" others are installed with an entry point {ENTRY_POINTS!r}, or written"
        " 'package.module:Class'."
    )
