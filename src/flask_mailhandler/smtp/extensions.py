"""The extensions that a server offers in its last EHLO, and what they mean for a message."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from ..address import Address
from ..phase import Phase
from ..phase import State
from ..report import About
from ..report import Job
from .delivery import Delivery
from .endpoint import Endpoint

_OLD_AUTH = r"(?i:\AAUTH=)"


def extensions(lines: Sequence[str]) -> dict[str, str]:
    """Read the reply to EHLO (RFC 5321 section 4.1.1.1): keyword in upper case -> parameters.
    The first line is the greeting. ``AUTH=LOGIN`` is an old way to write AUTH."""
    found: dict[str, str] = {}
    for line in lines[1:]:
        keyword, _, parameters = re.sub(_OLD_AUTH, "AUTH ", line.strip()).partition(" ")
        keyword = keyword.upper()
        found[keyword] = f"{found.get(keyword, '')} {parameters.strip()}".strip()
    return found


class Offer:
    """The extensions of a session.

    :param extensions: Keyword in upper case -> parameters.
    """

    def __init__(self, extensions: Mapping[str, str]) -> None:
        self.extensions = extensions
        # https://www.rfc-editor.org/rfc/rfc9422: MAILMAX and RCPTMAX, transactions and recipients
        limits = re.findall(r"\b([A-Z]+)=([0-9]+)\b", extensions.get("LIMITS", "").upper())
        self._limits = {name: _number(number) for name, number in limits}
        # https://www.rfc-editor.org/rfc/rfc6531#section-3.1: SMTPUTF8 comes with 8BITMIME
        self._eightbit = "8BITMIME" in extensions
        self._smtputf8 = "SMTPUTF8" in extensions and self._eightbit
        self.size: int | None = _number(extensions.get("SIZE", ""))
        """The octets of the largest message (RFC 1870). None if there is no limit, or if none is
        announced (SIZE without a number, or 0)."""

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.extensions

    def at_most(self, name: str, *limits: int | None) -> int | None:
        """Return the smallest of *limits* and of the limit that the server announces as *name*, or
        None if there is none."""
        return min(filter(None, (self._limits.get(name), *limits)), default=None)

    def parameters(self, job: Job, batch: Iterable[Address]) -> str:
        """Return the parameters of MAIL for a job and the recipients of one transaction."""
        parameters = f" SIZE={job.content.size}" if "SIZE" in self.extensions else ""
        utf8 = job.content.smtputf8 or not "".join((job.envelope.sender, *batch)).isascii()
        if job.content.eightbit or utf8:
            parameters += " BODY=8BITMIME"
        return parameters + (" SMTPUTF8" if utf8 else "")

    def refuse_what_cannot_go(self, delivery: Delivery, server: Endpoint) -> None:
        """Refuse the recipients and the content that the server's extensions exclude. Octets above
        127 are encoded for a server without 8BITMIME (RFC 6152 section 3), unless they are
        signed."""
        if not self._smtputf8:
            self._leave_out_utf8(delivery, server)
        content = delivery.job.content
        if content.eightbit and not self._eightbit and (rewritten := content.in_seven_bits()):
            delivery.job = dataclasses.replace(delivery.job, content=rewritten)
        content, recipients = delivery.job.content, [*delivery.waiting]
        if self.size and content.size > self.size:
            reason = f"the message has {content.size} octets, and {server} accepts {self.size}"
            delivery.settle(recipients, reason, Phase.MAIL, State.REFUSED, About.CONTENT)
        elif content.eightbit and not self._eightbit:
            reason = (
                f"the signed message is 8-bit, and {server} accepts only 7-bit: sign it after"
                " encoding it to 7 bit"
            )
            delivery.settle(recipients, reason, Phase.MAIL, State.REFUSED, About.CONTENT)

    def _leave_out_utf8(self, delivery: Delivery, server: Endpoint) -> None:
        """Refuse each address that cannot be written without SMTPUTF8. The other recipients get the
        message, with a header that leaves it out."""
        sender, content = delivery.job.envelope.sender, delivery.job.content
        if not sender.isascii():
            reason = _needs_utf8(sender, server)
            delivery.settle([*delivery.waiting], reason, Phase.MAIL, State.REFUSED, About.SENDER)
        for recipient in [*delivery.waiting]:
            if not recipient.isascii():
                reason = _needs_utf8(recipient, server)
                delivery.settle([recipient], reason, Phase.MAIL, State.REFUSED, About.RECIPIENT)
        if content.smtputf8 and delivery.waiting:
            without = delivery.without_utf8(content)
            if without is None:
                reason = (
                    "a header field other than To and Cc has an address with letters beyond ASCII"
                    f" before the @, or To or Cc cannot be parsed, and {server} does not offer"
                    " SMTPUTF8"
                )
                delivery.settle(
                    [*delivery.waiting], reason, Phase.MAIL, State.REFUSED, About.CONTENT
                )
            else:
                delivery.job = dataclasses.replace(delivery.job, content=without)


def _needs_utf8(address: str, server: Endpoint) -> str:
    return f"{address} has letters beyond ASCII before the @, and {server} does not offer SMTPUTF8"


def _number(text: str) -> int | None:
    return (int(text) or None) if text.isascii() and text.isdigit() and len(text) < 20 else None
