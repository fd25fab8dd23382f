"""Queue messages: each becomes a row on the disk, and then the engine is told.

::

    message ── prepare ── make_row ─┬─ Store.add ──────────▶ message_queued, Engine.ring
                                    └─ Joined.add, COMMIT ─▶ message_queued, Engine.ring

In a test there is no queue: the message goes into the outbox at once.
"""

from __future__ import annotations

import functools
import typing as t
import weakref
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from email.message import Message as MIMEMessage

from ..errors import MessageError
from ..handlers.base import EmailHandler
from ..handlers.memory import MemoryEmailHandler
from ..handlers.prepare import Prepared
from ..message.given import AnyMessage
from ..message.given import Before
from ..message.message import Message
from ..signals import announce
from ..signals import message_queued
from .new_row import make_row
from .new_row import NewRow
from .new_row import prepare
from .row import RowState
from .send_options import SendOptions
from .ticket import Ticket

if t.TYPE_CHECKING:
    from .components import Components
    from .stores.base import Joined

_Name: t.TypeAlias = tuple[str, str]
"""An account and a key."""
# The most messages and octets in one transaction.
_MESSAGES = 100
_OCTETS = 4_000_000


class Intake:
    """Queues the mail of one app."""

    def __init__(self, components: Components) -> None:
        self._components = components
        self._app_access = components.app_access
        # The Message-ID of each key that was sent at once by a handler without an outbox.
        self._sent = weakref.WeakKeyDictionary[EmailHandler, dict[_Name, str]]()

    def add(
        self,
        message: AnyMessage,
        wanted: SendOptions,
        before: Sequence[Before],
        session: t.Any = None,
    ) -> Ticket:
        """Queue one message: see :meth:`.Mail.send_later`."""
        joined = self._join(session)
        if self._app_access.sends_at_once:
            return self._send_at_once(message, wanted, before, joined)
        return self._keep([self._accept(message, wanted, before)], joined)[0]

    def add_each(
        self,
        messages: Iterable[AnyMessage],
        wanted: SendOptions,
        before: Sequence[Before],
        key: Callable[[t.Any], str | None] | None = None,
        session: t.Any = None,
    ) -> Iterator[Ticket]:
        """Queue messages in few transactions: see :meth:`.Mail.send_later_each`."""
        joined = self._join(session)
        taken: list[NewRow | Ticket] = []
        failure: list[Exception] = []
        for message in _up_to(messages, failure):
            own = wanted
            try:
                own = wanted if key is None else wanted.with_key(key(message))
                if self._app_access.sends_at_once:
                    yield self._send_at_once(message, own, before, joined)
                    continue
                taken.append(self._accept(message, own, before))
            except MessageError as error:
                taken.append(Ticket(0, _message_id(message), created=False, error=error))
            if self._app_access.sends_at_once or _full(taken):
                yield from self._keep_each(taken, joined)
                taken = []
        yield from self._keep_each(taken, joined)
        if failure:
            raise failure[0]

    def _keep_each(
        self, taken: Sequence[NewRow | Ticket], joined: Joined | None
    ) -> Iterator[Ticket]:
        """Store the accepted messages. Yield the tickets of all, in their order."""
        tickets = iter(self._keep([one for one in taken if isinstance(one, NewRow)], joined))
        for one in taken:
            yield one if isinstance(one, Ticket) else next(tickets)

    def _join(self, session: t.Any) -> Joined | None:
        return None if session is None else self._components.store.join(session)

    def _accept(self, message: AnyMessage, wanted: SendOptions, before: Sequence[Before]) -> NewRow:
        prepared = prepare(self._app_access.handler(wanted.account), message, wanted, before)
        accepted = make_row(
            prepared, wanted, self._app_access.app.name, self._app_access.settings.queue_max_size
        )
        self._components.store.check(accepted.row)
        return accepted

    def _keep(self, accepted: Sequence[NewRow], joined: Joined | None) -> list[Ticket]:
        if not accepted:
            return []
        self._components.engine.check()
        tickets = (joined or self._components.store).add(
            [(item.row, item.content) for item in accepted]
        )
        waiting = [
            (ticket, item)
            for ticket, item in zip(tickets, accepted, strict=True)
            if ticket.created and item.row.state is RowState.WAITING
        ]
        if joined is None:
            self._tell(waiting)
        else:
            for pair in waiting:
                joined.at_commit(functools.partial(self._tell, [pair]), pair[0].message_id)
        return tickets

    def _tell(self, waiting: Sequence[tuple[Ticket, NewRow]]) -> None:
        """Tell the app and the engine that messages wait, after they were committed."""
        for ticket, item in waiting:
            message = item.prepared.message
            announce(message_queued, self._app_access.app, message=message, ticket=ticket)
        if waiting:  # all of one account
            first = min((item.row for _, item in waiting), key=lambda row: row.due)
            self._components.ring(first.account, first.due)

    def _send_at_once(
        self,
        message: AnyMessage,
        wanted: SendOptions,
        before: Sequence[Before],
        joined: Joined | None,
    ) -> Ticket:
        """In a test, send with the handler for tests, as if the message were due."""
        handler = self._app_access.handler(wanted.account)
        name = (wanted.account, wanted.key) if wanted.key else None
        if name and (found := self._sent.get(handler, {}).get(name)):
            return Ticket(_number(handler), found, created=False)
        if isinstance(handler, MemoryEmailHandler):
            for number, captured in enumerate(handler.outbox, 1):
                if wanted.key and (captured.using, captured.key) == (wanted.account, wanted.key):
                    return Ticket(number, captured.message_id, created=False)
            handler = handler.queuing(wanted.key or "", wanted.account)
        if joined and name and (found := joined.promised(name)):
            return Ticket(_number(handler), found, created=False)
        prepared = prepare(handler, message, wanted, before)
        # A message that the queue would refuse fails in a test too.
        make_row(
            prepared, wanted, self._app_access.app.name, self._app_access.settings.queue_max_size
        )
        if (screen := self._app_access.screen) is not None:
            (prepared,) = screen([prepared])
        if joined is None:
            return self._land(handler, prepared, wanted.account, name)
        land = functools.partial(self._land, handler, prepared, wanted.account, name)
        joined.at_commit(land, prepared.message_id, name)
        return Ticket(_number(handler) + 1, prepared.message_id)

    def _land(
        self, handler: EmailHandler, prepared: Prepared, account: str, name: _Name | None
    ) -> Ticket:
        (report,) = handler.dispatch([prepared], self._app_access.observe)
        if name and not isinstance(handler, MemoryEmailHandler):
            self._sent.setdefault(handler, {})[name] = report.message_id
        ticket = Ticket(_number(handler), report.message_id)
        if report.outcomes:
            announce(message_queued, self._app_access.app, message=report.message, ticket=ticket)
        self._app_access.tell(report, account)
        return ticket


def _up_to(messages: Iterable[AnyMessage], failure: list[Exception]) -> Iterator[AnyMessage]:
    """Yield messages until their iterator fails, and keep the error.

    The messages before the error are queued first.
    """
    try:
        yield from messages
    except Exception as error:
        failure.append(error)


def _full(taken: Sequence[NewRow | Ticket]) -> bool:
    octets = sum(one.row.size for one in taken if isinstance(one, NewRow))
    return len(taken) == _MESSAGES or octets > _OCTETS


def _message_id(message: object) -> str:
    """Return the Message-ID of a message that could not be queued, if it has one."""
    if isinstance(message, MIMEMessage):
        return str(message["Message-ID"] or "")
    return (message.message_id or "") if isinstance(message, Message) else ""


def _number(handler: EmailHandler) -> int:
    return len(handler.outbox) if isinstance(handler, MemoryEmailHandler) else 1
