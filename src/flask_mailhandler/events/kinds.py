"""What can happen to a message, and why it may not be delivered."""

from __future__ import annotations

import enum


class EventKind(enum.StrEnum):
    """What happened to a message, for one recipient."""

    SENT = "sent"
    """The provider has processed the message, and sends it to the recipient's server."""
    DELIVERED = "delivered"
    """The message is in the mailbox, or was passed on for good: to another address, or to a server
    that sends no notifications."""
    DEFERRED = "deferred"
    """The message is late, and the server still tries to deliver it."""
    BOUNCED = "bounced"
    """The server has given up. :attr:`.Event.severity` says whether the address is to blame."""
    REJECTED = "rejected"
    """The provider did not try to deliver the message, for example because it suppresses the
    address itself."""
    FAILED = "failed"
    """The provider could not send the message, for example because of an error in its template."""
    OPENED = "opened"
    """An image of the message was loaded. :attr:`.Event.machine` says if a program did it."""
    CLICKED = "clicked"
    """A link of the message was followed: :attr:`.Event.url`."""
    COMPLAINED = "complained"
    """The recipient has reported the message as spam."""
    UNSUBSCRIBED = "unsubscribed"
    """The recipient has asked for no more mail of this kind, or of this list."""
    SUBSCRIBED = "subscribed"
    """The recipient has asked for mail of this list again."""


class Severity(enum.StrEnum):
    """Why a message was not delivered, and what that means for the next message."""

    HARD = "hard"
    """The address does not exist: no message to it will arrive."""
    SOFT = "soft"
    """The mailbox is full, or the server could not be reached: a later message may arrive."""
    BLOCKED = "blocked"
    """The server refused this message or its sender. The address may be in use."""
