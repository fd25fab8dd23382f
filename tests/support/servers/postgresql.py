"""A separate PostgreSQL in a temporary folder, on a socket in that folder and without a port.

Debian's package ``postgresql`` is needed. The system's own instance, if there is one, is neither
used nor touched. PostgreSQL refuses to run as root, so that then it runs as the user ``postgres``.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import typing as t
import uuid
from functools import cached_property
from pathlib import Path

import psycopg

from .database_server import DatabaseServer
from .database_server import make_tables
from .waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator

USER = "postgres"

# As in production: committed data is on the disk.
_OPTIONS = {
    "listen_addresses": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "128MB",
}


class Postgresql(DatabaseServer):
    """One server."""

    stop_signal = signal.SIGINT
    crash_signal = signal.SIGQUIT
    refused = psycopg.OperationalError
    port = 5432
    """Needed only for the name of the socket."""

    def __init__(self) -> None:
        super().__init__("pg-")

    def _create(self) -> None:
        own(self.folder)
        # English errors, whatever the language of this machine is.
        self._run(
            self._as_user(
                *("initdb", "-D", str(self._data), "-U", USER),
                *("-A", "trust", "-E", "UTF8", "--no-locale"),
            )
        )

    def _command(self) -> list[str]:
        options = [f"-c{name}={value}" for name, value in _OPTIONS.items()]
        return self._as_user("postgres", "-D", str(self._data), f"-k{self.folder}", *options)

    @contextlib.contextmanager
    def database(self, *, tables: bool = True) -> Iterator[str]:
        """The SQLAlchemy URL of a new schema with the tables of the queue, which is dropped at the
        end.

        :param tables: Whether the tables are created.
        """
        name = f"t{uuid.uuid4().hex}"
        self.execute(f"CREATE SCHEMA {name}")
        url = f"{self.url}&options=-csearch_path%3D{name}"
        try:
            if tables:
                make_tables(url)
            yield url
        finally:
            self.execute(f"DROP SCHEMA {name} CASCADE")

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the database that always exists."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://{USER}@/{database}?host={self.folder}&port={self.port}"

    def execute(self, statement: str) -> None:
        """Execute a statement on a new connection."""
        with self.connect() as connection:
            connection.execute(statement.encode())

    def disconnect_all(self) -> None:
        """Close all its connections, as a failover does, and wait until they are closed. Its
        processes get a signal, and end when they handle it."""
        others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        others += " AND backend_type = 'client backend'"
        with self.connect() as connection:
            connection.execute(f"SELECT pg_terminate_backend(pid) {others}".encode())
            count = f"SELECT count(*) {others}".encode()
            until(lambda: connection.execute(count).fetchone() == (0,), 60, "their end")

    def connect(self) -> psycopg.Connection[t.Any]:
        """A connection in autocommit mode."""
        return psycopg.connect(
            host=str(self.folder), port=self.port, user=USER, dbname="postgres", autocommit=True
        )

    @cached_property
    def _programs(self) -> Path:
        return _programs()

    def _as_user(self, program: str, *arguments: str) -> list[str]:
        return as_user(str(self._programs / program), *arguments)


def own(folder: Path) -> None:
    """Give a folder to the user under which programs run that refuse to run as root."""
    if os.geteuid() == 0:
        user = pwd.getpwnam(USER)
        os.chown(folder, user.pw_uid, user.pw_gid)


def as_user(*command: str) -> list[str]:
    """The command that runs a program as that user."""
    if os.geteuid() != 0:
        return [*command]
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", *command]


def _programs() -> Path:
    """The folder with the server's programs: the newest of Debian's, or those in the PATH."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    found = sorted(versions, key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else Path(shutil.which("postgres") or "/").parent


def missing() -> str:
    """Why PostgreSQL cannot be started here, or ""."""
    if not (_programs() / "initdb").exists():
        return "Debian's package postgresql is not installed"
    if os.geteuid() == 0 and USER not in {user.pw_name for user in pwd.getpwall()}:
        return f"there is no user {USER}, and it does not run as root"
    return ""
