"""Whether a provider's webhooks reach the app: the URL is tried as the provider would try it."""

from __future__ import annotations

import click

from ..app.account import Account
from ..app.current import registration
from ..app.webhooks import endpoint_of
from ..app.webhooks import path_of
from ..pages.webhooks.register import NAME
from .answered import print_answer


def try_webhooks(account: Account) -> bool:
    """Send an empty POST to the URL of an account, and print the URL and the answer.

    An empty POST has no event, so the app is not told of any.

    :return: Whether the answer is the one that a provider needs.
    """
    mine = registration()
    endpoint, base = endpoint_of(account), mine.settings.base_url
    assert endpoint is not None
    before, path = "http://localhost/" if base is None else base.url, path_of(account)
    if base is None:
        click.echo(f"Webhooks: MAIL_BASE_URL is not set. The URL ends with /{path}.")
    else:
        click.echo(f"Webhooks: enter this URL at the provider: {before}{path}")
    click.echo("  POST without cookies: ", nl=False)
    return print_answer(
        lambda: mine.framework.post_octets(mine.app, before, path, b"", {}), "A provider", NAME
    )
