"""What the requests of providers say, in the form of their documentation."""

from __future__ import annotations

import base64
import datetime
import itertools
import json
import typing as t

import pytest

from flask_mailhandler import EventKind
from flask_mailhandler import Message
from flask_mailhandler import PostmarkEmailHandler
from flask_mailhandler import ResendEmailHandler
from flask_mailhandler import Secret
from flask_mailhandler.events.webhooks.formats import NAMES
from flask_mailhandler.events.webhooks.own_ids import returned
from flask_mailhandler.testing.provider_events.makers import maker_of
from flask_mailhandler.testing.provider_events.sendgrid import keys
from flask_mailhandler.testing.provider_events.sendgrid import signed as signed_by_sendgrid
from flask_mailhandler.testing.provider_events.ses import notification
from flask_mailhandler.testing.provider_events.ses import signed as signed_by_sns
from flask_mailhandler.testing.provider_events.told import Posted
from flask_mailhandler.testing.provider_events.told import Proof
from hooking import ANN
from hooking import BOB
from hooking import MESSAGE_ID
from hooking import resigned
from hooking import Source
from hooking import told
from hooking import TOPIC

if t.TYPE_CHECKING:
    from flask_mailhandler import Event
    from flask_mailhandler.handlers.providers.api import APIEmailHandler

INNER = MESSAGE_ID.strip("<>")
NOW = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC)
AT = "2026-11-29T12:00:00.000Z"


def summary(events: list[Event]) -> list[tuple[t.Any, ...]]:
    """What the tables below say of events."""
    return [
        (str(one.kind), one.recipient, one.severity and str(one.severity), one.code, one.status)
        for one in events
    ]


NEVER_SAID = {
    ("postmark", EventKind.SENT),
    ("mailgun", EventKind.FAILED),
    ("sendgrid", EventKind.FAILED),
    ("resend", EventKind.SUBSCRIBED),
    ("mailgun", EventKind.SUBSCRIBED),
    ("brevo", EventKind.SUBSCRIBED),
}


@pytest.mark.parametrize(
    ("provider", "kind"),
    [pair for pair in itertools.product(NAMES, EventKind) if pair not in NEVER_SAID],
)
def test_what_we_make_is_read(provider: str, kind: EventKind) -> None:
    """An event that a test makes is read as the event that it stands for, for each recipient."""
    source = Source(provider)
    what = told(kind, ANN, BOB, status="", code=None, reason="")

    events = [event for post in source.posts(what) for event in source.read(post)]

    assert [(event.kind, event.recipient) for event in events] == [(kind, ANN), (kind, BOB)]
    assert all(event.verified and event.event_id for event in events)
    assert len({event.event_id for event in events}) == 2
    if provider != "resend" or kind is not EventKind.UNSUBSCRIBED:
        assert {event.message_id for event in events} == {MESSAGE_ID}
        assert all(event.time for event in events)
    assert all(bool(event.url) == (kind is EventKind.CLICKED) for event in events)


@pytest.mark.parametrize(("provider", "kind"), sorted(NEVER_SAID))
def test_what_a_provider_never_says(provider: str, kind: EventKind) -> None:
    """There is no request for an event that a provider does not have."""
    assert maker_of(provider)(told(kind), Proof(key=Secret("key"), topics=(TOPIC,))) is None


# Resend


def resend(kind: str, data: dict[str, t.Any]) -> list[Event]:
    source = Source("resend")
    (post,) = source.posts(told())
    found = json.loads(post.body)
    body = {**found, "type": kind, "data": {"email_id": "1", "to": [ANN], **data}}
    return source.read(resigned(source, json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        (
            "email.bounced",
            {"bounce": {"type": "Permanent", "message": "550 5.1.1 No such user"}},
            ("bounced", ANN, "hard", 550, "5.1.1"),
        ),
        (
            "email.bounced",
            {"bounce": {"type": "Transient", "message": "The mailbox is full"}},
            ("deferred", ANN, "soft", None, ""),
        ),
        (
            "email.bounced",
            {"bounce": {"type": "Undetermined"}},
            ("deferred", ANN, "soft", None, ""),
        ),
        ("email.bounced", {}, ("deferred", ANN, "soft", None, "")),
        ("email.suppressed", {}, ("rejected", ANN, "blocked", None, "")),
        ("email.sent", {"to": [ANN, BOB]}, ("sent", None, None, None, "")),
        ("email.sent", {"to": "ann"}, ("sent", None, None, None, "")),
    ],
)
def test_resend(kind: str, data: dict[str, t.Any], expected: tuple[t.Any, ...]) -> None:
    """A bounce is one only if it is permanent, and the recipient is never guessed."""
    assert summary(resend(kind, data)) == [expected]


