"""``mail.queue.health(timeout=60.0)`` while the store is away, locked, old, or not there yet."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import sqlite3
import threading
import typing as t

import pytest
import sqlalchemy as sa
from dramatiq import broker as dramatiq_broker
from dramatiq.brokers.stub import StubBroker
from sqlalchemy import event

from clocks import skewed
from flask_mailhandler import ConfigurationError
from flask_mailhandler.queue.health.result import FINDINGS
from flask_mailhandler.queue.stores.base import Pause
from flask_mailhandler.queue.stores.sqlalchemy.store import SqlalchemyStore
from killing import Killer
from queueing import Shop
from queueing import shop
from queueing import url_of
from sending import letter
from sending import letters
from sending import Scripted
from servers.dead_ends import black_hole
from servers.dead_ends import closed_port
from servers.postgresql import Postgresql
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask_mailhandler import QueueHealth
    from servers.connection import Connection

pytestmark = pytest.mark.slow


def names(health: QueueHealth) -> list[str]:
    """The names and the severities of what was found."""
    return [f"{one.severity} {one.name}" for one in health.findings]


def text(health: QueueHealth) -> str:
    """The text of the first finding."""
    return health.findings[0].text


def looks() -> list[threading.Thread]:
    """The threads of health checks."""
    return [one for one in threading.enumerate() if one.name == "mail-queue-health"]


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield listener.getsockname()[1]


# The file


@pytest.mark.parametrize("named", ["queue.sqlite", "sqlite:///app.sqlite"])
def test_nothing_is_created_or_started(named: str, tmp_path: Path) -> None:
    """A queue that was never used is healthy, and a look at it creates no file and starts no
    thread."""
    with shop(tmp_path / "new", MAIL_QUEUE=named, MAIL_QUEUE_ENGINE="thread") as here:
        health = here.queue.health(timeout=60.0)

        assert (health.status, health.age) == ("healthy", None)
        assert not [*tmp_path.glob("new/*")]
        assert not any("mail-queue" in one.name for one in threading.enumerate())


@pytest.mark.parametrize("named", ["queue.sqlite", "sqlite:///app.sqlite"])
def test_nothing_is_written(named: str, tmp_path: Path) -> None:
    """A look at a file in another process leaves it as it was, and no other file next to it."""
    with shop(tmp_path, MAIL_QUEUE=named) as here:
        here.mail.send_later(letter("ann@example.com"))
    (file,) = tmp_path.iterdir()
    before = hashlib.sha256(file.read_bytes()).digest()

    with shop(tmp_path, MAIL_QUEUE=named) as other:
        health = other.queue.health(timeout=60.0)

    assert (health.status, health.claimed) == ("healthy", 0)
    assert [*tmp_path.iterdir()] == [file]
    assert hashlib.sha256(file.read_bytes()).digest() == before


def test_in_the_process_that_sends(tmp_path: Path) -> None:
    """The open connection of a process is used, and can write afterwards."""
    with shop(tmp_path) as here:
        for number in range(3):
            here.mail.send_later(letter(f"{number}@example.com"))
            assert here.queue.health(timeout=60.0).ok
        assert here.states == ["waiting"] * 3


def test_while_another_process_writes(tmp_path: Path) -> None:
    """A transaction that writes for long does not delay a look."""
    with shop(tmp_path) as here:
        here.mail.send_later(letter("ann@example.com"))
        with contextlib.closing(sqlite3.connect(tmp_path / "mail-queue.sqlite")) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("UPDATE mail_queue SET account = 'other'")

            assert names(here.queue.health(timeout=60.0)) == []


@pytest.mark.parametrize(
    ("make", "expected", "said"),
    [
        (lambda path: path.mkdir(), "store-unreachable", "unable to open database file"),
        (lambda path: path.write_bytes(b"x" * 99), "store-unreachable", "not a database"),
        (lambda path: path.write_bytes(b""), None, ""),
        (lambda path: version(path, 1), "wrong-tables", "has version 1"),
        (lambda path: version(path, 99), "wrong-tables", "Send the mail that waits there"),
    ],
)
def test_other_files(
    make: t.Callable[[Path], object], expected: str | None, said: str, tmp_path: Path
) -> None:
    """A file that is not a queue, or one of another release, is a finding and no error."""
    make(tmp_path / "queue.sqlite")

    with shop(tmp_path, MAIL_QUEUE="queue.sqlite") as here:
        health = here.queue.health(timeout=60.0)

        assert names(health) == ([f"error {expected}"] if expected else [])
        assert said in " ".join(one.text for one in health.findings)


def version(path: Path, number: int) -> None:
    """Make a file with tables of another release."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {number}")


