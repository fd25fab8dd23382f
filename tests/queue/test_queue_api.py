"""Queued mail through the API of a provider: with keys nothing is lost, doubled or unknown; without
keys nothing is doubled, and only what the provider has been given whole is unknown."""

from __future__ import annotations

import collections
import datetime
import typing as t

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import DeferredError
from flask_mailhandler import message_failed
from flask_mailhandler import UnknownOutcomeError
from flask_mailhandler.handlers.providers.resend import ResendEmailHandler
from flask_mailhandler.queue import outcomes
from flask_mailhandler.queue.row import RowState
from killing import Killer
from killing import LARGE
from queueing import alter
from queueing import Shop
from queueing import shop
from queueing import who
from sending import letter
from sending import letters
from servers.http_server import CLOSE
from servers.http_server import json_page
from servers.http_server import page
from servers.providers.brevo import FakeBrevo
from servers.providers.fake import FakeProvider
from servers.providers.fake import LOST
from servers.providers.fake import not_taken_and
from servers.providers.fake import taken_and
from servers.providers.mailgun import FakeMailgun
from servers.providers.postmark import FakePostmark
from servers.providers.resend import error
from servers.providers.resend import FakeResend
from servers.providers.ses import FakeSES

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask_mailhandler import MessageFields
    from flask_mailhandler import Report
    from servers.http_server import HTTPRequest
    from servers.http_server import Said
    from servers.providers.fake import Manner


def patient(fake: FakeProvider) -> str:
    """The MAIL_URL of a fake that may be slow to answer."""
    return f"{fake.mail_url}&connect_timeout=60&timeout=60"


def killed_after_taking(killer: Killer) -> Manner:
    """Take the message, and kill the worker before the answer."""

    def manner(fake: FakeProvider, request: HTTPRequest) -> str:
        fake.take(request)
        killer.kill()
        return CLOSE

    return manner


def killed_before_taking(killer: Killer) -> Manner:
    """Kill the worker when its request is whole, and do not take the message."""

    def manner(fake: FakeProvider, request: HTTPRequest) -> str:
        killer.kill()
        return CLOSE

    return manner


def honest(fake: FakeProvider, request: HTTPRequest) -> bytes:
    """Take the message and say so."""
    return fake.take(request)


def work_until_settled(here: Shop, killer: Killer, fake: FakeProvider) -> None:
    """Start workers, one after the other, until no row waits."""
    for _ in range(20):
        killer.work(patient(fake))
        here.forget_workers()
        here.all_later()
        if {*here.states} <= {"sent", "held"} and not fake.manners:
            return
    raise AssertionError(here.states)


def taken(fake: FakeProvider) -> collections.Counter[str]:
    """How often each message was taken, by its subject."""
    return collections.Counter(mail.subject for mail in fake.taken)


def cut_and(killer: Killer, most: int) -> t.Callable[[int, int], Iterator[Said]]:
    """Kill the worker once, when so many octets of a connection have been read."""

    def at(connection: int, octets: int) -> Iterator[Said]:
        if octets > most and not killer.kills:
            killer.kill()
            yield CLOSE

    return at


@pytest.mark.slow
@pytest.mark.usefixtures("untraced")
def test_killed_and_cut_with_keys(tmp_path: Path) -> None:
    """Through Resend, whatever is killed or cut: 0 lost, 0 doubled, 0 unknown."""
    killer = Killer(tmp_path)
    manners: list[Manner] = [
        honest,
        killed_after_taking(killer),
        LOST,
        killed_before_taking(killer),
        taken_and(page(500, b"oops")),
        honest,
        taken_and(page(200, b"<html>")),
        LOST,
        LOST,
        not_taken_and(page(502)),
    ]
    with FakeResend(*manners) as fake, shop(tmp_path) as here:
        for message in letters(10):
            here.mail.send_later(message)

        work_until_settled(here, killer, fake)

        assert here.states == ["sent"] * 10
        assert taken(fake) == {str(number): 1 for number in range(1, 11)}
        assert killer.kills == 2
        assert fake.faults == []