@pytest.mark.parametrize("kind", ["email.received", "domain.created", "contact.updated", "", "x"])
def test_what_resend_says_of_other_things(kind: str) -> None:
    """A request that is not about a message of the app does not become an event."""
    assert resend(kind, {"unsubscribed": False}) == []


def test_tags_of_resend() -> None:
    """Tags come as an object or as a list, and ours name the message and its list."""
    source = Source("resend")
    (post,) = source.posts(told(list_name="Monthly news"))
    ours = json.loads(post.body)["data"]["tags"]
    pairs = [{"name": name, "value": value} for name, value in ours.items()]

    more = [{"name": "order", "value": "17"}, {"name": "welcome", "value": "tag"}]
    (event,) = resend("email.opened", {"tags": [*pairs, *more]})

    assert (event.message_id, event.metadata) == (MESSAGE_ID, {"order": "17"})
    assert event.tags == ("welcome",)


# Postmark


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {
                "RecordType": "Bounce",
                "Type": "HardBounce",
                "Email": ANN,
                "Details": "smtp;550 5.1.1",
            },
            ("bounced", ANN, "hard", 550, "5.1.1"),
        ),
        (
            {"RecordType": "Bounce", "Type": "BadEmailAddress", "Email": ANN},
            ("bounced", ANN, "hard", None, ""),
        ),
        (
            {"RecordType": "Bounce", "Type": "DnsError", "Email": ANN},
            ("deferred", ANN, "soft", None, ""),
        ),
        (
            {"RecordType": "Bounce", "Type": "Blocked", "Email": ANN},
            ("rejected", ANN, "blocked", None, ""),
        ),
        (
            {"RecordType": "Bounce", "Type": "SpamNotification", "Email": ANN},
            ("rejected", ANN, "blocked", None, ""),  # by a filter, and not by the recipient
        ),
        (
            {"RecordType": "SubscriptionChange", "Recipient": ANN, "SuppressSending": True}
            | {"SuppressionReason": "HardBounce"},
            ("bounced", ANN, "hard", None, ""),
        ),
        (
            {"RecordType": "SubscriptionChange", "Recipient": ANN, "SuppressSending": False},
            ("subscribed", ANN, None, None, ""),
        ),
        ({"RecordType": "Bounce", "Type": "AutoResponder", "Email": ANN}, None),
        ({"RecordType": "Inbound", "From": ANN}, None),
        ({"RecordType": "SubscriptionChange", "Recipient": ANN}, None),
        ({}, None),
    ],
)
def test_postmark(record: dict[str, t.Any], expected: tuple[t.Any, ...] | None) -> None:
    """The type of a bounce decides, and what Postmark says of other things is not an event."""
    source = Source("postmark")
    (post,) = source.posts(told())

    found = source.read(post._replace(body=json.dumps(record).encode()))

    assert summary(found) == ([] if expected is None else [expected])


def test_postmark_says_a_bounce_twice() -> None:
    """A bounce, and the change of the subscription that follows, have the same id."""
    source = Source("postmark")
    (post,) = source.posts(told())
    about = {"MessageID": "0b8f-1", "Recipient": ANN.upper(), "SuppressSending": True}
    change = {"RecordType": "SubscriptionChange", "SuppressionReason": "HardBounce", **about}

    (bounce,) = source.read(post)
    (again,) = source.read(post._replace(body=json.dumps(change).encode()))
    (other,) = source.read(
        post._replace(body=json.dumps({**change, "MessageID": "0b8f-2"}).encode())
    )

    assert bounce.event_id == again.event_id != other.event_id


