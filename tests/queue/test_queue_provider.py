"""What a provider says about a message beside accepted or not: its identifier, and until when it
recognizes a repeat."""

from __future__ import annotations

import datetime
import json
import typing as t

import pytest

from flask_mailhandler import About
from flask_mailhandler import Address
from flask_mailhandler import conclude
from flask_mailhandler import EmailHandler
from flask_mailhandler import Job
from flask_mailhandler import LoginError
from flask_mailhandler import message_sent
from flask_mailhandler import Outcome
from flask_mailhandler import Phase
from flask_mailhandler import Report
from flask_mailhandler import State
from flask_mailhandler.queue import outcomes
from flask_mailhandler.queue.outcomes import Settled
from flask_mailhandler.queue.unreadable import DamagedRowError
from queueing import shop
from sending import letter
from servers.http_server import page
from servers.providers.brevo import FakeBrevo
from servers.providers.fake import LOST
from servers.providers.fake import not_taken_and

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from pathlib import Path

    from flask_mailhandler.report import Observe

INDIA = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
UNTIL = datetime.datetime(2027, 1, 15, 8, tzinfo=datetime.UTC)
EARLIER = datetime.datetime(2027, 1, 15, 9, tzinfo=INDIA)
ANN, BOB = Address("ann@example.com"), Address("bob@example.com")


class Provider(EmailHandler):
    """Accepts the message for Ann, and gives no reply for all others."""

    until: t.ClassVar[datetime.datetime | None] = UNTIL

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        for job in jobs:
            observe(Phase.END_OF_DATA, job)
            found = [
                Outcome(to, State.ACCEPTED, provider_id="p-17")
                if to == ANN
                else Outcome(to, State.UNKNOWN)
                for to in job.envelope.recipients
            ]
            yield conclude(job, found, safe_until=self.until)


class IndianProvider(Provider):
    """One that gives the time in another zone."""

    until = EARLIER


class NaiveProvider(Provider):
    """One that gives the time of this machine, without its zone."""

    until = UNTIL.astimezone().replace(tzinfo=None)


@pytest.mark.parametrize(
    ("handler", "until"),
    [(Provider, UNTIL), (IndianProvider, EARLIER), (NaiveProvider, UNTIL)],
)
def test_a_row_keeps_what_the_provider_said(
    handler: type[EmailHandler], until: datetime.datetime, tmp_path: Path
) -> None:
    """The report of a row has the identifiers and the time that the last attempt brought."""
    with shop(tmp_path, MAIL_HANDLER=handler) as here:
        here.mail.send_later(letter(ANN, BOB))
        here.queue.run_once()
    with shop(tmp_path, MAIL_HANDLER=handler) as later:
        (row,) = later.rows
        report = later.queue.report(row)

    assert row.state == "held"
    assert [outcome.provider_id for outcome in report.outcomes] == ["p-17", ""]
    assert report.safe_until == until


def test_a_receiver_gets_what_the_provider_said(tmp_path: Path) -> None:
    """A signal of the queue has a report with the identifiers and the time."""
    seen: list[Report] = []

    def receive(sender: object, report: Report, **facts: t.Any) -> None:
        seen.append(report)

    with shop(tmp_path, MAIL_HANDLER=Provider) as here:
        message_sent.connect(receive, here.app)
        here.mail.send_later(letter(ANN))
        here.queue.run_once()

    (report,) = seen
    assert report.outcomes == (Outcome(ANN, State.ACCEPTED, provider_id="p-17"),)
    assert report.safe_until == UNTIL


def test_only_who_was_announced_may_have_been_reached(tmp_path: Path) -> None:
    """Bcc recipients have a request each. If the answer to the first is lost, the others were not
    tried, and can be sent to when no repeat is recognized any more."""
    later = not_taken_and(page(503, b"", "Retry-After: 1"))
    with FakeBrevo(LOST, LOST, later) as fake, shop(tmp_path, MAIL_URL=fake.mail_url) as here:
        here.mail.send_later(letter(ANN).replace(to=[], bcc=[ANN, BOB]))
        here.queue.run_once()
        (row,) = here.rows
        ann, bob = outcomes.from_json(row.recipients)
        for _ in range(3):
            here.all_later()
            here.queue.run_once()

        assert here.states == ["sent"]
    assert (ann.state, bob.state) == (State.DEFERRED, State.DEFERRED)
    assert ann.safe_until is not None
    assert bob.safe_until is None
    assert [mail.recipients for mail in fake.taken] == [(ANN,), (BOB,)]


