"""What only MariaDB and MySQL do: what a server must be, its limits, deadlocks and drivers."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import threading
import typing as t

import pymysql
import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import orm

from flask_mailhandler import mail_queue_tables
from flask_mailhandler import MessageError
from flask_mailhandler import QueueError
from flask_mailhandler.app.queue_keys import QueueSettings
from flask_mailhandler.queue.build import store_of
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.stores.base import Filter
from flask_mailhandler.queue.stores.base import Pause
from flask_mailhandler.queue.stores.sqlalchemy.mysql_server import Server
from flask_mailhandler.queue.stores.sqlalchemy.store import SqlalchemyStore
from queueing import shop
from sending import letter
from sending import letters
from sending import Scripted
from servers.waiting import until
from storing import add
from storing import lease
from storing import NOW
from storing import Place
from storing import row

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from pathlib import Path

    from servers.mariadb import Mariadb

GOOD = Server(
    mariadb=True,
    version=(10, 11, 6),
    variables={
        "character_set_connection": "utf8mb4",
        "sql_mode": "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION",
        "max_allowed_packet": "16777216",
        "log_bin": "ON",
        "binlog_format": "MIXED",
        "sync_binlog": "1",
        "innodb_flush_log_at_trx_commit": "1",
    },
    tables={"mail_queue": ("InnoDB", "utf8mb4_bin")},
    octets="longblob",
)


def changed(**changes: t.Any) -> Server:
    """The good server with other values: its variables, or its fields."""
    fields = {name: changes.pop(name) for name in [*changes] if hasattr(GOOD, name)}
    return dataclasses.replace(GOOD, **{"variables": GOOD.variables | changes, **fields})


@pytest.mark.parametrize(
    ("server", "fault"),
    [
        (GOOD, ""),
        (changed(version=(11, 8, 2)), ""),
        (changed(mariadb=False, version=(8, 4, 0)), ""),
        (changed(mariadb=False, version=(9, 7, 4)), ""),
        (changed(sql_mode="ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES"), ""),
        (changed(tables={"mail_queue": ("InnoDB", "utf8mb4_0900_bin")}), ""),
        (changed(binlog_format="STATEMENT", log_bin="OFF"), ""),
        (changed(version=(10, 6, 18)), "MariaDB 10.6.18. Use MariaDB 10.11 or newer"),
        (changed(mariadb=False, version=(8, 0, 40)), "MySQL 8.0.40. Use MySQL 8.4 or newer"),
        (changed(sql_mode=""), "Add STRICT_TRANS_TABLES to sql_mode"),
        (changed(sql_mode="ANSI_QUOTES"), "Add STRICT_TRANS_TABLES to sql_mode"),
        (changed(character_set_connection="latin1"), "?charset=utf8mb4"),
        (changed(character_set_connection="utf8mb3"), "?charset=utf8mb4"),
        (changed(binlog_format="STATEMENT"), "Set binlog_format to ROW or MIXED"),
        (
            changed(tables={"mail_queue_content": ("MyISAM", "utf8mb4_bin")}),
            "ALTER TABLE mail_queue_content ENGINE = InnoDB",
        ),
        (changed(tables={"mail_queue": ("Aria", "utf8mb4_bin")}), "mail_queue is of Aria"),
        (
            changed(tables={"mail_queue": ("InnoDB", "utf8mb4_general_ci")}),
            "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        ),
        (changed(tables={"mail_queue": ("InnoDB", "latin1_bin")}), "for which 'A' and 'a'"),
        (changed(octets="blob"), "MODIFY octets LONGBLOB NOT NULL"),
    ],
)
def test_what_a_server_must_be(server: Server, fault: str) -> None:
    """A server that the queue cannot use is an error that says what to write instead."""
    assert (fault in server.fault()) is True
    assert bool(server.fault()) is bool(fault)


@pytest.mark.parametrize(
    ("server", "settings"),
    [
        (GOOD, []),
        (changed(log_bin="OFF", sync_binlog="0"), []),
        (changed(innodb_flush_log_at_trx_commit="2"), ["innodb_flush_log_at_trx_commit = 2"]),
        (changed(innodb_flush_log_at_trx_commit="0"), ["innodb_flush_log_at_trx_commit = 0"]),
        (changed(sync_binlog="0"), ["sync_binlog = 0"]),
    ],
)
def test_a_server_that_syncs_later(
    server: Server, settings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A warning names each setting with which a crash of the machine loses mail."""
    server.warn("the database")

    assert len(caplog.records) == len(settings)
    assert all(setting in caplog.text for setting in settings)


