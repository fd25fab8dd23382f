"""The SQLite store: on the disk, in processes that fork, and after errors."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
import types
import typing as t

import pytest

from flask_mailhandler import QueueError
from flask_mailhandler.queue import process
from flask_mailhandler.queue.lease import Lease
from flask_mailhandler.queue.process import boot_id
from flask_mailhandler.queue.stores.sqlite import file as sqlite_file
from flask_mailhandler.queue.stores.sqlite import opened_file
from flask_mailhandler.queue.stores.sqlite import transaction as sqlite_transaction
from flask_mailhandler.queue.stores.sqlite.store import SqliteStore
from forking import fork
from forking import in_child
from queueing import shop
from sending import letter
from sending import Scripted
from storing import add
from storing import lease
from storing import NOW
from storing import row

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from queueing import Shop


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store of the app "shop"."""
    made = SqliteStore(str(tmp_path / "queue.sqlite"), "shop")
    yield made
    made.close()


def test_the_file(store: SqliteStore) -> None:
    """The file and those next to it are private, and are written completely before a call
    returns."""
    begun = [store.begun]
    add(store, row())

    assert [*begun, store.begun] == [False, True]
    files = [store.file.path + end for end in ("", "-wal", "-shm")]
    assert [stat.S_IMODE(os.stat(file).st_mode) for file in files] == [0o600] * 3
    with store.file.read() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


@pytest.mark.parametrize(("this", "announced"), [("b00f", 1), ("", 2)])
def test_what_is_on_the_disk_at_once(
    this: str, announced: int, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Added and claimed rows are on the disk at once. Announcements are too, if a crash of the
    machine could not be detected."""
    monkeypatch.setattr(store, "_boot", this)
    modes = []

    def note() -> None:
        with store.file.read() as connection:
            modes.append(connection.execute("PRAGMA synchronous").fetchone()[0])

    add(store, row())
    note()
    (claimed,) = store.claim("default", lease(), NOW, 1)
    note()
    store.announce(claimed.id, "me", "[]")
    note()
    store.settle(claimed, "me")
    note()

    assert modes == [2, 2, announced, 1]


def test_a_machine_that_went_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that a worker had claimed when its machine went down are held, because an announcement
    may be lost. Settled rows stay settled."""
    with shop(tmp_path) as here:
        for _ in range(2):
            here.mail.send_later(letter())
        worker = here.queue.worker()
        here.queue.store.claim("default", Lease(worker.owner, 1.0), here.rows[0].due, 1)
        assert here.queue.store.remembers(worker.owner)
        monkeypatch.setattr(here.queue.store, "_boot", "another")
        assert not here.queue.store.remembers(worker.owner)
        here.queue.worker().upkeep.recover()

        assert here.states == ["held", "waiting"]
        assert "went down" in here.rows[0].error


def test_this_machine() -> None:
    """The boot id is the same each time."""
    assert boot_id() == boot_id()
    assert re.fullmatch("[0-9a-f]{32}", boot_id())


def test_another_kind_of_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a boot id the text is empty."""
    monkeypatch.setattr(process, "_BOOT", tmp_path / "nothing")

    assert boot_id() == ""


# Trouble


def test_another_version(store: SqliteStore) -> None:
    """A file of another version is left alone, with an error that says what to do."""
    connection = sqlite3.connect(store.file.path)
    connection.execute("PRAGMA user_version = 7")
    connection.close()

    with pytest.raises(QueueError, match=r"has version 7.*uses version 2.*MAIL_QUEUE"):
        store.counts()


def test_no_database(store: SqliteStore) -> None:
    """A file that is not a database is an error that names it."""
    with open(store.file.path, "wb") as file:
        file.write(b"Dear diary, " * 1000)

    with pytest.raises(QueueError, match=re.escape(store.file.path)):
        add(store, row())


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder that cannot be created is an error that names the file and the key."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    store = SqliteStore(str(tmp_path / "file" / "queue.sqlite"), "shop")

    with pytest.raises(QueueError, match=r"MAIL_QUEUE: the file .*queue.sqlite cannot be written"):
        store.counts()


def test_a_folder(tmp_path: Path) -> None:
    """A folder in the place of the file is an error that says so and names the key."""
    store = SqliteStore(str(tmp_path), "shop")

    with pytest.raises(QueueError, match=r"MAIL_QUEUE: the file .* cannot be written: Is a dir"):
        store.counts()


def test_a_file_of_somebody_else() -> None:
    """A file that this user may read but not write is an error that says so and names the key."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "queue.sqlite")
        with contextlib.closing(SqliteStore(path, "shop")) as store:
            store.counts()
        os.chmod(folder, 0o755)
        os.chmod(path, 0o444)

        def look() -> str:
            me = os.getresuid()
            if os.geteuid() == 0:  # root may write everything
                os.setresuid(65534, 65534, 0)
            try:
                SqliteStore(path, "shop").counts()
            except QueueError as error:
                return str(error)
            finally:
                os.setresuid(*me)
            return "It has been opened."

        assert f"MAIL_QUEUE: the file {path} cannot be written: Perm" in in_child(look)


def test_a_full_disk(tmp_path: Path, scripted: Scripted) -> None:
    """F-102: when the disk is full no mail is queued and none is lost. When there is room again,
    all mail is sent once."""
    server = scripted()
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter())
        with here.queue.store.file.read() as connection:  # type: ignore[attr-defined]
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
            with pytest.raises(QueueError, match="full"):
                here.mail.send_later(letter(text="x\n" * 100_000))
            assert len(here.rows) == 1
            connection.execute("PRAGMA max_page_count = 1000000")
        here.queue.run_once()

        assert (here.states, len(server.accepted)) == (["sent"], 1)