# Amazon SES


def ses(event: dict[str, t.Any]) -> list[Event]:
    source = Source("ses")
    source.posts(told())
    (url,) = source.trusted
    mail = {"messageId": "1", "destination": [ANN], "timestamp": AT}
    whole = {**event, "mail": {**mail, **event.get("mail", {})}}
    now = datetime.datetime.now(datetime.UTC).isoformat()
    return source.read(signed_by_sns(notification(TOPIC, url, whole, now)))


PERMANENT = {"bounceType": "Permanent"}
BOTH = [{"emailAddress": ANN, "status": "5.1.1"}, {"emailAddress": BOB, "status": "5.2.2"}]
ONE = [{"emailAddress": ANN}]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            {"eventType": "Bounce", "bounce": {**PERMANENT, "bouncedRecipients": BOTH}},
            [("bounced", ANN, "hard", None, "5.1.1"), ("bounced", BOB, "hard", None, "5.2.2")],
        ),
        (  # no recipient is named, so none is suppressed
            {"eventType": "Bounce", "bounce": PERMANENT, "mail": {"destination": [ANN, BOB]}},
            [("bounced", None, "hard", None, "")],
        ),
        (
            {"notificationType": "Bounce", "bounce": {"bounceType": "Undetermined"}},
            [("deferred", ANN, "soft", None, "")],
        ),
        (
            {"eventType": "Bounce", "bounce": {**PERMANENT, "bounceSubType": "Suppressed"}},
            [("rejected", ANN, "blocked", None, "")],
        ),
        (
            {"eventType": "Complaint", "complaint": {"complainedRecipients": ONE}},
            [("complained", ANN, None, None, "")],
        ),
        (
            {"eventType": "Complaint", "complaint": {"complainedRecipients": ONE}
                | {"complaintSubType": "OnAccountSuppressionList"}},
            [("rejected", ANN, "blocked", None, "")],
        ),
        (  # one of them has complained, and SES does not know which one
            {"eventType": "Complaint", "complaint": {"complainedRecipients": BOTH}},
            [("complained", None, None, None, "")],
        ),
        (
            {"eventType": "Open", "open": {}, "mail": {"destination": [ANN, BOB]}},
            [("opened", None, None, None, "")],
        ),
        (
            {"eventType": "Rendering Failure", "failure": {"errorMessage": "No such value"}},
            [("failed", ANN, "blocked", None, "")],
        ),
        (
            {"eventType": "Subscription", "subscription": {"newTopicPreferences":
                {"unsubscribeAll": False, "topicSubscriptionStatus":
                    [{"topicName": "News", "subscriptionStatus": "OptOut"}]}}},
            [("unsubscribed", ANN, None, None, "")],
        ),
        ({"eventType": "AmazonSnsSubscriptionSucceeded"}, []),
        ({"eventType": "Of tomorrow"}, []),
        ({"mail": {"destination": "ann"}}, []),
    ],
)  # fmt: skip
def test_ses(event: dict[str, t.Any], expected: list[tuple[t.Any, ...]]) -> None:
    """Each recipient has an event of its own, unless SES names all that it could be."""
    assert summary(ses(event)) == expected


def test_ids_of_ses() -> None:
    """The Message-ID is the one that we wrote, and the metadata is that of the message."""
    headers = [{"name": "Subject", "value": "Hi"}, {"name": "message-id", "value": MESSAGE_ID}]
    tags = {"order": ["17"], "ses:from-domain": ["shop.example"], "welcome": ["tag"]}

    (event,) = ses(
        {"eventType": "Click", "click": {"link": "https://shop.example/17"}}
        | {"mail": {"headers": headers, "tags": tags, "messageId": "0102"}}
    )

    assert (event.message_id, event.provider_id) == (MESSAGE_ID, "0102")
    assert (event.metadata, event.url) == ({"order": "17"}, "https://shop.example/17")
    assert event.tags == ("welcome",)


