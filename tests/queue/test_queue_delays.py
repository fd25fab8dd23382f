"""What could delay mail, or keep a worker busy without any work."""

from __future__ import annotations

import threading
import typing as t

import pytest

from flask_mailhandler import message_sent
from flask_mailhandler.address import Address
from flask_mailhandler.phase import State
from flask_mailhandler.queue import worker
from flask_mailhandler.queue.bell import Bell
from flask_mailhandler.queue.outcomes import Settled
from flask_mailhandler.queue.outcomes import to_json
from flask_mailhandler.queue.retry import LONGEST_PAUSE
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.sending.account_sender import BATCH
from flask_mailhandler.queue.stores.base import Pause
from queueing import alter
from queueing import shop
from queueing import url_of
from sending import letter
from sending import letters
from sending import Scripted
from servers.waiting import until

if t.TYPE_CHECKING:
    from pathlib import Path

    from servers.connection import Connection


def test_a_worker_without_a_thread_left_rests(tmp_path: Path, scripted: Scripted) -> None:
    """While all its threads wait for servers, a worker looks once a second although another
    account's mail is due, and sends that mail as soon as a thread is free."""
    reached, go_on = threading.Event(), threading.Event()

    def hang(line: str, connection: Connection) -> str:
        reached.set()
        assert go_on.wait(60)
        return "250 2.1.0 ok"

    slow, quick = scripted(on={"MAIL": hang}), scripted()
    accounts = {"slow": {"url": url_of(slow)}}
    with shop(tmp_path, quick, MAIL_QUEUE_THREADS=1, MAIL_ACCOUNTS=accounts) as here:
        here.mail.send_later(letter(), using="slow")
        bell = Bell()
        busy = here.queue.worker(bell)
        busy._end = float("inf")  # as in run()
        busy._round(lambda: None)
        assert reached.wait(60)
        here.mail.send_later(letter())

        assert busy._round(lambda: None) == worker.POLL
        go_on.set()
        thread = threading.Thread(target=busy.run)
        thread.start()
        until(lambda: here.states == ["sent", "sent"], 60, "both to be sent")
        bell.stop()
        thread.join()
        assert (len(slow.accepted), len(quick.accepted)) == (1, 1)


def test_a_pause_by_a_clock_that_was_ahead(tmp_path: Path, scripted: Scripted) -> None:
    """When a clock is put back, an account that was paused by the old clock is not paused for as
    long as the clock was wrong."""
    server = scripted()
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter())
        store, now = here.queue.store, here.queue.store.now()
        store.alter_pause("default", lambda before: Pause(now + 86_400, 2, "no route"))
        upkeep = here.queue.worker().upkeep
        upkeep.watch_clock()

        assert (store.pause("default").until <= now + 1, store.pause("default").times) == (True, 2)
        here.queue.run_once()
        assert here.states == ["sent"]


def test_a_pause_that_is_not_too_long(tmp_path: Path) -> None:
    """A pause of a possible length stays as it is."""
    with shop(tmp_path) as here:
        here.mail.send_later(letter())
        store, now = here.queue.store, here.queue.store.now()
        pause = store.alter_pause("default", lambda before: Pause(now + LONGEST_PAUSE, 9, "why"))
        here.queue.worker().upkeep.watch_clock()

        assert store.pause("default") == pause


@pytest.mark.parametrize("state", ["waiting", "held", "cancelled"])
def test_pressing_again_while_it_waits(state: str, tmp_path: Path, scripted: Scripted) -> None:
    """A recipient that may have got the message is sent to again only after a person was asked. For
    a message that waits for other recipients no person was asked yet, so a retry only sends it to
    those others earlier."""
    server = scripted()
    with shop(tmp_path, server, MAIL_DEFAULT_FROM="a@example.com") as here:
        here.mail.send_later(letter("unknown@example.com", "open@example.com"))
        unknown, other = (Address(f"{who}@example.com") for who in ("unknown", "open"))
        known = to_json([Settled(unknown, State.UNKNOWN), Settled(other)])
        (row,) = here.rows
        alter(here.queue.store, row, [row.state], recipients=known, state=RowState(state))
        assert here.queue.retry([row.id]) == 1
        here.queue.run_once()

        waited = state == "waiting"
        assert server.accepted[0].recipients == ((other,) if waited else (str(unknown), str(other)))
        assert here.states == ["held" if waited else "sent"]


@pytest.mark.parametrize("runs", ["run", "run_once"])
def test_accounts_take_turns(runs: str, tmp_path: Path, scripted: Scripted) -> None:
    """If a worker has fewer threads than accounts, an account with much mail does not keep a thread
    until all of it is sent."""
    many, late = 3 * BATCH, 5
    few = scripted()
    begun: list[str] = []

    def queue_another(line: str, connection: Connection) -> str:
        begun.append(line)
        if len(begun) == late:
            with here.app.app_context():
                here.mail.send_later(letter())
        return "250 2.1.0 ok"

    sent: list[str] = []
    with shop(
        tmp_path,
        few,
        MAIL_QUEUE_THREADS=1,
        MAIL_ACCOUNTS={"many": {"url": url_of(scripted(on={"MAIL": queue_another}))}},
    ) as here:
        message_sent.connect(
            lambda *_, report, **__: sent.append(report.accepted[0]), here.app, weak=False
        )
        assert len([*here.mail.send_later_each(letters(many), using="many")]) == many
        if runs == "run":
            bell = Bell()
            thread = threading.Thread(target=here.queue.worker(bell).run)
            thread.start()
            until(lambda: len(sent) == many + 1, 60, "all of it")
            bell.stop()
            thread.join()
        else:
            assert here.queue.run_once() == many + 1

    assert len(sent) == many + 1
    assert sent.index("b@example.com") <= BATCH
