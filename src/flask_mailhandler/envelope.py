"""Who sends and who gets: the envelope (RFC 5321 section 2.3.1), which no reader sees."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from collections.abc import Iterator

from .address import Address
from .address import Addresses
from .address import parse_addresses
from .address import parse_envelope_sender
from .address import unique
from .errors import MessageError


@dataclasses.dataclass(frozen=True, init=False, slots=True)
class Envelope:
    """An envelope sender and recipients in order, each once.

    :param sender: The reverse-path. "" is the null reverse-path ``<>`` of a notification that
        must not be answered (RFC 5321 section 4.5.5).
    :param recipients: The forward-paths, one at the least.
    :raises MessageError: if an address is wrong or there is no recipient.
    """

    sender: Address | str
    recipients: Addresses

    def __init__(self, sender: Address | str, recipients: Iterable[Address | str]) -> None:
        checked = unique(parse_addresses(recipients, "recipients"))
        if not checked:
            raise MessageError("The message has no recipient: give it to=, cc= or bcc=.")
        path = parse_envelope_sender(sender) if sender else ""
        object.__setattr__(self, "sender", path)
        object.__setattr__(self, "recipients", checked)

    def batches(self, size: int | None) -> Iterator[Envelope]:
        """Split into envelopes of at most *size* recipients; None does not split."""
        if size is None or len(self.recipients) <= size:
            yield self
            return
        rest = iter(self.recipients)
        while batch := tuple(itertools.islice(rest, size)):
            yield Envelope(self.sender, batch)

    def to(self, recipients: Iterable[Address | str]) -> Envelope:
        """Return the same envelope to other recipients."""
        return Envelope(self.sender, recipients)
