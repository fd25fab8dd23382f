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
import subprocess
import tempfile
import typing as t
import uuid
from functools import cached_property
from pathlib import Path

import psycopg
import sqlalchemy as sa

from flask_mailhandler import mail_queue_tables

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


class Postgresql:
    """One server, stopped by its process id."""

    port = 5432
    """Needed only for the name of the socket."""

    def __init__(self) -> None:
        # A short path, because the name of a socket has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self._data = self.folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Create the database files if there are none, and wait until it accepts connections."""
        if not self._data.exists():
            own(self.folder)
            # English errors, whatever the language of this machine is.
            self._run(
                *("initdb", "-D", str(self._data), "-U", USER),
                *("-A", "trust", "-E", "UTF8", "--no-locale"),
            )
        options = [f"-c{name}={value}" for name, value in _OPTIONS.items()]
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                self._command("postgres", "-D", str(self._data), f"-k{self.folder}", *options),
                stdout=log,
                stderr=log,
            )
        until(self._answers, 90, "PostgreSQL takes no connections")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it, immediately by default. :meth:`start` starts it again."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """Stop it, and delete its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

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

    def crash(self) -> None:
        """End it as a crash does."""
        self.stop(signal.SIGQUIT)

    def connect(self) -> psycopg.Connection[t.Any]:
        """A connection in autocommit mode."""
        return psycopg.connect(
            host=str(self.folder), port=self.port, user=USER, dbname="postgres", autocommit=True
        )

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError((self.folder / "log").read_text(encoding="utf-8"))
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    @cached_property
    def _programs(self) -> Path:
        return _programs()

    def _command(self, program: str, *arguments: str) -> list[str]:
        return as_user(str(self._programs / program), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            self._command(program, *arguments), capture_output=True, text=True, cwd=self.folder
        )
        assert done.returncode == 0, done.stdout + done.stderr


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


def make_tables(url: str) -> None:
    """Create the tables of the queue."""
    engine = sa.create_engine(url)
    metadata = sa.MetaData()
    mail_queue_tables(metadata)
    metadata.create_all(engine)
    engine.dispose()


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
