"""``flask mail catch``: run the catcher and its page until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import functools
import os
import signal
import typing as t
from collections.abc import Sequence
from pathlib import Path

import click

from ..app.current import registration
from ..app.dev_mailbox import folder_of
from ..app.dev_mailbox import mailbox_handler
from ..app.framework import current_app_object
from ..handlers.console import visible
from ..handlers.mailbox import drop_oldest
from ..handlers.mailbox import MailboxEmailHandler
from ..net.hosts import is_loopback
from ..net.hosts import with_port
from ..pages.local_server import LocalServer
from .catcher import Catcher

if t.TYPE_CHECKING:
    from .catcher import Caught

_SHOWN = 2


@dataclasses.dataclass(frozen=True)
class _Folder:
    """Where messages are stored.

    :param most: How many are kept; None deletes none.
    :param size: How many octets they may have together.
    """

    path: str
    most: int | None
    size: int


def catch(
    *,
    host: str,
    port: int,
    folder: str | None,
    page_port: int | None,
    keep: int | None,
    size: int,
    dangerously_listen_on_network: bool,
) -> None:
    """Store messages until SIGINT (Ctrl-C) or SIGTERM.

    :raises ConfigurationError: if the address cannot be used, or aiosmtpd is not installed.
    """
    if not is_loopback(host) and not dangerously_listen_on_network:
        raise click.ClickException(
            f"{host} is not a loopback address: other machines could fill the folder. To allow"
            " this, add --dangerously-listen-on-network."
        )
    stored_in = _folder(folder, keep)
    names: list[str] = []
    caught = functools.partial(_arrived, stored_in, names)
    catcher = Catcher(stored_in.path, host=host, port=port, size=size, caught=caught)
    asyncio.run(_serve(catcher, page_port))
    click.echo(f"Stopped; {_in_all(stored_in.path, names)}.")


def _in_all(folder: str, names: Sequence[str]) -> str:
    """Say how many messages were caught, and how many are still there."""
    left = sum(Path(folder, f"{name}.json").exists() for name in names)
    messages = f"{len(names)} message{'' if len(names) == 1 else 's'}"
    return f"{messages} stored" if left == len(names) else f"{messages} caught, {left} still stored"


def _folder(path: str | None, most: int | None) -> _Folder:
    """Return the folder of the app's mailbox, so that one page shows the mail of the app and of
    other programs."""
    if current_app_object() is None:
        alone = MailboxEmailHandler(mailbox_messages=most)
        return _Folder(path or "mail", alone.mailbox_messages, alone.mailbox_size)
    mine = registration()
    account, own = mine.settings.account(None), folder_of(mine.app, mine.settings)
    # The folder of the app's handler "file" is an archive: nothing is deleted there unasked.
    if account.handler == "file" and most is None and _is_same(path or own, own):
        return _Folder(own, None, 0)
    mailbox = mailbox_handler(account, mine.app)
    return _Folder(path or own, most or mailbox.mailbox_messages, mailbox.mailbox_size)


def _is_same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


async def _serve(catcher: Catcher, page_port: int | None) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, catcher.stop_soon)
    with contextlib.ExitStack() as stack:

        def ready() -> None:
            place = with_port(catcher.host, catcher.port)
            url = f"smtp://{place}"
            folder = str(Path(catcher.folder).absolute())
            page = stack.enter_context(LocalServer(folder, page_port, f"MAIL_URL={url}"))
            click.echo(
                f"Catching mail on {place}. None is relayed. Press Ctrl-C to stop.\n"
                f"For an app: MAIL_URL={url}\n"
                f"Messages are stored in {visible(folder)}\n"
                f"View them at {page.url}\n"
            )

        await catcher.serve(ready)


def _arrived(folder: _Folder, names: list[str], caught: Caught) -> None:
    names.append(caught.name)
    _print(folder.path, caught)
    if folder.most is not None:
        # The message is stored, even if an older one cannot be deleted.
        with contextlib.suppress(OSError):
            drop_oldest(folder.path, folder.most, folder.size)


def _print(folder: str, caught: Caught) -> None:
    names = [*caught.envelope.recipients]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    who = f"{caught.envelope.sender or '<>'} -> {', '.join(names[:_SHOWN])}{more}"
    when = datetime.datetime.now().astimezone()
    subject = caught.subject or "no subject"
    click.echo(visible(f"{when:%H:%M:%S}  {who}  {subject}  ({_octets(caught.size)})"))
    click.echo(visible(f"          {Path(folder, caught.name)}.eml"))


def _octets(size: int) -> str:
    return f"{size} octets" if size < 10_000 else f"{size / 1000:.0f} kB"
