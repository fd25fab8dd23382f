"""What a test asks of a captured message or a recipient."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable

from ..address import Address
from ..errors import MessageError
from ..text.checks import shorten

Criterion: t.TypeAlias = "str | re.Pattern[str] | Callable[[t.Any], object] | None"


class Criteria(t.TypedDict, total=False):
    """The criteria of :meth:`.Outbox.find`. None is the same as a criterion left out."""

    to: Criterion
    """Any recipient of the envelope, Cc and Bcc included."""
    subject: Criterion
    text: Criterion
    html: Criterion


_NAMES = tuple(Criteria.__annotations__)


def given(criteria: Criteria) -> dict[str, Criterion]:
    """Return the criteria that are not None, by name.

    :raises TypeError: for an unknown name, or a value that is not a criterion.
    """
    values: dict[str, t.Any] = {**criteria}
    if unknown := [name for name in values if name not in _NAMES]:
        names = ", ".join(f"{name}=" for name in _NAMES)
        raise TypeError(f"{unknown[0]}= is not a criterion. The criteria are {names}.")
    return {name: values[name] for name in _NAMES if is_given(name, values.get(name))}


def is_given(name: str, criterion: Criterion) -> bool:
    """Whether a criterion is not None.

    :raises TypeError: for any other type, such as a list, which would never match.
    """
    if not (criterion is None or isinstance(criterion, str | re.Pattern) or callable(criterion)):
        raise TypeError(
            f"{name}= takes a string, a pattern or a function, not {shorten(criterion)}."
        )
    return criterion is not None


def is_recipient(recipient: Address, criterion: Criterion) -> bool:
    """Whether a recipient meets a criterion. A string is read as an address, so its name and the
    case of its domain do not matter; a pattern is searched for; a function is called."""
    if callable(criterion):
        return bool(criterion(recipient))
    if isinstance(criterion, re.Pattern):
        return bool(criterion.search(recipient))
    return criterion is not None and recipient == _normalized(criterion)


def _normalized(address: str) -> str:
    """The address as it is in an envelope: without a name, its domain in ASCII and lower case."""
    try:
        return Address(address)
    except MessageError:
        return address


def contains(value: str, criterion: str | re.Pattern[str] | None) -> bool:
    """Whether a text contains a string, or a match of a pattern."""
    if isinstance(criterion, re.Pattern):
        return bool(criterion.search(value))
    return (criterion or "") in value


def described(criterion: Criterion) -> str:
    """A criterion as an error text shows it."""
    return f"/{criterion.pattern}/" if isinstance(criterion, re.Pattern) else repr(criterion)
