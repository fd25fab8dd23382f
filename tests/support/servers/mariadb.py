"""A separate MariaDB in a temporary folder, on a free port.

Debian's package ``mariadb-server`` is needed. The system's own instance, if there is one, is
neither used nor touched.
"""

from __future__ import annotations

import contextlib
import getpass
import shutil
import signal
import typing as t
import uuid
from pathlib import Path

import pymysql

from .database_server import DatabaseServer
from .database_server import make_tables
from .dead_ends import free_port
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


class Mariadb(DatabaseServer):
    """One server.

    :param driver: The scheme of its URLs.
    :param options: System variables, besides the usual ones.
    """

    stop_signal = signal.SIGTERM
    crash_signal = signal.SIGKILL
    refused = pymysql.err.OperationalError

    def __init__(self, driver: str = "mysql+pymysql", **options: str) -> None:
        super().__init__("ma-")
        self.driver = driver
        self.port = free_port()
        # A server that starts deletes the temporary tables of all others with the same folder.
        self._temporary = self.folder / "tmp"
        self._temporary.mkdir()
        self._options = _OPTIONS | {"tmpdir": str(self._temporary)} | options
        self._tables: list[str] = []

    def _create(self) -> None:
        self._run(
            [
                *("mariadb-install-db", "--no-defaults", f"--datadir={self._data}"),
                f"--tmpdir={self._temporary}",
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
                *(f"--user={getpass.getuser()}", "--innodb-log-file-size=64M"),
                *("--innodb-flush-method=nosync", "--sync-frm=0"),
            ]
        )

    def _command(self) -> list[str]:
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self._options.items()]
        return [
            *(str(_server()), "--no-defaults", f"--datadir={self._data}"),
            *(f"--socket={self.folder}/socket", f"--port={self.port}"),
            *(f"--pid-file={self.folder}/pid", f"--user={getpass.getuser()}", *options),
        ]

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


def _server() -> Path:
    """The program, which is in a folder that not every user has in the PATH."""
    return Path(shutil.which("mariadbd") or "/usr/sbin/mariadbd")


def missing() -> str:
    """Why MariaDB cannot be started here, or ""."""
    there = _server().exists() and shutil.which("mariadb-install-db")
    return "" if there else "Debian's package mariadb-server is not installed"
