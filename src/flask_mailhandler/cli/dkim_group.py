"""``flask mail dkim``: its commands and options."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

import click

_Function: t.TypeAlias = Callable[..., t.Any]


def dkim_commands(by: Callable[[_Function], _Function], run: Callable[..., None]) -> click.Group:
    """Return the commands for the keys that sign the mail of an app.

    :param by: Adds the option ``--using`` and the app context.
    :param run: Calls a function of ``cli.dkim`` by its name, and prints an error in one line.
    """
    dkim = click.Group("dkim", help="Make a DKIM key, and show the DNS records of your keys.")

    @dkim.command("new")
    @click.argument("selector")
    @click.option("--ed25519", is_flag=True, help="A key to use next to an RSA key.")
    @click.option(
        "--file", metavar="FILE", help="The file to write. Default: SELECTOR.pem in this folder."
    )
    @by
    def new(selector: str, ed25519: bool, file: str | None, using: str | None) -> None:
        """Write a new private key, and print its DNS record.

        SELECTOR is the name of the key in the DNS, such as s2026. No existing file is changed.
        """
        run("new", selector, ed25519, file, using)

    @dkim.command("records")
    @by
    def records(using: str | None) -> None:
        """Print the DNS record of each key in MAIL_DKIM_KEYS."""
        run("records", using)

    return dkim
