"""``flask mail bounce``: read notifications, and tell the app what became of its mail."""

from __future__ import annotations

import contextlib
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import click

from ..app.current import registration
from ..app.listeners import handle_notification
from ..errors import ConfigurationError
from ..events.parts import MAX_OCTETS

if t.TYPE_CHECKING:
    from ..events.event import Event


def from_input(recipient: str | None) -> None:
    """Read one message from standard input."""
    if sys.stdin.isatty():
        click.echo("Reading a message. Paste it, and press Ctrl-D on a line of its own.", err=True)
    tell(sys.stdin.buffer.read(MAX_OCTETS), recipient)
    # The rest is not needed. But a server that cannot write it into the pipe reports a failure.
    while sys.stdin.buffer.read(1 << 16):
        pass


def from_maildir(folder: Path, recipient: str | None) -> None:
    """Read the new messages of a Maildir, and mark each as seen.

    :raises ConfigurationError: if it is not a Maildir, or this user may not use it.
    """
    new, seen = folder / "new", folder / "cur"
    with _usable(folder):
        if not (new.is_dir() and seen.is_dir()):
            raise ConfigurationError(
                f"{folder} is not a Maildir: name the folder that has the folders new, cur and tmp."
            )
        paths = sorted(new.iterdir())
    for path in paths:
        if path.name.startswith("."):
            continue
        with _usable(folder), path.open("rb") as file:
            octets = file.read(MAX_OCTETS)
        tell(octets, recipient)
        with _usable(folder):
            path.rename(seen / f"{path.name}:2,S")


@contextlib.contextmanager
def _usable(folder: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise ConfigurationError(
            f"The Maildir {folder} cannot be used: {error.strerror}: {error.filename}. Run this"
            " command as a user that may read its messages and move them from new to cur."
        ) from error


def tell(octets: bytes, recipient: str | None) -> list[Event]:
    """Tell the current app of a notification, and print its events.

    :param recipient: The addresses that it came to, if they are known.
    """
    events = handle_notification(registration(), octets, recipient)
    for event in events:
        click.echo(str(event))
    if not events:
        click.echo("The message does not say what became of another message, or was read before.")
    return events
