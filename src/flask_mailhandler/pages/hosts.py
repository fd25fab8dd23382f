"""On which hosts of an app its public pages are."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from flask.sansio.app import App


def hosts_of(app: App) -> list[dict[str, t.Any]]:
    """Return the rules for hosts: all of them, as MAIL_BASE_URL may name any host of the app."""
    if app.url_map.host_matching:
        return [{"host": "<host>"}]
    return [{}, {"subdomain": "<host>"}] if app.subdomain_matching else [{}]
