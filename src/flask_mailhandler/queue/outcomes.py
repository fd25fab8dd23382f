"""What has become of each recipient of a row, as JSON and back."""

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
    """A row cannot be read. It never leaves the queue: the row fails with this text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Settled:
    """A recipient, and its last outcome; *state* is None while it has none."""

    recipient: Address
    state: State | None = None
    code: int | None = None
    enhanced_code: str | None = None
    text: str = ""
    about: About | None = None

    @property
    def outcome(self) -> Outcome:
        """The same for a report; what was not tried is deferred."""
        state = State.DEFERRED if self.state is None else self.state
        return Outcome(self.recipient, state, self.code, self.enhanced_code, self.text, self.about)


_FIELDS = dataclasses.fields(Settled)


def waiting(addresses: Iterable[Address]) -> tuple[Settled, ...]:
    """Recipients that were not tried yet."""
    return tuple(Settled(address) for address in addresses)


def settled(outcome: Outcome) -> Settled:
    return Settled(**{field.name: getattr(outcome, field.name) for field in _FIELDS})


def merged(
    before: Sequence[Settled], outcomes: Iterable[Outcome], *, put_off: bool = False
) -> tuple[Settled, ...]:
    """Put what an attempt has brought in the place of what was known before.

    :param put_off: Whether who was refused for the account's sake is to be tried again.
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
    """Note that nobody knows about those whose end of data was *announced*; who was settled
    by an earlier attempt stays so."""
    names = {*announced}
    final = (State.ACCEPTED, State.REFUSED)
    return tuple(
        Settled(old.recipient, State.UNKNOWN, text=why)
        if str.__str__(old.recipient) in names and old.state not in final
        else old
        for old in before
    )


def not_accepted_again(before: Sequence[Settled]) -> tuple[Settled, ...]:
    """Have everybody tried again who has not accepted."""
    return tuple(old if old.state is State.ACCEPTED else Settled(old.recipient) for old in before)


def to_json(recipients: Iterable[Settled]) -> str:
    items = [
        [str.__str__(one.recipient), one.state, one.code, one.enhanced_code, one.text, one.about]
        for one in recipients
    ]
    return json.dumps(items, ensure_ascii=False, separators=(",", ":"))


def from_json(text: str) -> tuple[Settled, ...]:
    """Read what :func:`to_json` made.

    :raises DamagedRowError: if it is anything else.
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
    """Read the recipients whose end of data was announced; all are none.

    :raises DamagedRowError: if it is no list of names.
    """
    try:
        names: t.Any = json.loads(text) if text else []
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DamagedRowError("the note of its end of data cannot be read")
    return names
