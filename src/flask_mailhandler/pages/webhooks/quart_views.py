"""The request in an app of Quart. Code that waits for the database, or for Amazon, runs in a
thread."""

from __future__ import annotations

import asyncio

from quart import Blueprint
from quart import make_response
from quart import request
from quart.typing import ResponseTypes

from ...app.current import registration
from .answer import about
from .answer import answer_to
from .answer import MAX_OCTETS
from .answer import too_large


def blueprint_of(name: str) -> Blueprint:
    """Return a blueprint for the URLs."""
    return Blueprint(name, __name__)


async def receive(account: str, secret: str, host: str = "") -> ResponseTypes:
    """Read what a provider posts."""
    if request.method != "POST":
        answer = about()
    elif (body := await _body()) is None:
        answer = too_large()
    else:
        headers, mine = dict(request.headers), registration()
        answer = await asyncio.to_thread(answer_to, mine, account, secret, headers, body)
    return await make_response(answer)


async def _body() -> bytes | None:
    """Return the octets of the request; None if there are too many."""
    if (request.content_length or 0) > MAX_OCTETS:
        return None
    octets = bytearray()
    async for some in request.body:
        octets += some
        if len(octets) > MAX_OCTETS:
            return None
    return bytes(octets)
