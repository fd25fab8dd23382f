"""Queued mail of an account that passes its messages to others."""

from __future__ import annotations

import datetime
import email
import typing as t

import pytest

from clocks import skewed
from failing_over import health_of
from failing_over import url_of
from flask_mailhandler import Address
from flask_mailhandler import Message
from flask_mailhandler import State
from flask_mailhandler.handlers.failover.health import Down
from flask_mailhandler.queue import outcomes
from flask_mailhandler.queue.bell import Bell
from flask_mailhandler.queue.outcomes import Settled
from flask_mailhandler.queue.sending.begun import Begun
from flask_mailhandler.queue.unreadable import DamagedRowError
from pooling import Clock
from queue_page_app import looking
from queueing import Shop
from queueing import shop
from queueing import who
from sending import job
from sending import letter
from sending import Scripted
from servers.actions import DROP
from servers.actions import Taken
from servers.http_server import page
from servers.providers.fake import LOST
from servers.providers.fake import not_taken_and
from servers.providers.resend import FakeResend

if t.TYPE_CHECKING:
    from pathlib import Path

    from sending import Listener

DOWN = {"greeting": "421 4.3.2 no"}


def keys_of(first: str, second: Listener, **keys: t.Any) -> dict[str, t.Any]:
    """The configuration of an app with a server and a reserve."""
    backup = {"url": url_of(second), **keys.pop("backup", {})}
    failover = {"MAIL_FAILOVER": ["default", "backup"]}
    return {"MAIL_URL": first, "MAIL_ACCOUNTS": {"backup": backup}, **failover, **keys}


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the pauses. It stands still until a test moves it."""
    clock = Clock()
    for module in ("handlers.failover.health", "queue.sending.group_senders"):
        monkeypatch.setattr(f"flask_mailhandler.{module}.time", clock)
    return clock


def account_of(here: Shop, number: int = 0) -> str:
    """The account by which a row was sent, as its report says."""
    return here.queue.report(here.rows[number]).account


def test_a_row_is_sent_by_the_reserve(scripted: Scripted, tmp_path: Path) -> None:
    """A row stays with the account that queued it; its report names the account that sent it, whose
    From and prefix it has."""
    first, second = scripted(on=DOWN), scripted()
    backup = {"default_from": "backup@example.org", "subject_prefix": "[b]"}
    with shop(tmp_path, **keys_of(url_of(first), second, backup=backup)) as here:
        here.mail.send_later(Message(subject="Hi", text="x\n", to="ann@example.com"))
        here.mail.send_later(letter())
        here.queue.run_once()

        assert here.states == ["sent"] * 2
        assert [row.account for row in here.rows] == ["default"] * 2
        assert [account_of(here, number) for number in (0, 1)] == ["backup"] * 2
        ids = [row.message_id for row in here.rows]
        assert here.queue.stats().paused == {}
        assert list(here.queue.stats().down) == ["default"]

    found = [email.message_from_bytes(one.content) for one in second.accepted]
    assert [one["From"] for one in found] == ["backup@example.org", "a@example.com"]
    assert [one["Subject"] for one in found] == ["[b] Hi"] * 2
    assert [one["Message-ID"] for one in found] == ids
    assert second.accepted[0].content.endswith(b"\r\n\r\nx\r\n")
    assert second.accepted[0].sender == "backup@example.org"
    assert len(first.connections) == 1


def test_the_workers_share_what_is_down(scripted: Scripted, tmp_path: Path, pauses: Clock) -> None:
    """A worker that begins knows what another one has found out, also when that is over."""
    first, second = scripted(on={"greeting": ["421 4.3.2 no"]}), scripted()
    keys = keys_of(url_of(first), second)
    with shop(tmp_path, **keys) as one, shop(tmp_path, **keys) as other:
        with one.app.app_context():
            one.mail.send_later(letter())
            one.queue.run_once()
        other.mail.send_later(letter())
        other.queue.run_once()
        assert account_of(other, 1) == "backup"
        assert list(health_of(other.mail).states()) == ["default"]
        assert len(first.connections) == 1

        pauses.passed += 6
        with skewed(6):
            with one.app.app_context():
                one.mail.send_later(letter())
                one.queue.run_once()
                assert account_of(one, 2) == "default"
            assert list(health_of(other.mail).states()) == ["default"]
            other.mail.send_later(letter())
            other.queue.run_once()
            assert account_of(other, 3) == "default"
            assert health_of(other.mail).states() == {}
            assert other.queue.stats().down == {}


def test_one_worker_tries_it(scripted: Scripted, tmp_path: Path, pauses: Clock) -> None:
    """When the pause of an account is over, one message of one worker tries it."""

    def work_meanwhile(line: str, connection: object) -> str:
        with other.app.app_context():
            other.mail.send_later(letter())
            other.queue.run_once()
        return "421 4.3.2 no"

    first, second = scripted(on={"greeting": ["421 4.3.2 no", work_meanwhile]}), scripted()
    keys = keys_of(url_of(first), second)
    with shop(tmp_path, **keys) as other, shop(tmp_path, **keys) as one:
        for seconds in (0, 6):
            pauses.passed += seconds
            with skewed(seconds):
                one.mail.send_later(letter())
                one.queue.run_once()
        assert one.states == ["sent"] * 3

    assert [len(server.connections) for server in (first, second)] == [2, 2]


def test_all_are_down(scripted: Scripted, tmp_path: Path) -> None:
    """If no account is up, the mail waits until one of them is tried again. No attempt counts."""
    first, second = scripted(on=DOWN), scripted(on=DOWN)
    with shop(tmp_path, **keys_of(url_of(first), second)) as here:
        for _ in range(3):
            here.mail.send_later(letter())
        here.queue.run_once()

        assert here.states == ["waiting"] * 3
        assert [row.attempts for row in here.rows] == [0] * 3
        pause = here.queue.store.pause("default")
        assert pause.times == 1
        assert pause.until - here.queue.store.now() <= 6
        assert list(here.queue.stats().down) == ["default", "backup"]
        assert [len(server.connections) for server in (first, second)] == [1, 1]


def test_a_repeat_goes_to_the_account_that_knows_it(
    scripted: Scripted, tmp_path: Path, pauses: Clock
) -> None:
    """A message that a provider may have taken is repeated there with its key, and by no other
    account, although that provider is down."""
    server = scripted()
    with FakeResend() as fake, shop(tmp_path, **keys_of(fake.mail_url, server)) as here:
        fake.manners.extend([LOST, LOST])
        here.mail.send_later(letter())
        here.queue.run_once()
        assert here.states == ["waiting"]
        assert "default" in health_of(here.mail).states()

        # It cannot be reached, and the message waits for it; new mail does not.
        fake.manners.append(not_taken_and(page(429)))
        here.mail.send_later(letter())
        here.all_later()
        here.queue.run_once()
        assert here.states == ["waiting", "sent"]
        assert account_of(here, 1) == "backup"
        assert here.queue.stats().paused == {}

        here.all_later()
        here.queue.run_once()
        assert here.states == ["sent", "sent"]
        assert account_of(here) == "default"

    assert len(fake.taken) == 1
    assert len(server.accepted) == 1


def test_a_repeat_by_the_second_account(scripted: Scripted, tmp_path: Path, pauses: Clock) -> None:
    """The same holds for a provider that is not the first account."""
    first = scripted(on=DOWN)
    with FakeResend() as fake:
        keys = keys_of(url_of(first), first, MAIL_ACCOUNTS={"backup": {"url": fake.mail_url}})
        with shop(tmp_path, **keys) as here:
            fake.manners.extend([LOST, LOST])
            here.mail.send_later(letter())
            here.queue.run_once()
            assert here.states == ["waiting"]
            (recipient,) = outcomes.from_json(here.rows[0].recipients)
            assert recipient.known_to.startswith("ResendEmailHandler")
            assert recipient.known_to.endswith(" of backup")

            pauses.passed += 1000  # the first is due, and is not asked
            here.all_later()
            here.queue.run_once()
            assert here.states == ["sent"]

    assert len(fake.taken) == 1
    assert len(first.connections) == 1


def test_an_unknown_outcome_is_held(scripted: Scripted, tmp_path: Path) -> None:
    """A message that a server may have taken is held, and no other account gets it."""
    first, second = scripted(on={"end of data": Taken(DROP)}), scripted()
    with shop(tmp_path, **keys_of(url_of(first), second)) as here:
        here.mail.send_later(letter())
        here.queue.run_once()
        assert here.states == ["held"]

    assert second.connections == []


def test_the_outcomes_of_a_row(scripted: Scripted, tmp_path: Path) -> None:
    """Each recipient keeps the account that its outcome is from."""
    first = scripted(on={"RCPT TO:<relay@": "554 5.7.1 Relay access denied"})
    second = scripted()
    with shop(tmp_path, **keys_of(url_of(first), second)) as here:
        here.mail.send_later(letter("ann@example.com", "relay@example.com"))
        here.queue.run_once()

        (row,) = here.rows
        report = here.queue.report(row)
        assert who(row) == {"ann@example.com": "accepted", "relay@example.com": "accepted"}
        assert [one.account for one in outcomes.from_json(row.recipients)] == ["default", "backup"]
        assert report.account == "default"
        assert [one.account for one in report.outcomes] == ["", "backup"]


def test_the_rate_limits(scripted: Scripted, tmp_path: Path) -> None:
    """A message counts for the account that sends it. If its limit is used up, the rows wait."""
    first, second = scripted(), scripted()
    keys = keys_of(url_of(first), second, MAIL_RATE_LIMIT="2/h", backup={"rate_limit": "1/h"})
    with shop(tmp_path, **keys) as here:
        for _ in range(4):
            here.mail.send_later(letter())
        here.queue.run_once()
        assert here.states == ["sent", "sent", "waiting", "waiting"]
        assert [row.attempts for row in here.rows] == [1, 1, 0, 0]

        health_of(here.mail).learn("default", Down(0.0, float("inf"), 1, "a test"))
        here.queue.run_once()
        assert here.states == ["sent", "sent", "sent", "waiting"]

    assert [len(server.accepted) for server in (first, second)] == [2, 1]


def test_a_row_that_is_not_sent_tries_nothing(
    scripted: Scripted, tmp_path: Path, pauses: Clock
) -> None:
    """A row that has expired does not use up the chance to try an account that was down, nor its
    rate limit."""
    first, second = scripted(on={"greeting": ["421 4.3.2 no"]}), scripted()
    keys = keys_of(url_of(first), second, MAIL_RATE_LIMIT="2/h")
    with shop(tmp_path, **keys) as here:
        here.mail.send_later(letter())
        here.queue.run_once()
        assert account_of(here) == "backup"
        here.mail.send_later(letter(), expires=3)
        here.mail.send_later(letter())

        pauses.passed += 6
        with skewed(6):
            here.queue.run_once()
            assert here.states == ["sent", "expired", "sent"]
            assert account_of(here, 2) == "default"
            assert here.queue.stats().down == {}


def test_a_limit_keeps_the_chance(scripted: Scripted, tmp_path: Path, pauses: Clock) -> None:
    """If the limit of an account that was down allows no message now, the next one tries it."""
    first, second = scripted(on={"greeting": ["421 4.3.2 no"]}), scripted()
    keys = keys_of(url_of(first), second, MAIL_RATE_LIMIT="1/h")
    with shop(tmp_path, **keys) as here:
        here.mail.send_later(letter())
        here.queue.run_once()
        pauses.passed += 6
        with skewed(6):
            here.mail.send_later(letter())
            here.queue.run_once()
            assert here.states == ["sent", "waiting"]
            assert here.queue.store.pause("failover:default").until <= here.queue.store.now()


def test_too_large_for_the_reserve(scripted: Scripted, tmp_path: Path, pauses: Clock) -> None:
    """A message that only the first account can send waits until that is back."""
    first = scripted(on={"greeting": ["421 4.3.2 no"]})
    second = scripted(extensions=["SIZE 100"])
    with shop(tmp_path, **keys_of(url_of(first), second)) as here:
        here.mail.send_later(letter())
        here.queue.run_once()
        assert here.states == ["waiting"]

        pauses.passed += 1000
        with skewed(1000):
            here.queue.run_once()
            assert here.states == ["sent"]
            assert account_of(here) == "default"


def test_suppressed_recipients(scripted: Scripted, tmp_path: Path) -> None:
    """A recipient that gets no mail gets none through another account either."""
    first, second = scripted(on=DOWN), scripted()
    backup = {"default_from": "backup@example.org"}
    keys = keys_of(url_of(first), second, backup=backup, MAIL_SUPPRESSIONS=True)
    keys["MAIL_QUEUE"] = "sqlite"
    with shop(tmp_path, **keys) as here:
        for _ in range(2):
            here.mail.send_later(letter("ann@example.com", "bob@example.com"))
        here.mail.suppressions.add("bob@example.com", reason="asked")
        here.queue.run_once()
        assert here.states == ["sent"] * 2

    assert [one.recipients for one in second.accepted] == [("ann@example.com",)] * 2


def test_a_note_names_one_account() -> None:
    """If one account has announced a message for recipients that another does not send to, a crash
    leaves all of them unknown: no provider would recognize a repeat to them all. That holds as well
    when the other account repeats its request."""
    ann, bob = "ann@example.com", "bob@example.com"
    until = datetime.datetime.now(datetime.UTC)
    by_smtp, by_both, alone = (
        began({ann: None, bob: None}, "SMTPEmailHandler"),
        began({ann: None, bob: None}, "ResendEmailHandler of b"),
        began({bob: None}, "ResendEmailHandler of b", until),
    )

    for one in (by_smtp, by_both):
        assert one.is_by_another("ResendEmailHandler of b", job(to=[bob]))
        assert not one.is_by_another("ResendEmailHandler of b", job(to=[ann, bob]))
    assert not alone.is_by_another("ResendEmailHandler of b", job(to=[bob]))


def began(
    announced: dict[str, None], known_to: str, until: datetime.datetime | None = None
) -> Begun:
    """A row whose end of data was announced."""
    row: t.Any = None
    return Begun(row, (), row, announced, until, known_to)


def test_what_earlier_releases_can_read() -> None:
    """A row has the account of an outcome only if it is not the row's own."""
    plain = Settled(Address("ann@example.com"), State.ACCEPTED, 250)
    other = Settled(Address("ann@example.com"), State.ACCEPTED, 250, account="backup")

    assert outcomes.to_json([plain]).count(",") == 5
    assert outcomes.from_json(outcomes.to_json([plain, other])) == (plain, other)
    with pytest.raises(DamagedRowError):
        outcomes.from_json(outcomes.to_json([other]).replace('"backup"', "7"))


