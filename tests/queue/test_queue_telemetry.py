"""MAIL_TELEMETRY and the queue: a worker's spans, their links, and the figures of the queue."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from opentelemetry.trace import SpanKind

from flask_mailhandler.app.current import registration_of
from flask_mailhandler.queue.row import RowState
from observing import Observed
from queueing import alter
from queueing import shop
from sending import letter
from sending import Scripted
from servers.actions import DROP
from storing import add
from storing import lease
from storing import NOW
from storing import row

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storing import Place


@pytest.fixture
def observed() -> Iterator[Observed]:
    made = Observed()
    yield made
    made.close()


def test_the_request_is_linked(tmp_path: Path, scripted: Scripted, place: Place) -> None:
    """The span that queued a message is linked from the spans of the worker that sends it, which
    may be in another process after a restart. The message itself does not carry it."""
    server = scripted()
    requests, worker = Observed(), Observed()
    with shop(tmp_path, server, MAIL_QUEUE=place.named, MAIL_TELEMETRY=requests.key) as here:
        tracer = requests.tracer_provider.get_tracer("test")
        for name in ("one", "two"):
            with tracer.start_as_current_span(name):
                here.mail.send_later(letter())
        here.mail.send_later(letter())
    with shop(tmp_path, server, MAIL_QUEUE=place.named, MAIL_TELEMETRY=worker.key) as there:
        assert there.queue.run_once() == 3

    one, two = (requests.one(name).get_span_context() for name in ("one", "two"))
    assert one is not None
    assert two is not None
    batch, sent = worker.one("process default"), worker.named("send default")
    assert batch.kind is SpanKind.CONSUMER
    assert [link.context.trace_id for link in batch.links] == [one.trace_id, two.trace_id]
    assert [[link.context.span_id for link in span.links] for span in sent] == [
        [one.span_id],
        [two.span_id],
        [],
    ]
    assert worker.children(batch) == sent
    assert (batch.attributes or {})["messaging.batch.message_count"] == 3
    for message in server.accepted:
        octets = message.content.lower()
        assert b"trace" not in octets
        assert f"{one.trace_id:032x}".encode() not in octets
    requests.close()
    worker.close()


@pytest.mark.parametrize(
    "trace",
    [
        {"traceparent": "00-00000000000000000000000000000000-0000000000000000-00"},
        {"traceparent": "nonsense"},
        {"traceparent": ["00"]},
        {"traceparent": "00-" + "f" * 4000},
        ["traceparent"],
        17,
        None,
    ],
)
def test_a_damaged_link(
    tmp_path: Path, scripted: Scripted, observed: Observed, trace: object
) -> None:
    """A row whose stored span cannot be read is sent all the same, without a link."""
    server = scripted()
    with shop(tmp_path, server, MAIL_TELEMETRY=observed.key) as here:
        here.mail.send_later(letter())
        options = {**json.loads(here.rows[0].options), "trace": trace}
        alter(here.queue.store, here.rows[0], [RowState.WAITING], options=json.dumps(options))
        here.queue.run_once()

    assert len(server.accepted) == 1
    assert observed.one("send default").links == ()


def test_rows_of_others(tmp_path: Path, scripted: Scripted, observed: Observed) -> None:
    """A message that was queued without telemetry is sent with it, and the other way round."""
    server = scripted()
    with shop(tmp_path, server) as off:
        off.mail.send_later(letter())
        assert "trace" not in off.rows[0].options
    tracer = observed.tracer_provider.get_tracer("test")
    with shop(tmp_path, server, MAIL_TELEMETRY=observed.key) as on:
        on.queue.run_once()
        with tracer.start_as_current_span("GET /"):
            on.mail.send_later(letter())
    with shop(tmp_path, server) as off:
        off.queue.run_once()

    assert len(server.accepted) == 2
    assert observed.one("send default").links == ()


def test_what_the_queue_counts(tmp_path: Path, scripted: Scripted, observed: Observed) -> None:
    """Attempts are counted by the state after them, and the gauges say how many messages wait and
    how long the oldest has been due."""
    server = scripted(on={"RCPT": ["451 4.7.1 later", "550 5.1.1 no"]})
    keys = {"MAIL_TELEMETRY": observed.key, "MAIL_ACCOUNTS": {"bulk": {}}}
    with shop(tmp_path, server, **keys) as here:
        for _ in range(2):
            here.mail.send_later(letter())
        here.mail.send_later(letter(), using="bulk", delay=3600)
        waiting = observed.points()
        here.queue.run_once()
        after = observed.points()

    name = "mailhandler.queue.messages"
    assert waiting[name] == {
        ("shop", "waiting", "default"): 2,
        ("shop", "waiting", "bulk"): 1,
    }
    ages = waiting["mailhandler.queue.oldest.age"]
    assert ages["shop", "default"] > 0
    assert ages["shop", "bulk"] == 0
    assert after["mailhandler.queue.attempts"] == {
        ("waiting", "default"): 1,
        ("failed", "default"): 1,
    }


def test_pauses(tmp_path: Path, scripted: Scripted, observed: Observed) -> None:
    """A pause is counted by the class of its error."""
    with shop(tmp_path, scripted(on={"greeting": DROP}), MAIL_TELEMETRY=observed.key) as here:
        here.mail.send_later(letter())
        here.queue.run_once()
        points = observed.points()

    assert points["mailhandler.queue.pauses"] == {("ConnectError", "default"): 1}
    assert points["mailhandler.queue.attempts"] == {("waiting", "default"): 1}


def test_a_worker_without_an_sdk(tmp_path: Path, scripted: Scripted) -> None:
    """With the API alone, a worker sends, and notes nothing that nobody would read."""
    with shop(tmp_path, scripted(), MAIL_TELEMETRY=True) as here:
        here.mail.send_later(letter())
        assert here.queue.run_once() == 1
        telemetry = registration_of(here.app).telemetry
        assert telemetry is not None
        assert telemetry.sums.tally.sums() == {}


def test_nothing_is_created_to_be_counted(tmp_path: Path, observed: Observed) -> None:
    """Collecting metrics does not create the queue's file."""
    with shop(tmp_path, MAIL_TELEMETRY=observed.key):
        points = observed.points()

        assert "mailhandler.queue.messages" not in points
        assert [*tmp_path.iterdir()] == []


