"""The page in an app of Quart. Code that waits for the database, or that calls functions of the
app, runs in a thread."""

from __future__ import annotations

import asyncio

from quart import Blueprint
from quart import make_response
from quart import render_template
from quart import request
from quart.typing import ResponseTypes

from ...app.current import registration
from .answer import answer_to
from .answer import HEADERS
from .answer import is_read
from .answer import own_page
from .answer import template_of


def blueprint_of(name: str) -> Blueprint:
    """Return a blueprint for the page."""
    return Blueprint(name, __name__)


async def page(token: str, host: str = "") -> ResponseTypes:
    """Show the button, or do what a POST asks for."""
    mine = registration()
    posted = request.method == "POST"
    rejoins = posted and await _rejoins()
    answer = await asyncio.to_thread(answer_to, mine, token, posted=posted, rejoins=rejoins)
    template = template_of(mine.app, answer)
    if not template:
        return await make_response(own_page(answer, request.accept_languages.values()))
    return await make_response(await render_template(template, **answer.variables), HEADERS)


async def _rejoins() -> bool:
    return is_read(request.content_length) and (await request.form).get("action") == "subscribe"
