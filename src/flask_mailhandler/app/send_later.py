"""Sending later: the part of a :class:`.Mail` that puts messages into the queue."""

from __future__ import annotations

import datetime
import time
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator

from flask import Flask
from flask import request_started

from ..errors import MessageError
from ..handlers.prepare import AnyMessage
from ..handlers.prepare import Before
from ..handlers.prepare import several
from ..text.checks import shorten
from .no_sending import refuse
from .registration import Registration
from .settings import DEFAULT

if t.TYPE_CHECKING:
    from ..queue.mail_queue import MailQueue
    from ..queue.send_options import SendOptions
    from ..queue.send_options import Span
    from ..queue.ticket import Ticket

_M = t.TypeVar("_M", bound=AnyMessage)
# What no other program has to know of.
_OWN_ENGINES = ("thread", "none")


class SendsLater:
    """What a :class:`.Mail` can do with a queue, which is loaded when it is first used."""

    _before: list[Before]

    def _registration(self) -> Registration:
        raise NotImplementedError

    @property
    def queue(self) -> MailQueue:
        """The queue of the current app."""
        return _queue_of(self._registration())

    def send_later(
        self,
        message: AnyMessage,
        /,
        *,
        delay: Span | None = None,
        at: datetime.datetime | None = None,
        expires: Span | datetime.datetime | None = None,
        key: str | None = None,
        priority: str = "normal",
        using: str | None = None,
        session: t.Any = None,
    ) -> Ticket:
        """Put a message into the queue and return at once. When this returns the message is on
        the disk, and is sent even if this process is killed.

        It is completed, checked and rendered now, files that are attached are read, and what is
        sent later are these very octets, whatever has changed meanwhile. Its Date is the time at
        which it is due, unless you gave it one.

        :param delay: Seconds, or a ``timedelta``, from now until it is sent.
        :param at: When it is sent: a datetime with a time zone. Give only one of the two.
        :param expires: When to give it up, if it was not sent by then: seconds or a ``timedelta``
            from now, or a datetime with a time zone; ``MAIL_QUEUE_MAX_AGE`` after it is due at the
            latest.
        :param key: A name for this message. A second one with the same key and account is not
            queued: its ticket is that of the first, with ``created=False``.
        :param priority: ``"high"``, ``"normal"`` or ``"bulk"``: what is sent first of all that is
            due.
        :param using: The account of ``MAIL_ACCOUNTS`` to send by.
        :param session: A session of SQLAlchemy, for ``MAIL_QUEUE = "sqlalchemy"``: the message is
            queued when its transaction commits, and never if it is rolled back.
        :raises MessageError: if the message cannot be sent as it is, or an argument is wrong.
        :raises ConfigurationError: if *session* is given, and the queue is not in its database.
        :raises QueueError: if the queue cannot be used. The message is not in it.
        """
        refuse()
        mine = self._registration()
        wish = _wish(mine, delay, at, expires, key, priority, using)
        return _queue_of(mine).intake.add(message, wish, tuple(self._before), session)

    def send_later_each(
        self,
        messages: Iterable[_M],
        /,
        *,
        delay: Span | None = None,
        at: datetime.datetime | None = None,
        expires: Span | datetime.datetime | None = None,
        key: Callable[[_M], str | None] | None = None,
        priority: str = "bulk",
        using: str | None = None,
        session: t.Any = None,
    ) -> Iterator[Ticket]:
        """Put any number of messages into the queue, a hundred at a time, as :meth:`send_later`
        does with one.

        Nothing is queued until the result is iterated. A ticket comes when its message is on the
        disk, or, with *session*, in its transaction. One that cannot be sent as it is does not end
        the others: its ticket has an ``error``, and the number 0. What your generator raises, such
        as the MessageError of a wrong address, is raised when those before it are queued.

        :param key: Makes the key of each message, so that a list which is queued a second time, as
            after a crash, is not sent twice: ``key=lambda message: f"news:48:{message.to[0]}"``.
        :raises MessageError: if *key* is no function, or another argument is wrong.
        """
        refuse()
        if key is not None and not callable(key):
            raise MessageError(
                f"key= takes a function that makes the key of each message, not {shorten(key)}:"
                " write key=lambda message: f'news:48:{message.to[0]}'."
            )
        mine = self._registration()
        wish = _wish(mine, delay, at, expires, None, priority, using)
        checked = several(messages, "send_later_each")
        return _queue_of(mine).intake.add_each(checked, wish, tuple(self._before), key, session)


def look_after_queue(app: Flask, mine: Registration) -> None:
    """When the app has its first request in a process, have its engine look for mail that an
    earlier process has left behind. An engine with a broker is made now, so that the broker's
    workers, who register the app too, know its task."""

    def first(sender: Flask, **extra: object) -> None:
        request_started.disconnect(first, sender)  # not app: this function is not to keep it
        if not mine.sends_at_once:
            _queue_of(mine).wake()

    if mine.settings.queue.queue_engine not in _OWN_ENGINES:
        _ = _queue_of(mine).engine
    mine.edges["first request"] = first  # the signal holds it weakly
    request_started.connect(first, app)


def _queue_of(mine: Registration) -> MailQueue:
    from ..queue.build import queue_of

    return queue_of(mine)


def _wish(
    mine: Registration,
    delay: Span | None,
    at: datetime.datetime | None,
    expires: Span | datetime.datetime | None,
    key: str | None,
    priority: str,
    using: str | None,
) -> SendOptions:
    from ..queue.send_options import SendOptions

    account, queue = mine.settings.account(using or DEFAULT), _queue_of(mine)
    return SendOptions.of(
        delay=delay,
        at=at,
        expires=expires,
        key=key,
        priority=priority,
        account=account.name,
        max_age=mine.settings.queue.queue_max_age,
        now=time.time() if mine.sends_at_once else queue.store.now(),
        origin=queue.site.origin(account.name),
    )
