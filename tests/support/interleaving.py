"""Interrupt a user of a store between any two steps, and check the two promises that hold whatever
happens then."""

from __future__ import annotations

import collections
import re
import threading
import typing as t

from flask_mailhandler import Message
from flask_mailhandler.phase import State
from flask_mailhandler.queue.outcomes import from_json
from flask_mailhandler.queue.row import RowState
from queueing import Shop

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence
    from pathlib import Path

    from flask_mailhandler.queue.row import Row
    from sending import Scripted
    from servers import ScriptedServer
    from servers.connection import Connection

OPEN = (RowState.WAITING, RowState.CLAIMED)


class Moment:
    """Calls a function once: before the n-th step that this thread takes.

    :param number: The number of the step, from 0. There may be fewer steps.
    """

    def __init__(self, number: int, action: Callable[[], object]) -> None:
        self._left = number
        self._action = action
        self._thread = threading.get_ident()
        self.over = False
        """Whether the function was called."""

    def step(self) -> None:
        """Count a step, before it is taken."""
        if self.over or threading.get_ident() != self._thread:
            return
        if self._left:
            self._left -= 1
            return
        self.over = True
        self._action()


class Between:
    """A store that reports each call before it is made."""

    def __init__(self, store: object) -> None:
        self._store = store
        self.moment: Moment | None = None

    def __getattr__(self, name: str) -> t.Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def call(*args: t.Any, **options: t.Any) -> t.Any:
            if self.moment is not None:
                self.moment.step()
            return found(*args, **options)

        return call

    def __str__(self) -> str:
        return str(self._store)


def deferring() -> dict[str, t.Any]:
    """Return the actions of a server that defers each ``later...`` recipient once, and refuses each
    ``never...`` recipient."""
    known: set[str] = set()

    def greylist(line: str, connection: Connection) -> str:
        if line in known:
            return "250 2.1.5 ok"
        known.add(line)
        return "450 4.2.0 greylisted"

    return {"RCPT TO:<later": greylist, "RCPT TO:<never": "550 5.1.1 no such user"}


class Post:
    """Two shops with one queue: *there* interrupts what *here* does.

    Each message has a recipient that is accepted at once, and one that is deferred once.
    """

    def __init__(
        self, folder: Path, scripted: Scripted, named: str, theirs: str | None = None, **keys: t.Any
    ) -> None:
        self.server: ScriptedServer = scripted(on=deferring())
        self.here = Shop(folder, self.server, MAIL_QUEUE=named, **keys)
        self.there = Shop(folder, self.server, MAIL_QUEUE=theirs or named, **keys)
        self._names = 0

    def add(self, messages: int = 2) -> list[int]:
        """Queue more messages, and return their numbers."""
        added = []
        with self.there.app.app_context():
            for _ in range(messages):
                self._names += 1
                to = [f"now{self._names}@example.com", f"later{self._names}@example.com"]
                message = Message(subject="s", text="t", to=to)
                added.append(self.there.mail.send_later(message).id)
        return added

    def work(self) -> None:
        """Send everything, and then the deferred recipients, as if they had become due."""
        self.here.queue.run_once()
        self.there.all_later()
        self.here.queue.run_once()

    def drain(self) -> None:
        """Send the rest, as a healthy worker does later."""
        for _ in range(6):
            self.there.forget_workers()
            self.there.all_later()
            self.there.queue.run_once()
            if not {row.state for row in self.there.rows}.intersection(OPEN):
                return
        raise AssertionError(f"Some mail is not sent: {self.there.rows}")

    def taken(self) -> collections.Counter[str]:
        """Return how often the server has accepted a message for each recipient."""
        return collections.Counter(
            to for accepted in self.server.accepted for to in accepted.recipients
        )

    def check(self, added: Sequence[int], *, stops: bool = False, unsure: bool = False) -> None:
        """Check that no recipient got a message twice, and none is forgotten.

        :param stops: Whether a person may have cancelled messages.
        :param unsure: Whether a worker may have died, so that messages may be held.
        """
        taken = self.taken()
        twice = {to: times for to, times in taken.items() if times > 1}
        assert not twice, twice
        rows = {row.id: row for row in self.there.rows}
        allowed = {RowState.SENT}
        allowed |= {RowState.CANCELLED} if stops else set()
        allowed |= {RowState.HELD} if unsure else set()
        for number in added:
            if number in rows:  # purged rows are finished; their recipients are checked below
                assert rows[number].state in allowed, rows[number]
                _check_row(rows[number], taken)
        if not (stops or unsure):
            everybody = {f"{who}{n}@example.com" for n in self._last(added) for who in _WHO}
            assert everybody <= {*taken}, everybody - {*taken}

    def _last(self, added: Sequence[int]) -> range:
        return range(self._names - len(added) + 1, self._names + 1)

    def close(self) -> None:
        """Close both."""
        self.here.queue.close()
        self.there.queue.close()


_WHO = ("now", "later")


def _check_row(row: Row, taken: collections.Counter[str]) -> None:
    """Check that a row tells the truth about its recipients."""
    for one in from_json(row.recipients):
        to = str.__str__(one.recipient)
        if one.state is State.ACCEPTED:
            assert taken[to] == 1, row
        elif one.state is not State.UNKNOWN:
            assert taken[to] == 0, row
            assert row.state is not RowState.SENT or re.match("never", to), row
