"""The request in an app of Flask."""

from __future__ import annotations

from flask import Blueprint
from flask import make_response
from flask import request
from flask import Response

from ...app.current import registration
from ..csrf import exempt
from .answer import about
from .answer import answer_to
from .answer import MAX_OCTETS
from .answer import too_large


def blueprint_of(name: str) -> Blueprint:
    """Return a blueprint for the URLs."""
    blueprint = Blueprint(name, __name__)
    exempt(blueprint)
    return blueprint


def receive(account: str, secret: str, host: str = "") -> Response:
    """Read what a provider posts."""
    if request.method != "POST":
        return make_response(about())
    body = _body()
    if body is None:
        return make_response(too_large())
    return make_response(answer_to(registration(), account, secret, dict(request.headers), body))


def _body() -> bytes | None:
    """Return the octets of the request; None if there are too many, which are not read."""
    if request.content_length is None:
        octets = request.stream.read(MAX_OCTETS + 1)
    elif request.content_length > MAX_OCTETS:
        return None
    else:
        octets = request.get_data()  # also if a function of the app has read them before
    return octets if len(octets) <= MAX_OCTETS else None
