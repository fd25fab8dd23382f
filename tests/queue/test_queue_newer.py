"""Rows that a newer release has written: shown as they are, and neither sent nor deleted."""

from __future__ import annotations

import json
import typing as t

import pytest

from flask_mailhandler.phase import State
from flask_mailhandler.queue import outcomes
from flask_mailhandler.queue.newer import is_known
from flask_mailhandler.queue.newer import read_word
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.row import UNFINISHED
from flask_mailhandler.queue.stores.base import Filter
from flask_mailhandler.queue.stores.search import Search
from flask_mailhandler.queue.unreadable import NewerRowError
from queue_page_app import change
from queue_page_app import looking
from queueing import alter
from queueing import shop
from sending import letter
from storing import add
from storing import lease
from storing import NOW
from storing import row

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from queueing import Shop
    from sending import Scripted
    from storing import Place

pytestmark = pytest.mark.slow

NEW = read_word(RowState, "quarantined")
TOLD = [["ann@example.com", "greylisted", 451, None, "later", None]]
NEWER = {
    "an outcome": {"recipients": json.dumps(TOLD)},
    "what it is about": {
        "recipients": '[["ann@example.com", "deferred", null, null, "", "weather"]]'
    },
    "more about a recipient": {
        "recipients": json.dumps([["ann@example.com", *[None] * 3, "", None, "", None, "", "", 1]])
    },
    "other options": {"options": '{"version": 2, "sender": {"address": "a@example.com"}}'},
    "a field for a provider": {
        "options": '{"version": 1, "sender": "a@example.com", "smtputf8": false, "eightbit": false,'
        ' "for_provider": "{\\"stamp\\": 1}"}'
    },
}


def run(here: Shop, *arguments: str) -> tuple[int, str]:
    """Run ``flask mail queue``, and return the exit code and the output in one line."""
    result = here.app.test_cli_runner().invoke(args=["mail", "queue", *arguments])
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture
def one_newer(tmp_path: Path, scripted: Scripted) -> Iterator[Shop]:
    """A shop with two messages, the first of which has a state of a newer release."""
    with shop(tmp_path, scripted()) as here:
        here.mail.send_later(letter("ann@example.com"))
        here.mail.send_later(letter("bob@example.com"))
        alter(here.queue.store, here.rows[0], [RowState.WAITING], state=NEW, priority=7)
        yield here


def test_a_word() -> None:
    """A word that this release does not know equals none that it knows, and is shown as it is."""
    word = read_word(State, "ACCEPTED")

    assert isinstance(word, State)
    assert (str(word), word.value, json.dumps(word)) == ("ACCEPTED", "ACCEPTED", '"ACCEPTED"')
    assert word not in {*State} and not is_known(word)
    assert read_word(State, "accepted") is State.ACCEPTED and is_known(State.ACCEPTED)


@pytest.mark.parametrize("text", ["quarantined", "a", "scheduled", "zzz"])
def test_a_state_in_each_store(text: str, place: Place) -> None:
    """Each store counts and lists a row in such a state, and no call claims, changes or deletes it
    unless it names its number."""
    store, state = place.store(), read_word(RowState, text)
    ids = [ticket.id for ticket in add(store, row(), row(), row(state=RowState.SENT))]
    (first,) = store.rows(Filter(ids=ids[:1]), 1)
    alter(store, first, [RowState.WAITING], state=state)

    numbers = {state: 1, RowState.WAITING: 1, RowState.SENT: 1}
    assert store.counts() == store.search.counts(100) == numbers
    assert [one.state for one in store.search.page(Search()).rows][::-1] == [
        state,
        RowState.WAITING,
        RowState.SENT,
    ]
    assert store.unfinished() == {("default", RowState.WAITING): 1}
    assert [one.id for one in store.claim("default", lease(), NOW, 10)] == ids[1:2]
    assert store.lost(NOW + 1000, 1.0, ["me"])[0].id == ids[1]
    assert store.alter(ids, [*RowState], lambda found: None) == []
    assert store.purge(Filter([*{*RowState} - {*UNFINISHED}]), 100) == 1
    assert store.get(ids[0]) is not None


