"""A row of the queue, as people and programs see it."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from collections.abc import Mapping

from ...events.event import Event
from ...queue import outcomes
from ...queue.current import current_queue
from ...queue.events.json_form import as_dict
from ...queue.outcomes import Settled
from ...queue.row import about_unknown
from ...queue.row import priority_name
from ...queue.row import Row
from ...queue.row import RowState
from ...queue.stored_message import read_options
from ...queue.stored_message import tags_in
from ...queue.unreadable import DamagedRowError
from ..sent_by import sent_by

_NAMED = 2
_LARGEST = 2**63 - 1
"""The largest id that a store can look up."""
_LAST = 253_402_128_000.0
"""A day before the last possible date, so that it is valid in every time zone."""
_DONE = frozenset({RowState.SENT, RowState.CLAIMED})


@dataclasses.dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A row, read for display.

    :param options: The content of its JSON; empty if it cannot be read.
    :param damaged: Why its recipients or options cannot be read, or what to know about its state;
        "" if nothing is wrong.
    """

    row: Row
    recipients: tuple[Settled, ...]
    options: Mapping[str, t.Any]
    damaged: str

    @property
    def subject(self) -> str:
        return str(self.options.get("subject", ""))

    @property
    def sender(self) -> str:
        """The sender of the envelope."""
        return str(self.options.get("sender", ""))

    @property
    def tags(self) -> tuple[str, ...]:
        return tags_in(self.options)

    @property
    def origin(self) -> tuple[tuple[str, str], ...]:
        """The template and the line of code that it comes from, each as a label and a text."""
        return tuple(sent_by(self.options))

    @property
    def who(self) -> str:
        """The first recipients, and how many more there are."""
        names = [str(item.recipient) for item in self.recipients[:_NAMED]]
        more = len(self.recipients) - _NAMED
        return f"{', '.join(names)}{f' and {more} more' if more > 0 else ''}" or "no recipient"

    @property
    def error_to_show(self) -> str:
        """The error, unless it only repeats a reply that the table of recipients shows."""
        error = self.damaged or self.row.error
        reply = next((item.text for item in self.recipients if item.text), "")
        return "" if reply and reply in error else error

    @property
    def is_partial(self) -> bool:
        """Whether it was sent, but some recipients were not accepted."""
        everyone = len(self.recipients)
        return self.row.state is RowState.SENT and outcomes.accepted(self.recipients) < everyone

    @property
    def shown_state(self) -> str:
        """Its state, and how many recipients were accepted if that is not all of them."""
        if not self.is_partial:
            return str(self.row.state)
        return f"sent to {outcomes.accepted(self.recipients)} of {len(self.recipients)}"

    @property
    def version(self) -> str:
        """A text that changes when the row does."""
        row = self.row
        return f"{row.state}-{row.attempts}-{row.changed}-{row.due}"

    @property
    def time(self) -> datetime.datetime:
        """When it is due, if it waits; otherwise when its state changed."""
        waits = self.row.state is RowState.WAITING
        return moment(self.row.due if waits else self.row.changed)

    @property
    def times(self) -> dict[str, datetime.datetime]:
        """All times of the row by name."""
        names = ("created", "due", "expires", "changed")
        return {name: moment(getattr(self.row, name)) for name in names}

    @property
    def priority(self) -> str:
        return priority_name(self.row.priority)

    @property
    def may_retry(self) -> bool:
        """Whether it can be sent again, or now."""
        return bool(self.row.size) and self.row.state not in _DONE and not self.damaged

    @property
    def may_cancel(self) -> bool:
        return self.row.state in (RowState.WAITING, RowState.HELD)

    @property
    def events(self) -> list[Event]:
        """What became of it later."""
        return current_queue().events(self.row)

    def whole_as_json(self) -> dict[str, t.Any]:
        """The row alone, with the outcome of each recipient and its events."""
        more = {"sender": self.sender, "recipients": self.outcomes_as_json()}
        return self.as_json() | more | {"events": [*map(as_dict, self.events)]}

    def as_json(self) -> dict[str, t.Any]:
        """The row as a list shows it to programs."""
        row = self.row
        return {
            "id": row.id,
            "state": row.state,
            "subject": self.subject,
            "accepted": outcomes.accepted(self.recipients),
            "to": [str.__str__(item.recipient) for item in self.recipients],
            "account": row.account,
            "key": row.key,
            "message_id": row.message_id,
            "priority": self.priority,
            "attempts": row.attempts,
            "size": row.size,
            "tags": self.tags,
            "template": self.options.get("template"),
            "site": self.options.get("site"),
            "error": row.error or self.damaged,
            **{name: found.isoformat() for name, found in self.times.items()},
        }

    def outcomes_as_json(self) -> list[dict[str, t.Any]]:
        """The outcome of each recipient; ``state`` is null if it was not tried yet."""
        return [
            {
                "address": str.__str__(item.recipient),
                "state": item.state,
                "code": item.code,
                "enhanced_code": item.enhanced_code,
                "text": item.text,
                "account": item.account or self.row.account,
            }
            for item in self.recipients
        ]


def read_row(row: Row) -> QueuedMessage:
    """Read a row, as far as it is readable."""
    recipients: tuple[Settled, ...] = ()
    options: dict[str, t.Any] = {}
    damaged = ""
    try:
        recipients = outcomes.from_json(row.recipients, to_show=True)
        options = read_options(row)
        outcomes.check_known(recipients)
    except DamagedRowError as error:
        damaged = error.sentence
    return QueuedMessage(row, recipients, options, about_unknown(row.state) or damaged)


def find(id: int) -> QueuedMessage | None:
    """Return the message with that id in the queue of the current app."""
    row = current_queue().get(id) if id <= _LARGEST else None
    return None if row is None else read_row(row)


def moment(seconds: float) -> datetime.datetime:
    """Return a time of a row in UTC."""
    return datetime.datetime.fromtimestamp(min(max(seconds, 0.0), _LAST), datetime.UTC)