class StrangeProvider(EmailHandler):
    """Answers with a text that UTF-8 cannot express."""

    state: t.ClassVar[State] = State.ACCEPTED

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        for job in jobs:
            observe(Phase.END_OF_DATA, job)
            strange = Outcome(ANN, self.state, text="Schön \udcf6", provider_id="\ud800\x00")
            yield conclude(job, [strange])


class StrangeLogin(StrangeProvider):
    """Refuses the login with such a text."""

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        for job in jobs:
            found = [Outcome(ANN, State.DEFERRED, about=About.ACCOUNT)]
            yield conclude(job, found, LoginError("Sch\u00f6n \udcf6"))


def test_a_login_that_is_refused_strangely(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its account is paused, and the pause and the log say why."""
    with shop(tmp_path, MAIL_HANDLER=StrangeLogin) as here:
        here.mail.send_later(letter(ANN))
        here.queue.run_once()
        pause = here.queue.store.pause("default")

        assert here.states == ["waiting"]
    assert pause.why == "Schön \\udcf6"
    assert "is paused for 60 s: Schön \\udcf6" in caplog.text


class StrangeRefusal(StrangeProvider):
    """Refuses with such a text."""

    state = State.REFUSED


@pytest.mark.parametrize(
    ("handler", "state"), [(StrangeProvider, "sent"), (StrangeRefusal, "failed")]
)
def test_a_text_that_is_not_of_unicode(
    handler: type[EmailHandler], state: str, tmp_path: Path
) -> None:
    """What a handler says is stored, so that a message that was accepted is not taken for one that
    may have been."""
    with shop(tmp_path, MAIL_HANDLER=handler) as here:
        here.mail.send_later(letter(ANN))
        here.queue.run_once()
        (row,) = here.rows
        (outcome,) = here.queue.report(row).outcomes

    assert row.state == state
    assert (outcome.text, outcome.provider_id) == ("Sch\u00f6n \udcf6", "\ud800\x00")


@pytest.mark.parametrize("status", [302, 402, 404, 405])
def test_the_url_of_another_server(status: int, tmp_path: Path) -> None:
    """Mail waits until the URL is right, because what another server says is not about it."""
    with (
        FakeBrevo(not_taken_and(page(status))) as fake,
        shop(tmp_path, MAIL_URL=fake.mail_url) as here,
    ):
        here.mail.send_later(letter(ANN))
        here.queue.run_once()
        assert here.states == ["waiting"]
        here.all_later()
        here.queue.run_once()

        assert here.states == ["sent"]


def test_the_staging_guard_keeps_what_the_provider_said() -> None:
    """A report to which the staging guard adds recipients keeps the rest as it was."""
    handler = Provider(allow_to=["ann@example.com"])

    (report,) = handler.send([letter(ANN, BOB)])

    assert report.refused == [BOB]
    assert report.outcomes[0].provider_id == "p-17"
    assert report.safe_until == UNTIL


@pytest.mark.parametrize(
    ("settled", "expect"),
    [
        ([Settled(ANN), Settled(BOB)], None),
        ([Settled(ANN, State.ACCEPTED), Settled(BOB, State.UNKNOWN, safe_until=UNTIL)], UNTIL),
        ([Settled(ANN, State.UNKNOWN), Settled(BOB, State.UNKNOWN, safe_until=UNTIL)], None),
        (
            [
                Settled(ANN, State.DEFERRED, safe_until=UNTIL),
                Settled(BOB, State.UNKNOWN, safe_until=EARLIER),
            ],
            EARLIER,
        ),
    ],
)
def test_the_earliest_time_counts(settled: list[Settled], expect: datetime.datetime | None) -> None:
    """Repeating is safe for all recipients until the first of their times, and never if an
    unknown outcome has none."""
    assert outcomes.safe_until(settled) == expect


def test_rows_of_earlier_releases() -> None:
    """A row without these fields is read, and an outcome without them is written as before."""
    old = '[["ann@example.com","accepted",250,"2.0.0","ok",null]]'

    (found,) = outcomes.from_json(old)

    assert (found.provider_id, found.safe_until) == ("", None)
    assert outcomes.to_json([found]) == old


@pytest.mark.parametrize("more", [[17], ["", "soon"], ["", 5], ["", "2027-01-15T08:00:00"]])
def test_damaged_fields(more: list[object]) -> None:
    """An identifier that is not text, and a time that is not a time with a zone, are damage."""
    item = ["ann@example.com", "accepted", 250, None, "ok", None, *more]

    with pytest.raises(DamagedRowError):
        outcomes.from_json(json.dumps([item]))