def test_a_store_that_is_away(
    tmp_path: Path, observed: Observed, caplog: pytest.LogCaptureFixture
) -> None:
    """If the queue of one app cannot be read, other apps are reported, and that is logged once."""
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    with (
        shop(tmp_path / "one", MAIL_TELEMETRY=observed.key) as one,
        shop(tmp_path / "other", MAIL_TELEMETRY=observed.key) as other,
    ):
        other.mail.send_later(letter())
        pathlib.Path(one.queue.store.file.path).mkdir()  # type: ignore[attr-defined]
        found = [observed.points()["mailhandler.queue.messages"] for _ in range(2)]

    assert [sum(numbers.values()) for numbers in found] == [1, 1]
    assert [record.levelname for record in caplog.records].count("ERROR") == 1


def test_unfinished(place: Place) -> None:
    """A store counts waiting, claimed and held rows by account, and no finished ones."""
    store, other = place.store(), place.store("blog")
    add(other, row(app="blog"))
    add(store, *[row(account="bulk") for _ in range(3)], row())
    add(store, row(state=RowState.HELD), row(state=RowState.SENT), row(state=RowState.FAILED))
    store.claim("bulk", lease(), NOW, 2)

    assert store.unfinished() == {
        ("bulk", "waiting"): 1,
        ("bulk", "claimed"): 2,
        ("default", "waiting"): 1,
        ("default", "held"): 1,
    }
