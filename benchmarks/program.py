"""A process of its own that is asked over pipes: a request is a line of JSON, and so is its
answer. It ends when nothing more can be asked."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path


class Program:
    """Runs while its context is open.

    :param command: What to run.
    :param folder: Where, if not here.
    """

    def __init__(self, *command: str, folder: Path | None = None) -> None:
        self._command = command
        self._folder = folder

    def __enter__(self) -> t.Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, request: object) -> t.Any:
        """:raises RuntimeError: if it has ended."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        if not (answer := self._process.stdout.readline()):
            raise RuntimeError(f"{' '.join(self._command)} has ended; it has said why above.")
        return json.loads(answer)


def python(module: str, *arguments: str) -> Program:
    """A module of this package as a program."""
    return Program(sys.executable, "-m", f"benchmarks.{module}", *arguments)


def requests() -> Iterator[t.Any]:
    """The other end: what is asked, until nothing more can be."""
    for line in sys.stdin:
        yield json.loads(line)


def answer(found: object) -> None:
    print(json.dumps(found), flush=True)
