"""Debian's ``redis-server``, in a temporary folder. It loses everything when it is stopped."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import typing as t

from .dead_ends import free_port
from .waiting import until


def missing() -> str:
    """Why it cannot be started here, or ""."""
    found = shutil.which("redis-server")
    return "" if found else "no redis-server; apt-get install redis-server"


class RedisServer:
    """A server without persistence. It may be killed and started again on the same port."""

    host = "127.0.0.1"

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL for clients."""
        return f"redis://{self.host}:{self.port}/0"

    def __repr__(self) -> str:
        return f"<Redis at {self.url}>"

    def start(self) -> t.Self:
        """Return when it accepts connections."""
        self._process = subprocess.Popen(
            [
                *("redis-server", "--bind", self.host, "--port", str(self.port)),
                *("--save", "", "--appendonly", "no", "--dir", self._folder.name),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._answers, 60, f"{self!r}")
        return self

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"{self!r} has ended.")
        with socket.socket() as probe:
            probe.settimeout(60)
            if probe.connect_ex((self.host, self.port)):
                return False
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")

    def kill(self) -> None:
        """Kill it with SIGKILL. Its data is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> t.Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.kill()
        self._folder.cleanup()