def test_the_commands(one_newer: Shop) -> None:
    """The commands show such a row and say what it is. None of them changes it."""
    why = "does not know the state 'quarantined'"

    code, said = run(one_newer, "status")
    assert code == 0 and "expired 0 quarantined 1" in said and why in said
    assert "1 quarantined" in run(one_newer, "list")[1]
    code, said = run(one_newer, "show", "1")
    assert code == 0 and "state quarantined" in said and why in said and "priority 7" in said
    for command in ("retry", "cancel"):
        code, said = run(one_newer, command, "1")
        assert code == 1 and "Message 1 is quarantined." in said and why in said
    assert run(one_newer, "purge", "--yes") == (0, "0 messages deleted.")
    assert one_newer.states == ["quarantined", "waiting"]
    with pytest.raises(ValueError, match="quarantined"):
        one_newer.queue.rows(state=one_newer.rows[0].state)


def test_a_worker(one_newer: Shop) -> None:
    """A worker sends the other mail, and leaves such a row as it is."""
    before = one_newer.rows[0]

    assert one_newer.queue.run_once() == 1
    assert one_newer.states == ["quarantined", "sent"]
    assert one_newer.rows[0] == before
    assert one_newer.queue.stats().counts[NEW] == 1
    assert one_newer.queue.health().ok


def test_the_pages(tmp_path: Path) -> None:
    """The pages show such a row, say what it is, and have no button for it."""
    here = looking(tmp_path, MAIL_QUEUE_ENGINE="none")
    with here.app.app_context():
        here.mail.send_later(letter("ann@example.com"))
        here.mail.send_later(letter("bob@example.com"))
        alter(here.queue.store, here.rows[0], [RowState.WAITING], state=NEW)
        alter(here.queue.store, here.rows[1], [RowState.WAITING], recipients=json.dumps(TOLD))
    browser = here.app.test_client()

    assert '<span class="state quarantined">' in browser.get("/_mail/queue/").text
    html = browser.get("/_mail/queue/1").text
    assert "does not know the state &#39;quarantined&#39;" in html
    assert 'id="retry"' not in html and 'id="cancel"' not in html
    html = browser.get("/_mail/queue/2").text
    assert "does not know the outcome &#39;greylisted&#39;" in html and 'id="retry"' not in html
    assert '<span class="state greylisted">' in html
    assert ",quarantined," in browser.get("/_mail/queue/messages.csv").text
    assert browser.get("/_mail/api/queue").get_json()["counts"]["quarantined"] == 1
    assert browser.get("/_mail/api/queue/1").get_json()["state"] == "quarantined"
    assert change(browser, "api/queue/1/retry").get_json() == {"changed": 0}
    here.queue.close()


@pytest.mark.parametrize("what", NEWER)
def test_what_a_worker_cannot_read(what: str, tmp_path: Path, scripted: Scripted) -> None:
    """A waiting row that only a newer release can read is held, with the reason. So it is not sent
    by this release, and not deleted with old mail. The row itself stays as it is."""
    server = scripted()
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter("ann@example.com"))
        with here.queue.store.file.write() as connection:  # type: ignore[attr-defined]
            for name, text in NEWER[what].items():
                connection.execute(f"UPDATE mail_queue SET {name} = ?", (text,))
        here.queue.run_once()

        (found,) = here.rows
        assert found.state is RowState.HELD and server.accepted == []
        assert "newer release of Flask-MailHandler" in found.error
        assert (found.recipients, found.options)[
            what in ("other options", "a field for a provider")
        ] in (NEWER[what].values())
        assert here.queue.purge() == 0
        assert "newer release" in run(here, "show", "1")[1]


def test_outcomes() -> None:
    """What a newer release has written can be read to be shown, but not to be sent."""
    text = json.dumps(TOLD)

    with pytest.raises(NewerRowError, match="outcome 'greylisted'"):
        outcomes.from_json(text)
    (found,) = outcomes.from_json(text, to_show=True)
    assert (str(found.state), found.code, found.text) == ("greylisted", 451, "later")
    assert outcomes.accepted([found]) == 0
