"""Signals: one for each message. A receiver is called with the app, and by keyword with the
message as it was sent and its report. What a receiver raises is logged and changes nothing."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Mapping

from blinker import NamedSignal
from blinker import Namespace
from flask import Flask

from .log import logger

_signals = Namespace()

#: Somebody accepted the message: ``receiver(app, message=, report=)``.
message_sent: NamedSignal = _signals.signal("mail-message-sent")
#: Nobody accepted the message: ``receiver(app, message=, report=)``.
message_failed: NamedSignal = _signals.signal("mail-message-failed")
#: The message is in the queue: ``receiver(app, message=, ticket=)``.
message_queued: NamedSignal = _signals.signal("mail-message-queued")
#: The message was given up, for its time was over: ``receiver(app, message=, report=)``.
message_expired: NamedSignal = _signals.signal("mail-message-expired")


def announce(signal: NamedSignal, app: Flask, **facts: t.Any) -> None:
    """Call every receiver; a success must not become a failure because one of them raises."""
    for receiver in signal.receivers_for(app):
        try:
            receiver(app, **facts)
        except Exception:
            wrong = _wrong_arguments(receiver, app, facts)
            logger.exception("A receiver of the signal %s raised.%s", signal.name, wrong)


def _wrong_arguments(
    receiver: Callable[..., object], app: Flask, facts: Mapping[str, object]
) -> str:
    """What is wrong with a receiver that cannot be called as it was, such as one of Flask-Mail's
    ``email_dispatched``, which got no report."""
    import inspect  # only where something is wrong

    try:
        inspect.signature(receiver).bind(app, **facts)
    except TypeError:
        return f" It must take (app, {', '.join(facts)}, **more)."
    except ValueError:
        pass  # of a function in C nothing is known
    return ""
