"""The accounts of a group: in their order, or by weight. A member may be a group of its own."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from .choice import Choice

Turns: t.TypeAlias = "dict[Plan, list[float]]"
"""How much each member of a plan is owed, by which the next one is chosen."""


class Plan:
    """A group of accounts.

    :param members: Names of accounts that send, and other groups.
    :param weights: The share of each member; if there are none, the first comes first.
    """

    def __init__(
        self, members: Sequence[str | Plan], weights: Sequence[float] | None = None
    ) -> None:
        self.members = (*members,)
        self.weights = None if weights is None else (*weights,)
        self.names: tuple[str, ...] = (*dict.fromkeys(_names(self.members)),)
        """The accounts that send, each once."""
        ordered = self.weights is None and (
            isinstance(self.members[0], str) or self.members[0].first
        )
        self.first: Choice | None = Choice(self.names[0]) if ordered else None
        """The choice while every account is up; None if it is another one for each message."""

    def pick(self, usable: Callable[[str], bool], turns: Turns) -> str | None:
        """Return the account for the next message; None if none is usable."""
        able = [number for number, one in enumerate(self.members) if _any(one, usable)]
        if not able:
            return None
        number = able[0] if self.weights is None else self._by_weight(able, turns)
        found = self.members[number]
        return found if isinstance(found, str) else found.pick(usable, turns)

    def _by_weight(self, able: Sequence[int], turns: Turns) -> int:
        """Return the member that is owed most. Of any four messages in a row, 3 to 1 gives three
        to the first; members that are down neither gain nor lose."""
        assert self.weights is not None
        owed = turns.setdefault(self, [0.0] * len(self.members))
        for number in able:
            owed[number] += self.weights[number]
        most = max(able, key=owed.__getitem__)
        owed[most] -= sum(self.weights[number] for number in able)
        return most

    def describe(self, states: Mapping[str, str]) -> str:
        """Return the group as text: ``default (down: ...), then backup``.

        :param states: What to add to an account.
        """
        texts = []
        for number, one in enumerate(self.members):
            text = f"({one.describe(states)})" if isinstance(one, Plan) else one
            if self.weights is not None:
                text += f" {self.weights[number]:g}"
            if isinstance(one, str) and one in states:
                text += f" ({states[one]})"
            texts.append(text)
        return (", then " if self.weights is None else ", ").join(texts)


def _names(members: Sequence[str | Plan]) -> Iterator[str]:
    for one in members:
        if isinstance(one, str):
            yield one
        else:
            yield from one.names


def _any(member: str | Plan, usable: Callable[[str], bool]) -> bool:
    if isinstance(member, str):
        return usable(member)
    return any(map(usable, member.names))