def test_wrong_options(tmp_path: Path) -> None:
    """An unknown account or finding is an error, which names those that there are. So is a wrong
    bound, which says what to write."""
    with shop(tmp_path) as here:
        with pytest.raises(ConfigurationError, match="default"):
            here.queue.health(timeout=60.0, using="news")
        with pytest.raises(ConfigurationError, match=r"no finding 'worker'.*no-worker"):
            here.queue.health(timeout=60.0, only=["worker"])
        with pytest.raises(ConfigurationError, match=r"no finding 'worker'.*no-worker"):
            here.queue.health(timeout=60.0, only="worker")
        for name in ("max_age", "max_silence", "max_clock", "recent", "max_failed", "timeout"):
            for wrong in ("soon", -1, None, float("nan"), float("inf")):
                options: dict[str, t.Any] = {name: wrong}
                with pytest.raises(ConfigurationError, match=f"{name} must be a"):
                    here.queue.health(**options)


def test_only_some_findings(tmp_path: Path) -> None:
    """A caller chooses the account and the findings that matter to it."""
    with shop(tmp_path, MAIL_ACCOUNTS={"news": {"url": "smtp://localhost"}}) as here:
        here.mail.send_later(letter("ann@example.com"), using="news")
        here.queue.store.alter_pause("news", lambda before: Pause(9e9, 1, "no route"))

        assert names(here.queue.health(timeout=60.0)) == ["warning account-paused"]
        assert names(here.queue.health(timeout=60.0, using="default")) == []
        assert names(here.queue.health(timeout=60.0, only=["no-worker", "dead-worker"])) == []
        assert names(here.queue.health(timeout=60.0, only=FINDINGS)) == ["warning account-paused"]
        assert here.queue.health(timeout=60.0, using="default").age == 0.0


def test_an_account_that_is_down(tmp_path: Path, scripted: Scripted) -> None:
    """While a reserve sends, the first account is told of, by another process too."""
    with closed_port() as port:
        keys: dict[str, t.Any] = {
            "MAIL_URL": f"smtp://127.0.0.1:{port}",
            "MAIL_ACCOUNTS": {"backup": {"url": url_of(scripted())}},
            "MAIL_FAILOVER": ["default", "backup"],
        }
        with shop(tmp_path, **keys) as here:
            here.mail.send_later(letter("ann@example.com"))
            here.queue.run_once()
            assert here.states == ["sent"]
        with shop(tmp_path, **keys) as other:
            health = other.queue.health(timeout=60.0)

            assert names(health) == ["warning account-down"]
            assert health.findings[0].account == "default"
            assert "refused" in text(health)
            assert names(other.queue.health(timeout=60.0, using="backup")) == []


# Workers


def test_a_worker_that_was_killed(tmp_path: Path, scripted: Scripted) -> None:
    """The rows of a killed worker are found at once, and are an error when no other worker takes
    them over."""
    killer = Killer(tmp_path)

    def die(line: str, connection: Connection) -> str:
        if not killer.kills:
            killer.kill()
        return "250 2.1.5 ok"

    server = scripted(on={"RCPT": die})
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter("ann@example.com"))
        here.mail.send_later(letter("bob@example.com"))
        assert not killer.work(url_of(server))

        health = here.queue.health(timeout=60.0)
        assert names(health) == ["warning dead-worker"]
        assert "A worker (process " in text(health)
        assert "ended while it sent 2 messages" in text(health)
        assert health.claimed == 2

        with skewed(100.0):  # the lease has ended
            assert names(here.queue.health(timeout=60.0)) == ["error dead-worker"]

        here.queue.run_once()
        assert here.queue.health(timeout=60.0).claimed == 0


