"""When the result of a message is stored, and what is stored with it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import typing as t

import pytest
from flask import Flask

from flask_mailhandler import message_sent
from flask_mailhandler import QueueError
from flask_mailhandler.queue.row import RowState
from killing import Killer
from queueing import Shop
from queueing import shop
from queueing import url_of
from sending import letter
from sending import letters
from servers import After
from servers import Held
from servers import Then
from servers.waiting import until
from storing import add
from storing import lease
from storing import NOW
from storing import row

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from pathlib import Path

    from flask_mailhandler import Message
    from flask_mailhandler.queue.stores.base import Store
    from flask_mailhandler.queue.stores.sqlalchemy.store import SqlalchemyStore
    from sending import Scripted
    from servers import ScriptedServer
    from servers.actions import Actions
    from servers.connection import Connection
    from servers.postgresql import Postgresql
    from storing import Place


def together(
    messages: int, at_content: Callable[[int], object] = lambda number: None
) -> dict[str, Actions]:
    """The actions of a server that replies, like Postfix, in one write to all that arrived
    together: the end of one message and the envelope of the next.

    :param messages: How many messages come in a row.
    :param at_content: Called when a content begins to arrive, with the number of the content.
    """
    numbers = itertools.count(1)

    def begun(line: str, connection: Connection) -> bytes:
        at_content(next(numbers))
        return b""

    return {
        "MAIL": Held("250 2.1.0 ok"),
        "RCPT": Held("250 2.1.5 ok"),
        "content": After(1, begun),
        "end of data": [Held("250 2.0.0 ok")] * (messages - 1),
    }


@contextlib.contextmanager
def sending(folder: Path, named: str, server: ScriptedServer, *queued: Message) -> Iterator[Shop]:
    """A shop whose worker sends these messages in one claim when the context ends."""
    with shop(folder, server, MAIL_QUEUE=named) as here:
        for message in queued:
            here.mail.send_later(message)
        yield here
        here.queue.run_once()
        assert here.states == ["sent"] * len(queued)


@pytest.fixture
def pipelining(scripted: Scripted) -> Scripted:
    """Start scripted servers that offer PIPELINING."""
    return functools.partial(scripted, extensions=["PIPELINING"])


@pytest.fixture
def store(place: Place) -> Store:
    """A store of one app."""
    return place.store()


def noted(here: Shop) -> list[tuple[str, bool]]:
    """The state of each row, and whether its end of data is announced."""
    return [(str(one.state), one.ended is not None) for one in here.rows]


def test_a_result_is_stored_before_the_next_message_is_sent(
    tmp_path: Path, place: Place, pipelining: Scripted
) -> None:
    """When a server has the end of a message, the result of the one before it is stored, the
    message is announced, and the one after it is not."""
    seen: dict[int, list[tuple[str, bool]]] = {}
    server = pipelining(on=together(3, lambda number: seen.update({number: noted(here)})))
    with sending(tmp_path, place.named, server, *letters(3)) as here:
        pass

    assert seen == {
        1: [("claimed", True), ("claimed", False), ("claimed", False)],
        2: [("sent", False), ("claimed", True), ("claimed", False)],
        3: [("sent", False), ("sent", False), ("claimed", True)],
    }


def test_a_result_does_not_wait_for_a_slow_server(
    tmp_path: Path, place: Place, pipelining: Scripted
) -> None:
    """While a server has not replied to the next envelope, the result of the message before it is
    stored. Here the server replies only when it is."""

    def wait_for_its_result(line: str, connection: Connection) -> bytes:
        number = len(server.accepted)
        # After the last reply the shop may be closed already, and this would open its store again.
        if number < 3:
            until(lambda: here.states[number - 1] == "sent", 60, "its result")
        return b""

    server = pipelining(on={"end of data": Then("250 2.0.0 ok", wait_for_its_result)})
    with sending(tmp_path, place.named, server, *letters(3)) as here:
        pass


def test_a_result_does_not_wait_for_a_large_content(
    tmp_path: Path, place: Place, pipelining: Scripted
) -> None:
    """Before a large content is written, which a slow server may read for minutes, the result of
    the message before it is stored."""
    seen: dict[int, list[tuple[str, bool]]] = {}
    server = pipelining(on=together(2, lambda number: seen.update({number: noted(here)})))
    large = letter("r2@example.com", text=("x" * 70 + "\n") * 1_400)
    with sending(tmp_path, place.named, server, letter(), large) as here:
        pass

    assert seen[2][0] == ("sent", False)


def test_a_result_does_not_wait_for_the_reply_to_an_empty_content(
    tmp_path: Path, pipelining: Scripted
) -> None:
    """If a server refuses the recipient of the next message and accepts DATA, the session ends the
    data and waits for the reply. The result of the message before it is stored by then."""
    seen: dict[int, list[tuple[str, bool]]] = {}
    server = pipelining(
        on={
            **together(2, lambda number: seen.update({number: noted(here)})),
            "RCPT TO:<r2@": Held("550 5.1.1 no such user"),
            "DATA": "354 go ahead",  # all the same, as RFC 2920 allows
        }
    )
    with shop(tmp_path, server) as here:
        for message in (letter(), letter("r2@example.com"), letter("r3@example.com")):
            here.mail.send_later(message)
        here.queue.run_once()

        assert here.states == ["sent", "failed", "sent"]
    assert seen[2] == [("sent", False), ("claimed", False), ("claimed", False)]
    assert seen[3] == [("sent", False), ("failed", False), ("claimed", True)]


def test_a_receiver_hears_of_a_message_before_the_next_is_announced(
    tmp_path: Path, place: Place, pipelining: Scripted
) -> None:
    """A receiver may take long, and a message must not count as sent meanwhile of which the server
    has nothing."""
    seen: list[list[tuple[str, bool]]] = []

    def hear(app: object, **facts: object) -> None:
        seen.append(noted(here))

    server = pipelining(on=together(2))
    with sending(tmp_path, place.named, server, *letters(2)) as here:
        message_sent.connect(hear, here.app)

    assert seen == [[("sent", False), ("claimed", False)], [("sent", False), ("sent", False)]]


@pytest.mark.slow
@pytest.mark.usefixtures("untraced")
def test_killed_in_a_list(tmp_path: Path, place: Place, pipelining: Scripted) -> None:
    """If a worker is killed while a server has the end of one message, that message alone is held:
    the result of the one before it is stored, and the one after it is sent by another worker."""
    killer = Killer(tmp_path, MAIL_QUEUE=place.named)
    contents: list[int] = []

    def kill_at_the_second(number: int) -> None:
        contents.append(number)
        if number == 2:
            killer.kill()

    server = pipelining(on=together(2, kill_at_the_second))
    with shop(tmp_path, server, MAIL_QUEUE=place.named) as here:
        for message in letters(3):
            here.mail.send_later(message)

        assert not killer.work(url_of(server))
        assert here.states == ["sent", "claimed", "claimed"]
        here.forget_workers()
        assert killer.work(url_of(server))
        assert here.states == ["sent", "held", "sent"]
    assert contents == [1, 2, 3]


def test_a_reply_of_the_store_that_is_lost(
    tmp_path: Path, place: Place, pipelining: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the store has written a result with an announcement, and its reply is lost, the result
    counts. The announced message was not sent, so it is tried again."""
    server, other = pipelining(on=together(2)), Flask("other")
    with shop(tmp_path, server, MAIL_QUEUE=place.named) as here:
        # It hears nothing of this app, so the results are still stored together.
        message_sent.connect(noted, other)
        for message in letters(2):
            here.mail.send_later(message)
        store = here.queue.store
        real = store.settle_and_announce

        def lose(*arguments: t.Any, **options: t.Any) -> t.NoReturn:
            monkeypatch.undo()
            real(*arguments, **options)
            raise QueueError("The reply is lost.")

        monkeypatch.setattr(store, "settle_and_announce", lose)
        here.queue.run_once()
        assert here.states == ["sent", "waiting"]
        here.all_later()
        here.queue.run_once()
        assert here.states == ["sent", "sent"]
    assert len(server.received) == 2


