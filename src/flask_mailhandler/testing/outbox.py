"""The list of captured messages, which a test can search."""

from __future__ import annotations

import threading
import typing as t
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

from .captured import Captured as Captured
from .criteria import contains
from .criteria import Criteria
from .criteria import Criterion
from .criteria import described
from .criteria import given
from .criteria import is_recipient
from .script import Kind
from .script import Script
from .script import Scripted

if t.TYPE_CHECKING:
    from ..events.event import Event
    from ..events.kinds import EventKind


class Outbox(list[Captured]):
    """A list of captured messages in the order in which they were sent::

        message = outbox.one(to="ann@example.com", subject="Reset your password")
        client.get(message.link("Choose a new password"))

    :meth:`fail` makes sending fail.
    """

    def __init__(self, captured: t.Iterable[Captured] = ()) -> None:
        super().__init__(captured)
        self.script: Script = Script()
        """The failures that were set with :meth:`fail`."""
        self.read: Callable[[bytes, str], list[Event]] | None = None
        """Reads a notification that came to an address. An app sets it whose mail is captured."""
        self.post: Callable[..., list[Event] | None] | None = None
        """Posts a webhook, with the arguments of :meth:`event`; None if the account has none."""
        self._changed = threading.Condition()

    def append(self, captured: Captured) -> None:
        """Add a message, and wake the threads that wait for one."""
        with self._changed:
            super().append(captured)
            self._changed.notify_all()

    def find(self, **criteria: t.Unpack[Criteria]) -> list[Captured]:
        """Return the messages that meet all criteria::

            outbox.find(to="ann@example.com", subject=re.compile("^Your order"))

        The criteria are ``to``, ``subject``, ``text`` and ``html``. A string must be one of the
        envelope's recipients, Cc and Bcc included (its name and the case of its domain do not
        matter), or the whole subject, or a part of the text or HTML. A pattern is searched for. A
        function is called with the value, and must return something true.

        :raises TypeError: for an unknown criterion, or a value of another type.
        """
        wanted = given(criteria)
        return [captured for captured in [*self] if not _unmet(captured, wanted)]

    def one(self, **criteria: t.Unpack[Criteria]) -> Captured:
        """Return the only message that meets all criteria, which are those of :meth:`find`::

            outbox.one(to="ann@example.com").code(length=6)

        :raises AssertionError: if no message or more than one meets them. The error lists every
            captured message with the criteria that it does not meet.
        """
        found = self.find(**criteria)
        if len(found) == 1:
            return found[0]
        raise AssertionError(_mismatch([*self], given(criteria)))

    def wait_for(self, *, timeout: float = 5.0, **criteria: t.Unpack[Criteria]) -> Captured:
        """Return the only message that meets all criteria as soon as it is there. Use it for mail
        that a thread or a worker sends::

            outbox.wait_for(subject="Your bill", timeout=30)

        :param timeout: The maximum number of seconds to wait.
        :raises AssertionError: like :meth:`one`, if no message meets the criteria within that time,
            or more than one does.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.find(**criteria), timeout)
            found = self.find(**criteria)
        if len(found) == 1:
            return found[0]
        waited = None if found else timeout
        raise AssertionError(_mismatch([*self], given(criteria), waited))

    def fail(
        self,
        kind: Kind,
        *,
        to: Criterion = None,
        code: int | None = None,
        times: int | None = None,
    ) -> Scripted:
        """Make sending fail as it would over SMTP: the reports, errors, signals and log lines are
        real. A message that failed is not captured.

        The failure lasts until the test ends, or until the end of its ``with`` block::

            with outbox.fail("refused", to="ann@example.com"):
                ...

        Several failures can be set at once. Those with ``to`` are tried first, then the others,
        each in the order in which they were set.

        :param kind: With ``"refused"`` and ``"deferred"``, the server gives such a reply to a
            recipient. With ``"unknown"`` it takes the whole message and closes the connection. With
            ``"connect"`` the connection fails.
        :param to: The recipients that fail, as in :meth:`find`; all of them if it is left out.
            With ``"unknown"``, all recipients of the message have the same outcome.
        :param code: The reply code, such as 552, instead of 550 or 451. With ``"connect"`` the
            server's greeting has it.
        :param times: How many messages or connections fail (each batch of a message counts as one).
            If it is left out, all of them fail.
        :raises ValueError: if a server cannot fail in this way. The error says what to write.
        """
        return self.script.fail(kind, to=to, code=code, times=times)

    def event(
        self,
        kind: EventKind | str,
        message: Captured,
        *,
        to: Criterion = None,
        status: str | None = None,
        code: int | None = None,
        reason: str | None = None,
    ) -> list[Event]:
        """Let a captured message bounce, arrive late, arrive, or be reported as spam. A real
        notification is written, as a mail server or a provider does, and the app reads it with
        :meth:`.Mail.handle_notification`::

            (event,) = outbox.event("bounced", outbox.one(to="ann@example.com"))
            assert event.severity == "hard"

        With :data:`MAIL_BOUNCE_ADDRESS`, it comes to the signed address of the message, so its
        events are verified as in production.

        If the account of the message has :data:`MAIL_WEBHOOK_SECRET`, the provider's webhook is
        posted to the app instead, signed as the provider signs it. Its kind may be any
        :class:`.EventKind` that the provider has.

        :param kind: ``"bounced"``, ``"deferred"``, ``"delivered"`` or ``"complained"``.
        :param to: The recipients that it is about, as in :meth:`find`; all of them if it is left
            out.
        :param status: The enhanced code instead of 5.1.1, 4.4.1 or 2.0.0.
        :param code: The reply code instead of 550 or 250.
        :param reason: What the server says.
        :return: The events that the app was told of.
        :raises ValueError: if no notification says this. The error says what to write.
        :raises AssertionError: if the app does not take the webhook.
        :raises RuntimeError: if the outbox captures the mail of no app.
        """
        if self.post is not None:
            posted = self.post(kind, message, to, status, code, reason)
            if posted is not None:
                return posted
        from .notification import notification  # few tests use it

        octets = notification(kind, message, to, status, code, reason)
        if self.read is None:
            raise RuntimeError("This outbox captures the mail of no app: use mail.capture().")
        return self.read(octets, str(message.envelope.sender))


def _unmet(captured: Captured, criteria: Mapping[str, Criterion]) -> list[str]:
    """Return the names of the criteria that a message does not meet."""
    return [name for name, value in criteria.items() if not _meets(captured, name, value)]


def _meets(captured: Captured, name: str, criterion: Criterion) -> bool:
    if name == "to":
        return any(is_recipient(one, criterion) for one in captured.envelope.recipients)
    value = getattr(captured, name)
    if callable(criterion):
        return bool(criterion(value))
    if name == "subject" and isinstance(criterion, str):
        return bool(value == criterion)
    return contains(value, criterion)


def _mismatch(
    captured: Sequence[Captured], criteria: Mapping[str, Criterion], waited: float | None = None
) -> str:
    """Return the error text for any number of matches other than one.

    :param waited: How many seconds the caller has waited.
    """
    unmet = [_unmet(one, criteria) for one in captured]
    asked = ", ".join(f"{name}={described(value)}" for name, value in criteria.items())
    after = "" if waited is None else f" after {waited:g} s"
    count = f"{unmet.count([])} of {len(captured)} captured messages match"
    lines = [f"{count} {asked or 'anything'}{after}."]
    for number, (one, names) in enumerate(zip(captured, unmet, strict=True)):
        recipients = ", ".join(one.envelope.recipients)
        reason = ", ".join(names) or "matches"
        lines.append(f"  [{number}] {one.subject!r} to {recipients}  <- {reason}")
    return "\n".join(lines if captured else [*lines, "  Nothing was captured."])
