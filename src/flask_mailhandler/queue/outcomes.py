"""The last outcome of each recipient of a row, to JSON and back."""

from __future__ import annotations

import dataclasses
import datetime
import json
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence

from ..address import Address
from ..errors import MessageError
from ..phase import State
from ..report import About
from ..report import Outcome
from .newer import read_word
from .unreadable import DamagedRowError
from .unreadable import NewerRowError

if t.TYPE_CHECKING:
    from .newer import E


@dataclasses.dataclass(frozen=True, slots=True)
class Settled:
    """A recipient and its last outcome; *state* is None while it was not tried."""

    recipient: Address
    state: State | None = None
    code: int | None = None
    enhanced_code: str | None = None
    text: str = ""
    about: About | None = None
    provider_id: str = ""
    safe_until: datetime.datetime | None = None
    """The :attr:`.Report.safe_until` of the first attempt that may have reached this recipient. A
    deferred recipient is tried again until then, and is unknown from then on."""
    known_to: str = ""
    """The :meth:`.EmailHandler.known_by` of that attempt. No other may repeat it."""
    account: str = ""
    """The account that the outcome is from, if it is not the row's own."""

    @property
    def outcome(self) -> Outcome:
        """The outcome for a report. A recipient that was not tried is deferred."""
        state = State.DEFERRED if self.state is None else self.state
        found = {field.name: getattr(self, field.name) for field in _FIELDS}
        return Outcome(**{**found, "state": state})


_FIELDS = dataclasses.fields(Outcome)
# Made once: json.dumps makes an encoder in each call, which takes 3 microseconds.
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def waiting(addresses: Iterable[Address]) -> tuple[Settled, ...]:
    """Return recipients that were not tried yet."""
    return tuple(Settled(address) for address in addresses)


def settled(
    outcome: Outcome, safe_until: datetime.datetime | None = None, known_to: str = ""
) -> Settled:
    """Return the recipient of an outcome."""
    found = {field.name: getattr(outcome, field.name) for field in _FIELDS}
    return Settled(**found, safe_until=safe_until, known_to=known_to)


def merged(
    before: Sequence[Settled],
    outcomes: Iterable[Outcome],
    *,
    announced: Collection[str],
    put_off: bool = False,
    safe_until: datetime.datetime | None = None,
    known_to: str = "",
    account: str = "",
) -> tuple[Settled, ...]:
    """Replace outcomes of earlier attempts with those of this one.

    If a recipient may have been reached, a refusal of the repeat leaves its outcome unknown.

    :param announced: The recipients whose end of data was announced. No other can have been
        reached, so *safe_until* is not about them.
    :param put_off: Whether to try a recipient again that was refused because of the account.
    :param account: The account that has sent it, if it is not the row's own.
    """
    earlier = {one.recipient: one.safe_until for one in before if one.state is State.DEFERRED}
    found: dict[Address, Settled] = {}
    for outcome in outcomes:
        reached = earlier.get(outcome.recipient)
        until = safe_until if str.__str__(outcome.recipient) in announced else None
        one = settled(outcome, _first(reached, until), known_to)
        if account and not one.account:
            one = dataclasses.replace(one, account=account)
        if one.state is State.REFUSED:
            if put_off and one.about is not About.RECIPIENT:
                one = dataclasses.replace(one, state=State.DEFERRED)
            elif reached is not None:
                one = dataclasses.replace(one, state=State.UNKNOWN)
        found[one.recipient] = one
    return tuple(found.get(old.recipient, old) for old in before)


def _first(*times: datetime.datetime | None) -> datetime.datetime | None:
    """Return the earliest of these times, in UTC."""
    zone = datetime.UTC
    return min((time.astimezone(zone) for time in times if time is not None), default=None)


def with_unknown(
    before: Sequence[Settled],
    announced: Iterable[str],
    why: str,
    safe_until: datetime.datetime | None = None,
    known_to: str = "",
) -> tuple[Settled, ...]:
    """Mark the recipients as unknown whose end of data was *announced*, or as deferred if the
    server recognizes a repeat.

    A recipient that an earlier attempt settled stays as it is.

    :param safe_until: The time until which the server recognizes it.
    """
    names = {*announced}
    final = (State.ACCEPTED, State.REFUSED)
    state = State.UNKNOWN if safe_until is None else State.DEFERRED
    return tuple(
        Settled(
            old.recipient,
            state,
            text=why,
            safe_until=_first(old.safe_until, safe_until),
            known_to=known_to,
        )
        if str.__str__(old.recipient) in names and old.state not in final
        else old
        for old in before
    )


def unsafe(
    before: Sequence[Settled], recognized: Callable[[Settled], bool] = lambda one: False
) -> tuple[Settled, ...]:
    """Mark the deferred recipients as unknown that may have been reached, because a repeat is not
    recognized any more.

    :param recognized: Says of which recipient a repeat is recognized; by default, of none.
    """
    return tuple(
        dataclasses.replace(one, state=State.UNKNOWN)
        if one.state is State.DEFERRED and one.safe_until and not recognized(one)
        else one
        for one in before
    )


def perhaps_reached(recipients: Sequence[Settled]) -> tuple[Address, ...]:
    """Return the deferred recipients that may have been reached."""
    deferred = (one for one in recipients if one.state is State.DEFERRED)
    return tuple(one.recipient for one in deferred if one.safe_until)