# Mailgun


def mailgun(data: dict[str, t.Any]) -> list[Event]:
    source = Source("mailgun")
    (post,) = source.posts(told(EventKind.SENT))
    body = {**json.loads(post.body), "event-data": {"recipient": ANN, **data}}
    return source.read(post._replace(body=json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            {"event": "failed", "severity": "permanent", "reason": "bounce"}
            | {"delivery-status": {"code": 550, "message": "5.1.1 No such user"}},
            ("bounced", ANN, "hard", 550, "5.1.1"),
        ),
        (
            {"event": "failed", "severity": "permanent", "reason": "suppress-bounce"}
            | {"delivery-status": {"code": 605}},
            ("rejected", ANN, "blocked", None, ""),
        ),
        (  # tried for too long
            {"event": "failed", "severity": "permanent", "reason": "generic"}
            | {"delivery-status": {"code": 451, "message": "4.3.0 Later"}},
            ("bounced", ANN, "soft", 451, "4.3.0"),
        ),
        (
            {"event": "failed", "severity": "permanent", "delivery-status": {"code": 602}},
            ("bounced", ANN, "soft", None, ""),
        ),
        (
            {"event": "failed", "severity": "permanent", "reason": "espblock"}
            | {"delivery-status": {"code": 550}},
            ("bounced", ANN, "blocked", 550, ""),
        ),
        ({"event": "failed", "severity": "temporary"}, ("deferred", ANN, "soft", None, "")),
        ({"event": "failed"}, ("deferred", ANN, "soft", None, "")),
        ({"event": "accepted"}, ("sent", ANN, None, None, "")),
        ({"event": "list_member_uploaded"}, None),
        ({}, None),
    ],
)
def test_mailgun(data: dict[str, t.Any], expected: tuple[t.Any, ...] | None) -> None:
    """A failure is a bounce only if it is permanent and was tried."""
    assert summary(mailgun(data)) == ([] if expected is None else [expected])


def test_more_of_mailgun() -> None:
    """An open by a program says so, and the metadata and the tags are those of the message."""
    (event,) = mailgun(
        {"event": "opened", "tags": ["news"], "user-variables": {"order": 17}}
        | {"client-info": {"bot": "apple"}, "message": {"headers": {"message-id": INNER}}}
    )

    assert (event.machine, event.tags, event.metadata) == (True, ("news",), {"order": "17"})
    assert event.message_id == event.provider_id == MESSAGE_ID


# SendGrid


def sendgrid(*batch: t.Any) -> list[Event]:
    key, _ = keys()
    body = json.dumps(batch).encode()
    stamp = str(int(datetime.datetime.now(datetime.UTC).timestamp()))
    return Source("sendgrid").read(Posted(signed_by_sendgrid(key, stamp, body), body))


def test_sendgrid() -> None:
    """A batch is read event by event, and what is none of ours is left out."""
    found = sendgrid(
        {"event": "bounce", "type": "bounce", "email": ANN, "status": "5.1.1", "reason": "550 No"},
        {"event": "bounce", "type": "blocked", "email": ANN, "reason": "550 5.7.1 Blocked"},
        {"event": "dropped", "email": BOB, "reason": "Bounced Address"},
        {"event": "account_status_change"},
        "not an object",
        {"event": "open", "email": "not an address"},
    )

    assert summary(found) == [
        ("bounced", ANN, "hard", 550, "5.1.1"),
        ("deferred", ANN, "blocked", 550, "5.7.1"),
        ("rejected", BOB, "blocked", None, ""),
        ("opened", None, None, None, ""),
    ]
    assert len({event.event_id for event in found}) == 4