def test_a_worker_that_sends(tmp_path: Path, scripted: Scripted) -> None:
    """While a worker sends, mail that is late for hours is no sign of a missing worker."""
    seen: list[QueueHealth] = []
    here = Shop(tmp_path)

    def look(line: str, connection: Connection) -> str:
        seen.append(here.queue.health(timeout=60.0))
        return "250 2.1.5 ok"

    server = scripted(on={"RCPT": look})
    with shop(tmp_path, server) as sending:
        sending.mail.send_later(letter("ann@example.com"), priority="bulk")
        for message in letters(30):
            sending.mail.send_later(message, priority="bulk")
        with skewed(7200.0):
            sending.queue.run_once()
    here.queue.close()

    assert {name for health in seen for name in names(health)} <= {"warning mail-late"}
    assert len(seen) == 31
    assert seen[0].claimed == 20


def test_a_broker_without_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the broker was told and no worker has answered, the text says so. A look tells nothing."""
    monkeypatch.setattr(dramatiq_broker, "global_broker", StubBroker())
    with shop(tmp_path, MAIL_QUEUE_ENGINE="dramatiq") as here:
        here.mail.send_later(letter("ann@example.com"))
        until(lambda: rung(here), 60.0, "a ring")
        here.queue.engine.close()
        here.later(here.rows[0])

        health = here.queue.health(timeout=60.0, max_silence=0.5)

        assert names(health) == ["error no-worker"]
        assert "dramatiq MODULE. The broker was told of the mail, and no worker" in text(health)
        assert health.engine == "dramatiq"
        assert not [one for one in threading.enumerate() if "lookout" in one.name]


def rung(here: Shop) -> float:
    """Return until when a ring of a broker waits for an answer."""
    facts = here.queue.store.health_facts(["default"], 60.0)
    return 0.0 if facts is None else facts.accounts[0].rung_until


# A server


@pytest.mark.parametrize("server", [silent_server, black_hole])
@pytest.mark.parametrize("driver", ["postgresql+psycopg", "mysql+pymysql"])
def test_a_server_that_does_not_answer(
    driver: str, server: t.Callable[[], contextlib.AbstractContextManager[int]], tmp_path: Path
) -> None:
    """A server that hangs is a finding after the time that the caller allows. The next check waits
    for the same thread."""
    with server() as port:
        url = f"{driver}://shop:secret@127.0.0.1:{port}/shop"
        with shop(tmp_path, MAIL_QUEUE=url) as here:
            before = len(looks())
            health = here.queue.health(timeout=0.2)
            again = here.queue.health(timeout=0.1)

            assert names(health) == names(again) == ["error store-unreachable"]
            assert "did not answer within 0.2 s" in text(health)
            assert "secret" not in repr(health)
            assert len(looks()) <= before + 1


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """A refused connection is a finding that says what to do."""
    with closed_port() as port:
        url = f"postgresql+psycopg://shop:secret@127.0.0.1:{port}/shop"
        with shop(tmp_path, MAIL_QUEUE=url) as here:
            health = here.queue.health(timeout=60.0)

    assert names(health) == ["error store-unreachable"]
    assert "Start the database server" in text(health)
    assert "secret" not in repr(health)


@pytest.mark.services
class TestPostgresql:
    """The tables and the clock of a server."""

    @pytest.fixture
    def url(self, postgresql: Postgresql) -> Iterator[str]:
        with postgresql.database() as url:
            yield url

    @pytest.mark.parametrize(
        ("change", "expected", "said"),
        [
            ("SELECT 1", [], ""),
            ("DROP TABLE mail_queue", ["error wrong-tables"], "mail_queue_tables(db.metadata)"),
            (
                "ALTER TABLE mail_queue DROP COLUMN priority CASCADE",
                ["error wrong-tables"],
                "it lacks priority. Update it with Flask-Migrate",
            ),
            (
                "ALTER TABLE mail_queue_account DROP COLUMN rung_until, DROP COLUMN rate",
                ["error wrong-tables"],
                "it lacks rate, rung_until.",
            ),
            (
                "DROP TABLE mail_queue_suppressed",
                ["warning wrong-tables"],
                "mail_queue_suppressed was not created",
            ),
        ],
    )
    def test_tables(
        self, change: str, expected: list[str], said: str, url: str, tmp_path: Path
    ) -> None:
        """Tables that are missing, or of an older release, are a finding that says what to do."""
        execute(url, change)

        with shop(tmp_path, MAIL_QUEUE=url) as here:
            health = here.queue.health(timeout=60.0)

            assert names(health) == expected
            assert said in " ".join(one.text for one in health.findings)

    def test_locked(self, url: str, tmp_path: Path) -> None:
        """A table that another transaction locks does not hold a check up."""
        with shop(tmp_path, MAIL_QUEUE=url) as here:
            engine = sa.create_engine(url)
            with engine.begin() as other:
                other.execute(sa.text("LOCK TABLE mail_queue IN ACCESS EXCLUSIVE MODE"))

                health = here.queue.health(timeout=0.5)

                assert names(health) == ["error store-unreachable"]
                assert "another transaction locks the table" in text(health)
            engine.dispose()
            assert names(here.queue.health(timeout=60.0)) == []

    @pytest.mark.parametrize(("ahead", "way"), [(90.0, "ahead of"), (-90.0, "behind")])
    def test_clock(self, ahead: float, way: str, url: str, tmp_path: Path) -> None:
        """A clock of this machine that is wrong is a finding, whichever way."""
        with shop(tmp_path, MAIL_QUEUE=url) as here:
            assert names(here.queue.health(timeout=60.0)) == []
            with skewed(ahead):
                health = here.queue.health(timeout=60.0)

            assert names(health) == ["warning clocks-apart"]
            assert way in text(health)
            assert health.clock == pytest.approx(-ahead, abs=30)

    def test_plans(self, url: str, tmp_path: Path) -> None:
        """Each statement uses an index, and none reads the waiting rows of other priorities."""
        with shop(tmp_path, MAIL_QUEUE=url) as here:
            store = t.cast(SqlalchemyStore, here.queue.store)
            seen: list[tuple[str, t.Any]] = []
            event.listen(
                store.database.engine,
                "before_cursor_execute",
                lambda _, cursor, sql, values, *rest: seen.append((sql, values)),
            )
            execute(url, _MANY, "ANALYZE mail_queue")
            here.queue.health(timeout=60.0)
            store.due("default")
            asked = [one for one in seen if "FROM mail_queue " in one[0]]
            with store.database.single() as connection:
                plans = [
                    "\n".join(connection.exec_driver_sql(f"EXPLAIN {sql}", values).scalars())
                    for sql, values in asked
                ]

        assert len(plans) > 10
        assert [plan for plan in plans if "Seq Scan on mail_queue " in plan] == []
        firsts = [plan for plan in plans if "mail_queue_due" in plan and "priority" in plan]
        assert len(firsts) == 4
        assert all("(state = 'waiting'::text) AND (priority" in plan for plan in firsts)


_MANY = (
    "INSERT INTO mail_queue (app, account, message_id, priority, due, expires, created, changed,"
    " state, attempts, options, recipients, size, error) SELECT 'shop', 'default', n::text, 2, n,"
    " n, n, n, CASE WHEN n % 2 = 0 THEN 'waiting' ELSE 'sent' END, 0, '{}', '[]', 1, ''"
    " FROM generate_series(1, 20000) AS n"
)


def execute(url: str, *statements: str) -> None:
    """Run statements in a database."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement.replace("%", "%%"))
    engine.dispose()
