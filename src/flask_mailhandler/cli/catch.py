"""``flask mail catch``."""

from __future__ import annotations

import asyncio
import datetime
import functools
import signal
import typing as t
from pathlib import Path

import click

from ..catcher import Catcher
from ..handlers.console import visible
from ..smtp.server import is_loopback

if t.TYPE_CHECKING:
    from ..catcher import Caught

_SHOWN = 2


def catch(
    *, host: str, port: int, folder: str, size: int, dangerously_listen_on_network: bool
) -> None:
    """Keep messages until SIGINT (Ctrl-C) or SIGTERM comes.

    :raises ConfigurationError: if it cannot listen, or aiosmtpd is not installed.
    """
    if not is_loopback(host) and not dangerously_listen_on_network:
        raise click.ClickException(
            f"{host} is not this machine alone: whoever reaches it could fill the folder. If you"
            " must, add --dangerously-listen-on-network."
        )
    catcher = Catcher(
        folder, host=host, port=port, size=size, caught=functools.partial(_print, folder)
    )
    asyncio.run(_serve(catcher))
    kept = catcher.kept
    click.echo(f"Stopped; {kept} message{'' if kept == 1 else 's'} kept.")


async def _serve(catcher: Catcher) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, catcher.stop_soon)
    await catcher.serve(lambda: _announce(catcher))


def _announce(catcher: Catcher) -> None:
    where = f"[{catcher.host}]" if ":" in catcher.host else catcher.host
    folder = Path(catcher.folder).absolute()
    click.echo(
        f"Catching mail on {where}:{catcher.port}; none is sent on. Ctrl-C stops it.\n"
        f"For an app: MAIL_URL=smtp://{where}:{catcher.port}\n"
        f"Messages are kept in {visible(str(folder))}\n"
    )


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
