"""A program in a terminal, used as a person would."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PATIENCE = 60.0


class Terminal:
    """Runs ``python -m MODULE ARGUMENTS`` in a pseudo-terminal until :meth:`end`, or until its
    ``with`` block ends.

    :param environment: Set in addition to the current one.
    """

    def __init__(self, *arguments: str, cwd: Path, environment: Mapping[str, str]) -> None:
        self.screen = ""
        """Everything that was printed so far."""
        self._seen = 0
        self._handle, theirs = pty.openpty()
        # Not pty.fork(), which is unsafe with the threads of the servers.
        self._program = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=cwd,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._program.poll() is None:
            self._program.kill()
        if self._handle >= 0:
            self.end()

    def expect(self, text: str) -> None:
        """Read until *text* is printed, after the text that was expected before."""
        end = time.monotonic() + _PATIENCE
        while text not in self.screen[self._seen :]:
            left = end - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"{text!r} did not come; the screen is:\n{self.screen}")
        self._seen = self.screen.index(text, self._seen) + len(text)

    def answer(self, question: str, text: str) -> None:
        """Wait for a question, and type an answer and Return."""
        self.expect(question)
        os.write(self._handle, f"{text}\n".encode())

    def end(self) -> int:
        """Read until the program ends, and return its exit code."""
        while self._read(_PATIENCE):
            pass
        os.close(self._handle)
        self._handle = -1
        return self._program.wait()

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._handle], [], [], seconds)
        try:
            data = os.read(self._handle, 4096) if ready else b""
        except OSError:  # Linux: the program has closed its end.
            return False
        self.screen += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)
