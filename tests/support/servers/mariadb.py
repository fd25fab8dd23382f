"""A separate MariaDB in a temporary folder, on a free port.

Debian's package ``mariadb-server`` is needed. The system's own instance, if there is one, is
neither used nor touched.
"""

from __future__ import annotations

import contextlib
import getpass
import shutil
import signal
import socket
import subprocess
import tempfile
import typing as t
import uuid
from pathlib import Path

import pymysql

from .postgresql import make_tables
from .waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator

_OPTIONS = {
    "bind_address": "127.0.0.1",
    # Committed data is written at once, and there when the server is killed. It is not synced to
    # the disk, because this machine does not crash.
    "innodb_flush_log_at_trx_commit": "1",
    "innodb_flush_method": "nosync",
    "sync_frm": "0",
    "max_connections": "200",
    "innodb_buffer_pool_size": "128M",
    "innodb_log_file_size": "64M",
    "max_allowed_packet": "64M",
    "lc_messages": "en_US",
    # Not the default of Debian, so that the tables have to say theirs.
    "character_set_server": "latin1",
    "collation_server": "latin1_swedish_ci",
    # Found by their port and not by a name.
    "skip_name_resolve": "1",
}


class Mariadb:
    """One server, stopped by its process id.

    :param driver: The scheme of its URLs.
    :param options: System variables, besides the usual ones.
    """

    def __init__(self, driver: str = "mysql+pymysql", **options: str) -> None:
        # A short path, because the name of a socket has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="ma-", dir="/tmp"))
        self.driver = driver
        self.port = _free_port()
        self._data = self.folder / "data"
        # A server that starts deletes the temporary tables of all others with the same folder.
        self._temporary = self.folder / "tmp"
        self._temporary.mkdir()
        self._options = _OPTIONS | {"tmpdir": str(self._temporary)} | options
        self._process: subprocess.Popen[bytes] | None = None
        self._tables: list[str] = []

    def start(self) -> None:
        """Create the database files if there are none, and wait until it accepts connections."""
        if not self._data.exists():
            self._run(
                *("mariadb-install-db", "--no-defaults", f"--datadir={self._data}"),
                f"--tmpdir={self._temporary}",
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
                *(f"--user={getpass.getuser()}", "--innodb-log-file-size=64M"),
                *("--innodb-flush-method=nosync", "--sync-frm=0"),
            )
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self._options.items()]
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(_server()), "--no-defaults", f"--datadir={self._data}"),
                    *(f"--socket={self.folder}/socket", f"--port={self.port}"),
                    *(f"--pid-file={self.folder}/pid", f"--user={getpass.getuser()}", *options),
                ],
                stdout=log,
                stderr=log,
            )
        until(self._answers, 90, "MariaDB takes no connections")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it, in order by default. :meth:`start` starts it again."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def crash(self) -> None:
        """Kill it."""
        self.stop(signal.SIGKILL)

    def remove(self) -> None:
        """Stop it, and delete its files."""
        self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def database(self, *, tables: bool = True) -> Iterator[str]:
        """The SQLAlchemy URL of a new database with the tables of the queue, which is deleted with
        the server.

        :param tables: Whether the tables are created.
        """
        name = f"t{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}", *(self._copies(name) if tables else ()))
        yield self.url_of(name)

    def _copies(self, name: str) -> list[str]:
        """Statements that copy the tables of the queue, in a quarter of the time that it takes to
        create each index."""
        if not self._tables:
            self.execute("CREATE DATABASE template")
            make_tables(self.url_of("template"))
            with self.connect() as connection, connection.cursor() as cursor:
                cursor.execute("SHOW TABLES IN template")
                self._tables = [table for (table,) in cursor.fetchall()]
        return [f"CREATE TABLE {name}.{table} LIKE template.{table}" for table in self._tables]

    def url_of(self, database: str) -> str:
        """The SQLAlchemy URL of one of its databases."""
        # Not the socket: PyMySQL 1.2 leaves it open if it cannot connect.
        return f"{self.driver}://root@127.0.0.1:{self.port}/{database}?charset=utf8mb4"

    def execute(self, *statements: str) -> None:
        """Execute statements on a new connection."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def disconnect_all(self) -> None:
        """Close all its connections but this one, as a failover does."""
        with self.connect() as connection, connection.cursor() as cursor:
            for number in self._others(cursor):
                with contextlib.suppress(pymysql.err.OperationalError):  # it has just ended
                    cursor.execute(f"KILL {number}")
            until(lambda: not self._others(cursor), 60, "the end of the connections")

    def _others(self, cursor: t.Any) -> list[int]:
        cursor.execute(
            "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()"
            " AND user = 'root'"
        )
        return [number for (number,) in cursor.fetchall()]

    def connect(self) -> t.Any:
        """A connection in autocommit mode."""
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", autocommit=True)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError((self.folder / "log").read_text(encoding="utf-8"))
        try:
            self.connect().close()
        except pymysql.err.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run([program, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def _server() -> Path:
    """The program, which is in a folder that not every user has in the PATH."""
    return Path(shutil.which("mariadbd") or "/usr/sbin/mariadbd")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def missing() -> str:
    """Why MariaDB cannot be started here, or ""."""
    there = _server().exists() and shutil.which("mariadb-install-db")
    return "" if there else "Debian's package mariadb-server is not installed"
