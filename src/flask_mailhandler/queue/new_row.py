"""Make the row of a message, which is completed, checked and rendered before it is queued."""

from __future__ import annotations

import copy
import dataclasses
import datetime
from collections.abc import Sequence
from email.message import Message as MIMEMessage
from email.utils import format_datetime

from ..errors import MessageError
from ..handlers.base import EmailHandler
from ..handlers.prepare import Prepared
from ..message.given import AnyMessage
from ..message.given import Before
from . import outcomes
from .retry import next_step
from .row import Row
from .row import RowState
from .send_options import SendOptions
from .stored_message import options
from .stored_message import recipients


@dataclasses.dataclass(frozen=True, slots=True)
class NewRow:
    """A message that is ready to be stored."""

    prepared: Prepared
    row: Row
    content: bytes


def prepare(
    handler: EmailHandler, message: AnyMessage, wanted: SendOptions, before: Sequence[Before]
) -> Prepared:
    """Complete, check and render a message as ``send`` does, with its due time as its Date.

    :raises MessageError: if the message cannot be sent as it is.
    """
    return handler.prepare(_dated(message, wanted.when.date), before=before)


def make_row(prepared: Prepared, wanted: SendOptions, app: str, max_size: int) -> NewRow:
    """Make the row of a message. A message without a recipient gets a finished row.

    :raises MessageError: if it is larger than *max_size*, or an attached file has changed.
    """
    job, now = prepared.job, wanted.when.created
    if job is not None and job.content.size > max_size:
        raise MessageError(
            f"The message has {job.content.size} octets, and MAIL_QUEUE_MAX_SIZE allows {max_size}."
            " Send a link to large files instead, or raise the limit."
        )
    content = b"" if job is None else bytes(job.content)
    everyone = recipients(prepared)
    state, error = RowState.WAITING, ""
    if not everyone:
        state, error = RowState.CANCELLED, "A before_send function stopped it."
    elif job is None:
        state = next_step(everyone, 0, now, wanted.when.expires).state
        error = "MAIL_ALLOW_TO allows none of its recipients."
    row = Row(
        app=app,
        account=wanted.account,
        key=wanted.key,
        message_id=prepared.message_id,
        priority=wanted.priority,
        due=wanted.when.due,
        expires=wanted.when.expires,
        created=now,
        origin=wanted.origin,
        changed=now,
        state=state,
        options=options(prepared, wanted.trace),
        recipients=outcomes.to_json(everyone),
        size=len(content),
        error=error,
    )
    return NewRow(prepared, row, content)


def _dated(message: AnyMessage, date: datetime.datetime | None) -> AnyMessage:
    """Return the message with another Date, unless it was given one."""
    if date is None:
        return message
    if isinstance(message, MIMEMessage):
        if message["Date"] is None:
            message = copy.deepcopy(message)
            message["Date"] = format_datetime(date)
        return message
    return message if message.has_given("date") else message.completed(date=date)
