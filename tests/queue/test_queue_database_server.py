"""The queue in PostgreSQL and MariaDB, which are on another machine and may go away."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
import time
import typing as t

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from clocks import skewed
from flask_mailhandler import message_sent
from flask_mailhandler import QueueError
from flask_mailhandler.queue import worker
from flask_mailhandler.queue.bell import Bell
from flask_mailhandler.queue.lease import Lease
from flask_mailhandler.queue.outcomes import from_json
from flask_mailhandler.queue.row import Row
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.sending import account_sender
from flask_mailhandler.queue.stores.sqlalchemy import clock as sqlalchemy_clock
from flask_mailhandler.queue.stores.sqlalchemy import database as sqlalchemy_database
from flask_mailhandler.queue.stores.sqlalchemy import lending
from flask_mailhandler.queue.stores.sqlalchemy.store import SqlalchemyStore
from queueing import Shop
from queueing import shop
from sending import letter
from sending import letters
from sending import Scripted
from servers.database_server import DatabaseServer
from servers.mariadb import Mariadb
from servers.postgresql import Postgresql
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.services


class Where(t.NamedTuple):
    """A database."""

    server: DatabaseServer
    url: str
    """The URL of a database of the server with the tables of the queue."""


@pytest.fixture(params=["postgresql", "pgbouncer", "mariadb"])
def where(request: pytest.FixtureRequest) -> Iterator[Where]:
    """A database of PostgreSQL and one of MariaDB, and PostgreSQL through a pooler. Each test runs
    with all."""
    with _database(request, request.param) as found:
        yield found


@contextlib.contextmanager
def _database(request: pytest.FixtureRequest, name: str) -> Iterator[Where]:
    server = request.getfixturevalue("mariadb" if name == "mariadb" else "postgresql")
    there = request.getfixturevalue("pgbouncer")() if name == "pgbouncer" else server
    with there.database() as url:
        yield Where(server, url)


directly = pytest.mark.parametrize("where", ["postgresql", "mariadb"], indirect=True)
of_postgresql = pytest.mark.parametrize("where", ["postgresql", "pgbouncer"], indirect=True)


def test_connections_that_were_cut(
    where: Where,
    tmp_path: Path,
    scripted: Scripted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Connections that were idle when the database was restarted are replaced, without any
    error."""
    monkeypatch.setattr(lending, "IDLE", 0.0)
    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE=where.url) as here:
        here.mail.send_later(letter())
        where.server.disconnect_all()
        here.mail.send_later(letter())
        where.server.disconnect_all()
        here.queue.run_once()

        assert (here.states, len(server.accepted)) == (["sent"] * 2, 2)


def test_the_level_that_sqlalchemy_restores(where: Where, tmp_path: Path) -> None:
    """Mail is committed, also over a connection that SQLAlchemy has left without autocommit after
    a transaction, as its release 2.0.16 does."""
    with shop(tmp_path, MAIL_QUEUE=where.url) as here:
        store = here.queue.store
        assert isinstance(store, SqlalchemyStore)
        store.due("default")
        left = store.database.engine.raw_connection()
        driver = t.cast("t.Any", left.driver_connection)
        store.database.engine.dialect.set_isolation_level(driver, "READ COMMITTED")
        left.close()
        here.mail.send_later(letter())
        here.queue.close()

        assert here.states == ["waiting"]


@directly  # a pooler hides it
def test_cut_in_the_middle_of_a_message(
    where: Where,
    tmp_path: Path,
    scripted: Scripted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If a worker loses its database before it can announce the end of data, it does not send it.
    The message is sent once when the database is back."""
    # However long it takes to cut a connection, it is not looked at.
    monkeypatch.setattr(lending, "IDLE", float("inf"))

    def cut(line: str, connection: object) -> str:
        where.server.disconnect_all()
        return "250 2.1.0 ok"

    server = scripted(on={"MAIL": [cut]})
    with shop(tmp_path, server, MAIL_QUEUE=where.url) as here:
        here.mail.send_later(letter())
        here.queue.run_once()
        assert (here.states, server.received) == (["waiting"], [])
        here.all_later()
        here.queue.run_once()

        assert (here.states, len(server.accepted)) == (["sent"], 1)


def test_away_for_a_while(
    where: Where,
    tmp_path: Path,
    scripted: Scripted,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F-101: while the database is away no mail is queued, and an error says so. A worker waits for
    it, and then sends the mail that was there before."""
    monkeypatch.setattr(worker, "POLL", 0.05)
    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE=where.url) as here:
        here.mail.send_later(letter())
        where.server.stop()
        try:
            with pytest.raises(QueueError, match=r"The queue in \w+\+\w+://\w+@"):
                here.mail.send_later(letter())
            bell, sent = Bell(), threading.Event()
            message_sent.connect(lambda *_, **__: sent.set(), here.app, weak=False)
            thread = threading.Thread(target=here.queue.worker(bell).run)
            thread.start()
            until(lambda: "cannot be used" in caplog.text, 60, "the worker to find out")
        finally:
            where.server.start()
        assert sent.wait(60)
        bell.stop()
        thread.join()

        assert (here.states, len(server.accepted)) == (["sent"], 1)


