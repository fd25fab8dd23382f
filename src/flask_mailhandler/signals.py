"""Signals: one for each message that is sent, and one for each event that is heard of it later.

A receiver is called with the app and with keyword arguments. An error in a receiver is logged and
changes nothing.
"""

from __future__ import annotations

import types
import typing as t
from collections.abc import Callable
from collections.abc import Mapping

from blinker import NamedSignal
from blinker import Namespace

from .log import logger

if t.TYPE_CHECKING:
    from flask.sansio.app import App

_signals = Namespace()

#: The message was accepted for at least one recipient: ``receiver(app, message=, report=)``.
message_sent: NamedSignal = _signals.signal("mail-message-sent")
#: The message was accepted for no recipient: ``receiver(app, message=, report=)``.
message_failed: NamedSignal = _signals.signal("mail-message-failed")
#: The message was put into the queue: ``receiver(app, message=, ticket=)``.
message_queued: NamedSignal = _signals.signal("mail-message-queued")
#: The message expired before it was sent: ``receiver(app, message=, report=)``.
message_expired: NamedSignal = _signals.signal("mail-message-expired")
#: A notification says what became of a message: ``receiver(app, event=)``, for each event.
message_event: NamedSignal = _signals.signal("mail-message-event")
#: A message bounced: ``receiver(app, event=)``. :data:`message_event` is sent too.
message_bounced: NamedSignal = _signals.signal("mail-message-bounced")
#: A recipient reported a message as spam: ``receiver(app, event=)``.
message_complained: NamedSignal = _signals.signal("mail-message-complained")
#: A recipient asked for no more mail of this kind: ``receiver(app, event=)``.
message_unsubscribed: NamedSignal = _signals.signal("mail-message-unsubscribed")


def is_heard(signal: NamedSignal, app: App) -> bool:
    """Whether :func:`announce` would call a receiver: one of this app or of every app, which still
    exists. ``has_receivers_for`` also counts receivers that are gone."""
    return next(signal.receivers_for(app), None) is not None


def announce(signal: NamedSignal, app: App, **facts: t.Any) -> None:
    """Call every receiver. An error in one of them must not turn a success into a failure."""
    for receiver in signal.receivers_for(app):
        try:
            refuse_coroutine(receiver(app, **facts))
        except Exception:
            wrong = _wrong_arguments(receiver, app, facts)
            logger.exception("A receiver of the signal %s raised an error.%s", signal.name, wrong)


def refuse_coroutine(answer: object) -> None:
    """Check what a function of the app has returned.

    :raises TypeError: for the coroutine of an ``async`` function.
    """
    if isinstance(answer, types.CoroutineType):
        answer.close()
        raise TypeError(
            "It is called in the thread that sends, which cannot await it: write 'def' instead of"
            " 'async def'."
        )


def _wrong_arguments(receiver: Callable[..., object], app: App, facts: Mapping[str, object]) -> str:
    """Say which arguments a receiver must take, if it does not take these.

    One that was written for Flask-Mail's ``email_dispatched`` takes no report.
    """
    import inspect  # only after an error

    try:
        inspect.signature(receiver).bind(app, **facts)
    except TypeError:
        return f" It must take (app, {', '.join(facts)}, **more)."
    except ValueError:
        pass  # the signature of a function in C is not known
    return ""
