"""Debian's ``rabbitmq-server``, in a temporary folder, with its own Erlang port mapper."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import typing as t
from pathlib import Path

from .dead_ends import free_port
from .waiting import until

# Not that in /usr/sbin, which changes the user and logs to system folders.
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_LISTENING = "Starting broker... completed"


def missing() -> str:
    """Why it cannot be started here, or ""."""
    found = PROGRAM.exists() and _port_mapper()
    return "" if found else "no rabbitmq-server; apt-get install rabbitmq-server"


def _port_mapper() -> str:
    found = [shutil.which("epmd") or "", *map(str, Path("/usr/lib/erlang").glob("erts-*/bin/epmd"))]
    return next(filter(None, found), "")


class RabbitMQServer:
    """A server without plug-ins. It may be killed and started again on the same port."""

    host = "127.0.0.1"

    def __init__(self) -> None:
        self.port = free_port()
        self._mapper_port = free_port()
        self._distribution_port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="rabbitmq-")
        self._mapper: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL for clients."""
        return f"amqp://guest:guest@{self.host}:{self.port}/%2F"

    def __repr__(self) -> str:
        return f"<RabbitMQ at {self.host}:{self.port}>"

    def start(self) -> t.Self:
        """Return when it accepts connections."""
        folder = Path(self._folder.name)
        environment = {**os.environ, **self._environment(folder)}
        if self._mapper is None:
            self._mapper = subprocess.Popen([_port_mapper()], env=environment)
        with open(folder / "said", "wb") as said:
            self._process = subprocess.Popen(
                [str(PROGRAM)],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(lambda: self._listens(folder / "said"), 180, f"{self!r}")
        return self

    def _environment(self, folder: Path) -> dict[str, str]:
        (folder / "plugins").write_text("[].\n")
        return {
            "HOME": str(folder),  # for the cookie
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": self.host,
            "RABBITMQ_NODENAME": f"mail{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": self.host,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }

    def _listens(self, said: Path) -> bool:
        text = said.read_text(errors="replace")
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"{self!r} has ended: {text}")
        return _LISTENING in text

    def kill(self) -> None:
        """Kill it and its children with SIGKILL."""
        if self._process is not None:
            # It is a script whose child is the server. Both are in a session of this process.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            # The server, the script's child, may live a moment longer.
            pid = Path(self._folder.name, "pid").read_text(encoding="ascii").strip()
            until(lambda: not _runs(pid), 60, f"{self!r} to end")

    def __enter__(self) -> t.Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.kill()
        if self._mapper is not None:
            self._mapper.terminate()
            self._mapper.wait()
        self._folder.cleanup()


def _runs(pid: str) -> bool:
    """Whether a process has a living thread."""
    for stat in Path("/proc", pid).glob("task/*/stat"):
        with contextlib.suppress(OSError):
            if stat.read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X"):
                return True
    return False
