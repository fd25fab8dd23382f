"""FAULTS R1, R3: whatever workers and people do with a queue, in any order and with clocks that
disagree, no recipient gets a message twice, and none is forgotten. Hypothesis makes up the steps.
For more of them::

    pytest tests/queue/test_queue_machine.py --hypothesis-profile=thorough --timeout=0
"""

from __future__ import annotations

import collections
import dataclasses
import json
import typing as t

import pytest
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import rule
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import run_state_machine_as_test

from clocks import Skewed
from clocks import Time
from flask_mailhandler import Message
from flask_mailhandler.address import Address
from flask_mailhandler.phase import State
from flask_mailhandler.queue import outcomes
from flask_mailhandler.queue import transition
from flask_mailhandler.queue.lease import LEASE
from flask_mailhandler.queue.lease import Lease
from flask_mailhandler.queue.row import FINISHED
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.sending.account_sender import names
from flask_mailhandler.queue.sending.recovery import recover
from flask_mailhandler.queue.stores.base import Filter
from flask_mailhandler.report import Outcome
from queueing import Shop

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask_mailhandler.queue.row import Row
    from storing import Place

# Many examples, which are the same on every version of Python.
pytestmark = pytest.mark.slow

AHEAD = (0.0, 0.0, 300.0, 600.0)
"""Seconds by which the clocks of the workers are ahead."""
OPEN_STATES = (None, State.DEFERRED)
TAKEN = {State.ACCEPTED, State.UNKNOWN}
"""What may be said of what a server has taken."""
MANY = 1000
# What a worker does, the more often the more often it stands here.
DEEDS = (
    *(["claim"] * 3 + ["give"] * 3 + ["settle"] * 2 + ["pass_by"] * 3 + ["release"] * 2),
    *("recover", "die", "renew", "watch"),
)


@dataclasses.dataclass
class InHand:
    """A row that a worker has claimed, and how far the worker is with it."""

    row: Row
    owner: str
    known: tuple[outcomes.Settled, ...]
    left: list[Address]
    announced: list[str] = dataclasses.field(default_factory=list)
    found: list[Outcome] = dataclasses.field(default_factory=list)


class Sender:
    """A worker that goes on step by step."""

    def __init__(self, here: Shop) -> None:
        self.shop = here
        self.store = here.queue.store
        self.names = names(self.store.new_owner())
        self.hand: list[InHand] = []

    def claim(self, limit: int) -> None:
        """Claim due rows."""
        now = self.store.now()
        lease = Lease(self.names(), now + LEASE)
        for row in self.store.claim("default", lease, now, limit):
            known = outcomes.from_json(row.recipients)
            left = [one.recipient for one in known if one.state in OPEN_STATES]
            self.hand.append(InHand(row, lease.owner, known, left))

    def settle(self, one: InHand) -> bool:
        """Store the result of a row."""
        self.hand.remove(one)
        known = outcomes.merged(one.known, one.found, announced=())
        now = self.store.now()
        after = transition.tried(one.row, known, "", now, retry_unknown=False)
        return self.store.settle(after, one.owner, drop=after.state is RowState.SENT)


def number_of_workers() -> st.SearchStrategy[int]:
    return st.integers(0, len(AHEAD) - 1)


