"""The last outcome of each recipient of a row, to JSON and back."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from collections.abc import Iterable
from collections.abc import Sequence

from ..address import Address
from ..errors import MessageError
from ..report import About
from ..report import Outcome
from ..report import State


class DamagedRowError(Exception):
    """A row cannot be read. The row fails with this text; the error never leaves the queue."""


@dataclasses.dataclass(frozen=True, slots=True)
class Settled:
    """A recipient and its last outcome; *state* is None while it was not tried."""

    recipient: Address
    state: State | None = None
    code: int | None = None
    enhanced_code: str | None = None
    text: str = ""
    about: About | None = None

    @property
    def outcome(self) -> Outcome:
        """The outcome for a report. A recipient that was not tried is deferred."""
        state = State.DEFERRED if self.state is None else self.state
        return Outcome(self.recipient, state, self.code, self.enhanced_code, self.text, self.about)


_FIELDS = dataclasses.fields(Settled)


def waiting(addresses: Iterable[Address]) -> tuple[Settled, ...]:
    """Return recipients that were not tried yet."""
    return tuple(Settled(address) for address in addresses)


def settled(outcome: Outcome) -> Settled:
    """Return the recipient of an outcome."""
    return Settled(**{field.name: getattr(outcome, field.name) for field in _FIELDS})


def merged(
    before: Sequence[Settled], outcomes: Iterable[Outcome], *, put_off: bool = False
) -> tuple[Settled, ...]:
    """Replace outcomes of earlier attempts with those of this one.

    :param put_off: Whether to try a recipient again that was refused because of the account.
    """
    found = {outcome.recipient: settled(outcome) for outcome in outcomes}
    if put_off:
        found = {
            recipient: dataclasses.replace(one, state=State.DEFERRED)
            if one.state is State.REFUSED and one.about is not About.RECIPIENT
            else one
            for recipient, one in found.items()
        }
    return tuple(found.get(old.recipient, old) for old in before)


def with_unknown(
    before: Sequence[Settled], announced: Iterable[str], why: str
) -> tuple[Settled, ...]:
    """Mark the recipients as unknown whose end of data was *announced*. A recipient that an earlier
    attempt settled stays as it is."""
    names = {*announced}
    final = (State.ACCEPTED, State.REFUSED)
    return tuple(
        Settled(old.recipient, State.UNKNOWN, text=why)
        if str.__str__(old.recipient) in names and old.state not in final
        else old
        for old in before
    )


def not_accepted_again(before: Sequence[Settled]) -> tuple[Settled, ...]:
    """Reset every recipient that was not accepted, so that it is tried again."""
    return tuple(old if old.state is State.ACCEPTED else Settled(old.recipient) for old in before)


def to_json(recipients: Iterable[Settled]) -> str:
    """Return recipients and their outcomes as JSON."""
    items = [
        [str.__str__(one.recipient), one.state, one.code, one.enhanced_code, one.text, one.about]
        for one in recipients
    ]
    return json.dumps(items, ensure_ascii=False, separators=(",", ":"))


def from_json(text: str) -> tuple[Settled, ...]:
    """Read the JSON that :func:`to_json` returned.

    :raises DamagedRowError: for any other text.
    """
    try:
        return tuple(_recipient(*item) for item in json.loads(text))
    except (ValueError, TypeError, MessageError) as error:
        raise DamagedRowError(f"its recipients cannot be read: {error}") from None


def _recipient(
    address: str,
    state: str | None,
    code: int | None,
    enhanced: str | None,
    text: str,
    about: str | None,
) -> Settled:
    known = State(state) if state else None
    blamed = About(about) if about else None
    return Settled(Address(address), known, code, enhanced, text, blamed)


def names_from_json(text: str | None) -> list[str]:
    """Read the recipients whose end of data was announced. Without a text there are none.

    :raises DamagedRowError: if it is not a list of names.
    """
    try:
        names: t.Any = json.loads(text) if text else []
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DamagedRowError("the note of its end of data cannot be read")
    return names
