"""Take the suppressed recipients out of a message."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from ...phase import State
from ...report import Outcome
from .suppression import key_of
from .suppression import Suppression

if t.TYPE_CHECKING:
    from ...handlers.prepare import Prepared

Entries: t.TypeAlias = Mapping[str, Sequence[Suppression]]
"""The entries of each address that has any, by its key."""


class Screening(t.Protocol):
    """What the queue calls to refuse suppressed recipients."""

    def __call__(self, prepared: Sequence[Prepared]) -> list[Prepared]:
        """Refuse the suppressed recipients of some messages."""
        ...

    def entries(self, recipients: Iterable[str]) -> Entries:
        """Return the entries of these addresses.

        :raises QueueError: if the store cannot be used.
        """
        ...


def refused(item: Prepared, found: Entries, list_name: str) -> Prepared:
    """Return a message without the recipients that are suppressed, which are reported as refused.

    :param list_name: The list that the message belongs to, or "".
    """
    if (job := item.job) is None:
        return item
    mine = dict[str, Outcome]()
    for recipient in job.envelope.recipients:
        if entry := applying(found.get(key_of(recipient), ()), list_name):
            mine[recipient] = Outcome(recipient, State.REFUSED, text=str(entry))
    if not mine:
        return item
    everybody = item.recipients or job.envelope.recipients
    mine |= {outcome.recipient: outcome for outcome in item.withheld}
    left = [recipient for recipient in job.envelope.recipients if recipient not in mine]
    return item._replace(
        job=dataclasses.replace(job, envelope=job.envelope.to(left)) if left else None,
        withheld=tuple(mine[one] for one in everybody if one in mine),
        recipients=everybody,
    )


def applying(entries: Iterable[Suppression], list_name: str) -> Suppression | None:
    """Return the entry that stops the mail of a list: that of all mail, or that of the list."""
    found = {entry.list_name: entry for entry in entries}
    return found.get("") or found.get(list_name)