def test_the_page(scripted: Scripted, tmp_path: Path) -> None:
    """The queue page shows the accounts that are down, and which account has sent a message."""
    first, second = scripted(on=DOWN), scripted()
    here = looking(tmp_path, None, **keys_of(url_of(first), second))
    with here.app.app_context():
        here.mail.send_later(letter())
        here.queue.run_once()
        browser = here.app.test_client()
        page_of_all = browser.get("/_mail/queue/").get_data(as_text=True)
        page_of_one = browser.get("/_mail/queue/1").get_data(as_text=True)
        found = browser.get("/_mail/api/queue").get_json()
        one = browser.get("/_mail/api/queue/1").get_json()
        here.queue.close()

    assert (
        "The account default is down, and others send its mail while they are up: 127.0.0.1:"
        in page_of_all
    )
    assert "</span> via backup</td>" in page_of_one
    assert list(found["down"]) == ["default"]
    assert [recipient["account"] for recipient in one["recipients"]] == ["backup"]


def test_the_order_decides(scripted: Scripted, tmp_path: Path) -> None:
    """The header of a row is that of the account that sends it, whatever its place in the order,
    and the staging guard of each account applies."""
    first, second = scripted(on=DOWN), scripted()
    keys = keys_of(url_of(second), first, backup={"default_from": "backup@example.org"})
    keys |= {"MAIL_FAILOVER": ["backup", "default"], "MAIL_BOUNCE_ADDRESS": "bounces@example.com"}
    with shop(tmp_path, SECRET_KEY="k", **keys) as here:
        here.mail.send_later(Message(subject="Hi", text="x", to="ann@example.com"))
        here.queue.run_once()
        assert account_of(here) == "default"
    guarded = keys | {"MAIL_REDIRECT_TO": "dev@example.com"}
    with shop(tmp_path, SECRET_KEY="k", **keys) as here:
        here.mail.send_later(Message(subject="Hi", text="x", to="ann@example.com"))
    with shop(tmp_path, SECRET_KEY="k", **guarded) as here:
        here.queue.run_once()
        assert here.states == ["sent", "sent"]

    one, other = second.accepted
    assert email.message_from_bytes(one.content)["From"] == "shop@example.com"
    assert one.recipients == ("ann@example.com",)
    assert one.sender.startswith("bounces+")
    assert other.recipients == ("dev@example.com",)