@pytest.fixture
def url(mariadb: Mariadb) -> Iterator[str]:
    """The URL of a database with the tables of the queue."""
    with mariadb.database() as found:
        yield found


@contextlib.contextmanager
def place_at(url: str, folder: Path) -> Iterator[Place]:
    with contextlib.closing(Place(url, folder)) as place:
        yield place


@contextlib.contextmanager
def engine_at(url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(url)
    yield engine
    engine.dispose()


@pytest.mark.services
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("ALTER TABLE mail_queue_content ENGINE = MyISAM", "ENGINE = InnoDB"),
        ("ALTER TABLE mail_queue COLLATE utf8mb4_general_ci", "COLLATE utf8mb4_bin"),
        ("ALTER TABLE mail_queue_content MODIFY octets BLOB NOT NULL", "LONGBLOB"),
        ("DROP TABLE mail_queue_content", r"mail_queue_tables\(db\.metadata\)"),
        ("DROP TABLE mail_queue_suppressed", ""),
    ],
)
def test_tables_that_were_made_otherwise(change: str, error: str, url: str, tmp_path: Path) -> None:
    """The tables are looked at before the first message is queued."""
    with place_at(url, tmp_path) as place, engine_at(url) as engine:
        with engine.begin() as connection:
            connection.exec_driver_sql(change)
        store = place.store()
        with pytest.raises(QueueError, match=error) if error else contextlib.nullcontext():
            add(store, row())


