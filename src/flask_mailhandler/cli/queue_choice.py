"""Which messages of the queue the user chose, by their numbers or with options."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Container
from collections.abc import Sequence

import click

from ..app.queue_keys import duration
from ..queue.current import current_queue
from ..queue.row import about_unknown
from ..queue.row import Row
from ..queue.row import RowState
from ..queue.stores.search import Between
from ..queue.stores.search import EVER
from ..queue.stores.search import Search
from ..queue.stores.search import walk

_MOST = 1_000_000
_AT_ONCE = 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """Which messages the user chose."""

    numbers: tuple[int, ...] = ()
    state: str | None = None
    older_than: str | None = None
    using: str | None = None
    tag: str | None = None

    @property
    def age(self) -> float | None:
        """The seconds since the last change.

        :raises ConfigurationError: if ``--older-than`` is not a time.
        """
        return None if self.older_than is None else duration(self.older_than, "--older-than")

    def rows(self, limit: int) -> list[Row]:
        """Return the messages."""
        return current_queue().rows(
            state=self.state,
            using=self.using,
            older_than=self.age,
            tag=self.tag,
            limit=limit,
        )

    def listed(self, to: str | None, limit: int) -> list[Row]:
        """Return the messages as the page lists them, in any queue without waiting long.

        :param to: The address of a recipient.
        :raises ClickException: if it is not an address.
        """
        from ..pages.queue.search_terms import recipient_of

        store, age = current_queue().store, self.age
        try:
            recipient = recipient_of(to) if to else None
        except ValueError as error:
            raise click.ClickException(str(error)) from error
        if not store.begun:
            return []
        wanted = Search(
            state=RowState(self.state) if self.state else None,
            account=self.using,
            tag=self.tag,
            recipient=recipient,
            changed=EVER if age is None else Between(end=store.now() - age),
        )
        return [*itertools.chain.from_iterable(walk(store.search, wanted, limit, _AT_ONCE))]

    def ids(self) -> Sequence[int]:
        """Return the numbers of the messages: those on the command line, or those that the options
        match.

        :raises ClickException: without numbers and options, which never mean all messages.
        """
        if self.numbers:
            return self.numbers
        if not (self.state or self.older_than or self.using or self.tag):
            raise click.ClickException(
                "Give the numbers of messages, or --state, --older-than, --using or --tag."
            )
        return [row.id for row in self.rows(_MOST)]

    def others(self, states: Container[RowState]) -> list[str]:
        """Return a sentence about each message that the user named by its number, but that is in
        none of these states, so that the command does not change it."""
        rows = [(number, current_queue().get(number)) for number in self.numbers]
        return [
            f"There is no message {number} in the queue." if row is None else _is(row)
            for number, row in rows
            if row is None or row.state not in states
        ]


def _is(row: Row) -> str:
    return " ".join(filter(None, (f"Message {row.id} is {row.state}.", about_unknown(row.state))))
