"""Whether a mailbox provider can unsubscribe a recipient: the page is asked as it would ask."""

from __future__ import annotations

import click

from ..app.current import app_in_context
from ..app.unsubscribing import TRIAL
from ..handlers.unsubscribe import UnsubscribeLink
from ..message.one_click import PATH
from ..pages.unsubscribe.provider import post_to
from ..pages.unsubscribe.register import NAME
from .answered import print_answer


def try_page(link: UnsubscribeLink) -> bool:
    """Send the POST of a provider to the page of the app, and print the answer.

    Its link has no recipient, so the app is not told of an event.

    :return: Whether the answer is the one that a provider needs.
    :raises ConfigurationError: if the app cannot make a link.
    """
    url = link.to(TRIAL)
    before, _, _ = url.rpartition(PATH)
    click.echo(f"Unsubscribe: POST {before}{PATH}..., without cookies: ", nl=False)
    return print_answer(lambda: post_to(app_in_context(), url), "A mailbox provider", NAME)
