"""Debian's ``pgbouncer`` in transaction mode before a PostgreSQL, in a temporary folder.

Its clients share connections of the server, and get another one for each transaction. Version 1.18
knows nothing of prepared statements, so that clients that have some find those of others. It
refuses to run as root, so that then it runs as the server's user.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import typing as t
import uuid
from pathlib import Path

import psycopg

from .database_server import make_tables
from .dead_ends import free_port
from .postgresql import as_user
from .postgresql import own
from .postgresql import USER
from .waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .postgresql import Postgresql

# Debian installs it outside the usual PATH.
_PATHS = "/usr/sbin:/usr/local/sbin"


class PgBouncer:
    """One pooler.

    :param server: The PostgreSQL server.
    :param size: How many connections it has for each database.
    """

    host = "127.0.0.1"

    def __init__(self, server: Postgresql, size: int = 5) -> None:
        self.port = free_port()
        self._server = server
        self._size = size
        self._folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<PgBouncer at {self.host}:{self.port}>"

    def __enter__(self) -> t.Self:
        own(self._folder)
        (self._folder / "users").write_text(f'"{USER}" ""\n', encoding="ascii")
        (self._folder / "ini").write_text(
            "[databases]\n"
            f"* = host={self._server.folder} port={self._server.port}\n"
            "[pgbouncer]\n"
            f"listen_addr = {self.host}\n"
            f"listen_port = {self.port}\n"
            "unix_socket_dir =\n"
            "auth_type = trust\n"
            f"auth_file = {self._folder}/users\n"
            "pool_mode = transaction\n"
            f"default_pool_size = {self._size}\n"
            "max_client_conn = 200\n"
            # By default a statement waits two minutes while the server is down.
            "query_wait_timeout = 5\n"
            "server_login_retry = 1\n",
            encoding="ascii",
        )
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> t.Self:
        """Return when it accepts connections."""
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                as_user(_program(), "-q", str(self._folder / "ini")), stdout=log, stderr=log
            )
        until(self._answers, 60, f"{self!r}")
        return self

    def kill(self) -> None:
        """Kill it with SIGKILL, which breaks all its connections."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError((self._folder / "log").read_text(encoding="utf-8"))
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self, database: str) -> psycopg.Connection[t.Any]:
        """A connection of the driver with its defaults."""
        return psycopg.connect(
            host=self.host, port=self.port, user=USER, dbname=database, autocommit=True
        )

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """The SQLAlchemy URL of a new database through this pooler. It has the tables of the queue,
        and is dropped at the end."""
        name = f"t{uuid.uuid4().hex}"
        self._server.execute(f"CREATE DATABASE {name}")
        try:
            make_tables(self._server.url_of(name))
            yield f"postgresql+psycopg://{USER}@{self.host}:{self.port}/{name}"
        finally:
            self._server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _program() -> str:
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path=_PATHS) or ""


def missing() -> str:
    """Why it cannot be started here, or ""."""
    return "" if _program() else "no pgbouncer; apt-get install pgbouncer"
