"""What is heard of a message after a server has accepted it."""

from __future__ import annotations

import dataclasses
import typing as t

from ..frozen import FrozenMapping
from .kinds import EventKind
from .kinds import Severity

if t.TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from ..address import Address


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What became of a message, for one recipient.

    .. code-block:: python

        for event in Event.parse(octets):
            print(event.kind, event.recipient, event.reason)
    """

    kind: EventKind
    recipient: Address | None = None
    """The address that the message was sent to, or None if the notification does not name it."""
    message_id: str = ""
    """The Message-ID of the message, with its angle brackets; "" if it is not known."""
    envelope_id: str = ""
    """The ``ENVID`` that the message was sent with (RFC 3461 section 4.4), or ""."""
    time: datetime.datetime | None = None
    """When the notification was written. It has a time zone."""
    code: int | None = None
    """The reply code of the server that refused the message (RFC 5321 section 4.2), such as 550."""
    status: str = ""
    """The enhanced code (RFC 3463), such as ``5.1.1``, or ""."""
    severity: Severity | None = None
    """Why the message was not delivered; None if the event says nothing of the kind."""
    reason: str = ""
    """What the server said, in one line, shortened. It comes from outside: escape it in a page."""
    list_name: str = ""
    """The list that the recipient has left or joined: ``unsubscribe=`` of the message, or ""."""
    account: str = ""
    """The account that the message was queued for, or, of a webhook, the account to whose URL it
    was posted; "" if the queue does not have the message of a notification."""
    tags: tuple[str, ...] = ()
    """The tags of the message, if the queue has it; of a webhook, those that the provider names."""
    metadata: Mapping[str, str] = FrozenMapping[str]({})
    """The metadata of the message that the provider names, by name."""
    provider_id: str = ""
    """The provider's id of the message, as in :attr:`.Outcome.provider_id`; "" without one."""
    event_id: str = ""
    """The id of an event of a webhook: the provider's, or one that is made from the event. The app
    is told of one event with it."""
    token: str = dataclasses.field(default="", repr=False, compare=False)
    """What proved the event, and would prove any other as well, of a provider that signs a token
    and not the event: the app is told of one event with it. It is not stored with the event."""
    url: str = ""
    """The link that was followed, or "". It comes from outside: escape it in a page."""
    machine: bool = False
    """Whether the provider says that a program has opened the message or followed the link, such as
    a scanner, or a proxy that loads the images of each mail."""
    verified: bool = False
    """Whether the source is proven: the notification came to the signed envelope sender of a
    message to this recipient alone (see ``MAIL_BOUNCE_ADDRESS``), or the recipient used a signed
    link or address to unsubscribe, or a webhook had the provider's signature or the secret of its
    URL. Anybody can write a bounce, so an app should not stop sending to an address because of an
    event that is not verified."""
    raw: bytes = dataclasses.field(default=b"", repr=False, compare=False)
    """The notification, up to its first MiB, or the body of a webhook. It is not stored: b"" if the
    app is told later."""

    def __str__(self) -> str:
        said = " ".join(filter(None, (str(self.code or ""), self.status, self.reason)))
        return f"{self.recipient or 'a recipient'} {self.kind}" + (f": {said}" if said else "")

    @classmethod
    def parse(cls, octets: bytes) -> list[Event]:
        """Read a message that came to the envelope sender, or to the address for complaints.

        It reads delivery status notifications (RFC 3464 and RFC 6533), notifications of qmail, Exim
        and Exchange that have another form, and complaints (RFC 5965).

        .. code-block:: python

            events = Event.parse(sys.stdin.buffer.read())

        :param octets: The message as it came. Only its first MiB is read.
        :return: An event for each recipient that is named, at most 1,000. Empty for a message that
            does not say what became of another message, such as a person's reply, an out-of-office
            reply, a read receipt or a forwarded bounce.
        """
        from .reading import facts_of  # few processes read notifications

        return [cls(**facts) for facts in facts_of(octets)]