def known_to(recipients: Sequence[Settled]) -> str:
    """Return what recognizes a repeat to the recipients that may have been reached, or ""."""
    found = (one for one in recipients if one.state is State.DEFERRED and one.safe_until)
    return next((one.known_to for one in found), "")


def not_accepted_again(before: Sequence[Settled]) -> tuple[Settled, ...]:
    """Reset every recipient that was not accepted, so that it is tried again."""
    return tuple(old if old.state is State.ACCEPTED else Settled(old.recipient) for old in before)


def accepted(recipients: Iterable[Settled]) -> int:
    """Return how many recipients were accepted."""
    return sum(one.state is State.ACCEPTED for one in recipients)


def safe_until(recipients: Iterable[Settled]) -> datetime.datetime | None:
    """Return until when it is safe to repeat the message to all of these recipients.

    That is until the first of their times is over. It is None if an unknown outcome has no such
    time.
    """
    found = [one for one in recipients if one.safe_until or one.state is State.UNKNOWN]
    times = [one.safe_until for one in found if one.safe_until]
    return min(times) if times and len(times) == len(found) else None


def to_json(recipients: Iterable[Settled]) -> str:
    """Return recipients and their outcomes as JSON.

    A handler may have a text that UTF-8 cannot express. In JSON, its escape is the same text.
    """
    return storable(_as_json([_item(one) for one in recipients]))


def storable(text: str) -> str:
    """Return a text of a handler that every database can store."""
    return text.encode(errors="backslashreplace").decode()


def _item(one: Settled) -> list[t.Any]:
    address = str.__str__(one.recipient)
    item = [address, one.state, one.code, one.enhanced_code, one.text, one.about]
    if not one.provider_id and not one.safe_until and not one.account:
        return item  # which earlier releases can read too
    until = one.safe_until
    if until is not None and until.tzinfo is None:
        until = until.astimezone()
    whole = [*item, one.provider_id, until and until.isoformat(), one.known_to]
    return [*whole, one.account] if one.account else whole


def from_json(text: str, *, to_show: bool = False) -> tuple[Settled, ...]:
    """Read the JSON that :func:`to_json` returned.

    :param to_show: Whether to return what a newer release has written, as far as it is readable.
    :raises NewerRowError: if a newer release has written it.
    :raises DamagedRowError: for any other text.
    """
    word = read_word if to_show else _known
    try:
        return tuple(_recipient(word, *item) for item in json.loads(text))
    except (ValueError, TypeError, MessageError) as error:
        raise DamagedRowError(f"its recipients cannot be read: {error}") from None


def check_known(recipients: Iterable[Settled]) -> None:
    """Check that this release knows the outcomes of recipients that were read to be shown.

    :raises NewerRowError: if it does not.
    """
    for kind, words in (
        (State, {one.state for one in recipients}),
        (About, {one.about for one in recipients}),
    ):
        for word in words - {None, *kind}:
            _known(kind, str(word))


def _known(kind: type[E], text: str) -> E:
    """Return a word that this release knows.

    :raises NewerRowError: for any other.
    """
    try:
        return kind(text)
    except ValueError:
        if not isinstance(text, str):
            raise
        raise NewerRowError(f"this one does not know the outcome {text[:80]!r}") from None


def _recipient(
    word: Callable[[type[t.Any], str], t.Any],
    address: str,
    state: str | None,
    code: int | None,
    enhanced: str | None,
    text: str,
    about: str | None,
    provider_id: t.Any = "",
    until: str | None = None,
    known_to: t.Any = "",
    account: t.Any = "",
    *more: object,
) -> Settled:
    if more and word is _known:
        raise NewerRowError("it says more about a recipient than this one reads")
    known: State | None = word(State, state) if state else None
    concerns: About | None = word(About, about) if about else None
    safe = datetime.datetime.fromisoformat(until) if until else None
    texts = all(isinstance(one, str) for one in (provider_id, known_to, account))
    if not texts or (safe is not None and safe.tzinfo is None):
        raise ValueError(f"{provider_id!r}, {until!r}, {known_to!r}")
    rest = (code, enhanced, text, concerns, provider_id, safe, known_to, account)
    return Settled(Address(address), known, *rest)


def note_to_json(
    names: Iterable[str], safe_until: datetime.datetime | None, known_to: str = ""
) -> str:
    """Return the recipients whose end of data is announced as JSON, with the time until which the
    server recognizes a repeat, and what names the server."""
    if safe_until is None:
        return _as_json([*names])  # which earlier releases can read too
    note = {"names": [*names], "safe_until": safe_until.isoformat(), "known_to": known_to}
    return _as_json(note)


def note_from_json(text: str | None) -> tuple[list[str], datetime.datetime | None, str]:
    """Read what :func:`note_to_json` returned. Without a text there are no names.

    :raises DamagedRowError: if it is anything else.
    """
    try:
        names: t.Any = json.loads(text) if text else []
        until, known_to = None, ""
        if isinstance(names, dict):
            until = datetime.datetime.fromisoformat(names["safe_until"])
            known_to = str(names.get("known_to", ""))
            names = names["names"] if until.tzinfo else None
    except (ValueError, TypeError, LookupError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DamagedRowError("the note of its end of data cannot be read")
    return names, until, known_to
