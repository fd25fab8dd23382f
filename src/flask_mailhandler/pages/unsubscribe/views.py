"""The page on which a recipient leaves a list.

A mailbox provider sends a POST, without cookies and without a user (RFC 8058 section 3.2). A GET
and a HEAD change nothing, because scanners and previews open every link of a mail.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import typing as t
from collections.abc import Mapping

from flask import Blueprint
from flask import Flask
from flask import make_response
from flask import render_template
from flask import request
from flask import Response
from jinja2 import Environment
from jinja2 import StrictUndefined
from jinja2 import TemplateNotFound

from ...app.current import registration
from ...app.listeners import handle_events
from ...app.settings import Settings
from ...app.unsubscribing import check_base_url
from ...app.unsubscribing import event_of
from ...app.unsubscribing import read_token
from ...errors import MessageError
from ...events.kinds import EventKind
from ...handlers.unsubscribe import Subscription
from ...handlers.unsubscribe import UnsubscribeLink
from ...message.one_click import PATH
from ...templating.language import fallbacks
from ...templating.language import speaking
from ...templating.package_files import PackageLoader
from ..csrf import exempt
from .words import words_in

NAME = "mail_unsubscribe"
"""The blueprint of the page."""
_TEMPLATE = "mailhandler/unsubscribe"
# The form of a provider has 30 octets, and a browser adds little to it.
_MAX_FORM = 10_000
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}


def register_on(app: Flask, settings: Settings) -> None:
    """Register the page on an app that has links to it.

    :raises ConfigurationError: if ``MAIL_BASE_URL`` has no TLS.
    """
    links = [account.options.get("unsubscribe") for account in settings.accounts.values()]
    for link in links:
        if isinstance(link, UnsubscribeLink):
            check_base_url(app, settings.base_url, link.setting)
    blueprint = Blueprint(NAME, __name__)
    exempt(blueprint)
    for host in _hosts(app):
        blueprint.add_url_rule(f"/{PATH}<token>", "page", _page, methods=["GET", "POST"], **host)
    app.register_blueprint(blueprint)


def _hosts(app: Flask) -> list[dict[str, t.Any]]:
    """Return on which hosts the page is: on all, as MAIL_BASE_URL may name any host of the app."""
    if app.url_map.host_matching:
        return [{"host": "<host>"}]
    return [{}, {"subdomain": "<host>"}] if app.subdomain_matching else [{}]


def _page(token: str, host: str = "") -> Response:
    """Show the button, or do what a POST asks for. A second POST gets the same answer."""
    mine = registration()
    subscription = read_token(mine.app, token)
    if subscription is None:
        return _own_page("invalid", Subscription("", ""), 400)
    state = "ask"
    if request.method == "POST":
        kind = EventKind.SUBSCRIBED if _rejoins() else EventKind.UNSUBSCRIBED
        if subscription.recipient:  # there is none in the trial of flask mail check
            handle_events(mine, [event_of(subscription, kind)])
        state = kind.value
    return _page_of_the_app(mine.app, state, subscription) or _own_page(state, subscription)


def _rejoins() -> bool:
    """Whether the form is the one of the button "Subscribe again". A large form is not read."""
    length = request.content_length
    return length is not None and length < _MAX_FORM and request.form.get("action") == "subscribe"


def _page_of_the_app(app: Flask, state: str, subscription: Subscription) -> Response | None:
    tags = (f".{tag}" if tag else "" for tag in fallbacks(subscription.locale))
    try:
        template = app.jinja_env.select_template([f"{_TEMPLATE}{tag}.html" for tag in tags])
    except TemplateNotFound:
        return None
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(MessageError):  # a language that Babel does not know any more
            stack.enter_context(speaking(app, subscription.locale))
        page = render_template(template, state=state, **_shown(subscription))
    return _response(page, 200, {})


def _own_page(state: str, subscription: Subscription, status: int = 200) -> Response:
    # Not best_match(): it prefers "en" to "fr-CA", which is not one of the languages as it stands.
    accepted = [*request.accept_languages.values()]
    words = words_in([subscription.locale] if subscription.locale else accepted)
    template = _templates().get_template(f"{_TEMPLATE}.html")
    page = template.render(state=state, words=words, style=_STYLE, **_shown(subscription))
    return _response(page, status, {"Content-Security-Policy": _policy()})


def _shown(subscription: Subscription) -> dict[str, str]:
    return {
        "recipient": subscription.recipient,
        "list_name": subscription.list_name,
        "locale": subscription.locale.replace("_", "-"),
    }


def _response(page: str, status: int, headers: Mapping[str, str]) -> Response:
    response = make_response(page, status)
    response.headers.update({**_HEADERS, **headers})
    return response


@functools.cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_STYLE = """
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1rem;
  overflow-wrap: anywhere }
button { font: inherit; padding: .5em 1.2em }
"""


@functools.cache
def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    )