class Queue(RuleBasedStateMachine):
    """A queue, its workers, and a server that records what it accepts."""

    def __init__(self, shops: list[Shop], since: Time) -> None:
        super().__init__()
        self.since = since
        self.senders = [Sender(one) for one in shops]
        self.any = shops[0]
        self.added: dict[int, tuple[str, ...]] = {}
        self.taken: collections.Counter[tuple[int, str]] = collections.Counter()
        self.refused: set[tuple[int, str]] = set()
        # Unknown recipients that a person has retried.
        self.risked: set[tuple[int, str]] = set()
        self._begin()

    def _begin(self) -> None:
        """Remove what an earlier run has left."""
        self.since.passed = 0.0
        store, now = self.any.queue.store, self.any.queue.store.now()
        ids = [row.id for row in self.rows()]
        store.alter(ids, [*RowState], lambda row: transition.cancelled(row, now))
        self.any.queue.purge()

    # What people do

    @initialize()
    def begin(self) -> None:
        self.add(2, "normal")

    @rule(recipients=st.integers(1, 3), priority=st.sampled_from(["high", "normal", "bulk"]))
    def add(self, recipients: int, priority: str) -> None:
        to = tuple(f"r{number}@example.com" for number in range(recipients))
        ticket = self.any.mail.send_later(
            Message(subject="s", text="t", to=list(to)), priority=priority
        )
        self.added[ticket.id] = to

    @rule(who=number_of_workers(), deed=st.sampled_from(["retry", "cancel"]), data=st.data())
    def press(self, who: int, deed: str, data: st.DataObject) -> None:
        getattr(self, f"_{deed}")(who, data)

    def _retry(self, who: int, data: st.DataObject) -> None:
        rows = self._some(data)
        for row in rows:
            if row.state not in (RowState.CLAIMED, RowState.SENT, RowState.WAITING):
                for one in outcomes.from_json(row.recipients):
                    if one.state is State.UNKNOWN:
                        self.risked.add((row.id, str.__str__(one.recipient)))
        self.senders[who].shop.queue.retry([row.id for row in rows])

    def _cancel(self, who: int, data: st.DataObject) -> None:
        self.senders[who].shop.queue.cancel([row.id for row in self._some(data)])

    @rule(who=number_of_workers())
    def purge(self, who: int) -> None:
        before = {row.id: row.state for row in self.rows()}
        self.senders[who].shop.queue.purge()
        gone = {*before} - {row.id for row in self.rows()}
        assert gone == {number for number, state in before.items() if state in FINISHED}
        for number in gone:
            del self.added[number]

    def _some(self, data: st.DataObject) -> list[Row]:
        rows = self.rows()
        # Most often all rows, as the button of the page does.
        some = st.lists(st.sampled_from(rows), unique_by=id) if rows else st.just([])
        return data.draw(st.one_of(st.just(rows), some))

    # What workers do

    @rule(who=number_of_workers(), deed=st.sampled_from(DEEDS), data=st.data())
    def work(self, who: int, deed: str, data: st.DataObject) -> None:
        """Take one step of a worker."""
        sender = self.senders[who]
        if deed in ("give", "settle", "die"):
            sender = next((one for one in (sender, *self.senders) if one.hand), sender)
            if sender.hand:
                one = data.draw(st.sampled_from(range(len(sender.hand))))
                getattr(self, f"_{deed}")(sender, sender.hand[one], data)
            return
        getattr(self, f"_{deed}")(sender, data)

    def _claim(self, sender: Sender, data: st.DataObject) -> None:
        sender.claim(data.draw(st.integers(1, 3)))

    def _give(self, sender: Sender, one: InHand, data: st.DataObject) -> None:
        """Announce the end of data for some recipients, and send it."""
        if one.left:
            number = data.draw(st.integers(1, len(one.left)))
            fates = data.draw(st.lists(st.sampled_from(State), min_size=number, max_size=number))
            self._give_to(sender, one, fates)

    def _give_to(self, sender: Sender, one: InHand, fates: list[State]) -> None:
        now, one.left = one.left[: len(fates)], one.left[len(fates) :]
        announced = [*one.announced, *map(str.__str__, now)]
        if not sender.store.announce(one.row.id, one.owner, json.dumps(announced)):
            sender.hand.remove(one)
            return
        one.announced = announced
        for recipient, fate in zip(now, fates, strict=True):
            self._take(one.row.id, str.__str__(recipient), fate)
            one.found.append(Outcome(recipient, fate))

    def _take(self, row_id: int, to: str, fate: State) -> None:
        who = (row_id, to)
        assert not self.taken[who] or who in self.risked, f"{to} of {row_id} is sent to again."
        if fate in TAKEN:
            self.taken[who] += 1
            self.risked.discard(who)
        if fate is State.REFUSED:
            self.refused.add(who)

    def _settle(self, sender: Sender, one: InHand, data: st.DataObject) -> None:
        sender.settle(one)

    def _die(self, sender: Sender, one: InHand, data: st.DataObject) -> None:
        sender.hand.remove(one)

    def _renew(self, sender: Sender, data: st.DataObject) -> None:
        for owner in {one.owner for one in sender.hand}:
            sender.store.renew(Lease(owner, sender.store.now() + LEASE))

    def _release(self, sender: Sender, data: st.DataObject) -> None:
        """The claimed rows are given back, but the worker goes on, because its server was only
        slow."""
        for one in sender.hand:
            sender.store.release([one.row.id], one.owner)

    def _recover(self, sender: Sender, data: st.DataObject) -> None:
        recover(sender.shop.queue.store, retry_unknown=sender.shop.queue.app_access.retry_unknown)

    def _watch(self, sender: Sender, data: st.DataObject) -> None:
        sender.shop.queue.worker().upkeep.watch_clock()

    def _pass_by(self, sender: Sender, data: st.DataObject) -> None:
        """Another worker of this machine recovers rows of the dead, and sends all due mail."""
        self._send_all(sender, data.draw(st.lists(st.sampled_from(State), min_size=3, max_size=3)))

    def _send_all(self, sender: Sender, fates: list[State]) -> None:
        recover(sender.shop.queue.store, retry_unknown=sender.shop.queue.app_access.retry_unknown)
        passing = Sender(sender.shop)
        passing.claim(20)
        for one in [*passing.hand]:
            self._give_to(passing, one, fates[: len(one.left)])
            if one in passing.hand:
                passing.settle(one)

    @rule(seconds=st.sampled_from([LEASE + 1, 4000.0]))
    def wait(self, seconds: float) -> None:
        self.since.passed += seconds

    # What holds

    def rows(self) -> list[Row]:
        """All rows, in the order of their numbers."""
        return sorted(self.any.queue.store.rows(Filter(), MANY), key=lambda row: row.id)

    @invariant()
    def none_is_forgotten(self) -> None:
        rows = self.rows()
        assert [row.id for row in rows] == sorted(self.added)
        for row in rows:
            known = outcomes.from_json(row.recipients)
            assert tuple(str.__str__(one.recipient) for one in known) == self.added[row.id]
            for one in known:
                who = (row.id, str.__str__(one.recipient))
                assert one.state is not State.ACCEPTED or self.taken[who]
                assert one.state is not State.REFUSED or who in self.refused
                assert one.state in (State.ACCEPTED, State.REFUSED) or row.state not in (
                    RowState.SENT,
                    RowState.FAILED,
                )

    def teardown(self) -> None:
        """A healthy worker comes and sends the rest."""
        for _ in range(MANY):
            self.since.passed += 4000.0
            self._send_all(self.senders[0], [State.ACCEPTED] * 3)
            if not {row.state for row in self.rows()} & {RowState.WAITING, RowState.CLAIMED}:
                break
        self.none_is_forgotten()
        assert {row.state for row in self.rows()} <= {*FINISHED, RowState.HELD}


@pytest.fixture
def shops(place: Place, tmp_path: Path) -> Iterator[tuple[list[Shop], Time]]:
    """The workers' shops, whose clocks disagree, and the time that passes for all of them."""
    since = Time()
    made = [Shop(tmp_path, None, MAIL_QUEUE=place.named, **_KEYS) for _ in AHEAD]
    for one, ahead in zip(made, AHEAD, strict=True):
        store: t.Any = Skewed(one.queue.store, since, ahead)
        one.queue.components._made["store"] = store
    with made[0].app.app_context():
        yield made, since
    for one in made:
        one.queue.close()


# Nobody sends by it, and the messages of an app that sends nothing are not for any worker.
_KEYS = {"MAIL_URL": "smtp://127.0.0.1:9", "MAIL_QUEUE_MAX_AGE": 86400.0}


@pytest.mark.usefixtures("untraced")
def test_machine(shops: tuple[list[Shop], Time]) -> None:
    """The promises hold whatever happens, in any order, with every store."""
    run_state_machine_as_test(
        t.cast("t.Any", lambda: Queue(*shops)),
        settings=settings(
            max_examples=settings().max_examples // 2,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
