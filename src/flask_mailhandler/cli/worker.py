"""``flask mail worker``: send what is in the queue."""

from __future__ import annotations

import collections
import contextlib
import signal
import sys
import threading
import time
import typing as t
from collections.abc import Collection
from collections.abc import Iterator

import click

from ..queue.bell import Bell
from ..queue.current import current_queue

if t.TYPE_CHECKING:
    from ..queue.row import Row


def work(
    *, once: bool, using: Collection[str], max_messages: int | None, max_seconds: float | None
) -> int:
    """Send what is in the queue until SIGINT (Ctrl-C) or SIGTERM.

    :param once: Whether to stop when nothing more is due.
    :param using: The accounts whose mail is sent; all if there are none.
    :param max_messages: Stop after so many messages.
    :param max_seconds: Stop after so many seconds.
    :return: The exit code: 0, even if messages failed.
    :raises QueueError: if the queue cannot be used at the start.
    """
    queue = current_queue()
    queue.store.pause("default")  # opens it, so that an error is raised now
    bell = Bell()
    progress = _Progress(sys.stderr.isatty())
    worker = queue.worker(bell, progress, using=using, max_messages=max_messages)
    if once:
        bell.finish()
    # In a thread, because this one handles signals, and must not find the bell locked by itself.
    thread = threading.Thread(target=worker.run, name="mail-worker")
    with _stopped_by_signals(bell):
        click.echo(f"Sending from {queue.store}. Press Ctrl-C to stop.", err=True)
        thread.start()
        thread.join(max_seconds)
        if thread.is_alive():  # the time is over
            _stop(bell)
            thread.join()
        progress.end()
        if once:  # the messages of these accounts still wait
            for account, why in queue.stats(up_to=1).paused.items():
                if not using or account in using:
                    click.echo(f"The account {account!r} is paused: {why}", err=True)
        queue.close()
    return 0


@contextlib.contextmanager
def _stopped_by_signals(bell: Bell) -> Iterator[None]:
    """Stop the worker at SIGINT and SIGTERM, which do afterwards what they did before."""
    before = {
        number: signal.signal(number, lambda *_: _stop(bell))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            # None is a handler that was not installed from Python.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _stop(bell: Bell) -> None:
    bell.stop()
    click.echo("Finishing the current messages.", err=True)


class _Progress:
    """Counts messages by their state, and on a terminal prints the counts in one line.

    :param shown: Whether standard error is a terminal.
    """

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._counts: collections.Counter[str] = collections.Counter()
        self._began = time.monotonic()
        self._printed = 0.0

    def __call__(self, row: Row) -> None:
        self._counts["deferred" if row.state == "waiting" else str(row.state)] += 1
        # Printing each message would slow the worker down.
        if self._shown and time.monotonic() - self._printed > 0.1:
            self._printed = time.monotonic()
            click.echo(f"\r\x1b[K{self}", nl=False, err=True)

    def end(self) -> None:
        """Print the final counts."""
        click.echo(f"{chr(13) + chr(27) + '[K' if self._shown else ''}{self}", err=True)

    def __str__(self) -> str:
        total = sum(self._counts.values())
        if not total:
            return "Nothing sent."
        counts = ", ".join(f"{number} {state}" for state, number in self._counts.items())
        rate = total / max(time.monotonic() - self._began, 0.001)
        return f"{counts} ({rate:.1f}/s)"
