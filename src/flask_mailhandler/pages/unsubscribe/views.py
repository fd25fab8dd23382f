"""The page in an app of Flask."""

from __future__ import annotations

import contextlib

from flask import Blueprint
from flask import make_response
from flask import render_template
from flask import request
from flask import Response

from ...app.current import registration
from ...errors import MessageError
from ...templating.language import speaking
from ..csrf import exempt
from .answer import answer_to
from .answer import HEADERS
from .answer import is_read
from .answer import own_page
from .answer import template_of


def blueprint_of(name: str) -> Blueprint:
    """Return a blueprint for the page."""
    blueprint = Blueprint(name, __name__)
    exempt(blueprint)
    return blueprint


def page(token: str, host: str = "") -> Response:
    """Show the button, or do what a POST asks for."""
    mine = registration()
    posted = request.method == "POST"
    answer = answer_to(mine, token, posted=posted, rejoins=posted and _rejoins())
    template = template_of(mine.app, answer)
    if not template:
        return make_response(own_page(answer, request.accept_languages.values()))
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(MessageError):  # a language that Babel does not know any more
            stack.enter_context(speaking(mine.app, answer.subscription.locale))
        shown = render_template(template, **answer.variables)
    return make_response(shown, HEADERS)


def _rejoins() -> bool:
    return is_read(request.content_length) and request.form.get("action") == "subscribe"
