"""A separate database server in a temporary folder, stopped by its process id.

::

    start ──▶ runs ── stop, crash ──▶ its files are there ── start ──▶ runs ── remove
"""

from __future__ import annotations

import abc
import shutil
import signal
import subprocess
import tempfile
import typing as t
from pathlib import Path

import sqlalchemy as sa

from flask_mailhandler import mail_queue_tables

from .waiting import until

if t.TYPE_CHECKING:
    from contextlib import AbstractContextManager


class DatabaseServer(abc.ABC):
    """One server.

    :param prefix: How the name of its folder begins. A short one, because the name of a socket has
        at most 107 characters.
    """

    stop_signal: signal.Signals
    """Stops it in order."""
    crash_signal: signal.Signals
    """Ends it as a crash does."""
    refused: type[Exception]
    """The error of :meth:`connect` while it accepts no connections."""

    def __init__(self, prefix: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
        self._data = self.folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Create the database files if there are none, and wait until it accepts connections."""
        if not self._data.exists():
            self._create()
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log)
        until(self._answers, 90, f"{type(self).__name__} to accept connections")

    def stop(self) -> None:
        """Stop it in order. :meth:`start` starts it again."""
        self._end(self.stop_signal)

    def crash(self) -> None:
        """End it as a crash does. :meth:`start` starts it again."""
        self._end(self.crash_signal)

    def remove(self) -> None:
        """End it, and delete its files."""
        self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError((self.folder / "log").read_text(encoding="utf-8"))
        try:
            self.connect().close()
        except self.refused:
            return False
        return True

    def _run(self, command: t.Sequence[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder)
        assert done.returncode == 0, done.stdout + done.stderr

    @abc.abstractmethod
    def _create(self) -> None:
        """Create the database files."""

    @abc.abstractmethod
    def _command(self) -> list[str]:
        """The command that runs it."""

    @abc.abstractmethod
    def database(self, *, tables: bool = True) -> AbstractContextManager[str]:
        """The SQLAlchemy URL of a new place for the tables of the queue.

        :param tables: Whether the tables are created.
        """

    @abc.abstractmethod
    def connect(self) -> t.Any:
        """A connection in autocommit mode."""

    @abc.abstractmethod
    def disconnect_all(self) -> None:
        """Close all its connections, as a failover does, and wait until they are closed."""


def make_tables(url: str) -> None:
    """Create the tables of the queue."""
    engine = sa.create_engine(url)
    metadata = sa.MetaData()
    mail_queue_tables(metadata)
    metadata.create_all(engine)
    engine.dispose()
