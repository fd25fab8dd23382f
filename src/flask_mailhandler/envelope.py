"""The envelope: the sender and the recipients that the server gets (RFC 5321 section 2.3.1), and
the delivery notifications that it is asked for (RFC 3461)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from collections.abc import Iterator

from .address import Address
from .address import Addresses
from .address import parse_addresses
from .address import parse_envelope_sender
from .address import unique
from .errors import MessageError
from .frozen import Frozen


class Envelope(Frozen):
    """An envelope sender and the recipients, in order and without duplicates.

    The server gets the envelope; the reader of a message does not see it.

    .. code-block:: python

        Envelope("shop@example.com", ["ann@example.com", "bob@example.com"])

    :param sender: The reverse-path. "" is the null reverse-path ``<>``, for a notification to
        which no bounce must be sent (RFC 5321 section 4.5.5).
    :param recipients: The forward-paths, at least one.
    :raises MessageError: if an address is wrong or there is no recipient.
    """

    sender: Address | str
    recipients: Addresses
    __slots__ = ("recipients", "sender")

    def __init__(self, sender: Address | str, recipients: Iterable[Address | str]) -> None:
        # A message's are checked already. To do so again takes 1 µs for each, and 4 for the sender.
        if not isinstance(recipients, Addresses):
            recipients = parse_addresses(recipients, "recipients")
        checked = unique(recipients)
        if not checked:
            raise MessageError("The message has no recipient: set to=, cc= or bcc=.")
        path = sender
        if type(sender) is not Address:
            path = parse_envelope_sender(sender) if sender else ""
        object.__setattr__(self, "sender", path)
        object.__setattr__(self, "recipients", checked)

    def batches(self, size: int | None) -> Iterator[Envelope]:
        """Split into envelopes of at most *size* recipients. With None, there is one."""
        if size is None or len(self.recipients) <= size:
            yield self
            return
        rest = iter(self.recipients)
        while batch := tuple(itertools.islice(rest, size)):
            yield Envelope(self.sender, batch)

    def to(self, recipients: Iterable[Address | str]) -> Envelope:
        """Return an envelope with the same sender and other recipients."""
        return Envelope(self.sender, recipients)


class DSN(Frozen):
    """What a message asks servers to tell its envelope sender (RFC 3461).

    .. code-block:: python

        DSN(notify=("failure", "delay"), ret="headers")
    """

    notify: tuple[str, ...] = ()
    """``("never",)``, or some of ``failure``, ``delay`` and ``success``. Empty if the server
    decides."""
    ret: str | None = None
    """``"headers"`` or ``"full"``: what a notification returns of the message. None if the server
    decides."""