@pytest.mark.services
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"init_command": "SET sql_mode=''"}, "Add STRICT_TRANS_TABLES"),
        ({"charset": "latin1"}, "charset=utf8mb4"),
        ({"init_command": "SET sql_mode='ANSI_QUOTES,STRICT_TRANS_TABLES'"}, ""),
        ({"init_command": "SET sql_mode='NO_BACKSLASH_ESCAPES,STRICT_TRANS_TABLES'"}, ""),
    ],
)
def test_connections_of_the_app(
    options: dict[str, str], error: str, url: str, tmp_path: Path
) -> None:
    """Connections of the app that cut off or change a text are refused. Other modes are allowed."""
    app = Flask("shop", instance_path=str(tmp_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = sa.make_url(url).set(query={}).render_as_string(False)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"connect_args": options}
    db = SQLAlchemy(app)
    hostile = "it's \\' \"x\" \N{PILE OF POO} \\"
    with app.app_context():
        store = store_of(app, QueueSettings(queue="sqlalchemy"))
        if error:
            with pytest.raises(QueueError, match=error):
                add(store, row())
        else:
            store.add([(row(error=hostile, key=hostile), bytes(range(256)))])
            (claimed,) = store.claim("default", lease(), NOW, 1)
            assert (claimed.error, claimed.key) == (hostile, hostile)
            assert store.content(claimed.id) == bytes(range(256))
        db.engine.dispose()


@pytest.mark.services
def test_keys_are_compared_exactly(url: str, tmp_path: Path) -> None:
    """Keys that differ in case or in accents are two keys, whatever the server's collation."""
    with place_at(url, tmp_path) as place:
        store = place.store()
        keys = ["order", "Order", "ordér", "order", "ordér"]

        assert [add(store, row(key=key))[0].created for key in keys] == [True] * 3 + [False] * 2


@pytest.mark.services
def test_a_message_that_does_not_fit(mariadb: Mariadb, url: str, tmp_path: Path) -> None:
    """A message that max_allowed_packet does not allow is refused by send_later, with that cause.
    The largest that is allowed can be stored. In a list, only the large message is refused."""
    with shop(tmp_path, MAIL_QUEUE=url, MAIL_QUEUE_MAX_SIZE="100MB") as here:
        store = here.queue.store
        assert isinstance(store, SqlalchemyStore)
        assert store.database.largest == (64 * 2**20 - 1024) // 2
        fits = letter(text="x")
        large = letter(text=("x" * 70 + "\n") * 500_000)
        with pytest.raises(
            MessageError, match=r"max_allowed_packet .* allows 33553920\..* to [67]\dM"
        ):
            here.mail.send_later(large)
        tickets = [*here.mail.send_later_each([fits, large, fits])]
        assert [bool(ticket.error) for ticket in tickets] == [False, True, False]
        for filled in (b"x", b"'", b"\0", b"\xff"):
            content = filled * store.database.largest
            (ticket,) = store.add([(row(size=len(content)), content)])
            assert store.content(ticket.id) == content


@pytest.mark.services
@pytest.mark.parametrize("level", ["READ UNCOMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_a_session_of_any_level(level: str, url: str, tmp_path: Path) -> None:
    """A transaction of the app finds a key that another one has queued since it began."""
    with shop(tmp_path, MAIL_QUEUE=url) as here, engine_at(url) as engine:
        with orm.Session(engine.execution_options(isolation_level=level)) as session:
            session.execute(sa.text("SELECT count(*) FROM mail_queue"))  # the snapshot
            if level != "SERIALIZABLE":  # it would wait for the session
                first = here.mail.send_later(letter(), key="k")
                second = here.mail.send_later(letter(), key="k", session=session)
                assert (second.created, second.id) == (False, first.id)
            assert here.mail.send_later(letter(), key="other", session=session).created
            session.commit()

        assert {*here.states} == {"waiting"}


@pytest.mark.services
@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
def test_a_key_that_is_there(level: str, url: str, tmp_path: Path, scripted: Scripted) -> None:
    """A transaction of the app that finds the key of a waiting message does not keep a worker from
    sending it."""
    with shop(tmp_path, scripted(), MAIL_QUEUE=url) as here, engine_at(url) as engine:
        first = here.mail.send_later(letter(), key="k")
        with orm.Session(engine.execution_options(isolation_level=level)) as session:
            second = here.mail.send_later(letter(), key="k", session=session)
            here.queue.run_once()

            assert (second.created, second.id) == (False, first.id)
            assert here.states == ["sent"]


@pytest.mark.services
def test_a_deadlock(url: str, tmp_path: Path) -> None:
    """If the server ends a transaction of the queue because of another one, the queue repeats
    it."""
    with place_at(url, tmp_path) as place, engine_at(url) as engine:
        store, locked, errors = place.store(), threading.Event(), list[object]()
        assert isinstance(store, SqlalchemyStore)
        add(store, row(), row())

        def hold_the_second() -> None:
            with engine.begin() as connection:
                # The server ends the transaction that has changed less.
                connection.exec_driver_sql("CREATE TABLE work (n INT)")
                connection.exec_driver_sql("INSERT INTO work SELECT seq FROM seq_1_to_100")
                connection.exec_driver_sql("SELECT id FROM mail_queue WHERE id = 2 FOR UPDATE")
                locked.set()
                # Not innodb_lock_waits, which answers with old rows if it is asked often.
                waits = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"

                def is_waiting() -> bool:
                    return bool(connection.exec_driver_sql(waits).one()[1] == "1")

                until(is_waiting, 60, "the queue to wait")
                connection.exec_driver_sql("SELECT id FROM mail_queue WHERE id = 1 FOR UPDATE")

        sa.event.listen(
            store.database.engine,
            "handle_error",
            lambda about: errors.append(about.original_exception.args[0]),
        )
        other = threading.Thread(target=hold_the_second)
        other.start()
        assert locked.wait(60)
        altered = store.alter(
            [1, 2], [RowState.WAITING], lambda found: dataclasses.replace(found, error="changed")
        )
        other.join()

        assert errors == [1213]
        assert [one.error for one in altered] == ["changed", "changed"]
        assert [one.error for one in store.rows(Filter(), 9)] == ["changed", "changed"]


@pytest.mark.services
def test_workers_of_one_account(url: str, tmp_path: Path) -> None:
    """Workers that wait for the same account change it one after the other, without a deadlock."""
    with place_at(url, tmp_path) as place, engine_at(url) as engine:
        store, errors = place.store(), list[object]()
        assert isinstance(store, SqlalchemyStore)
        limits = ((100, 3600.0),)
        store.take_rate("default", limits, NOW, 1)
        sa.event.listen(
            store.database.engine,
            "handle_error",
            lambda about: errors.append(about.original_exception.args[0]),
        )
        calls: list[Callable[[], object]] = [
            lambda: store.take_rate("default", limits, NOW, 10),
            lambda: store.alter_pause("default", lambda before: Pause(NOW, 1, "why")),
            lambda: store.ring("default", NOW, NOW + 10),
        ]
        workers = [threading.Thread(target=call) for call in calls]
        with engine.begin() as connection:
            connection.exec_driver_sql("SELECT * FROM mail_queue_account FOR UPDATE")
            for worker in workers:
                worker.start()
            waits = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"
            until(lambda: connection.exec_driver_sql(waits).one()[1] == "3", 60, "three that wait")
        for worker in workers:
            worker.join()

        assert errors == []
        assert store.take_rate("default", limits, NOW, 100)[0] == 89
        assert store.pause("default") == Pause(NOW, 1, "why")
        assert not store.ring("default", NOW + 5, NOW + 20)


@pytest.mark.services
def test_an_announcement_that_fails_after_its_result(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a deadlock ends the announcement again and again, the result before it is not written a
    second time: it would not be found, as if another worker had it."""
    with place_at(url, tmp_path) as place:
        store, failed = place.store(), list[int]()
        add(store, row(), row())
        first, second = store.claim("default", lease(), NOW, 2)
        owner = str(first.lease_owner)
        sent = dataclasses.replace(first, state=RowState.SENT, lease_owner=None)

        def fail(number: int, *rest: str) -> t.NoReturn:
            failed.append(number)
            raise QueueError("A deadlock.") from pymysql.err.OperationalError(1213, "deadlock")

        monkeypatch.setattr(store, "announce", fail)
        with pytest.raises(QueueError):
            store.settle_and_announce(sent, second.id, owner, "[]", drop=True)

        assert failed == [2]
        assert [str(one.state) for one in store.rows(Filter(), 9)] == ["claimed", "sent"]


@pytest.mark.services
def test_the_lock_wait_of_the_app(url: str, tmp_path: Path) -> None:
    """The app's connections get back the limit of the wait for a lock that they had."""
    app = Flask("shop", instance_path=str(tmp_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "pool_size": 1,
        "connect_args": {"init_command": "SET innodb_lock_wait_timeout = 77"},
    }
    db = SQLAlchemy(app)
    with app.app_context():
        store = store_of(app, QueueSettings(queue="sqlalchemy"))
        add(store, row(key="k"))
        with pytest.raises(ZeroDivisionError):
            store.alter([1], [RowState.WAITING], lambda found: 1 // 0)  # type: ignore[arg-type,return-value]
        found = db.session.execute(sa.text("SELECT @@innodb_lock_wait_timeout")).scalar()
        db.session.remove()
        db.engine.dispose()

    assert found == 77


@pytest.fixture
def mysqlclient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver mysqlclient: installed here, or Debian's for the Python of the system."""
    with contextlib.suppress(ImportError):
        importlib.import_module("MySQLdb")
        return
    with monkeypatch.context() as patched:
        patched.syspath_prepend("/usr/lib/python3/dist-packages")
        pytest.importorskip("MySQLdb", reason="Debian's python3-mysqldb is not for this Python")


@pytest.mark.services
@pytest.mark.usefixtures("mysqlclient")
def test_mysqlclient(url: str, tmp_path: Path, scripted: Scripted) -> None:
    """The queue works the same with mysqlclient, also with binary octets and any text."""
    theirs = url.replace("mysql+pymysql", "mariadb+mysqldb").partition("?")[0]
    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE=theirs) as here:
        first = here.mail.send_later(letter(subject="Grüße \N{PILE OF POO}"), key="a")
        again = here.mail.send_later(letter(), key="a")
        assert (again.created, again.id) == (False, first.id)
        assert len([*here.mail.send_later_each(letters(5))]) == 5
        octets = bytes(range(256)) * 100
        (ticket,) = here.queue.store.add([(row(account="news"), octets)])
        assert here.queue.store.content(ticket.id) == octets
        here.queue.run_once()

        assert sorted(here.states) == ["sent"] * 6 + ["waiting"]
    assert len(server.accepted) == 6


@pytest.mark.services
def test_a_claim_beside_another(url: str, tmp_path: Path) -> None:
    """A claim reads rows in the order of an index, and locks none that it does not take: the next
    claim takes the next rows."""
    with place_at(url, tmp_path) as place:
        store = place.store()
        assert isinstance(store, SqlalchemyStore)
        add(store, *[row(due=NOW - number) for number in range(300)])
        with store.database.write() as connection:
            first = connection.execute(
                store._claims[False].core,
                {"of": "default", "urgency": 1, "now": NOW, "most": 7},
            ).all()
            second = place.store().claim("default", lease(), NOW, 7)

    assert [found.id for found in first] == [*range(300, 293, -1)]
    assert [found.id for found in second] == [*range(293, 286, -1)]


@pytest.mark.services
def test_tables_of_any_server(mariadb: Mariadb) -> None:
    """create_all makes the tables for MySQL and for MariaDB, whatever the server's character
    set."""
    with mariadb.database(tables=False) as url:
        for scheme in ("mysql+pymysql", "mariadb+pymysql"):
            with engine_at(url.replace("mysql+pymysql", scheme)) as engine:
                metadata = sa.MetaData()
                mail_queue_tables(metadata)
                metadata.create_all(engine)
                with engine.connect() as connection:
                    found = Server.of(connection, [*metadata.tables.values()])
                metadata.drop_all(engine)

            assert {*found.tables.values()} == {("InnoDB", "utf8mb4_bin")}
            assert (len(found.tables), found.octets) == (5, "longblob")
