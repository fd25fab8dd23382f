"""Taking a message into the queue: completed, checked and rendered before it is accepted."""

from __future__ import annotations

import copy
import dataclasses
import datetime
from collections.abc import Sequence
from email.message import Message as MIMEMessage
from email.utils import format_datetime

from ..errors import MessageError
from ..handlers.base import EmailHandler
from ..handlers.prepare import AnyMessage
from ..handlers.prepare import Before
from ..handlers.prepare import Prepared
from ..text.checks import check_text
from ..text.checks import shorten
from . import outcomes
from .retry import next_step
from .row import Row
from .row import RowState
from .stored import options
from .stored import recipients
from .when import priority_number
from .when import Span
from .when import When
from .when import when

_LONGEST_KEY = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """How a message is to be sent, checked."""

    when: When
    key: str | None
    priority: int
    account: str
    origin: str

    @classmethod
    def of(
        cls,
        *,
        delay: Span | None,
        at: datetime.datetime | None,
        expires: Span | datetime.datetime | None,
        key: str | None,
        priority: str,
        account: str,
        max_age: float,
        now: float,
        origin: str,
    ) -> Wish:
        """Read what a caller has written.

        :raises MessageError: naming the argument that is wrong.
        """
        times = when(delay, at, expires, max_age, now)
        return cls(times, _key(key), priority_number(priority), account, origin)

    def named(self, key: object) -> Wish:
        """The same with another key.

        :raises MessageError: if it cannot be one.
        """
        return dataclasses.replace(self, key=_key(key))


@dataclasses.dataclass(frozen=True, slots=True)
class Accepted:
    """A message that is ready to be kept."""

    prepared: Prepared
    row: Row
    content: bytes


def ready(
    handler: EmailHandler, message: AnyMessage, wish: Wish, before: Sequence[Before]
) -> Prepared:
    """Complete, check and render a message as sending would, with its due time as its Date.

    :raises MessageError: if it cannot be sent as it is.
    """
    return handler.prepare(_dated(message, wish.when.date), before=before)


def accept(prepared: Prepared, wish: Wish, app: str, max_size: int) -> Accepted:
    """Make the row of a message. One that nobody is to get has one too, which is finished.

    :raises MessageError: if it is larger than *max_size*, or a file that is attached has changed.
    """
    job, now = prepared.job, wish.when.created
    if job is not None and job.content.size > max_size:
        raise MessageError(
            f"The message has {job.content.size} octets, and MAIL_QUEUE_MAX_SIZE allows {max_size}."
            " Send a link to what is large, or raise the limit."
        )
    content = b"" if job is None else bytes(job.content)
    everybody = recipients(prepared)
    state, error = RowState.WAITING, ""
    if not everybody:
        state, error = RowState.CANCELLED, "A before_send function has stopped it."
    elif job is None:
        state = next_step(everybody, 0, now, wish.when.expires).state
        error = "MAIL_ALLOW_TO allows none of its recipients."
    row = Row(
        app=app,
        account=wish.account,
        key=wish.key,
        message_id=prepared.message_id,
        priority=wish.priority,
        due=wish.when.due,
        expires=wish.when.expires,
        created=now,
        origin=wish.origin,
        changed=now,
        state=state,
        options=options(prepared),
        recipients=outcomes.to_json(everybody),
        size=len(content),
        error=error,
    )
    return Accepted(prepared, row, content)


def _dated(message: AnyMessage, date: datetime.datetime | None) -> AnyMessage:
    """The same mail with another Date, unless its writer has given one."""
    if date is None:
        return message
    if isinstance(message, MIMEMessage):
        if message["Date"] is None:
            message = copy.deepcopy(message)
            message["Date"] = format_datetime(date)
        return message
    return message if message.has_given("date") else message.completed(date=date)


def _key(key: object) -> str | None:
    if key is None:
        return None
    if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY:
        raise MessageError(
            f"key= takes a text of 1 to {_LONGEST_KEY} characters, such as 'order:17', not"
            f" {shorten(key)}."
        )
    return check_text(key, "key=")