def test_an_announcement_that_cannot_be_written(tmp_path: Path, scripted: Scripted) -> None:
    """If the end of data cannot be recorded, it is not sent. The message is sent when it can."""
    server = scripted()
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter())
        with here.queue.store.file.read() as connection:  # type: ignore[attr-defined]
            connection.execute(
                "CREATE TRIGGER no BEFORE UPDATE OF ended ON mail_queue WHEN new.ended IS NOT NULL"
                " BEGIN SELECT raise(ABORT, 'disk I/O error'); END"
            )
            here.queue.run_once()
            assert (here.states, server.received) == (["waiting"], [])
            connection.execute("DROP TRIGGER no")
        here.all_later()
        here.queue.run_once()

        assert (here.states, len(server.accepted)) == (["sent"], 1)


def test_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another program keeps locked is waited for, and then an error is raised."""
    monkeypatch.setattr(sqlite_file, "LOCK_TIMEOUT", 0.05)
    with shop(tmp_path) as here:
        here.mail.send_later(letter())
        other = sqlite3.connect(str(here.queue.store), isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(QueueError, match="locked"):
            here.mail.send_later(letter())
        other.execute("ROLLBACK")
        other.close()

        assert here.mail.send_later(letter()).created


def test_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two threads that find the file locked, the one that has waited for the other waits only
    for the rest of its own time. One that comes later waits for the whole time."""
    now, waited = [100.0], list[float]()

    def locked(connection: sqlite3.Connection, patience: float) -> None:
        waited.append(patience)
        now[0] += patience / 1000
        raise sqlite3.OperationalError("database is locked")

    clock = types.SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(sqlite_transaction, "time", clock)
    monkeypatch.setattr(sqlite_transaction, "begin_when_free", locked)
    line = sqlite_transaction.Line()
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for came in (100.0, 104.0, 104.0, 114.0, 120.0):
            line.came, now[0] = came, max(now[0], came)
            with pytest.raises(sqlite3.OperationalError):
                line.begin(connection, 10_000)

    assert waited == [10_000, 4000, 0, 10_000, 6000]