def test_a_machine_that_goes_down(where: Where, tmp_path: Path, scripted: Scripted) -> None:
    """F-100: when the database crashes, queued mail is there, and sent mail is not sent again. If
    the result was not on the disk, the message is held."""
    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE=where.url) as here:
        assert len([*here.mail.send_later_each(letters(20))]) == 20
        here.queue.run_once()
        where.server.crash()
        where.server.start()
        here.queue.close()  # and with it connections that are none any more
        here.forget_workers()
        here.queue.run_once()

        assert len(here.states) == 20
        assert {*here.states} <= {"sent", "held"}
        assert len(server.accepted) == 20


@pytest.mark.parametrize("crash", [True, False])
def test_what_a_worker_had_claimed(crash: bool, where: Where, tmp_path: Path) -> None:
    """Rows that a worker had claimed when PostgreSQL crashed are held, because an announcement may
    be lost; but not after an orderly restart. MariaDB has synced each announcement."""
    with shop(tmp_path, MAIL_QUEUE=where.url) as here:
        here.mail.send_later(letter())
        dead = here.queue.worker()
        here.queue.store.claim("default", Lease(dead.owner, 1.0), here.rows[0].due, 1)
        where.server.crash() if crash else where.server.stop()
        where.server.start()
        here.queue.close()
        here.queue.worker().upkeep.recover()

        lost = crash and isinstance(where.server, Postgresql)
        assert here.states == ["held" if lost else "waiting"]
        assert ("went down" in here.rows[0].error) is lost


def test_a_crash_between_announcement_and_result(where: Where, tmp_path: Path) -> None:
    """When the database crashes, a message is held whose end of data was announced, and in
    PostgreSQL one that was only claimed. A result that the worker still knows is stored when the
    database is back."""
    with shop(tmp_path, MAIL_QUEUE=where.url) as here:
        store, now = here.queue.store, here.queue.store.now()
        for message in letters(4):
            here.mail.send_later(message)
        lease = Lease(f"{store.new_owner()}.1", now + 60)
        done, known, announced, _ = store.claim("default", lease, now + 1, 4)
        for row in (done, known, announced):
            recipients = [str.__str__(one.recipient) for one in from_json(row.recipients)]
            assert store.announce(row.id, lease.owner, json.dumps(recipients))
        assert store.settle(_sent(done), lease.owner, drop=True)
        where.server.crash()
        where.server.start()
        here.queue.close()
        assert store.settle(_sent(known), lease.owner, drop=True)
        store.renew(Lease(lease.owner, 1.0))
        here.queue.worker().upkeep.recover()

        if isinstance(where.server, Postgresql):
            assert here.states[0] in ("sent", "held")  # its result was perhaps not on the disk
            assert here.states[1:] == ["sent", "held", "held"]
        else:
            assert here.states == ["sent", "sent", "held", "waiting"]


def _sent(row: Row) -> Row:
    return dataclasses.replace(row, state=RowState.SENT, lease_owner=None, lease_until=None)


@of_postgresql
def test_statements_are_prepared(
    where: Where, tmp_path: Path, scripted: Scripted, request: pytest.FixtureRequest
) -> None:
    """The server prepares the statements of a message, unless a pooler shares its connections or
    the URL says otherwise. A plan is kept that suits any number of rows."""
    direct = "pgbouncer" not in request.fixturenames
    for option, number in (("", 3 if direct else 0), ("&prepare_threshold=none", 0)):
        if option and not direct:  # a pooler knows no other options
            continue
        with shop(tmp_path, scripted(), MAIL_QUEUE=where.url + option) as here:
            for message in letters(12):
                here.mail.send_later(message)
            here.queue.run_once()
            store = here.queue.store
            assert isinstance(store, SqlalchemyStore)
            lent = store.database._lender.take()
            found = lent.driver.execute(_PREPARED, prepare=False).fetchone()
            store.database._lender.take_back(lent)

        assert found == (number, "off" if number else "on")