@pytest.mark.parametrize(("order", "sender"), [(1, "shop@example.com"), (-1, "backup@example.org")])
def test_the_order_changes(scripted: Scripted, tmp_path: Path, order: int, sender: str) -> None:
    """A row that waits while the order of the accounts changes has the From of the account that
    sends it."""
    server, names = scripted(), ["default", "backup"][::order]
    keys = keys_of(url_of(server), server, backup={"default_from": "backup@example.org"})
    with shop(tmp_path, **keys | {"MAIL_FAILOVER": names[::-1]}) as here:
        here.mail.send_later(Message(subject="Hi", text="x", to="ann@example.com"))
    with shop(tmp_path, **keys | {"MAIL_FAILOVER": names}) as here:
        here.queue.run_once()
        assert account_of(here) == names[0]

    (one,) = server.accepted
    assert email.message_from_bytes(one.content)["From"] == one.sender == sender


@pytest.mark.parametrize("using", [None, "both"])
def test_a_limit_is_no_missing_worker(
    scripted: Scripted, tmp_path: Path, using: str | None
) -> None:
    """Rows that wait for the rate limit of an account of their group miss no worker."""
    first, second = scripted(), scripted()
    accounts = {"MAIL_ACCOUNTS": {"both": {"spread": {"default": 1, "backup": 1}}}}
    keys = keys_of(url_of(first), second, MAIL_RATE_LIMIT="1/h")
    accounts["MAIL_ACCOUNTS"] |= keys["MAIL_ACCOUNTS"]
    with shop(tmp_path, **keys | accounts) as here:
        for _ in range(4):
            here.mail.send_later(letter(), using="both")
        here.queue.run_once()
        here.queue.run_once()
        assert here.states == ["sent"] * 2 + ["waiting"] * 2
        with skewed(600):
            (late,) = here.queue.health(using=using).findings
            assert (late.name, late.severity) == ("mail-late", "warning")
            assert "MAIL_RATE_LIMIT" in late.text
        with skewed(7200):
            found = here.queue.health(using=using).findings
            assert [one.name for one in found] == ["no-worker", "mail-late"]


def test_a_clock_that_was_put_back(scripted: Scripted, tmp_path: Path) -> None:
    """An account that went down while the clock was ahead is tried again by a worker that starts
    later."""
    first, second = scripted(on={"greeting": ["421 4.3.2 no"]}), scripted()
    keys = keys_of(url_of(first), second)
    with skewed(86_400), shop(tmp_path, **keys) as here:
        here.mail.send_later(letter())
        here.queue.run_once()
        assert account_of(here) == "backup"
    bell = Bell()
    bell.finish()
    with shop(tmp_path, **keys) as here:
        here.mail.send_later(letter())
        here.queue.worker(bell).run()
        assert here.states == ["sent", "sent"]
        assert account_of(here, 1) == "default"
