"""Whether a page of the app answers a provider as it must."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

import click

if t.TYPE_CHECKING:
    from werkzeug.sansio.response import Response


def print_answer(post: Callable[[], Response], who: str, blueprint: str) -> bool:
    """Send a POST to a page of the app, and print the answer.

    :param who: Who sends such a POST in production.
    :param blueprint: The blueprint of the page.
    :return: Whether the answer is 200, which a provider needs.
    """
    try:
        response = post()
    except Exception as error:  # of the app, in debug mode and in tests
        click.echo(f"{type(error).__name__}: {error}\n")
        return False
    if response.status_code == 200:
        click.echo(f"{response.status}\n")
        return True
    to = f", to {response.location}" if response.location else ""
    click.echo(
        f"{response.status}{to}. {who} needs 200, without a login or a redirect. Let requests"
        f" whose request.blueprint is {blueprint!r} pass the app's before_request functions.\n"
    )
    return False
