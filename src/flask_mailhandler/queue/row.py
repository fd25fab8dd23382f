"""A row of the queue: one message and its state.

::

    waiting ──▶ claimed ──▶ sent       accepted for a recipient, and no other is left to try
       ▲           │  ├───▶ failed     every recipient was refused, or the row is damaged
       └───────────┘  ├───▶ held       it may have arrived or not: you decide
        try again     └───▶ expired    its time was over before every recipient was settled
    cancelled                          by you, or by a before_send function

``transition`` has a function for each arrow.
"""

from __future__ import annotations

import dataclasses
import enum

from .newer import is_known


class RowState(enum.StrEnum):
    """The state of a queued message.

    A row that a newer release has changed may have a state that is none of these.
    """

    WAITING = "waiting"
    """It is sent when it is due."""
    CLAIMED = "claimed"
    """A worker is sending it."""
    SENT = "sent"
    """The server accepted it for at least one recipient, and no other is left to try."""
    FAILED = "failed"
    """The server accepted it for no recipient, and trying again is useless."""
    HELD = "held"
    """It may have arrived or not. It waits until you decide."""
    CANCELLED = "cancelled"
    """You, or a ``before_send`` function, stopped it."""
    EXPIRED = "expired"
    """It expired before every recipient was settled."""


FINISHED = frozenset({RowState.SENT, RowState.FAILED, RowState.CANCELLED, RowState.EXPIRED})
"""The states whose rows are purged in the end. A held row waits as long as it takes."""

UNFINISHED = (RowState.WAITING, RowState.CLAIMED, RowState.HELD)
"""The other states: something must still happen to these rows."""

PRIORITIES = ("high", "normal", "bulk")
"""The words for the numbers 0, 1 and 2."""


def priority_name(number: int) -> str:
    """Return the word for a priority; of one that this release does not know, the number."""
    return PRIORITIES[number] if 0 <= number < len(PRIORITIES) else str(number)


def about_unknown(state: RowState) -> str:
    """Return what to know about a state of a newer release; "" for a state of this one."""
    if is_known(state):
        return ""
    return (
        f"This release of Flask-MailHandler does not know the state {str(state)!r}, which a newer"
        " one has stored. It neither sends nor deletes the message."
    )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Row:
    """A row as a store keeps it.

    Times are seconds since 1970, the only clock that workers on several machines have in common.
    """

    id: int = 0
    """Its number, which a store never gives twice; 0 before it is stored."""
    app: str
    """The name of the app, because several apps may share a store."""
    account: str
    key: str | None = None
    """Unique within an app and an account."""
    message_id: str
    priority: int = 1
    due: float
    expires: float
    """When it expires: it is not tried after this time."""
    created: float
    origin: str = ""
    """The machine of a process that queued it and sends nothing, such as a server in debug mode.
    Only such processes on that machine take it. "" if any process may take it."""
    changed: float
    """When its state changed."""
    state: RowState = RowState.WAITING
    attempts: int = 0
    """How often a worker has claimed it and tried the message itself."""
    lease_owner: str | None = None
    """The claim that it belongs to; for a held row, the last one."""
    lease_until: float | None = None
    ended: str | None = None
    """The recipients whose end of data was announced in this attempt (JSON). If the worker dies
    now, it is unknown whether they have got the message."""
    options: str
    """Everything that delivery needs besides the octets (JSON, versioned)."""
    recipients: str
    """The last outcome of each recipient (JSON)."""
    size: int
    """The number of octets of the content."""
    error: str = ""
    """The last error."""

    def __repr__(self) -> str:
        return f"<Row {self.id} {self.message_id} via {self.account}: {self.state}>"


COLUMNS = tuple(field.name for field in dataclasses.fields(Row))
"""The names of the columns, which are the names of the fields."""
CHANGING = (
    *("priority", "due", "expires", "changed", "state", "attempts"),
    *("lease_owner", "lease_until", "ended", "options", "recipients", "error"),
)
"""The columns that may change after a row was stored."""
