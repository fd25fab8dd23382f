"""Accounts whose handlers pass messages on to other accounts."""

from __future__ import annotations

from ..errors import ConfigurationError


def check_circle(passes_on: dict[str, set[str]], account: str, other: str) -> None:
    """Note that the handler of *account* uses that of *other*, and refuse a circle.

    :param passes_on: The accounts that each account is known to use.
    :raises ConfigurationError: naming the accounts of the circle.
    """
    if (way := _way(passes_on, other, account)) is not None:
        names = " -> ".join(map(repr, (account, *way)))
        raise ConfigurationError(
            f"The handlers of these accounts pass messages on in a circle: {names}. Name accounts"
            " that do not lead back to it."
        )
    passes_on.setdefault(account, set()).add(other)


def _way(passes_on: dict[str, set[str]], start: str, end: str) -> tuple[str, ...] | None:
    """Return the accounts from *start* to *end*, each of which uses the next; None if there is
    no such way."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    while ways:
        way = ways.pop()
        if way[-1] == end:
            return way
        further = passes_on.get(way[-1], set()) - seen
        seen |= further
        ways.extend((*way, account) for account in sorted(further))
    return None
