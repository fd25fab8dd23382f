"""The answer of the page to a request, in an app of Flask or of Quart."""

from __future__ import annotations

import base64
import functools
import hashlib
import typing as t
from collections.abc import Iterable

from jinja2 import Environment
from jinja2 import StrictUndefined
from jinja2 import TemplateNotFound

from ...app.listeners import handle_events
from ...app.unsubscribing import event_of
from ...app.unsubscribing import read_token
from ...events.kinds import EventKind
from ...handlers.unsubscribe import Subscription
from ...templating.language import fallbacks
from ...templating.package_files import PackageLoader
from .words import words_in

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ...app.registration import Registration

_TEMPLATE = "mailhandler/unsubscribe"
# The form of a provider has 30 octets, and a browser adds little to it.
_MAX_FORM = 10_000
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}


class Answer(t.NamedTuple):
    """The result of a request.

    :param state: ``ask``, ``unsubscribed``, ``subscribed`` or ``invalid``.
    """

    state: str
    subscription: Subscription
    status: int = 200

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the template of an app."""
        return {
            "state": self.state,
            "recipient": self.subscription.recipient,
            "list_name": self.subscription.list_name,
            "locale": self.subscription.locale.replace("_", "-"),
        }


def answer_to(mine: Registration, token: str, *, posted: bool, rejoins: bool) -> Answer:
    """Do what a POST asks for. A second one gets the same answer.

    :param rejoins: Whether it is the one of the button "Subscribe again".
    """
    subscription = read_token(mine.app, token)
    if subscription is None:
        return Answer("invalid", Subscription("", ""), 400)
    if not posted:
        return Answer("ask", subscription)
    kind = EventKind.SUBSCRIBED if rejoins else EventKind.UNSUBSCRIBED
    if subscription.recipient:  # there is none in the trial of flask mail check
        handle_events(mine, [event_of(subscription, kind)])
    return Answer(kind.value, subscription)


def is_read(length: int | None) -> bool:
    """Whether a form of this length is read. A large one is not."""
    return length is not None and length < _MAX_FORM


def template_of(app: App, answer: Answer) -> str:
    """Return the name of the app's own template for the page; "" if it has none."""
    if answer.state == "invalid":
        return ""
    tags = (f".{tag}" if tag else "" for tag in fallbacks(answer.subscription.locale))
    try:
        found = app.jinja_env.select_template([f"{_TEMPLATE}{tag}.html" for tag in tags])
    except TemplateNotFound:
        return ""
    return found.name or ""


def own_page(answer: Answer, accepted: Iterable[str]) -> tuple[str, int, dict[str, str]]:
    """Return our page, its status and its header fields.

    :param accepted: The languages that the browser accepts. Not ``best_match()`` of them: it
        prefers "en" to "fr-CA", which is not one of our languages as it stands.
    """
    locale = answer.subscription.locale
    words = words_in([locale] if locale else accepted)
    template = _templates().get_template(f"{_TEMPLATE}.html")
    page = template.render(words=words, style=_STYLE, **answer.variables)
    return page, answer.status, {**HEADERS, "Content-Security-Policy": _policy()}


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