def test_metadata_of_sendgrid() -> None:
    """The metadata stands among the fields of SendGrid. Ours names the message."""
    (event,) = sendgrid(
        {"event": "click", "email": ANN, "category": "news", "order": "17", "mh-id": MESSAGE_ID}
        | {"url": "https://shop.example/17", "sg_machine_open": True, "timestamp": 1795953600}
        | {"sg_event_id": "e1", "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B"}
    )

    assert (event.message_id, event.provider_id) == (MESSAGE_ID, "14c5d75ce93.dfd.64b469")
    assert (event.metadata, event.tags) == ({"order": "17"}, ("news",))
    assert (event.machine, event.time) == (True, NOW)


def test_an_event_of_sendgrid_that_comes_again() -> None:
    """It may have another id of SendGrid then. Another time, address or link is another event."""
    click = {"event": "click", "email": ANN, "url": "https://shop.example/17", "timestamp": 1}
    first, again, *others = sendgrid(
        {**click, "sg_event_id": "e1"},
        {**click, "sg_event_id": "e2"},
        {**click, "sg_event_id": "e1", "timestamp": 2},
        {**click, "sg_event_id": "e1", "email": BOB},
        {**click, "sg_event_id": "e1", "url": "https://shop.example/18"},
    )

    assert first.event_id == again.event_id
    assert len({first.event_id, *(other.event_id for other in others)}) == 4


# Brevo


def brevo(body: t.Any) -> list[Event]:
    source = Source("brevo")
    (post,) = source.posts(told())
    return source.read(post._replace(body=json.dumps(body).encode()))


def test_brevo() -> None:
    """One event, or a batch of them, is read. An open by a proxy says so."""
    proxy = {"event": "unique_proxy_open", "email": ANN, "ts_epoch": 1795953600000}
    named = {"event": "click", "email": ANN, "X-Mailin-custom": json.dumps({"mh-id": MESSAGE_ID})}

    (opened,) = brevo(proxy)
    (clicked, bounced) = brevo(
        [named, {"event": "invalid_email", "email": ANN, "reason": "550 5.1.1 No such user"}]
    )

    assert (opened.kind, opened.machine, opened.time) == ("opened", True, NOW)
    assert (clicked.message_id, clicked.machine) == (MESSAGE_ID, False)
    assert summary([bounced]) == [("bounced", ANN, "hard", 550, "5.1.1")]
    assert brevo({"event": "list_addition", "email": ANN}) == brevo([]) == brevo([1, None]) == []
    assert brevo({"event": "click", "X-Mailin-custom": "of another program"})[0].metadata == {}


# Values from outside


WILD: list[t.Any] = [None, True, 17, -1.5, 1e308, "", "x" * 5000, "\x00\x1b[2J\ud800\u202e", [], {}]
WILD += [[[]], {"a": {"b": 1}}, ["\ud800", {"x": None}], "2026-13-45", "0001-01-01T00:00+23:59"]


@pytest.mark.slow
@pytest.mark.parametrize("provider", NAMES)
def test_wild_values(provider: str) -> None:
    """A value of a wrong type, or one that cannot be shown, is left out or made safe to show."""
    source = Source(provider)
    kinds = [EventKind.BOUNCED, EventKind.CLICKED]
    for value in WILD:
        for post in [post for kind in kinds for post in source.posts(told(kind))]:
            for wild in wilder(json.loads(post.body), value):
                for event in source.read(signed_again(source, post, wild)):
                    ids = f"{event.message_id}{event.provider_id}{event.event_id}"
                    shown = f"{event}{event.url}{ids}{''.join(event.tags)}"
                    assert shown.isprintable() and len(shown) < 12_000


def wilder(found: t.Any, value: t.Any, depth: int = 0) -> t.Iterator[t.Any]:
    """The JSON with another value in each place, except where the signature is."""
    if isinstance(found, dict):
        for name in found:
            if name in ("signature", "event", "RecordType", "type", "eventType", "Type"):
                continue
            if name == "Message":  # the JSON in the JSON of SNS
                for inner in wilder(json.loads(found[name]), value, 1):
                    yield {**found, name: json.dumps(inner)}
            elif not (depth == 0 and "TopicArn" in found):
                yield {**found, name: value}
                yield from ({**found, name: one} for one in wilder(found[name], value, depth + 1))
    elif isinstance(found, list):
        for number, one in enumerate(found):
            for inner in [value, *wilder(one, value, depth + 1)]:
                yield [*found[:number], inner, *found[number + 1 :]]


