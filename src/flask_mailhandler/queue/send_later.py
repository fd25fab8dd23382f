"""How a :class:`.Mail` sends later: the methods that put messages into the queue."""

from __future__ import annotations

import datetime
import functools
import time
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from ..app.current import AT_SHUTDOWN
from ..app.current import living
from ..app.no_sending import refuse
from ..app.registrations import MailBase
from ..errors import MessageError
from ..message.given import AnyMessage
from ..message.given import several
from ..text.checks import shorten

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..app.registration import Registration
    from ..events.event import Event
    from .events.suppressions import Suppressions
    from .mail_queue import MailQueue
    from .send_options import SendOptions
    from .send_options import Span
    from .ticket import Ticket

_M = t.TypeVar("_M", bound="AnyMessage")
# These engines need no other program.
_OWN_ENGINES = ("thread", "none")


class LaterSender(MailBase):
    """Puts messages into the queue, which is loaded when it is first used."""

    @property
    def queue(self) -> MailQueue:
        """The queue of the current app: its messages and its state.

        ::

            print(mail.queue.stats().counts)

        It is created when it is first used.
        """
        return _queue_of(self._registration())

    @property
    def suppressions(self) -> Suppressions:
        """The addresses that get no more mail from the current app.

        ::

            mail.suppressions.add("ann@example.org", reason="asked by phone")

        :raises ConfigurationError: if :data:`MAIL_SUPPRESSIONS` is not set.
        """
        from .events.suppressions import suppressions_of  # few apps have it

        return suppressions_of(self._registration())

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
        **wrong: t.Never,
    ) -> Ticket:
        """Put a message into the queue and return at once.

        When this method returns, the message is on disk, and is sent even if this process is
        killed. ::

            ticket = mail.send_later(message, key=f"invoice:{invoice.id}", delay=60)

        The message is completed, checked and rendered now, and attached files are read now. These
        octets are what is sent later, whatever changes meanwhile. Its Date is the time at which it
        is due, unless you set one.

        :param delay: Seconds, or a ``timedelta``, from now until the message is due.
        :param at: When the message is due: a datetime with a time zone. Give only one of the two.
        :param expires: When to give up a message that was not sent: seconds or a ``timedelta``
            from now, or a datetime with a time zone; at the latest ``MAIL_QUEUE_MAX_AGE`` after
            it is due.
        :param key: A name for this message. A second message with the same key and account is not
            queued: its ticket is the one of the first, with ``created=False``.
        :param priority: ``"high"``, ``"normal"`` or ``"bulk"``: which of the due messages are sent
            first.
        :param using: The account of ``MAIL_ACCOUNTS`` to send with.
        :param session: A session of SQLAlchemy, for ``MAIL_QUEUE = "sqlalchemy"``: the message is
            queued when its transaction commits, and never if it is rolled back.
        :raises MessageError: if the message cannot be sent as it is, or an argument is wrong.
        :raises ConfigurationError: if *session* is given, and the queue is not in its database.
        :raises QueueError: if the queue cannot be used. The message is not in it.
        """
        if wrong:
            from ..app.wrong_arguments import wrong_argument

            raise wrong_argument(self.send_later, wrong)
        refuse()
        mine = self._registration()
        queue = _queue_of(mine)
        wanted = options_of_call(mine, queue, delay, at, expires, key, priority, using)
        return queue.intake.add(message, wanted, mine.before, session)

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
        **wrong: t.Never,
    ) -> Iterator[Ticket]:
        """Put any number of messages into the queue, as :meth:`send_later` does with one.

        A transaction holds up to a hundred of them. ::

            for ticket in mail.send_later_each(newsletter(), using="bulk"):
                ...

        Nothing is queued until you iterate over the result. A ticket is yielded when its message is
        on disk, or, with *session*, in its transaction. A message that cannot be sent as it is does
        not stop the others: its ticket has an ``error`` and the number 0. If your generator raises,
        for instance a MessageError for a wrong address, the messages before it are queued first.

        :param key: Returns the key of each message, so that a list that is queued twice, for
            instance after a crash, is not sent twice:
            ``key=lambda message: f"news:48:{message.to[0]}"``.
        :raises MessageError: if *key* is not a function, or another argument is wrong.
        """
        if wrong:
            from ..app.wrong_arguments import wrong_argument

            raise wrong_argument(self.send_later_each, wrong)
        refuse()
        if key is not None and not callable(key):
            raise MessageError(
                f"key= takes a function that returns the key of each message, not {shorten(key)}:"
                " write key=lambda message: f'news:48:{message.to[0]}'."
            )
        mine = self._registration()
        queue = _queue_of(mine)
        wanted = options_of_call(mine, queue, delay, at, expires, None, priority, using)
        checked = several(messages, "send_later_each")
        return queue.intake.add_each(checked, wanted, mine.before, key, session)


def start_with_requests(app: App, mine: Registration) -> None:
    """Make the engine look for mail of other processes when the app handles a request.

    The first request for which the queue exists does it. The queue's file is created with the first
    message, and another process may be the one that queues it.

    An engine with a broker is created now, so that the broker's workers, which register the app
    too, know its task.
    """

    def start() -> bool:
        if mine.sends_at_once:
            return False
        queue = _queue_of(mine)
        if queue.store.begun:
            queue.wake()
        return queue.store.begun

    def end() -> None:
        if AT_SHUTDOWN in mine.edges:
            for desk in living(mine.edges[AT_SHUTDOWN]):
                desk.drain()  # it may queue mail
        if "queue" in mine.edges:
            _queue_of(mine).engine.drain()

    if mine.settings.queue.queue_engine not in _OWN_ENGINES:
        _ = _queue_of(mine).engine
    mine.framework.at_requests(app, start)
    mine.framework.at_shutdown(app, end)
    mine.keep_events = _keep_events
    if mine.telemetry is not None:
        from .figures import Figures  # few apps have it

        mine.telemetry.sums.queue = Figures(functools.partial(_queue_of, mine))
    if mine.settings.queue.suppressions:
        from .events.screening import Screen  # few apps have it

        mine.screen = Screen(mine)


def _keep_events(
    mine: Registration, events: Sequence[Event], tell: Callable[[Event], None]
) -> list[Event]:
    from .events.handling import keep_events  # few processes hear of events

    return keep_events(mine, events, tell)


def _queue_of(mine: Registration) -> MailQueue:
    from .build import queue_of

    return queue_of(mine)


def options_of_call(
    mine: Registration,
    queue: MailQueue,
    delay: Span | None,
    at: datetime.datetime | None,
    expires: Span | datetime.datetime | None,
    key: str | None,
    priority: str,
    using: str | None,
) -> SendOptions:
    """Read the arguments of ``send_later`` that say how and when.

    :raises MessageError: if one is wrong.
    """
    from ..app.account import DEFAULT  # loaded with the first app
    from .send_options import SendOptions

    account = mine.settings.account(using or DEFAULT)
    return SendOptions.of(
        delay=delay,
        at=at,
        expires=expires,
        key=key,
        priority=priority,
        account=account.name,
        max_age=mine.settings.queue.queue_max_age,
        now=time.time() if mine.sends_at_once else queue.store.now(),
        origin=queue.app_access.origin(account.name),
        trace={} if mine.telemetry is None else mine.telemetry.carried(),
    )