@pytest.mark.slow
@pytest.mark.usefixtures("untraced")
def test_killed_and_cut_without_keys(tmp_path: Path) -> None:
    """Through SES, whatever is killed or cut: 0 doubled, 0 lost, and unknown is only what the
    provider has been given whole."""
    killer = Killer(tmp_path)
    whole: list[str] = []

    def noted(manner: Manner) -> Manner:
        def noting(fake: FakeProvider, request: HTTPRequest) -> Said | list[Said]:
            whole.append(FakeSES.subject_of(request))
            return manner(fake, request)

        return noting

    manners: list[Manner] = [
        honest,
        noted(killed_after_taking(killer)),
        noted(LOST),
        noted(killed_before_taking(killer)),
        noted(taken_and(page(500, b"oops"))),
        honest,
        noted(taken_and(page(200, b"<html>"))),
        honest,
    ]
    with FakeSES(*manners) as fake, shop(tmp_path) as here:
        for message in letters(10):
            here.mail.send_later(message)

        work_until_settled(here, killer, fake)

        held = [row for row in here.rows if row.state is RowState.HELD]
        assert sorted(str(row.id) for row in held) == sorted(whole)
        assert max(taken(fake).values()) == 1
        sent = {str(row.id) for row in here.rows if row.state is RowState.SENT}
        assert sent | {*whole} == {str(number) for number in range(1, 11)}
        assert sent <= {*taken(fake)}
        assert killer.kills == 2
        assert fake.faults == []


@pytest.mark.slow
@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("kind", [FakeSES, FakeMailgun])
def test_killed_before_the_last_octets(kind: type[FakeProvider], tmp_path: Path) -> None:
    """A worker that is killed before the last octets of a request has sent nothing, so the message
    is sent again, once."""
    killer = Killer(tmp_path)
    with kind(at=cut_and(killer, 1_000_000)) as fake, shop(tmp_path) as here:
        here.mail.send_later(letter(text=LARGE))

        assert not killer.work(patient(fake))
        here.forget_workers()
        assert killer.work(patient(fake))

        assert here.states == ["sent"]
        assert len(fake.taken) == len(fake.requests) == 1


def test_the_list_of_queued_mail(tmp_path: Path) -> None:
    """The provider gets the list of a message from the queue too, for its event may come when the
    row is gone."""
    keys: dict[str, t.Any] = {
        "MAIL_WEBHOOK_SECRET": "s" * 32,
        "MAIL_UNSUBSCRIBE_MAILTO": "leave@example.com",
        "MAIL_QUEUE": "sqlite",
        "SECRET_KEY": "k" * 32,
    }
    with FakePostmark() as fake, shop(tmp_path, MAIL_URL=fake.mail_url, **keys) as here:
        here.mail.send_later(letter().replace(unsubscribe="news"))
        here.queue.run_once()

    assert fake.taken[0].fields["Metadata"]["mh-list"] == "news"


# The time until which a repeat is recognized


def test_tried_again_with_the_same_key(tmp_path: Path) -> None:
    """A message that may have been taken waits, and is tried again with the same key and body, by
    another process too."""
    with FakeResend(LOST, LOST) as fake:
        with shop(tmp_path, MAIL_URL=fake.mail_url) as here:
            here.mail.send_later(letter())
            here.queue.run_once()
            assert here.states == ["waiting"]
            assert here.queue.report(here.rows[0]).safe_until is not None
        with shop(tmp_path, MAIL_URL=fake.mail_url) as later:
            later.all_later()
            later.queue.run_once()
            assert later.states == ["sent"]
            assert later.queue.report(later.rows[0]).outcomes[0].provider_id == "resend-1"

    assert len(fake.requests) == 3
    assert len({(one.headers["idempotency-key"], one.body) for one in fake.requests}) == 1
    assert len(fake.taken) == 1


def test_the_first_time_counts(tmp_path: Path) -> None:
    """A later attempt that says nothing of the first does not move the time."""
    seen = []
    fake = FakeResend(LOST, LOST, not_taken_and(page(429)), LOST, LOST)
    with fake, shop(tmp_path, MAIL_URL=fake.mail_url) as here:
        here.mail.send_later(letter())
        for _ in range(3):
            here.all_later()
            here.queue.run_once()
            seen.append(here.queue.report(here.rows[0]).safe_until)

    assert seen[0] is not None
    assert seen == [seen[0]] * 3


