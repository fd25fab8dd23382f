"""From the message as it was written to the octets: complete, call before_send, render."""

from __future__ import annotations

import copy
import dataclasses
import typing as t
from collections.abc import Callable
from collections.abc import Sequence
from email.message import Message as MIMEMessage

from .. import config
from ..address import Addresses
from ..address import AddressesInput
from ..address import AddressInput
from ..address import NOBODY
from ..address import parse_addresses
from ..envelope import DSN
from ..envelope import Envelope
from ..errors import MessageError
from ..log import logger
from ..message.fields import reverse_path
from ..message.given import AnyMessage
from ..message.given import Before
from ..message.message import Message
from ..message.other_names import of_message
from ..mime import render
from ..report import Job
from ..report import Outcome
from ..text.checks import shorten
from . import staging
from .defaults import Defaults

if t.TYPE_CHECKING:
    from ..message.arguments import MessageFields
    from .bounce_address import BounceAddress
    from .failover.choice import Choice


class Prepared(t.NamedTuple):
    """A message that is ready to be delivered, or that needs no delivery."""

    message: AnyMessage
    message_id: str
    job: Job | None
    """None if no recipient is left."""
    withheld: tuple[Outcome, ...] = ()
    """The recipients that the staging guard does not allow, each refused."""
    recipients: Addresses = NOBODY
    """All recipients in order, including those that are withheld; empty if none is."""
    again: Callable[[Prepared, str], Prepared | None] | None = None
    """Prepares it for another account, if MAIL_FAILOVER or MAIL_SPREAD names several. None: that
    account cannot send it."""
    via: Choice | None = None
    """The account of these that sends it, if that is decided already."""


def prepare(
    handler: Defaults,
    message: AnyMessage,
    recipients: AddressesInput,
    envelope_sender: AddressInput | None,
    timeout: float | None,
    before: Sequence[Before],
) -> Prepared:
    """Complete, check and render one message, with the options of a handler.

    :param envelope_sender: The address for bounces of a message of the standard library.
    :raises MessageError: if it cannot be sent as it is.
    """
    if not isinstance(message, AnyMessage):
        raise MessageError(f"{shorten(message)} is not a message: {of_message(message)}.")
    if timeout is not None:
        timeout = config.seconds(timeout, "timeout=")
    override = None if recipients is None else _override(recipients)
    if isinstance(message, Message):
        message = _complete(handler, message)
    if before:
        message, goes_on = _run_before(message, before)
        if not goes_on:
            return Prepared(message, _message_id(message), None)
    if isinstance(message, MIMEMessage):
        return _ready_mime(handler, message, override, envelope_sender, timeout)
    envelope = message.envelope(override)
    recipients = envelope.recipients
    if handler.redirect_to:
        message, envelope = staging.redirected(message, envelope, handler.redirect_to)
    if message.unsubscribe:
        from .unsubscribe_fields import with_links  # most mail is not for a list

        message = with_links(handler, message, recipients, envelope.recipients)
    spelling = handler.spelling_by_smtp
    content = render(message if spelling is None else spelling.by_smtp(message, envelope))
    assert message.message_id is not None  # it has a From, or render would have refused it
    if handler.bounce_address is not None and message.envelope_sender is None:
        envelope = _to_be_verified(handler, handler.bounce_address, envelope, message.message_id)
    notify, ret = message.dsn_notify, message.dsn_return or handler.dsn_return
    notify = handler.dsn_notify if notify is None else notify
    dsn = DSN(notify, ret) if notify or ret else None
    job = Job(
        message, message.message_id, envelope, content, timeout, dsn, account=handler.of_account
    )
    return withhold(handler, job) if handler.allow_to else Prepared(message, job.message_id, job)


def withhold(handler: Defaults, job: Job) -> Prepared:
    """Take the recipients out of the envelope that the staging guard does not allow."""
    everybody = job.envelope.recipients
    withheld = staging.withheld(everybody, handler.allow_to) if handler.allow_to else ()
    if not withheld:
        return Prepared(job.message, job.message_id, job)
    refused = {outcome.recipient for outcome in withheld}
    allowed = [recipient for recipient in everybody if recipient not in refused]
    rest = dataclasses.replace(job, envelope=job.envelope.to(allowed)) if allowed else None
    return Prepared(job.message, job.message_id, rest, withheld, everybody)


def check_ids(prepared: Sequence[Prepared]) -> None:
    """Check that no two different messages of a list have one Message-ID.

    :raises MessageError: naming it.
    """
    first: dict[str, Job] = {}
    for job in (item.job for item in prepared if item.job is not None):
        known = first.setdefault(job.message_id, job)
        if known.message is not job.message and known.content != job.content:
            raise MessageError(
                f"Two different messages of the list have the same message_id, {job.message_id}:"
                " servers and mail programs take the second for a copy of the first, and may drop"
                " it. Leave out message_id=, so that each message gets its own."
            )


