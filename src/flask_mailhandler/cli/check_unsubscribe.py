"""Whether a mailbox provider can unsubscribe a recipient: the page is asked as it would ask."""

from __future__ import annotations

import click

from ..app.current import app_in_context
from ..app.unsubscribing import TRIAL
from ..handlers.unsubscribe import UnsubscribeLink
from ..message.one_click import PATH
from ..pages.unsubscribe.provider import post_to
from ..pages.unsubscribe.register import NAME


def try_page(link: UnsubscribeLink) -> bool:
    """Send the POST of a provider to the page of the app, and print the answer.

    Its link has no recipient, so the app is not told of an event.

    :return: Whether the answer is the one that a provider needs.
    :raises ConfigurationError: if the app cannot make a link.
    """
    url = link.to(TRIAL)
    before, _, _ = url.rpartition(PATH)
    click.echo(f"Unsubscribe: POST {before}{PATH}..., without cookies: ", nl=False)
    try:
        response = post_to(app_in_context(), url)
    except Exception as error:  # of the app, in debug mode and in tests
        click.echo(f"{type(error).__name__}: {error}\n")
        return False
    if response.status_code == 200:
        click.echo(f"{response.status}\n")
        return True
    to = f", to {response.location}" if response.location else ""
    click.echo(
        f"{response.status}{to}. A mailbox provider needs 200, without a login or a redirect. Let"
        f" requests whose request.blueprint is {NAME!r} pass the app's before_request functions.\n"
    )
    return False
