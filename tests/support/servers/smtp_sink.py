"""Debian's ``smtp-sink`` (package postfix): a fast server with selectable faults."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import typing as t

from .dead_ends import keep_port
from .waiting import until

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def missing() -> str:
    """Why it cannot be started here, or ""."""
    return "" if shutil.which("smtp-sink", path=PATH) else "no smtp-sink; apt-get install postfix"


class SmtpSink:
    """Accepts and discards mail, with the faults that *flags* select.

    ``-q CMD`` closes at a command, ``-Q CMD`` says 421 and closes, ``-r``/``-f CMD`` refuse for now
    or for ever, ``-q .`` closes at end of data, ``-e`` knows no EHLO, ``-p`` no PIPELINING.
    """

    host = "127.0.0.1"

    def __init__(self, *flags: str) -> None:
        self.flags = flags
        self._kept = keep_port()
        self.port: int = self._kept.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<smtp-sink {' '.join(self.flags)} at {self.host}:{self.port}>"

    def __enter__(self) -> t.Self:
        user = ("-u", "nobody") if os.geteuid() == 0 else ()
        self._process = subprocess.Popen(
            [
                shutil.which("smtp-sink", path=PATH) or "smtp-sink",
                *user,
                *self.flags,
                f"{self.host}:{self.port}",
                "100",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._is_listening, 60, f"{self!r} to listen")
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
        self._kept.close()

    def _is_listening(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"{self!r} has ended.")
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0