def from_text(text: str | None, fields: dict[str, t.Any], default_subject: str) -> Message:
    """Make a message from the text and the other fields that ``send`` was called with.

    :param text: None if there is only another form of it, such as HTML.
    :raises MessageError: if there is no subject, or neither a text nor another form of it.
    :raises TypeError: if a message has no such field.
    """
    if "text" in fields:
        raise TypeError("send() takes the text as its first argument; leave out text=.")
    message = Message(text=text, **fields)
    if text is None and not (message.html or message.alternatives or message.attachments):
        raise MessageError(
            "send(None) has nothing to send: give it a message or a text, or html= with None."
        )
    if not message.subject and not default_subject:
        raise MessageError(
            f"send({shorten(text, 40)}) has no subject: the first argument is the text. Write"
            " subject=..., or set MAIL_DEFAULT_SUBJECT."
        )
    return message


def _override(recipients: AddressesInput) -> Addresses | None:
    if recipients is None:
        return None
    found = parse_addresses(recipients, "recipients")
    if not found:
        raise MessageError(
            "recipients= is empty, so there is no recipient. Leave it out to send to all recipients"
            " of the message."
        )
    return found


def _run_before(message: AnyMessage, before: Sequence[Before]) -> tuple[AnyMessage, bool]:
    """Call the ``before_send`` functions.

    :return: The message, and whether it goes on: a function may have stopped it.
    :raises MessageError: if a function returns something else.
    """
    if not isinstance(message, Message):
        # A function may write into it, and the caller's message does not change.
        message = copy.deepcopy(message)
    for function in before:
        changed = function(message)
        if changed is None:
            name = getattr(function, "__qualname__", repr(function))
            logger.info(
                "%s was stopped by the before_send function %s.", _message_id(message), name
            )
            return message, False
        if not isinstance(changed, AnyMessage):
            raise MessageError(
                f"The before_send function {function!r} returned {shorten(changed)}, which is not"
                f" a message: {of_message(changed)}."
            )
        # A copy that the function has changed is still the same mail.
        if isinstance(changed, Message) and isinstance(message, Message):
            message = changed if changed is message else changed.same_mail_as(message)
        else:
            message = changed
    return message, True


def _complete(handler: Defaults, message: Message) -> Message:
    """Fill in the defaults for the fields that the message leaves out."""
    changes: MessageFields = {}
    if message.from_addr is None and handler.default_from is not None:
        changes["from_addr"] = handler.default_from
    if handler.default_to and not message.has_given("to"):
        changes["to"] = handler.default_to
    if handler.default_cc and not message.has_given("cc"):
        changes["cc"] = handler.default_cc
    if handler.default_bcc and not message.has_given("bcc"):
        changes["bcc"] = handler.default_bcc
    if not message.reply_to and handler.default_reply_to:
        changes["reply_to"] = handler.default_reply_to
    subject = message.subject or handler.default_subject
    prefix = handler.subject_prefix.rstrip()
    if prefix and not subject.startswith(prefix):  # a message that is sent again has it
        subject = f"{prefix} {subject}".rstrip()
    if subject != message.subject:
        changes["subject"] = subject
    return message.completed(**changes) if changes else message


def _ready_mime(
    handler: Defaults,
    message: MIMEMessage,
    recipients: Addresses | None,
    envelope_sender: AddressInput | None,
    timeout: float | None,
) -> Prepared:
    """Complete, guard and render a message of the standard library. Its fields stay; From, To,
    Cc and Bcc are filled in if they are missing."""
    from ..mime.stdlib.render import adopt  # 20 ms, and most messages are ours

    adopted = adopt(
        message,
        default_from=handler.default_from,
        default_to={
            "to": handler.default_to,
            "cc": handler.default_cc,
            "bcc": handler.default_bcc,
        },
        recipients=recipients or (),
    )
    envelope = adopted.envelope
    if handler.redirect_to:
        original = ", ".join(envelope.recipients)
        adopted = adopt(
            message,
            default_from=handler.default_from,
            redirect_to=handler.redirect_to,
            headers=[(staging.ORIGINAL, original)],
        )
        envelope = envelope.to(handler.redirect_to)
    if envelope_sender is not None:
        sender = reverse_path(envelope_sender, "envelope_sender") or ""
        envelope = Envelope(sender, envelope.recipients)
    elif handler.bounce_address is not None:
        envelope = _to_be_verified(handler, handler.bounce_address, envelope, adopted.message_id)
    notify, ret = handler.dsn_notify, handler.dsn_return
    dsn = DSN(notify, ret) if notify or ret else None
    job = Job(
        message,
        adopted.message_id,
        envelope,
        adopted.content,
        timeout,
        dsn,
        account=handler.of_account,
    )
    return withhold(handler, job)


def _to_be_verified(
    handler: Defaults, bounces: BounceAddress, envelope: Envelope, message_id: str
) -> Envelope:
    """Return the envelope with a sender by which its bounces are verified."""
    own = {*handler.default_cc, *handler.default_bcc}
    return bounces.envelope(envelope, message_id, handler.bounce_delimiter, own)


def _message_id(message: AnyMessage) -> str:
    if isinstance(message, MIMEMessage):
        return str(message["Message-ID"] or "")
    return message.message_id or ""
