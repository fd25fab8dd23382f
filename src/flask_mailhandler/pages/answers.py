"""Responses to programs: JSON, and errors as a sentence."""

from __future__ import annotations

import json

from flask import abort
from flask import request

from .access import may_change
from .access import TOKEN_HEADER
from .shell import Sealed
from .shell import sealed


def as_json(value: object, status: int = 200) -> Sealed:
    """Return a response with a value as JSON."""
    return sealed(json.dumps(value), mimetype="application/json", status=status)


def number(name: str, default: float, most: float) -> float:
    """Return a number from the query. One that is not from 0 to *most* gets a 400."""
    try:
        found = float(request.args.get(name, default))
    except ValueError:
        found = -1
    if not 0 <= found <= most:
        abort(as_json({"error": f"{name} must be a number from 0 to {most:g}."}, 400))
    return found


def check(token: str, where: str) -> None:
    """Abort with 403 unless the request may change something.

    :param where: The URL where a program finds the token.
    """
    if not may_change(request, token):
        abort(
            as_json(
                {
                    "error": f"Send the token from {where} as {TOKEN_HEADER}, and an Origin that is"
                    " the origin of this URL."
                },
                403,
            )
        )
