"""The same message, prepared for another account: with its From, its prefix, its bounce address.

The Message-ID and the Date stay. What the caller wrote stays, and so does what each ``before_send``
function makes of the message: it is called again, with the message that the other account sends.
"""

from __future__ import annotations

import copy
import datetime
import typing as t
from collections.abc import Callable
from email.message import Message as MIMEMessage

from ...address import Address
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
    """Prepares a message again that was prepared for the first account.

    :param message: The message, before its defaults were filled in.
    :param first: What it has become for the account *by*.
    """

    def __init__(
        self, members: Members, prepare: Prepare, message: AnyMessage, by: str, first: Prepared
    ) -> None:
        self._members = members
        self._prepare = prepare
        self._message = message
        self._by = by
        self._first = first

    def __call__(self, account: str) -> Prepared | None:
        """Return the message for an account; None if a ``before_send`` function stops it."""
        if account == self._by or self._members.write_alike(self._by, account):
            return self._first
        message = self._message
        if isinstance(message, Message):
            message = _same_mail(message, self._first.message)
        prepared = self._prepare(account, message)
        return None if prepared.job is None and not prepared.withheld else prepared


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