@pytest.mark.services
def test_a_result_and_an_announcement_are_one_transaction(
    tmp_path: Path, postgresql: Postgresql, pipelining: Scripted
) -> None:
    """In PostgreSQL, the result of a message is stored in the transaction that announces the next
    one, if nothing has to be waited for in between."""
    seen: dict[int, list[str]] = {}

    def note(number: int) -> None:
        with database.single() as connection:
            found = connection.exec_driver_sql("SELECT xmin::text FROM mail_queue ORDER BY id")
            seen[number] = [*found.scalars()]

    with (
        postgresql.database() as named,
        sending(tmp_path, named, pipelining(on=together(3, note)), *letters(3)) as here,
    ):
        database = t.cast("SqlalchemyStore", here.queue.store).database

    assert seen[2][0] == seen[2][1] != seen[2][2]
    assert seen[3][1] == seen[3][2] != seen[3][0]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("me", "me", (True, True)),
        ("other", "me", (False, True)),
        ("me", "other", (True, False)),
        ("other", "other", (False, False)),
    ],
)
def test_settling_and_announcing(
    store: Store, first: str, second: str, expected: tuple[bool, bool]
) -> None:
    """A result is written, and an announcement made, each if its own row belongs to the claim."""
    add(store, row(), row(), row())
    claimed = [store.claim("default", lease(owner), NOW, 1)[0] for owner in (first, second)]
    sent = dataclasses.replace(claimed[0], state=RowState.SENT, lease_owner=None, ended=None)

    found = store.settle_and_announce(sent, claimed[1].id, "me", '["b@example.com"]', drop=True)

    assert found == expected
    rows = [store.get(number) for number in (1, 2, 3)]
    assert [one and (str(one.state), one.ended) for one in rows] == [
        ("sent" if expected[0] else "claimed", None),
        ("claimed", '["b@example.com"]' if expected[1] else None),
        ("waiting", None),
    ]
    assert [store.content(number) for number in (1, 2, 3)] == [
        None if expected[0] else b"x",
        b"x",
        b"x",
    ]
