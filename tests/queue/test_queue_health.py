"""``mail.queue.health()``: what it finds, in each store, and how long it takes."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest

from flask_mailhandler.queue.health.judge import Judge
from flask_mailhandler.queue.health.options import Bounds
from flask_mailhandler.queue.health.result import QueueFinding
from flask_mailhandler.queue.health.result import QueueHealth
from flask_mailhandler.queue.lease import Lease
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.stores.base import Filter
from flask_mailhandler.queue.stores.base import Pause
from flask_mailhandler.queue.stores.health_facts import AccountFacts
from flask_mailhandler.queue.stores.health_facts import Claimed
from flask_mailhandler.queue.stores.health_facts import HealthFacts
from queueing import alter
from storing import add
from storing import NOW
from storing import row

if t.TYPE_CHECKING:
    from flask_mailhandler.queue.stores.base import Store
    from storing import Place

pytestmark = pytest.mark.slow

_NO_LIMIT: dict[str, t.Any] = {}


def account(*due: float, **changes: t.Any) -> AccountFacts:
    """An account whose mail became due so many seconds ago; one time for each priority."""
    times = {priority: NOW - ago for priority, ago in enumerate(due)}
    return AccountFacts(**{"name": "default", "due": times, **changes})


def bulk(ago: float) -> AccountFacts:
    """An account with bulk mail only."""
    return account(due={2: NOW - ago})


def claimed(left: float, owner: str = "run.machine:ns:4711:17.x") -> Claimed:
    """Claimed rows whose lease ends in so many seconds."""
    return Claimed(owner=owner, number=3, until=NOW + left)


def spent(number: int = 1, ago: float = 0.0) -> str:
    """The counters of a limit of one message in an hour, after so many messages."""
    return json.dumps({"1/3600": {str(int((NOW - ago) * 60 / 3600)): number}})


def found(
    *accounts: AccountFacts,
    engine: str = "none",
    limits: dict[str, t.Any] = _NO_LIMIT,
    **facts: t.Any,
) -> list[QueueFinding]:
    """What a health check finds."""
    told = HealthFacts(now=NOW, accounts=accounts, **facts)
    dead = {"machine:ns:666:17"}
    judge = Judge(
        facts=told, bounds=Bounds(), limits=limits, engine=engine, dead=lambda mark: mark in dead
    )
    return judge.findings()


def names(findings: t.Iterable[QueueFinding]) -> list[str]:
    """The names and the severities."""
    return [f"{one.severity} {one.name}" for one in findings]


STALLED = ["error no-worker", "error mail-late"]
LIMIT = {"default": [(1, 3600.0)]}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # No mail is due, so nothing says whether a worker is alive.
        ({}, []),
        ({"accounts": [account()]}, []),
        ({"accounts": [account(-600.0)]}, []),
        # Mail is due.
        ({"accounts": [account(119.0)]}, []),
        ({"accounts": [account(121.0)]}, ["error no-worker"]),
        ({"accounts": [account(301.0)]}, STALLED),
        ({"accounts": [account(1e9)]}, STALLED),
        # A worker is alive: it has claimed rows, or written a result since.
        ({"accounts": [account(200.0)], "claimed": [claimed(30)]}, []),
        ({"accounts": [account(200.0)], "changed": {RowState.SENT: NOW - 100}}, []),
        ({"accounts": [account(200.0)], "changed": {RowState.HELD: NOW - 100}}, []),
        (
            {"accounts": [account(200.0)], "changed": {RowState.SENT: NOW - 121}},
            ["error no-worker"],
        ),
        # A clock that is ahead has written a result in the future.
        ({"accounts": [account(200.0)], "changed": {RowState.SENT: NOW + 50}}, []),
        # It is alive, and does not keep up.
        ({"accounts": [account(301.0)], "claimed": [claimed(30)]}, ["error mail-late"]),
        ({"accounts": [bulk(9e3)], "claimed": [claimed(30)]}, ["warning mail-late"]),
        ({"accounts": [bulk(9e3)]}, STALLED),
        # It has ended. For a while another worker may take over.
        ({"claimed": [claimed(30, "run.machine:ns:666:17.x")]}, ["warning dead-worker"]),
        ({"claimed": [claimed(-29)]}, ["warning dead-worker"]),
        ({"claimed": [claimed(-31)]}, ["error dead-worker"]),
        ({"claimed": [claimed(121)]}, ["warning dead-worker"]),
        ({"claimed": [claimed(-31, "")]}, ["error dead-worker"]),
        ({"claimed": [claimed(-1), claimed(-2)]}, ["warning dead-worker"]),
        (
            {"claimed": [claimed(-1), claimed(-40), claimed(-90)]},
            ["error dead-worker", "warning dead-worker"],
        ),
        (
            {"accounts": [account(121.0)], "claimed": [claimed(-1)]},
            ["error no-worker", "warning dead-worker"],
        ),
        # It must not send.
        (
            {"accounts": [account(200.0, paused_until=NOW + 60, why="550 no")]},
            ["warning account-paused"],
        ),
        (
            {"accounts": [account(400.0, paused_until=NOW + 60, why="550 no")]},
            ["error mail-late", "warning account-paused"],
        ),
        ({"accounts": [account(200.0, paused_until=NOW - 119)]}, []),
        ({"accounts": [account(200.0, paused_until=NOW - 121)]}, ["error no-worker"]),
        ({"accounts": [account(200.0, rate=spent())], "limits": LIMIT}, []),
        ({"accounts": [account(400.0, rate=spent())], "limits": LIMIT}, ["warning mail-late"]),
        ({"accounts": [account(400.0, rate=spent(ago=9e3))], "limits": LIMIT}, STALLED),
        ({"accounts": [account(400.0, rate=spent(0))], "limits": LIMIT}, STALLED),
        ({"accounts": [account(400.0, rate="{")], "limits": LIMIT}, STALLED),
        ({"accounts": [account(400.0, rate="[]")], "limits": LIMIT}, STALLED),
        ({"accounts": [account(400.0, rate='{"1/3600": 7}')], "limits": LIMIT}, STALLED),
        ({"accounts": [account(400.0, rate='{"1/3600": {"x": 1}}')], "limits": LIMIT}, STALLED),
        # What a person must look at.
        ({"strangers": ["old"]}, ["warning account-unknown"]),
        ({"recent": {RowState.HELD: 1}}, ["warning mail-held"]),
        ({"recent": {RowState.FAILED: 6, RowState.EXPIRED: 4}}, []),
        ({"recent": {RowState.FAILED: 6, RowState.EXPIRED: 5}}, ["warning mail-failed"]),
        ({"recent": {RowState.SENT: 1000}}, []),
        ({"ahead": 59.0}, []),
        ({"ahead": 61.0}, ["warning clocks-apart"]),
        ({"ahead": -61.0}, ["warning clocks-apart"]),
        ({"lacking": ["mail_queue_event"]}, ["warning wrong-tables"]),
    ],
)
def test_findings(told: dict[str, t.Any], expected: list[str]) -> None:
    """Mail that no worker sends, or too late, is an error; what mends itself, or only a person can
    mend, is a warning."""
    assert names(found(*told.pop("accounts", ()), **told)) == expected


@pytest.mark.parametrize(
    ("engine", "rung", "words"),
    [
        ("none", 0.0, ["Run 'flask mail worker'."]),
        ("thread", 0.0, ["start the web server", "'flask mail worker'"]),
        ("celery", 0.0, ["celery --app", "was not told"]),
        ("celery", NOW - 60, ["celery --app", "no worker has answered"]),
        ("rq", 0.0, ["flask rq worker"]),
        ("dramatiq", NOW - 60, ["dramatiq MODULE", "no worker has answered"]),
        ("own.engine:Engine", 0.0, ["the workers of the engine"]),
    ],
)
def test_which_program_to_start(engine: str, rung: float, words: list[str]) -> None:
    """The text says which program to start for the engine, and whether a broker knows of the
    mail."""
    (finding, _) = found(account(720.0, rung_until=rung), engine=engine)

    assert finding.text.startswith(
        "Mail of the account 'default' waits, and for 12 min no worker has sent any."
    )
    assert all(word in finding.text for word in words)
    assert finding.account == "default"


def test_several_accounts_without_a_worker() -> None:
    """One finding names up to three accounts without a worker."""
    accounts = [account(200.0, name=name) for name in ("a", "b", "c", "d")]
    (finding,) = found(*accounts)

    assert "the accounts 'a', 'b', 'c' and 1 more" in finding.text
    assert finding.account is None


def test_result() -> None:
    """A result is a frozen value with a status, and turns into JSON."""
    warning = QueueFinding("mail-held", "warning", "1 message was held.")
    health = QueueHealth(findings=(warning,), store="queue.sqlite", engine="none", age=0.0)
    bad = dataclasses.replace(health, findings=(warning, QueueFinding("no-worker", "error", "x")))

    assert (health.status, health.ok) == ("degraded", True)
    assert (bad.status, bad.ok) == ("unhealthy", False)
    assert str(bad) == "unhealthy: mail-held, no-worker"
    assert str(dataclasses.replace(health, findings=())) == "healthy"
    with pytest.raises(dataclasses.FrozenInstanceError):
        health.store = "another"  # type: ignore[misc]
    assert json.loads(json.dumps(health.as_json())) == {
        "status": "degraded",
        "ok": True,
        "findings": [
            {
                "name": "mail-held",
                "severity": "warning",
                "text": "1 message was held.",
                "account": None,
            }
        ],
        "store": "queue.sqlite",
        "engine": "none",
        "age": 0.0,
        "claimed": None,
        "clock": None,
    }


# In a store


def test_facts_of_a_store(place: Place) -> None:
    """Each store tells the same: what is due, claimed, finished and paused, of this app only."""
    store = place.store()
    now = store.now()
    add(
        store,
        row(due=now - 5, created=now, changed=now),
        row(due=now - 9, priority=2, created=now, changed=now),
        row(due=now - 7, account="old", created=now, changed=now),
        row(due=now - 7, account="older", created=now, changed=now),
        row(due=now - 20, account="news", created=now, changed=now),
    )
    add(store, *(row(due=now - 8, account="done") for _ in range(3)))
    finish(store, "done", RowState.FAILED, now - 10, now - 4000)
    finish(store, "done", RowState.HELD, now - 30)
    store.claim("news", Lease("run.mark.x", now + 60), now, 20)
    store.alter_pause("default", lambda before: Pause(now + 99, 1, "550 no"))
    store.ring("default", now, now + 9)
    add(place.store("other"), row(app="other", account="strange", due=now - 999))

    facts = store.health_facts(["default", "news"], 3600.0)

    assert facts is not None
    assert abs(facts.now - now) < 60
    assert abs(facts.ahead) < 60
    assert facts.accounts == [
        AccountFacts(
            name="default",
            due={1: now - 5, 2: now - 9},
            paused_until=now + 99,
            pauses=1,
            why="550 no",
            rung_until=now + 9,
        ),
        AccountFacts(name="news", due={}),
    ]
    assert facts.strangers == ["old", "older"]
    assert facts.claimed == [Claimed(owner="run.mark.x", number=1, until=now + 60)]
    assert facts.changed == {RowState.FAILED: now - 10, RowState.HELD: now - 30}
    assert facts.recent == {
        RowState.SENT: 0,
        RowState.FAILED: 1,
        RowState.HELD: 1,
        RowState.EXPIRED: 0,
    }
    assert list(facts.lacking) == []


def test_a_clock_that_was_wrong(place: Place) -> None:
    """A result that was written a day ahead of time does not hide when a worker was alive last."""
    store = place.store()
    now = store.now()
    sent = [row(state=RowState.SENT, changed=now + ahead) for ahead in (86_400, -500, 86_401)]
    add(store, *sent, row(state=RowState.HELD, changed=now + 86_400))

    facts = store.health_facts(["default"], 60.0)

    assert facts is not None
    assert facts.changed == {RowState.SENT: now - 500}


def finish(store: Store, name: str, state: RowState, *changed: float) -> None:
    """Finish the first waiting rows of an account, at these times."""
    for moment in changed:
        first = store.rows(Filter([RowState.WAITING], name), 1)[0]
        alter(store, first, [RowState.WAITING], state=state, changed=moment)


def test_many_rows_are_counted_up_to_a_limit(place: Place) -> None:
    """A list of a thousand failed messages is not counted to its end."""
    store = place.store()
    now = store.now()
    failed = [row(state=RowState.FAILED, changed=now - 1, message_id=f"<{n}>") for n in range(1010)]
    add(store, *failed)

    facts = store.health_facts(["default"], 60.0)

    assert facts is not None
    assert facts.recent[RowState.FAILED] == 1000
