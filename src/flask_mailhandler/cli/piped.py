"""A command at the end of a mail server's pipe."""

from __future__ import annotations

import typing as t

import click

from ..errors import MailError
from ..handlers.console import visible

TEMPORARY_FAILURE = 75
"""``EX_TEMPFAIL`` of sysexits.h: the mail server keeps the message and tries again. For any other
exit code except 0 it would answer the bounce with a bounce."""


class Piped(click.Command):
    """A command at the end of a mail server's pipe. Every failure ends it with the exit code 75."""

    def make_context(self, *args: t.Any, **kwargs: t.Any) -> click.Context:
        """Read the options."""
        try:
            return super().make_context(*args, **kwargs)
        except click.ClickException as error:
            error.show()
            raise click.exceptions.Exit(TEMPORARY_FAILURE) from error

    def invoke(self, ctx: click.Context) -> t.Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort):
            raise
        except click.ClickException as error:
            error.show()
            ctx.exit(TEMPORARY_FAILURE)
        except Exception as error:
            kind = "" if isinstance(error, MailError) else f"{type(error).__name__}: "
            click.echo(visible(f"Error: {kind}{error}"), err=True)
            ctx.exit(TEMPORARY_FAILURE)
