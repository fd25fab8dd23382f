"""A row of the queue: one message, and how far it has come.

::

    waiting ──▶ claimed ──▶ sent       somebody accepted it, and nobody is left to try
       ▲           │  ├───▶ failed     refused by all, or the row is damaged
       └───────────┘  ├───▶ held       perhaps taken, perhaps not: a person decides
        later         └───▶ expired    the time was over before it was taken
    cancelled                          by a person, or by a before_send function
"""

from __future__ import annotations

import dataclasses
import enum


class RowState(enum.StrEnum):
    """How far a queued message has come."""

    WAITING = "waiting"
    """It is sent when it is due."""
    CLAIMED = "claimed"
    """A worker has it in hand."""
    SENT = "sent"
    """Somebody accepted it, and nobody is left to try."""
    FAILED = "failed"
    """Nobody accepted it, and trying again is useless."""
    HELD = "held"
    """Nobody knows whether it was taken: it waits for a person."""
    CANCELLED = "cancelled"
    """A person, or a ``before_send`` function, has stopped it."""
    EXPIRED = "expired"
    """It was too late before everybody was tried to the end."""


FINISHED = frozenset({RowState.SENT, RowState.FAILED, RowState.CANCELLED, RowState.EXPIRED})
"""What is purged when it has been kept long enough. A held row waits as long as it takes."""

PRIORITIES = ("high", "normal", "bulk")
"""The words for the numbers 0, 1 and 2."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Row:
    """A row as a store keeps it. Times are seconds since 1970, for workers on several machines
    have no other clock in common."""

    id: int = 0
    """0 until a store has given it one; never given twice."""
    app: str
    """The name of the app, for several may share one store."""
    account: str
    key: str | None = None
    """Within an app and an account there is one row of a key."""
    message_id: str
    priority: int = 1
    due: float
    expires: float
    """From then on it is not tried any more."""
    created: float
    origin: str = ""
    """Where a process has queued it that sends nothing, such as a server in debug mode: only such
    processes there take it in hand then. "" where any may, for its own one sends."""
    changed: float
    """When its state changed."""
    state: RowState = RowState.WAITING
    attempts: int = 0
    """How often a worker has claimed it and come as far as the message itself."""
    lease_owner: str | None = None
    """Who has claimed it; of a held row, who had it last."""
    lease_until: float | None = None
    ended: str | None = None
    """The recipients whose end of data was announced in this attempt (JSON): if the worker dies
    now, nobody knows whether they have got it."""
    options: str
    """All that delivering needs beside the octets (JSON, versioned)."""
    recipients: str
    """What has become of each recipient (JSON): its last outcome is the row's last report."""
    size: int
    """The octets of the content."""
    error: str = ""
    """What went wrong last."""

    def __repr__(self) -> str:
        return f"<Row {self.id} {self.message_id} via {self.account}: {self.state}>"


COLUMNS = tuple(field.name for field in dataclasses.fields(Row))
"""The names of the columns, which are those of the fields."""
CHANGING = (
    *("priority", "due", "expires", "changed", "state", "attempts"),
    *("lease_owner", "lease_until", "ended", "options", "recipients", "error"),
)
"""Those that may change after a row was accepted."""