_PREPARED = (
    "SELECT count(*) FILTER (WHERE generic_plans > 0 AND statement ~ 'INSERT|UPDATE'),"
    " current_setting('enable_seqscan') FROM pg_prepared_statements"
)


@of_postgresql
def test_what_is_on_the_disk_at_once(where: Where, tmp_path: Path) -> None:
    """Added and claimed rows are on the disk at once. The rest is there when the next of these
    is."""
    with shop(tmp_path, MAIL_QUEUE=where.url) as here:
        here.mail.send_later(letter())
        store = here.queue.store
        assert isinstance(store, SqlalchemyStore)
        with store.database.single() as connection:
            assert _synchronous(connection) == "on"
        with store.database.write() as connection:
            assert _synchronous(connection) == "on"
        with store.database.write(durable=False) as connection:
            assert _synchronous(connection) == "off"
        with store.database.write() as connection:
            assert _synchronous(connection) == "on"


def _synchronous(connection: t.Any) -> str:
    return str(connection.exec_driver_sql("SHOW synchronous_commit").scalar())


def test_a_row_in_hand_is_left_alone(where: Where, tmp_path: Path) -> None:
    """A worker does not wait for a row that another transaction has locked: it takes the next
    one."""
    with shop(tmp_path, MAIL_QUEUE=where.url) as here:
        first = here.mail.send_later(letter())
        second = here.mail.send_later(letter())
        assert [row.id for row in _claimed_beside(here, first.id)] == [second.id]


def _claimed_beside(here: Shop, held: int) -> list[t.Any]:
    store = here.queue.store
    assert isinstance(store, SqlalchemyStore)
    with store.database.write() as connection:
        connection.exec_driver_sql(f"SELECT id FROM mail_queue WHERE id = {held} FOR UPDATE")
        now = here.rows[0].due + 1
        return store.claim("default", Lease("me", now + 60), now, 10)


@pytest.mark.parametrize(
    ("name", "option", "seconds"),
    [
        ("postgresql", "%20-clock_timeout%3D50ms", 0.05),
        ("postgresql", "%20-clock_timeout%3D2s", 2.0),
        ("mariadb", "&init_command=SET%20innodb_lock_wait_timeout%3D1", 1.0),
    ],
)
def test_the_lock_timeout_of_the_database(
    name: str,
    option: str,
    seconds: float,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    scripted: Scripted,
) -> None:
    """A limit that the database or its URL sets is not replaced by the queue's own."""
    with (
        _database(request, name) as where,
        shop(tmp_path, scripted(), MAIL_QUEUE=where.url + option) as here,
    ):
        here.mail.send_later(letter())
        store = here.queue.store
        assert isinstance(store, SqlalchemyStore)
        (number,) = [row.id for row in here.rows]
        with store.database.write() as connection:
            connection.execute(sa.select(store.database.rows).with_for_update())
            began = time.monotonic()
            with pytest.raises(QueueError, match=r"(?i)lock (wait )?timeout"):
                here.queue.cancel([number])

    assert seconds <= time.monotonic() - began < sqlalchemy_database.LOCK_TIMEOUT


