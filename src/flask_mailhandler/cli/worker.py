"""``flask mail worker``."""

from __future__ import annotations

import collections
import signal
import sys
import threading
import time
import typing as t

import click

from ..queue.bell import Bell
from ..queue.current import current_queue

if t.TYPE_CHECKING:
    from ..queue.row import Row


def work(once: bool) -> int:
    """Send what is in the queue until SIGINT (Ctrl-C) or SIGTERM comes.

    :param once: Whether to end when nothing more is due.
    :return: The exit code: 0, whatever became of the messages.
    :raises QueueError: if the queue cannot be used from the start.
    """
    queue = current_queue()
    queue.store.pause("default")  # opens it, so that what is wrong with it is said now
    bell = Bell()
    progress = _Progress(sys.stderr.isatty())
    worker = queue.worker(bell, progress)
    if once:
        bell.finish()
    # In a thread, for a signal is handled in this one: it must not find the bell locked by itself.
    thread = threading.Thread(target=worker.run, name="mail-worker")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _stop(bell))
    click.echo(f"Sending from {queue.store}; Ctrl-C stops it.", err=True)
    thread.start()
    thread.join()
    queue.close()
    progress.end()
    return 0


def _stop(bell: Bell) -> None:
    bell.stop()
    click.echo("Finishing the message in hand.", err=True)


class _Progress:
    """Counts what became of messages; on a terminal in one line that is written anew.

    :param shown: Whether there is somebody to look at it.
    """

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._counts: collections.Counter[str] = collections.Counter()
        self._began = time.monotonic()
        self._said = 0.0

    def __call__(self, row: Row) -> None:
        self._counts["again later" if row.state == "waiting" else str(row.state)] += 1
        # A terminal is slow, and an eye is slower.
        if self._shown and time.monotonic() - self._said > 0.1:
            self._said = time.monotonic()
            click.echo(f"\r\x1b[K{self}", nl=False, err=True)

    def end(self) -> None:
        """Say it once more, for good."""
        click.echo(f"{chr(13) + chr(27) + '[K' if self._shown else ''}{self}", err=True)

    def __str__(self) -> str:
        total = sum(self._counts.values())
        if not total:
            return "Nothing sent."
        counts = ", ".join(f"{number} {state}" for state, number in self._counts.items())
        pace = total / max(time.monotonic() - self._began, 0.001)
        return f"{counts} ({pace:.1f}/s)"
