"""Errors for arguments that a method of Mail or of a Mailer does not take."""

from __future__ import annotations

import inspect
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from email.message import Message as MIMEMessage

from ..message.arguments import MessageFields
from ..message.other_names import LATER

# Other names of our arguments, mostly from task queues, and ours.
_OTHER_NAMES = {
    "account": "using",
    "connection": "using",
    "mailer": "using",
    "eta": "at",
    "when": "at",
    "scheduled_at": "at",
    "countdown": "delay",
    "wait": "delay",
    "ttl": "expires",
    "expires_in": "expires",
    "id": "key",
    "job_id": "key",
    "task_id": "key",
    "idempotency_key": "key",
    "db": "session",
    "processes": "connections",
    "threads": "connections",
    "workers": "connections",
}
FIELDS: frozenset[str] = MessageFields.__optional_keys__
"""The names of a message's fields."""


def check_not_async(function: object, decorator: str) -> None:
    """Check that a function can be called in the thread that sends.

    :raises TypeError: for a coroutine function.
    """
    called = t.cast(t.Any, type(function)).__call__  # of an object that is not a function
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called):
        name = getattr(function, "__qualname__", repr(function))
        raise TypeError(
            f"{decorator} takes an ordinary function, because it is called in the thread that"
            f" sends: write 'def' instead of 'async def' in {name}."
        )


def wrong_argument(
    method: Callable[..., object],
    wrong: Collection[str],
    *,
    attributes: Collection[str] = (),
    takes: Collection[str] = (),
) -> TypeError:
    """Return the error for keyword arguments that a method does not take.

    :param method: The method that the user called.
    :param attributes: The arguments that are attributes of the method's object.
    :param takes: The arguments of the method; by default, the keywords of its signature.
    """
    name, verb = min(wrong), method.__name__
    call = f"{verb}()"
    if attributes:
        call = f"{type(getattr(method, '__self__', None)).__name__}.{call}"
    takes = takes or sorted(_keywords(method))
    if name in attributes:
        return TypeError(
            f"{call} takes {name} from the attribute of the mailer: for another value, write"
            f" mail.{verb}(..., {name}=...)."
        )
    if ours := near(name, takes):
        return TypeError(f"{call} takes no {name}=: write {ours}=.")
    if name in LATER:
        later = verb.removesuffix("_async").replace("send", "send_later")
        return TypeError(f"{call} sends now: {name} is an argument of {later}().")
    if name in FIELDS:
        return TypeError(
            f"{call} takes a message, and {name} is one of its fields: write Message({name}=...),"
            f" or message.replace({name}=...)."
        )
    return TypeError(f"{call} takes no {name}=. Its arguments are {_listed(takes)}.")


def fields_of_a_text(
    method: Callable[..., object], names: Collection[str], message: object
) -> TypeError:
    """Return the error for fields that were passed with a message instead of a text."""
    ours = "Message.from_mime(message)" if isinstance(message, MIMEMessage) else "message"
    return TypeError(
        f"{method.__name__}() takes {', '.join(names)} only with a text; a message has its own:"
        f" write {ours}.replace({'=..., '.join(names)}=...)."
    )


def near(name: str, takes: Collection[str]) -> str | None:
    """Return the argument that was meant, or None."""
    import difflib  # only errors need it

    other = _OTHER_NAMES.get(name)
    if other in takes:
        return other
    close = difflib.get_close_matches(name, takes, 1, 0.75)
    return close[0] if close else None


def _keywords(method: Callable[..., object]) -> list[str]:
    parameters = inspect.signature(method).parameters.values()
    return [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]


def _listed(names: Collection[str]) -> str:
    *most, last = [f"{name}=" for name in names]
    return f"{', '.join(most)} and {last}" if most else last