def test_not_due_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that would be due after its key is forgotten is held instead."""
    monkeypatch.setattr(ResendEmailHandler, "repeatable", 10.0)
    with FakeResend(LOST, LOST) as fake, shop(tmp_path, MAIL_URL=fake.mail_url) as here:
        here.mail.send_later(letter())
        here.queue.run_once()

        assert here.states == ["held"]
        assert who(here.rows[0]) == {"b@example.com": "unknown"}


@pytest.mark.parametrize("answer", [page(413), error(422, "validation_error", "x")])
def test_the_repeat_is_refused(answer: bytes, tmp_path: Path) -> None:
    """A message that may have been taken is held if the provider refuses its repeat, and the error
    says that it may have arrived."""
    told: list[Report] = []
    fake = FakeResend(LOST, LOST, not_taken_and(answer))
    with fake, shop(tmp_path, MAIL_URL=fake.mail_url) as here:

        def hear(sender: object, report: Report, **about: object) -> None:
            told.append(report)

        message_failed.connect(hear, here.app)
        here.mail.send_later(letter())
        for _ in range(2):
            here.all_later()
            here.queue.run_once()

        assert here.states == ["held"]
        assert who(here.rows[0]) == {"b@example.com": "unknown"}

    assert [type(report.error) for report in told] == [UnknownOutcomeError]


def passed(here: Shop) -> None:
    """Let the key of the only message be forgotten."""
    (row,) = here.rows
    text = row.recipients.replace(row.recipients[row.recipients.rindex('"20') + 1 :][:4], "2001")
    alter(here.queue.store, row, [RowState.WAITING], recipients=text)


def expired(here: Shop) -> None:
    """Let the only message expire."""
    now = here.queue.store.now()
    alter(here.queue.store, here.rows[0], [RowState.WAITING], expires=now - 1)


@pytest.mark.parametrize("change", [passed, expired])
def test_too_late(change: t.Callable[[Shop], None], tmp_path: Path) -> None:
    """A message that may have been taken is held when its key is forgotten, or its time is over."""
    with FakeResend(LOST, LOST) as fake, shop(tmp_path, MAIL_URL=fake.mail_url) as here:
        here.mail.send_later(letter())
        here.queue.run_once()
        here.all_later()
        change(here)
        here.queue.run_once()

        assert here.states == ["held"]
        assert who(here.rows[0]) == {"b@example.com": "unknown"}
        assert len(fake.requests) == 2


@pytest.mark.parametrize(("change", "state"), [(None, "sent"), (passed, "held"), (expired, "held")])
def test_the_repeat_finds_no_api(
    change: t.Callable[[Shop], None] | None, state: str, tmp_path: Path
) -> None:
    """A wrong URL is a fault of the account. A message that may have been taken before waits until
    it is right again, and is held when its key is forgotten, or its time is over."""
    manners = LOST, LOST, not_taken_and(page(404))
    with FakeResend(*manners) as fake, shop(tmp_path, MAIL_URL=fake.mail_url) as here:
        here.mail.send_later(letter())
        for _ in range(2):
            here.all_later()
            here.queue.run_once()
        assert here.states == ["waiting"]
        if change is not None:
            change(here)
        here.all_later()
        here.queue.run_once()

        assert here.states == [state]
        assert len(fake.taken) == 1
        assert len(fake.requests) == (4 if state == "sent" else 3)


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "Hello"},
        {"text": "Hello\n"},
        {"text": "Grüße\n\n"},
        {"text": "x" * 2000},
        {"text": "", "html": "<img src='https://example.com/x'>"},
        {"text": "x", "html": "<p>x\n"},
        {"text": "x", "attachments": [Attachment("a,b\n", filename="b.csv")]},
    ],
)
def test_sent_at_once_and_then_queued(fields: MessageFields, tmp_path: Path) -> None:
    """A message that was sent at once, and may have been taken, is the same request when it comes
    from the queue, so that the provider recognizes it."""
    message = letter().replace(**fields)
    message = message.replace(message_id="<17@shop.example>")
    with FakeResend(LOST, LOST) as fake, shop(tmp_path, MAIL_URL=fake.mail_url) as here:
        with here.app.app_context(), pytest.raises(DeferredError):
            here.mail.send(message)
        here.mail.send_later(message)
        here.queue.run_once()

        assert here.states == ["sent"]
        assert len(fake.taken) == 1
        assert len({request.body for request in fake.requests}) == 1


@pytest.mark.parametrize(
    ("first", "state"),
    [((LOST, LOST), "sent"), ((not_taken_and(page(429, b"", "Retry-After: 1")),), "held")],
)
def test_a_key_that_brevo_knows(first: t.Any, state: str, tmp_path: Path) -> None:
    """A known key means that the message was taken if an earlier attempt may have been; if none
    may have been, that is unknown, and the row is held."""
    known = not_taken_and(json_page(400, {"code": "duplicate_parameter"}))
    with FakeBrevo(*first, known) as fake, shop(tmp_path, MAIL_URL=fake.mail_url) as here:
        here.mail.send_later(letter())
        here.queue.run_once()
        assert here.states == ["waiting"]
        here.all_later()
        here.queue.run_once()

        assert here.states == [state]


@pytest.mark.parametrize("kind", [FakeSES, FakeBrevo])
def test_another_provider_meanwhile(kind: type[FakeProvider], tmp_path: Path) -> None:
    """A provider that does not know the key gets no message that another may have taken."""
    with FakeResend(LOST, LOST) as fake, kind() as other:
        with shop(tmp_path, MAIL_URL=fake.mail_url) as here:
            here.mail.send_later(letter())
            here.queue.run_once()
        with shop(tmp_path, MAIL_URL=other.mail_url) as later:
            later.all_later()
            later.queue.run_once()
            assert later.states == ["held"]

    assert other.requests == []


@pytest.mark.parametrize("kind", [FakeResend, FakeBrevo])
def test_another_account_meanwhile(kind: type[FakeProvider], tmp_path: Path) -> None:
    """With another key, the message may go to another account of the provider, which does not
    recognize it. The row does not show the key, nor which rows had the same."""
    with kind(LOST, LOST, LOST, LOST) as fake:
        with shop(tmp_path, MAIL_URL=fake.mail_url) as here:
            here.mail.send_later(letter())
            here.mail.send_later(letter())
            here.queue.run_once()
            assert here.states == ["waiting"] * 2
            known = {
                one.known_to for row in here.rows for one in outcomes.from_json(row.recipients)
            }
        url = fake.mail_url.replace(fake.key, "the-key-of-another-account")
        with shop(tmp_path, MAIL_URL=url) as later:
            later.all_later()
            later.queue.run_once()
            assert later.states == ["held"] * 2

    assert len(fake.requests) == 4
    assert len(known) == 2
    assert not any(part in str(known) for part in (fake.key, fake.key[:6]))


def test_other_recipients_meanwhile(tmp_path: Path) -> None:
    """A message that may have been taken is not repeated for some of its recipients, because that
    would be another message to the provider."""
    with FakeResend(LOST, LOST) as fake:
        with shop(tmp_path, MAIL_URL=fake.mail_url) as here:
            here.mail.send_later(letter("a@example.com", "b@example.com"))
            here.queue.run_once()
        with shop(tmp_path, MAIL_URL=fake.mail_url, MAIL_ALLOW_TO="a@example.com") as later:
            later.all_later()
            later.queue.run_once()
            assert later.states == ["held"]

    assert len(fake.requests) == 2


def test_some_recipients_meanwhile(tmp_path: Path) -> None:
    """If a worker was killed between the requests for several recipients, those that may have been
    reached come first, with the same keys."""
    hidden = letter().replace(to=[], bcc=["a@example.com", "b@example.com", "c@example.com"])
    with FakeResend() as fake, shop(tmp_path, MAIL_URL=fake.mail_url) as here:
        here.mail.send(hidden, recipients=["a@example.com", "b@example.com"])
        here.mail.send_later(hidden)
        waiting = outcomes.from_json(here.rows[0].recipients)
        until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
        announced = ["a@example.com", "b@example.com"]
        with here.app.app_context():
            known_to = here.mail.handler.known_by(here.rows[0].message_id)
        killed = outcomes.with_unknown(waiting, announced, "killed", until, known_to)
        text = outcomes.to_json(killed)
        alter(here.queue.store, here.rows[0], [RowState.WAITING], recipients=text)
        for _ in range(2):
            here.all_later()
            here.queue.run_once()

        assert here.states == ["sent"]

    keys = [request.headers["idempotency-key"] for request in fake.requests]
    assert keys[:2] == keys[2:4]
    assert [mail.recipients for mail in fake.taken] == [
        ("a@example.com",),
        ("b@example.com",),
        ("c@example.com",),
    ]


@pytest.mark.parametrize("kind", [FakeResend, FakeSES])
@pytest.mark.parametrize(
    ("answer", "least"),
    [
        (page(429, b"", "Retry-After: 100"), 99),
        (page(429), 10),
        (page(503, b"", "Retry-After: 2000"), 1999),
        (page(401), 59),
    ],
)
def test_the_account_rests(
    kind: type[FakeProvider], answer: bytes, least: float, tmp_path: Path
) -> None:
    """After 429, 503 and a refused key the account rests, as long as the provider says, and no
    message has used up an attempt."""
    with kind(not_taken_and(answer)) as fake, shop(tmp_path, MAIL_URL=fake.mail_url) as here:
        for message in letters(3):
            here.mail.send_later(message)
        before = here.queue.store.now()
        here.queue.run_once()

        assert here.states == ["waiting"] * 3
        assert [row.attempts for row in here.rows] == [0] * 3
        assert here.queue.store.pause("default").until >= before + least
        assert len(fake.requests) == 1

        here.all_later()
        here.queue.run_once()
        assert here.states == ["sent"] * 3
