"""Which of the captured messages are meant."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable
from collections.abc import Sequence

from ..address import Address
from ..errors import MessageError
from ..text.checks import shorten

if t.TYPE_CHECKING:
    from .captured import Captured

Criterion: t.TypeAlias = "str | re.Pattern[str] | Callable[[t.Any], object] | None"
Criteria: t.TypeAlias = "list[tuple[str, Criterion]]"


def criteria(to: Criterion, subject: Criterion, text: Criterion, html: Criterion) -> Criteria:
    """Those that were given, with their names.

    :raises TypeError: for what none is.
    """
    given = {"to": to, "subject": subject, "text": text, "html": html}
    return [(name, value) for name, value in given.items() if is_given(name, value)]


def is_given(name: str, wanted: Criterion) -> bool:
    """Whether there is a criterion.

    :raises TypeError: for what none is, such as a list, which no message would ever meet.
    """
    if not (wanted is None or isinstance(wanted, str | re.Pattern) or callable(wanted)):
        raise TypeError(f"{name}= takes a string, a pattern or a function, not {shorten(wanted)}.")
    return wanted is not None


def meets(captured: Captured, name: str, wanted: Criterion) -> bool:
    """Whether a message meets a criterion."""
    if name == "to":
        return any(is_recipient(recipient, wanted) for recipient in captured.envelope.recipients)
    value = getattr(captured, name)
    if callable(wanted):
        return bool(wanted(value))
    return value == wanted if name == "subject" and isinstance(wanted, str) else has(value, wanted)


def is_recipient(recipient: Address, wanted: Criterion) -> bool:
    """Whether a recipient is who is meant: an address however it is written, a pattern that is
    found, or a predicate."""
    if callable(wanted):
        return bool(wanted(recipient))
    if isinstance(wanted, re.Pattern):
        return bool(wanted.search(recipient))
    return wanted is not None and recipient == _mailbox(wanted)


def _mailbox(wanted: str) -> str:
    """The mailbox as envelopes have it: without a name, the domain in ASCII and lower case."""
    try:
        return Address(wanted)
    except MessageError:
        return wanted


def has(value: str, wanted: str | re.Pattern[str] | None) -> bool:
    """Whether a text has another in it, or a pattern is found there."""
    if isinstance(wanted, re.Pattern):
        return bool(wanted.search(value))
    return (wanted or "") in value


def miss(captured: Sequence[Captured], wanted: Criteria, waited: float | None = None) -> str:
    """Say that not exactly one message meets the criteria: every message, and which of them it
    does not meet.

    :param waited: Seconds.
    """
    failed = [[name for name, value in wanted if not meets(c, name, value)] for c in captured]
    asked = ", ".join(f"{name}={shown(value)}" for name, value in wanted) or "anything"
    after = "" if waited is None else f" after {waited:g} s"
    lines = [f"{failed.count([])} of {len(captured)} captured messages match {asked}{after}."]
    for number, (item, names) in enumerate(zip(captured, failed, strict=True)):
        recipients = ", ".join(item.envelope.recipients)
        reason = ", ".join(names) or "matches"
        lines.append(f"  [{number}] {item.subject!r} to {recipients}  <- {reason}")
    return "\n".join(lines if captured else [*lines, "  Nothing was captured."])


def shown(wanted: Criterion) -> str:
    """A criterion for people's eyes."""
    return f"/{wanted.pattern}/" if isinstance(wanted, re.Pattern) else repr(wanted)
