"""The pure parts of the queue: when to try again, how many at once, what a row becomes."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_mailhandler import About
from flask_mailhandler import Address
from flask_mailhandler import Outcome
from flask_mailhandler import State
from flask_mailhandler.queue import outcomes
from flask_mailhandler.queue import transition
from flask_mailhandler.queue.outcomes import Settled
from flask_mailhandler.queue.retry import backoff
from flask_mailhandler.queue.retry import next_step
from flask_mailhandler.queue.row import Row
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.shared_rate_limit import take
from flask_mailhandler.queue.unreadable import DamagedRowError

if t.TYPE_CHECKING:
    from flask_mailhandler.config import Limits
    from flask_mailhandler.queue.shared_rate_limit import Counters

NOW = 1_800_000_000.0
ANN, BOB = Address("ann@example.com"), Address("bob@example.com")


def recipients(*states: State | None) -> list[Settled]:
    """One recipient of each of these states."""
    return [Settled(Address(f"r{n}@example.com"), state) for n, state in enumerate(states)]


def row(**changes: t.Any) -> Row:
    """A row that a worker has claimed."""
    plain: dict[str, t.Any] = {
        "id": 1,
        "app": "shop",
        "account": "default",
        "message_id": "<1@example.com>",
        "due": NOW,
        "expires": NOW + 86400,
        "created": NOW,
        "changed": NOW,
        "state": RowState.CLAIMED,
        "attempts": 1,
        "lease_owner": "me",
        "lease_until": NOW + 60,
        "options": "{}",
        "recipients": "[]",
        "size": 1,
    }
    return Row(**(plain | changes))


def test_the_pauses_grow() -> None:
    """F-105, C-19: 15 s, doubled each time, at most an hour."""
    pauses = [backoff(attempts, share=0.0) for attempts in range(1, 11)]

    assert pauses == [15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


@given(st.integers(-5, 10_000))
def test_the_pauses_differ(attempts: int) -> None:
    """F-105: up to a quarter is taken off at random, so that messages which failed together are
    tried apart."""
    assert 0.75 * backoff(attempts, share=0.0) <= backoff(attempts) <= backoff(attempts, share=0.0)


A, D, R, U = State.ACCEPTED, State.DEFERRED, State.REFUSED, State.UNKNOWN


@pytest.mark.parametrize(
    ("states", "hold", "retry"),
    [
        ([A], "sent", "sent"),
        ([R], "failed", "failed"),
        ([A, R], "sent", "sent"),
        ([D], "waiting", "waiting"),
        ([None], "waiting", "waiting"),
        ([A, D], "waiting", "waiting"),
        ([U], "held", "waiting"),
        ([A, U], "held", "waiting"),
        ([R, U], "held", "waiting"),
        ([D, U], "waiting", "waiting"),
    ],
)
def test_what_comes_next(states: list[State | None], hold: str, retry: str) -> None:
    """Deferred recipients are tried again, refused ones never, unknown ones only if the app says
    so."""
    steps = [
        next_step(recipients(*states), 1, NOW, NOW + 1e6, retry_unknown=policy, share=0.0)
        for policy in (False, True)
    ]

    assert [str(step.state) for step in steps] == [hold, retry]
    assert all(step.due == NOW + 15 for step in steps if step.state is RowState.WAITING)


@pytest.mark.parametrize(
    ("states", "expected"), [([D], "expired"), ([A, D], "expired"), ([D, U], "held")]
)
def test_when_it_is_too_late(states: list[State | None], expected: str) -> None:
    """C-19: a message whose next attempt would come after its time is over expires at once."""
    step = next_step(recipients(*states), 1, NOW, NOW + 14, share=0.0)

    assert str(step.state) == expected


def test_no_session_costs_no_attempt() -> None:
    """Without a session the row waits as it was, except for recipients that are settled."""
    waits = transition.not_tried(row(), recipients(None, A), "why", NOW + 9, retry_unknown=False)
    done = transition.not_tried(row(), recipients(A, R), "why", NOW + 9, retry_unknown=False)

    assert (waits.state, waits.attempts, waits.due) == ("waiting", 0, NOW)
    assert (done.state, done.attempts) == ("sent", 1)


@pytest.mark.parametrize(
    ("announced", "policy", "state"),
    [
        ([], False, "waiting"),
        (["r0@example.com"], False, "held"),
        (["r0@example.com"], True, "waiting"),
        (["r1@example.com"], False, "waiting"),
    ],
)
def test_an_interrupted_attempt(announced: list[str], policy: bool, state: str) -> None:
    """F-100: recipients whose end of data was announced are unknown. Recipients that were settled
    before stay so, and the others have not got the message."""
    after = transition.interrupted(
        row(), recipients(D, A), announced, "killed", NOW, retry_unknown=policy
    )

    assert str(after.state) == state
    assert outcomes.from_json(after.recipients)[1].state is A


def test_who_stops_workers_has_to_wait() -> None:
    """A row whose worker was stopped is tried at once, but not again and again."""
    due = [
        transition.interrupted(
            row(attempts=attempts), recipients(None), [], "", NOW, retry_unknown=False, at_once=True
        ).due
        for attempts in (1, 5, 6)
    ]

    assert due[:2] == [NOW, NOW]
    assert due[2] > NOW + 300


def test_again() -> None:
    """A retry tries every recipient that was not accepted, as if for the first time."""
    after = transition.again(
        row(state=RowState.FAILED, attempts=9, expires=NOW - 1), recipients(A, R, U, D), NOW, 60.0
    )

    assert (after.state, after.attempts, after.expires) == ("waiting", 0, NOW + 60)
    found = [item.state for item in outcomes.from_json(after.recipients)]
    assert found == [A, None, None, None]


def test_merging() -> None:
    """The outcomes of an attempt replace earlier ones, and the order stays."""
    before = outcomes.waiting([ANN, BOB])
    found = outcomes.merged(before, [Outcome(BOB, D, 450, "4.2.0", "later")], announced=())

    assert outcomes.from_json(outcomes.to_json(found)) == found
    assert found == (Settled(ANN), Settled(BOB, D, 450, "4.2.0", "later", About.RECIPIENT))
    assert found[0].outcome == Outcome(ANN, D)


@pytest.mark.parametrize("text", ["", "{", "[1]", "[[]]", '[["x", null, null, null, ""]]', "null"])
def test_damaged_recipients(text: str) -> None:
    """Recipients that cannot be read make the row a damaged one, whatever is wrong."""
    with pytest.raises(DamagedRowError):
        outcomes.from_json(text)


@pytest.mark.parametrize("text", ["{", "1", "[1]", '{"a": 1}', '"a"'])
def test_a_damaged_note(text: str) -> None:
    """A record of the end of data that cannot be read makes the row a damaged one."""
    with pytest.raises(DamagedRowError):
        outcomes.note_from_json(text)


def test_a_row_shows_itself() -> None:
    """The repr of a row says which row it is and its state."""
    assert repr(row()) == "<Row 1 <1@example.com> via default: claimed>"
    assert {field.name for field in dataclasses.fields(Row)} >= {"key", "error", "ended"}


# The rate


@given(
    limits=st.lists(
        st.tuples(st.integers(1, 20), st.sampled_from([1.0, 60.0, 3600.0])),
        min_size=1,
        max_size=2,
        unique_by=lambda limit: limit[1],
    ).map(tuple),
    steps=st.lists(st.tuples(st.floats(0, 90, allow_nan=False), st.integers(1, 30)), max_size=40),
)
def test_no_stretch_holds_more(limits: Limits, steps: list[tuple[float, int]]) -> None:
    """No period of a limit ever holds more messages than the limit. A worker that waits as long as
    it is told gets some."""
    now, counters = NOW, t.cast("Counters", {})
    sent: list[float] = []
    for pause, wanted in steps:
        now += pause
        granted = take(counters, limits, now, wanted)
        counters = granted.counters
        sent += [now] * granted.number
        assert (granted.number > 0) == (granted.wait == 0.0)
        if not granted.number:
            assert take(counters, limits, now + granted.wait + 0.001, 1).number == 1

    for number, seconds in limits:
        over = [last - first for first, last in zip(sent, sent[number:], strict=False)]
        assert all(span >= seconds for span in over)


def test_a_clock_that_was_put_back() -> None:
    """F-104: messages that were counted by a clock that was ahead do not block the account until
    that time."""
    limits: Limits = ((1, 60.0),)
    ahead = take({}, limits, NOW + 7200, 1)

    assert take(ahead.counters, limits, NOW, 1).number == 1


def test_the_counters_stay_few() -> None:
    """A limit of a million a day needs as few counters as one of ten."""
    limits: Limits = ((1_000_000, 86400.0),)
    counters: Counters = {}
    for step in range(500):
        counters = take(counters, limits, NOW + step * 600, 20).counters

    assert len(counters["1000000/86400"]) <= 61
