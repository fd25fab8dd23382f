"""A queued message as the other accounts of a group send it.

A row has the octets that were written for the first account. For an account with another From,
prefix or envelope sender, it also has the header that this account writes. The body is the same.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Mapping

from ...address import Address
from ...content import Content
from ...envelope import Envelope
from ...handlers.failover.again import PreparedAgain
from ...handlers.failover.again import withheld_too
from ...handlers.prepare import Prepared
from ...handlers.prepare import withhold
from ...mime import seven_bit

if t.TYPE_CHECKING:
    from ...handlers.failover.members import Members

_BLANK = b"\r\n\r\n"


def other_headers(prepared: Prepared) -> dict[str, dict[str, t.Any]]:
    """Return what a row stores for each account that writes a message in another way.

    :raises MessageError: if one of them cannot send it as it is.
    """
    found: dict[str, dict[str, t.Any]] = {}
    job, again = prepared.job, prepared.again
    if job is None or not isinstance(again, PreparedAgain):
        return found
    for account in again.differing():
        other = again(prepared, account)
        if other is None or other.job is None:
            continue
        head, _, body = bytes(other.job.content).partition(_BLANK)
        if body == bytes(job.content).partition(_BLANK)[2]:
            found[account] = {
                "head": head.decode("utf-8", "replace"),
                "sender": str.__str__(other.job.envelope.sender),
                "smtputf8": other.job.content.smtputf8,
            }
    return found


class WrittenAgain:
    """Returns a queued message as another account sends it.

    :param others: What :func:`other_headers` has returned.
    """

    def __init__(self, members: Members, first: str, others: Mapping[str, t.Any]) -> None:
        self._members = members
        self._first = first
        self._others = others

    def __call__(self, item: Prepared, account: str) -> Prepared | None:
        """Return the message; None if the staging guard of that account keeps it from its
        recipients."""
        found = self._others.get(account)
        if found is None and self._members.write_alike(self._first, account):
            return item
        job, handler = item.job, self._members(account)
        assert job is not None
        to: tuple[Address, ...] = job.envelope.recipients
        if handler.redirect_to and not {*to} <= {*handler.redirect_to}:
            return None
        if found is not None:
            octets = found["head"].encode() + _BLANK + bytes(job.content).partition(_BLANK)[2]
            content = Content(
                octets,
                smtputf8=bool(found["smtputf8"]),
                eightbit=job.content.eightbit,
                rewrite=seven_bit,
            )
            envelope = Envelope(found["sender"], to)
            job = dataclasses.replace(job, content=content, envelope=envelope)
        return withheld_too(item, withhold(handler, job)._replace(via=item.via))
