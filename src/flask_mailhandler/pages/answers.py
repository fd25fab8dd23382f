"""Answers to programs: JSON, and what is wrong with a request in a sentence."""

from __future__ import annotations

import json

from flask import abort
from flask import request

from .access import may_change
from .access import TOKEN_HEADER
from .shell import Sealed
from .shell import sealed


def as_json(value: object, status: int = 200) -> Sealed:
    """Answer with a value."""
    return sealed(json.dumps(value), mimetype="application/json", status=status)


def number(name: str, default: float, most: float) -> float:
    """A number from 0 to *most* of the request's query; anything else is answered 400."""
    try:
        found = float(request.args.get(name, default))
    except ValueError:
        found = -1
    if not 0 <= found <= most:
        abort(as_json({"error": f"{name} must be a number from 0 to {most:g}."}, 400))
    return found


def check(token: str, where: str) -> None:
    """Answer 403 to who may change nothing.

    :param where: Where the token is found.
    """
    if not may_change(request, token):
        abort(
            as_json(
                {
                    "error": f"Send the token of {where} as {TOKEN_HEADER}, and Origin, which"
                    " must be that of this page."
                },
                403,
            )
        )
