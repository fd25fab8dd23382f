"""Questions to the user about what the command line left out."""

from __future__ import annotations

import sys
import typing as t
from collections.abc import Callable

import click

from ..address import Address
from ..errors import MailError
from ..secret import Secret

T = t.TypeVar("T")


def interactive() -> bool:
    """Whether a user can answer: standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def ask(question: str, default: str | None, check: Callable[[str], T]) -> T:
    """Ask for one line and return the result of *check* for it. Ask again if *check* raises a
    :exc:`.MailError`. The question is printed to standard error."""

    def checked(answer: str) -> T:
        try:
            return check(answer)
        except MailError as error:
            raise click.BadParameter(str(error)) from None

    answer: T = click.prompt(question, default=default, value_proc=checked, err=True)
    return answer


def ask_address(question: str, default: str | None = None) -> str:
    """Ask for one address."""
    return ask(question, default, lambda answer: Address(answer, field="It").formatted)


def ask_password(question: str) -> Secret:
    """Ask for a password, without showing what the user types."""
    return Secret(click.prompt(question, hide_input=True, err=True))


def ask_text() -> str:
    """Ask for several lines."""
    click.echo("Text (end with a line that is only a dot, or with Ctrl-D):", err=True)
    lines = []
    for line in sys.stdin:
        if line.rstrip("\r\n") == ".":
            break
        lines.append(line)
    return "".join(lines)
