"""The command ``flask mail bounce`` and its options."""

from __future__ import annotations

import pathlib
import typing as t
from collections.abc import Callable

import click

from .piped import Piped

if t.TYPE_CHECKING:
    from pathlib import Path

_DEFAULT = "default"


def bounce_command(within: Callable[..., t.Any]) -> click.Command:
    """Return the command.

    :param within: Runs a function in the context of the app.
    """

    @click.command("bounce", cls=Piped)
    @click.option(
        "--maildir",
        type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path),
        help="Read the new messages of a Maildir instead, and mark each as seen.",
    )
    @click.option(
        "--imap",
        is_flag=False,
        flag_value=_DEFAULT,
        metavar="[ACCOUNT]",
        help="Read the unseen messages of the mailbox in MAIL_BOUNCE_IMAP instead, and mark each as"
        " seen.",
    )
    @click.option(
        "--lmtp",
        metavar="HOST:PORT",
        help="Listen there, or on the path of a Unix socket, until a signal: a server for the LMTP"
        " transport of Postfix or Exim.",
    )
    @click.option(
        "--dangerously-listen-on-network",
        is_flag=True,
        help="Allow a host for --lmtp that other machines can reach: they can write bounces.",
    )
    @click.option(
        "--recipient", help="The address that it came to, if its header does not name it."
    )
    @within
    def bounce(
        maildir: Path | None,
        imap: str | None,
        lmtp: str | None,
        recipient: str | None,
        dangerously_listen_on_network: bool,
    ) -> None:
        """Read a bounce or a complaint, and tell the app.

        It is read from standard input. The exit code is 0, also for any other message, or 75 if
        the app could not be told: then the mail server tries again.
        """
        ways = {"--maildir": maildir, "--imap": imap, "--lmtp": lmtp}
        given = [name for name, way in ways.items() if way is not None]
        if len(given) > 1:
            raise click.UsageError(f"{given[0]} and {given[1]} do not go together: use one.")
        if recipient is not None:
            from ..address import parse_envelope_sender  # that of this app may be long

            parse_envelope_sender(recipient, "--recipient")
        if lmtp is not None:
            if recipient is not None:
                raise click.UsageError(
                    "Leave out --recipient: with --lmtp, each message has its own."
                )
            from .lmtp import serve_lmtp

            serve_lmtp(lmtp, dangerously_listen_on_network=dangerously_listen_on_network)
        elif imap is not None:
            from .bounce_imap import from_imap

            click.get_current_context().exit(from_imap(imap, recipient))
        elif maildir is not None:
            from .bounce import from_maildir

            from_maildir(maildir, recipient)
        else:
            from .bounce import from_input

            from_input(recipient)

    return bounce