def signed_again(source: Source, post: Posted, found: t.Any) -> Posted:
    """A request with another body, and a signature that fits."""
    body = json.dumps(found).encode()
    match source.provider:
        case "resend":
            return resigned(source, body)
        case "ses":
            return signed_by_sns(
                {name: text for name, text in found.items() if name != "Signature"}
            )
        case "sendgrid":
            stamp = str(int(datetime.datetime.now(datetime.UTC).timestamp()))
            return Posted(signed_by_sendgrid(keys()[0], stamp, body), body)
    return post._replace(body=body)


# What is sent along


JOB = Message(
    subject="Hi",
    text="Hi",
    from_addr="shop@shop.example",
    to=ANN,
    message_id=MESSAGE_ID,
    metadata={"order": "17"},
    tags=["welcome"],
)
LONG = f"{'sub.' * 20}example"
HANDLERS: dict[str, t.Callable[..., t.Any]] = {
    "resend": ResendEmailHandler,
    "postmark": PostmarkEmailHandler,
}


@pytest.mark.parametrize(
    ("provider", "domain", "expected"),
    [
        ("resend", "shop.example", (f"<{'a' * 32}@shop.example>", "")),
        ("resend", LONG, (f"<{'a' * 32}@{LONG}>", "")),
        ("postmark", "shop.example", (f"<{'a' * 32}@shop.example>", "")),
        ("postmark", LONG, ("", "a" * 32)),
    ],
)
def test_our_id_comes_back(provider: str, domain: str, expected: tuple[str, str]) -> None:
    """With webhooks, the Message-ID is sent next to the metadata, and read from an event. If it is
    too long, the left part is, by which the queue finds the message too."""
    message = JOB.replace(message_id=f"<{'a' * 32}@{domain}>")
    cls, source = HANDLERS[provider], Source(provider)
    with_id = body_of(cls(api_key="key", webhook_secret="s" * 30), message)
    without = body_of(cls(api_key="key"), message)
    if provider == "resend":
        (event,) = resend("email.sent", {"tags": with_id["tags"]})
        assert without["tags"] == with_id["tags"][:-1]
    else:
        record = {"RecordType": "Delivery", "Metadata": with_id["Metadata"]}
        (post,) = source.posts(told())
        (event,) = source.read(post._replace(body=json.dumps(record).encode()))
        assert without["Metadata"] == {"order": "17"}

    assert (event.message_id, event.envelope_id) == expected
    assert event.metadata == {"order": "17"}


@pytest.mark.parametrize("provider", ["postmark", "sendgrid", "brevo"])
@pytest.mark.parametrize(
    "name",
    [
        "newsletter",
        "Grüße",
        "a  b",
        " a ",
        "a\tb",
        "d\u00e9j\u00e0\u00a0: vu",
        "a\u200db",
        "\u202eb",
    ],
)
def test_our_list_comes_back(provider: str, name: str) -> None:
    """A list has the same name in an event, letter by letter: its mail is not stopped by another
    name."""
    message, source = JOB.replace(unsubscribe=name), Source(provider)
    posts = source.posts(told(EventKind.UNSUBSCRIBED, list_name=message.unsubscribe))

    assert [event.list_name for post in posts for event in source.read(post)] == [name]


def test_a_list_that_is_not_ours() -> None:
    """A name that no message can have is left out, for it is logged and stored."""
    encoded = base64.urlsafe_b64encode(b"a\0b\n").decode()

    assert returned({"mh-list64": encoded}) == ("", "", {})


def body_of(handler: APIEmailHandler, message: Message) -> dict[str, t.Any]:
    """The body of the request that sends a message."""
    job = handler.prepare(message).job
    assert job is not None
    octets = b"".join(piece for piece in handler.request(job).pieces() if isinstance(piece, bytes))
    return t.cast("dict[str, t.Any]", json.loads(octets))
