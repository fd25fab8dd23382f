"""The blueprint with the page."""

from __future__ import annotations

import typing as t

from ...app.framework import framework_of
from ...app.settings import Settings
from ...app.unsubscribing import check_base_url
from ...handlers.unsubscribe import UnsubscribeLink
from ...message.one_click import PATH
from ..hosts import hosts_of

if t.TYPE_CHECKING:
    from flask.sansio.app import App

NAME = "mail_unsubscribe"
"""The name of the blueprint."""


def register_on(app: App, settings: Settings) -> None:
    """Register the page on an app that has links to it.

    :raises ConfigurationError: if ``MAIL_BASE_URL`` has no TLS.
    """
    links = [account.options.get("unsubscribe") for account in settings.accounts.values()]
    for link in links:
        if isinstance(link, UnsubscribeLink):
            check_base_url(app, settings.base_url, link.setting)
    blueprint, page = _views(app)
    for host in hosts_of(app):
        blueprint.add_url_rule(f"/{PATH}<token>", "page", page, methods=["GET", "POST"], **host)
    app.register_blueprint(blueprint)


def _views(app: App) -> tuple[t.Any, t.Callable[..., t.Any]]:
    if framework_of(app).on_loop:
        from . import quart_views

        return quart_views.blueprint_of(NAME), quart_views.page
    from . import views

    return views.blueprint_of(NAME), views.page