def test_the_clock_of_the_server(
    where: Where, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is that of the server, whatever the clock of this machine says, and goes on while
    the server is away."""
    with shop(tmp_path, MAIL_QUEUE=where.url) as here:
        store = here.queue.store
        before = store.now()
        with skewed(86_400.0):
            assert before <= store.now() < before + 3600
        monkeypatch.setattr(sqlalchemy_clock, "AGREEMENT", 0.0)
        where.server.stop()
        try:
            away = [store.now() for _ in range(3)]
        finally:
            where.server.start()
        assert before <= away[0] < away[1] < away[2] < before + 3600
        here.queue.close()
        assert away[2] < store.now() < before + 3600


def test_a_server_that_was_never_reached(where: Where, tmp_path: Path) -> None:
    """The time is unknown until the server was reached once."""
    with shop(tmp_path, MAIL_QUEUE=where.url) as here:
        where.server.stop()
        try:
            with pytest.raises(QueueError, match="cannot be used"):
                here.queue.store.now()
        finally:
            where.server.start()
        assert here.queue.store.now() > 0


def test_the_server_is_asked_once_a_minute(
    where: Where, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two clocks count as equal for at most a minute. A server that cannot be reached is left alone
    for as long."""
    with shop(tmp_path, MAIL_QUEUE=where.url) as here:
        store = here.queue.store
        assert isinstance(store, SqlalchemyStore)
        asked: list[str] = []
        event.listen(
            store.database.engine,
            "before_cursor_execute",
            lambda *about: asked.append(about[2]),
        )
        store.now()
        del asked[:]
        steady = time.clock_gettime(sqlalchemy_clock._STEADY)
        monkeypatch.setattr(time, "clock_gettime", lambda _: steady)
        first = [store.now() for _ in range(3)]
        assert asked == []
        steady += sqlalchemy_clock.AGREEMENT + 1
        second = [store.now() for _ in range(3)]
        assert len(asked) == 1
        assert abs(min(second) - max(first)) < sqlalchemy_clock.AGREEMENT

        monkeypatch.setattr(lending, "IDLE", float("inf"))
        where.server.disconnect_all()
        steady += sqlalchemy_clock.AGREEMENT + 1
        third = [store.now() for _ in range(3)]
        assert len(asked) == 2
        assert max(second) < min(third)


@pytest.mark.parametrize(
    ("reply", "state"), [("250 2.0.0 ok", "sent"), ("451 4.3.0 later", "waiting")]
)
@pytest.mark.usefixtures("not_soon")
def test_cut_before_the_result_is_written(
    reply: str,
    state: str,
    where: Where,
    tmp_path: Path,
    scripted: Scripted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If a worker loses its database while the server accepts or refuses a message, it stores the
    result as soon as the database is back. No message with a known outcome is held."""
    monkeypatch.setattr(lending, "IDLE", float("inf"))

    def cut(line: str, connection: object) -> str:
        where.server.disconnect_all()
        return reply

    server = scripted(on={"end of data": [cut]})
    with shop(tmp_path, server, MAIL_QUEUE=where.url) as here:
        for message in letters(3):
            here.mail.send_later(message)
        here.queue.run_once()
        assert here.states == [state, "sent", "sent"]
        here.all_later()
        here.queue.run_once()

        assert here.states == ["sent"] * 3
        assert sorted(one.recipients[0] for one in server.accepted) == [
            f"r{number}@example.com" for number in (1, 2, 3)
        ]


@pytest.mark.parametrize("lost", ["SKIP LOCKED", "DELETE", "octets", "UNION ALL"])
def test_written_and_the_answer_lost(
    lost: str,
    where: Where,
    tmp_path: Path,
    scripted: Scripted,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the database has written a claim or a result and only its reply was lost, the worker finds
    that out: the app gets its signal, and no row waits for the end of a lease. A lost reply to a
    query is asked for again, or is not needed."""
    monkeypatch.setattr(account_sender, "URGENT", 0.0)
    server = scripted()
    told: list[object] = []
    cut: list[str] = []
    with shop(tmp_path, server, MAIL_QUEUE=where.url) as here:
        store = here.queue.store
        assert isinstance(store, SqlalchemyStore)

        dialect = store.database.engine.dialect
        commit = dialect.do_commit
        # MariaDB writes a claim and a result with the COMMIT after the statement.
        late = isinstance(where.server, Mariadb) and lost in ("SKIP LOCKED", "DELETE")
        gone = sa.exc.OperationalError("", None, OSError("the answer is lost"))

        def lose(connection: object, cursor: t.Any, statement: str, *more: object) -> None:
            early = lost == "UNION ALL" and not server.accepted
            if lost in statement and not early and not cut:
                cut.append(statement)
                if not late:
                    raise gone

        def commit_and_lose(connection: t.Any) -> None:
            commit(connection)
            if late and len(cut) == 1:
                cut.append("COMMIT")
                raise gone

        for message in letters(2):
            here.mail.send_later(message)
        message_sent.connect(lambda *_, **__: told.append(1), here.app, weak=False)
        event.listen(store.database.engine, "after_cursor_execute", lose)
        monkeypatch.setattr(dialect, "do_commit", commit_and_lose)
        here.queue.run_once()

        assert len(cut) == 1 + late
        assert (here.states, told, len(server.accepted)) == (["sent"] * 2, [1, 1], 2)
        assert "another worker" not in caplog.text
