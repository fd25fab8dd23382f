"""The blueprint with the URLs."""

from __future__ import annotations

import typing as t

from ...app.framework import framework_of
from ...app.settings import Settings
from ...app.webhooks import check_endpoints
from ...app.webhooks import PATH
from ..hosts import hosts_of

if t.TYPE_CHECKING:
    from flask.sansio.app import App

NAME = "mail_webhooks"
"""The name of the blueprint."""


def register_on(app: App, settings: Settings) -> None:
    """Register the URLs on an app that has accounts with webhooks.

    :raises ConfigurationError: if the requests of a provider could not be proven, or not stored.
    """
    check_endpoints(app, settings)
    blueprint, receive = _views(app)
    rule = f"/{PATH}<account>/<secret>"
    for host in hosts_of(app):
        blueprint.add_url_rule(rule, "receive", receive, methods=["GET", "POST"], **host)
    app.register_blueprint(blueprint)


def _views(app: App) -> tuple[t.Any, t.Callable[..., t.Any]]:
    if framework_of(app).on_loop:
        from . import quart_views

        return quart_views.blueprint_of(NAME), quart_views.receive
    from . import views

    return views.blueprint_of(NAME), views.receive
