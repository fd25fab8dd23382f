"""Handlers that pass messages to the handlers of other accounts."""

from __future__ import annotations

from ..errors import ConfigurationError


def check_circle(passes_on: dict[str, set[str]], account: str, other: str) -> None:
    """Record that the handler of *account* uses the handler of *other*, and refuse a circle.

    :param passes_on: The accounts that each account is known to use.
    :raises ConfigurationError: naming the accounts of the circle.
    """
    if (path := _path(passes_on, other, account)) is not None:
        names = " -> ".join(map(repr, (account, *path)))
        raise ConfigurationError(
            f"The handlers of these accounts pass messages in a circle: {names}. Name accounts"
            " that do not lead back to the first."
        )
    passes_on.setdefault(account, set()).add(other)


def _path(passes_on: dict[str, set[str]], start: str, end: str) -> tuple[str, ...] | None:
    """Return the accounts from *start* to *end*, each of which uses the next; None if *start*
    does not lead to *end*."""
    paths: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    while paths:
        path = paths.pop()
        if path[-1] == end:
            return path
        further = passes_on.get(path[-1], set()) - seen
        seen |= further
        paths.extend((*path, account) for account in sorted(further))
    return None
