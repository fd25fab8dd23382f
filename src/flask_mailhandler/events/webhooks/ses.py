"""Webhooks of Amazon SES, which come through SNS.

Written from its documentation
(https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html), not tried
against a live account.
"""

from __future__ import annotations

import importlib.util
import typing as t

from ...secret import Secret
from ..event import Event
from ..kinds import EventKind
from .call import Call
from .facts import make_event
from .fields import Fields
from .fields import parse_object
from .fields import shown_text
from .own_ids import tags_among
from .sns import notification
from .sns import TOPIC

_KINDS = {
    "Send": EventKind.SENT,
    "Delivery": EventKind.DELIVERED,
    "DeliveryDelay": EventKind.DEFERRED,
    "Bounce": EventKind.BOUNCED,
    "Complaint": EventKind.COMPLAINED,
    "Reject": EventKind.REJECTED,
    "Rendering Failure": EventKind.FAILED,
    "Open": EventKind.OPENED,
    "Click": EventKind.CLICKED,
}
# Where an event has what is said of it, if that is not its type in lower case.
_PARTS = {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}
_RECIPIENTS = ("bouncedRecipients", "complainedRecipients", "delayedRecipients")
# Of these there is one recipient, and SES may name all that it could be.
_OF_ONE = frozenset({EventKind.COMPLAINED, EventKind.OPENED, EventKind.CLICKED})
_SUPPRESSED = {"Suppressed", "OnAccountSuppressionList"}
_AWS_TAGS = "ses:"


class About(t.NamedTuple):
    """A recipient of an event, and what a server said of it."""

    address: str
    status: str = ""
    said: str = ""


def missing(key: Secret | None, topics: tuple[str, ...]) -> str:
    """Return what the configuration lacks to prove a request, or ""."""
    if not topics or not all(map(TOPIC.fullmatch, topics)):
        return (
            "must name the topics of Amazon SNS that are subscribed, such as"
            " ['arn:aws:sns:eu-west-1:123456789012:mail']"
        )
    if importlib.util.find_spec("cryptography") is None:
        return (
            "needs the package cryptography, which checks the signatures of SNS: pip install"
            " 'Flask-MailHandler[webhooks]'"
        )
    return ""


def read(call: Call) -> list[Event]:
    """Return the events of a request, one for each recipient, after its signature is checked.

    :raises WebhookError: if it is wrong, or if the body cannot be read.
    """
    message, text = notification(call)
    if not text or not text.lstrip().startswith("{"):  # SES sends a sentence when it is set up
        return []
    found = parse_object(text)
    named = found.raw("eventType") or found.raw("notificationType")
    part = found.inside(_PARTS.get(named, named.lower()))
    mail = found.inside("mail")
    kind = _kind(named, part)
    if kind is None:
        return []
    tags, metadata = tags_among(_pairs(mail))
    return [
        make_event(
            kind,
            about.address,
            event_id=f"{message} {shown_text(about.address).lower()}",
            provider_id=mail.text("messageId"),
            time=part.time("timestamp") or mail.time("timestamp"),
            message_id=_message_id(mail),
            said=about.said,
            status=about.status,
            metadata=metadata,
            tags=tags,
            url=part.text("link", most=2_000),
            raw=call.body,
        )
        for about in _about(kind, part, mail)
    ]


def _kind(named: str, part: Fields) -> EventKind | None:
    """Return the kind of an event; None if it is not about a message."""
    if named == "Subscription":
        left = part.inside("newTopicPreferences")
        topics = {one.raw("subscriptionStatus") for one in left.several("topicSubscriptionStatus")}
        gone = left.flag("unsubscribeAll") or "OptOut" in topics
        return EventKind.UNSUBSCRIBED if gone else EventKind.SUBSCRIBED
    kind = _KINDS.get(named)
    if {part.raw("bounceSubType"), part.raw("complaintSubType")} & _SUPPRESSED:
        return kind and EventKind.REJECTED
    if kind is EventKind.BOUNCED and part.raw("bounceType") != "Permanent":
        return EventKind.DEFERRED
    return kind


def _about(kind: EventKind, part: Fields, mail: Fields) -> list[About]:
    """Return the recipients of an event: those that it names, or else those of the message."""
    said = part.text("smtpResponse", "reason", "errorMessage", "complaintFeedbackType")
    found = [
        About(one.raw("emailAddress"), one.raw("status"), one.text("diagnosticCode"))
        for name in _RECIPIENTS
        for one in part.several(name)
    ]
    named = bool(found)
    if not named:
        recipients = part.texts("recipients") or mail.texts("destination")
        found = [About(one, said=said) for one in recipients]
    known = kind not in _OF_ONE and (named or kind is not EventKind.BOUNCED)
    return found if len(found) == 1 or (found and known) else [About("", said=said)]


def _message_id(mail: Fields) -> str:
    """Return the Message-ID that the message was sent with. SES replaces it on its way."""
    for one in mail.several("headers"):
        if one.raw("name").lower() == "message-id":
            return one.raw("value")
    return mail.inside("commonHeaders").raw("messageId")


def _pairs(mail: Fields) -> dict[str, str]:
    """Return the tags of the message, which have a name and values."""
    tags = mail.inside("tags")
    return {
        shown_text(name): shown_text(", ".join(tags.texts(name)))
        for name in tags.found
        if not name.startswith(_AWS_TAGS)
    }