@pytest.mark.parametrize("kind", ["sqlite", "sqlalchemy"])
def test_a_file_that_is_deleted(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is deleted or replaced while the app runs is not written to any more, because its
    mail would be gone with the process. The next message is in the file that is there then."""
    path, kept = tmp_path / "queue.sqlite", tmp_path / "kept.sqlite"

    def later(one: Shop) -> None:
        with one.app.app_context():
            one.mail.send_later(letter())

    named = str(path) if kind == "sqlite" else f"sqlite:///{path}"
    with shop(tmp_path, MAIL_QUEUE=named) as here, shop(tmp_path, MAIL_QUEUE=named) as other:
        later(here)
        for end in ("-wal", "-shm"):
            pathlib.Path(f"{path}{end}").unlink(missing_ok=True)
        path.rename(kept)
        later(here)
        assert len(other.rows) == len(here.rows) == 1
        assert caplog.text.count("was deleted or replaced") == 1

        path.unlink()
        assert here.queue.health().ok
        later(other)
        later(here)
        assert len(other.rows) == len(here.rows) == 2
        assert caplog.text.count("was deleted or replaced") == 3
        with contextlib.closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_folder_that_may_not_be_searched(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that may not look into the folder any more goes on with the file it has opened."""

    def stat(path: str) -> t.NoReturn:
        raise PermissionError(path)

    add(store, row())
    monkeypatch.setattr(opened_file, "os", types.SimpleNamespace(stat=stat))
    add(store, row())

    assert store.counts() == {"waiting": 2} and caplog.text == ""


def test_a_lock_is_waited_for(store: SqliteStore) -> None:
    """A process that finds the file locked waits until the lock is released."""
    add(store, row())
    other = sqlite3.connect(store.file.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    adding = threading.Thread(target=add, args=(store, row()))
    adding.start()
    other.execute("COMMIT")
    adding.join()
    other.close()

    assert store.counts() == {"waiting": 2}


def test_a_fork_that_does_not_wait(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork waits for a thread that uses the file, but not forever. After that time, the child
    leaves the inherited connection alone and opens its own."""
    monkeypatch.setattr(sqlite_file, "LOCK_TIMEOUT", 0.01)
    add(store, row())
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.file.read():
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        child = fork()
        if child == 0:  # pragma: no cover
            code = 1
            try:
                code = 0 if store.counts() == {"waiting": 1} else 1
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        done.set()
        thread.join()

    assert store.counts() == {"waiting": 1}


def test_two_processes_make_one_file(tmp_path: Path) -> None:
    """Processes that start together find one set of tables."""
    program = (
        "import sys; from flask_mailhandler.queue.stores.sqlite.store import SqliteStore;"
        "sys.stdin.readline(); store = SqliteStore(sys.argv[1], 'x');"
        "print(store.counts()); store.close()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "queue.sqlite")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(4)
    ]
    outputs = []
    for one in processes:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in processes:
        outputs.append(one.communicate()[0])

    assert outputs == ["{}\n"] * 4


def test_another_process_makes_the_file(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that finds another one creating the file waits for it, although SQLite itself does
    not."""
    other = sqlite3.connect(store.file.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waited = list[float]()

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        other.execute("COMMIT")

    clock = types.SimpleNamespace(monotonic=time.monotonic, sleep=sleep)
    monkeypatch.setattr(sqlite_transaction, "time", clock)

    assert store.counts() == {}
    assert len(waited) == 1
    other.close()


def test_two_apps_of_one_process(store: SqliteStore) -> None:
    """Two apps of one process may share a file with other processes: when the second app opens it
    the first keeps its locks, and a process that ends takes no data along."""
    add(store, row())
    with contextlib.closing(SqliteStore(store.file.path, "blog")) as other:
        add(other, row(app="blog"))
        assert counted_elsewhere(store) == "1\n"
        add(store, row())
        assert counted_elsewhere(store) == "2\n"


def counted_elsewhere(store: SqliteStore) -> str:
    """How many rows another process sees, which opens the file and closes it again."""
    program = (
        "import sys; from flask_mailhandler.queue.stores.sqlite.store import SqliteStore;"
        "store = SqliteStore(sys.argv[1], 'shop'); print(sum(store.counts().values()));"
        "store.close()"
    )
    command = [sys.executable, "-c", program, store.file.path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_no_question_reads_the_whole_table(store: SqliteStore) -> None:
    """Every query that a worker makes for each message uses an index, so a million rows cost no
    more."""
    asked: list[str] = []
    with store.file.read() as connection:
        connection.set_trace_callback(asked.append)
    add(store, row(key="k"))
    store.due("default")
    store.claim("default", lease(), NOW, 10)
    store.claim("default", lease(), NOW, 10, "here")
    store.owners()
    store.ring("default", NOW, NOW + 1)
    store.answer("default")
    store.announce(1, "me", "[]")
    store.renew(lease())
    store.lost(NOW, 120, ["dead"])
    store.pull(NOW, 3600)
    store.pause("default")
    store.take_rate("default", ((1, 1.0),), NOW, 1)
    store.content(1)
    store.settle(row(id=1), "me", drop=True)
    with store.file.read() as connection:
        connection.set_trace_callback(None)
        questions = [one for one in asked if re.match("SELECT|UPDATE|DELETE", one)]
        plans = {
            one: [step[3] for step in connection.execute(f"EXPLAIN QUERY PLAN {one}")]
            for one in questions
        }

    assert len(plans) > 12
    scans = [step for plan in plans.values() for step in plan if step.startswith("SCAN")]
    # Of the claimed rows, which are never many, those of one owner.
    assert {*scans} <= {"SCAN mail_queue USING INDEX mail_queue_lease"}
