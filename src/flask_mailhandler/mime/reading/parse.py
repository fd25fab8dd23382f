"""Octets to a message of the standard library, as far as they can be parsed."""

from __future__ import annotations

import email.message
import email.parser
import typing as t
from collections.abc import Callable
from email.message import Message as MIMEMessage

from .bounds import Budget
from .bounds import FieldsWithinBounds
from .bounds import TOO_DEEP
from .bounds import TooMuch
from .bounds import within_bounds

T = t.TypeVar("T")


def attempt(ask: Callable[[], T], otherwise: T) -> T:
    """Return what the standard library says of a damaged message, or *otherwise* if it raises.

    It should never raise, but does for some damage, which differs between versions of Python.
    """
    try:
        return ask()
    except Exception:
        return otherwise


def parsed(octets: bytes) -> MIMEMessage:
    """Parse a message with the standard library. If parts are nested too deep for its parser, only
    the header of the message is parsed."""
    policy = FieldsWithinBounds()
    whole = attempt(lambda: email.parser.BytesParser(policy=policy).parsebytes(octets), None)
    return whole or email.parser.BytesHeaderParser(policy=policy).parsebytes(octets)


def parsed_within_bounds(octets: bytes) -> tuple[MIMEMessage, tuple[str, ...]]:
    """Parse a message from an unknown source, up to the limits of :mod:`.bounds`.

    :return: The message, and a sentence about each thing that was not read.
    """
    found, left_out = within_bounds(octets)
    whole = _parsed_within_budget(email.parser.BytesParser, found)
    message, more = (
        whole
        or _parsed_within_budget(email.parser.BytesHeaderParser, found)
        or (email.message.Message(), ())
    )
    return message, (*left_out, *more, *(() if whole else (TOO_DEEP,)))


def _parsed_within_budget(
    parser: type[email.parser.BytesParser], octets: bytes
) -> tuple[MIMEMessage, tuple[str, ...]] | None:
    """Parse until the :class:`.Budget` is used up; return None if the parser fails."""
    budget = Budget()
    made = t.cast(t.Any, FieldsWithinBounds)  # a policy accepts each of its attributes
    policy = made(budget=budget, message_factory=budget.part)
    try:
        return parser(policy=policy).parsebytes(octets), ()
    except TooMuch:
        return t.cast("MIMEMessage", budget.message), budget.left_out
    except Exception:
        return None


def unfolded(value: str) -> str:
    """Return the value of a parsed field as one line."""
    octets = value.encode("utf-8", "surrogateescape")
    return "".join(octets.decode("utf-8", "replace").splitlines()).strip(" \t")
