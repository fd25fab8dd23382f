"""The same message, prepared for another account: with its From, its prefix, its bounce address.

The Message-ID and the Date stay. What the caller wrote stays, and so does what each ``before_send``
function makes of the message: it is called again, with the message that the other account sends.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
import typing as t
from collections.abc import Callable
from collections.abc import Sequence
from email.message import Message as MIMEMessage

from ...address import Address
from ...address import Addresses
from ...message.given import AnyMessage
from ...message.message import Message
from ...message.message_id import make_left
from ...message.message_id import make_message_id

if t.TYPE_CHECKING:
    from ..prepare import Prepared
    from .members import Members

Prepare: t.TypeAlias = "Callable[[str, AnyMessage], Prepared]"
"""Prepares a message with the options of an account."""


class PreparedAgain:
    """Prepares a message again for other accounts.

    :param names: The accounts. The message was prepared for the first of them.
    :param message: The message, before its defaults were filled in.
    """

    def __init__(
        self, members: Members, names: Sequence[str], prepare: Prepare, message: AnyMessage
    ) -> None:
        self._members = members
        self._names = names
        self._prepare = prepare
        self._message = message

    def __call__(self, item: Prepared, account: str) -> Prepared | None:
        """Return the message for an account; None if a ``before_send`` function stops it.

        :param item: The message as it was prepared first.
        """
        if self._members.write_alike(self._names[0], account):
            return item
        message = self._message
        if isinstance(message, Message):
            message = _same_mail(message, item.message)
        return withheld_too(item, self._prepare(account, message))

    def differing(self) -> list[str]:
        """Return the accounts that write the message in another way than the first does."""
        first, *others = self._names
        return [name for name in others if not self._members.write_alike(first, name)]


def withheld_too(item: Prepared, again: Prepared) -> Prepared | None:
    """Return *again* without the recipients that are withheld from *item*: suppressed addresses,
    and those that the staging guard does not allow. None if it has no recipient left."""
    if (job := again.job) is None:
        return None
    if not item.withheld:
        return again
    refused = {one.recipient for one in item.withheld}
    to = [one for one in job.envelope.recipients if one not in refused]
    if not to:
        return None
    more = tuple(one for one in again.withheld if one.recipient not in refused)
    return again._replace(
        job=dataclasses.replace(job, envelope=job.envelope.to(to)),
        withheld=(*item.withheld, *more),
        recipients=Addresses(dict.fromkeys((*item.recipients, *job.envelope.recipients))),
    )


def _same_mail(message: Message, sent: AnyMessage) -> Message:
    """Return a message with the Message-ID and the Date with which it was sent already."""
    assert isinstance(sent, Message)
    return message.completed(message_id=sent.message_id, date=sent.date)


def identified(message: AnyMessage, default_from: Address | None) -> AnyMessage:
    """Return a message that keeps its Message-ID and Date, however often it is prepared.

    A :class:`.Message` does so anyway.
    """
    if not isinstance(message, MIMEMessage):
        return message
    missing = [name for name in ("Date", "Message-ID") if message[name] is None]
    if not missing:
        return message
    from email.utils import format_datetime  # few messages are of the standard library

    from ...mime.stdlib.envelope import authors_of
    from ...mime.stdlib.source import read_fields

    author = authors_of(read_fields(message), default_from)[0]
    message = copy.deepcopy(message)
    if "Date" in missing:
        message["Date"] = format_datetime(datetime.datetime.now().astimezone())
    if "Message-ID" in missing:
        message["Message-ID"] = make_message_id(make_left(), author)
    return message
