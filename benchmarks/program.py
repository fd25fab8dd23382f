"""A process that is queried over pipes. Each request is a line of JSON, and so is each answer.

The process ends when its standard input is closed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path


class Program:
    """A process that runs while its context is open.

    :param command: The command to run.
    :param folder: The folder to run it in; by default, the current one.
    :param environment: Variables to set, besides those of this process.
    """

    def __init__(
        self,
        *command: str,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = command
        self._folder = folder
        self._environment = {**os.environ, **(environment or {})}

    def __enter__(self) -> t.Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, request: object) -> t.Any:
        """Send a request and return the answer.

        :raises RuntimeError: if the process has ended.
        """
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        if not (answer := self._process.stdout.readline()):
            raise RuntimeError(f"{' '.join(self._command)} has ended; see its output above.")
        return json.loads(answer)


def python(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Program:
    """Return a program that runs a module of this package."""
    command = (sys.executable, "-m", f"benchmarks.{module}", *arguments)
    return Program(*command, environment=environment)


def requests() -> Iterator[t.Any]:
    """Yield the requests in the process itself, until its input is closed."""
    for line in sys.stdin:
        yield json.loads(line)


def answer(found: object) -> None:
    print(json.dumps(found), flush=True)
