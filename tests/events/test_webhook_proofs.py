"""What proves the source of a webhook, and requests that prove nothing."""

from __future__ import annotations

import base64
import datetime
import importlib
import json
import typing as t

import pytest

from flask_mailhandler import Secret
from flask_mailhandler.events.webhooks.call import WebhookError
from flask_mailhandler.events.webhooks.fields import Fields
from flask_mailhandler.events.webhooks.formats import format_of
from flask_mailhandler.events.webhooks.formats import NAMES
from flask_mailhandler.events.webhooks.sns import signed_text
from flask_mailhandler.testing.provider_events.ses import notification
from flask_mailhandler.testing.provider_events.ses import signed
from hooking import ANN
from hooking import changed
from hooking import key_of
from hooking import resigned
from hooking import Source
from hooking import told
from hooking import TOPIC

if t.TYPE_CHECKING:
    from flask_mailhandler.testing.provider_events.told import Posted

HOUR = 3600.0
SIGNED = ["resend", "ses", "mailgun", "sendgrid"]


def now() -> datetime.datetime:
    """The time now. A signature with the time of the import would be too old late in a run."""
    return datetime.datetime.now(datetime.UTC)


def refusal(source: Source, post: Posted, **changes: t.Any) -> int:
    """The status with which a request is refused."""
    with pytest.raises(WebhookError) as caught:
        source.read(post, **changes)
    return caught.value.status


def posted(source: Source, **changes: t.Any) -> Posted:
    (post,) = source.posts(told(**changes))
    return post


# Judges


@pytest.mark.slow
@pytest.mark.parametrize("judge", ["svix", "standardwebhooks"])
def test_libraries_of_svix(judge: str) -> None:
    """Two libraries verify what we sign, and we verify what they sign."""
    library = importlib.import_module(judge)
    source = Source("resend")
    post = posted(source)
    prefix = "svix-" if judge == "svix" else "webhook-"
    headers = {name.replace("svix-", prefix): value for name, value in post.headers.items()}
    assert source.key is not None
    theirs = library.Webhook(source.key.reveal())

    theirs.verify(post.body, headers)
    text = '{"type": "email.sent", "data": {"to": ["ann@example.org"], "x": "é"}}'
    signed_at = now()
    value = theirs.sign("msg_2", signed_at, text)
    stamp = str(int(signed_at.timestamp()))
    given = {"webhook-id": "msg_2", "webhook-timestamp": stamp, "webhook-signature": value}
    (event,) = source.read(post._replace(headers=given, body=text.encode()))

    assert (event.recipient, event.event_id) == (ANN, "msg_2")
    with pytest.raises(Exception, match=r"(?i)signature"):
        theirs.verify(post.body + b" ", headers)


@pytest.mark.slow
def test_the_client_of_resend() -> None:
    """Resend's own client verifies what we sign."""
    import resend

    source = Source("resend")
    post = posted(source)
    assert source.key is not None
    named: t.Any = {name: post.headers[f"svix-{name}"] for name in ("id", "timestamp", "signature")}

    resend.Webhooks.verify(
        {
            "payload": post.body.decode(),
            "headers": named,
            "webhook_secret": source.key.reveal(),
        }
    )


@pytest.mark.slow
def test_the_client_of_sendgrid() -> None:
    """SendGrid's own client verifies what we sign."""
    from sendgrid.helpers import eventwebhook

    source = Source("sendgrid")
    post = posted(source)
    assert source.key is not None
    judge = eventwebhook.EventWebhook(source.key.reveal())
    signature, stamp = (
        post.headers[f"x-twilio-email-event-webhook-{name}"] for name in ("signature", "timestamp")
    )

    assert judge.verify_signature(post.body.decode(), signature, stamp)
    assert not judge.verify_signature(post.body.decode() + " ", signature, stamp)


# Signatures


@pytest.mark.parametrize("provider", NAMES)
def test_another_key(provider: str) -> None:
    """What is made with another key, or with none, is refused."""
    source = Source(provider)
    post = posted(source)
    if provider == "ses":
        source.trusted = dict.fromkeys(source.trusted, other_certificate())
        assert refusal(source, post) == 401
        return
    others = {
        "resend": "whsec_bm90IHRoZSBzYW1lIGtleQ==",
        "sendgrid": other_key(),
        "mailgun": "another",
    }

    assert refusal(source, post, key=Secret(others.get(provider, "user:another"))) == 401
    assert refusal(source, post._replace(headers={}, body=b"{}")) in (401, 406)


@pytest.mark.parametrize("provider", ["resend", "sendgrid"])
def test_another_body(provider: str) -> None:
    """The signature covers every octet of the body."""
    source = Source(provider)
    post = posted(source)

    for body in (post.body + b" ", post.body[:-1], post.body[1:], b"", b"{}", post.body * 2):
        assert refusal(source, post._replace(body=body)) == 401


@pytest.mark.parametrize("field", ["Message", "MessageId", "Subject", "Timestamp", "Type"])
def test_another_field_of_sns(field: str) -> None:
    """The signature covers what is read of a message."""
    source = Source("ses")
    post = posted(source)
    other = json.loads(post.body)[field].replace("2", "3") + "x"

    assert refusal(source, changed(post, **{field: other})) in (400, 401)
    if field == "Subject":
        assert refusal(source, changed(post, Subject=None)) == 401


def test_a_field_of_sns_within_another() -> None:
    """A message has one id: the same signature does not fit another way to write its fields."""
    source = Source("ses")
    post = posted(source)
    found = json.loads(post.body)
    merged = f"{found['MessageId']}\nSubject\n{found.pop('Subject')}"
    message = json.dumps({**found, "MessageId": merged}).encode()

    assert refusal(source, post._replace(body=message)) == 400


SIGNATURES: list[t.Any] = ["", "v1,", "v1", "AAAA", "=", "é", "\ud800", None, 17, [], "A" * 100_000]
SIGNATURES += ["v1,AAAA " * 1_000, "v2,AAAA", "\x00"]


@pytest.mark.parametrize("provider", SIGNED)
def test_wrong_signatures(provider: str) -> None:
    """What is not a signature is refused as a wrong one."""
    source = Source(provider)
    post = posted(source)
    for signature in SIGNATURES:
        if provider == "ses":
            wrong = changed(post, Signature=signature)
        elif provider == "mailgun":
            inner = json.loads(post.body)["signature"]
            wrong = changed(post, signature={**inner, "signature": signature})
        else:
            text = signature if isinstance(signature, str) else ""
            name = next(name for name in post.headers if name.endswith("signature"))
            wrong = post._replace(headers={**post.headers, name: text})
        assert refusal(source, wrong) == 401


def test_an_old_key_of_svix() -> None:
    """While a key is replaced, a request has a signature of each, in any order."""
    source = Source("resend")
    post = posted(source)
    right = post.headers["svix-signature"]

    for value in (f"{right} v1,AAAA", f"v1,AAAA {right}", f"v1a,AAAA v1,BBBB {right}"):
        assert source.read(post._replace(headers={**post.headers, "svix-signature": value}))


@pytest.mark.parametrize("version", ["1", "2"])
def test_versions_of_sns(version: str) -> None:
    """Both versions of the signature are read, and a message without a subject."""
    source = Source("ses")
    message = json.loads(posted(source).body)
    del message["Signature"], message["Subject"]

    assert source.read(signed({**message, "SignatureVersion": version}))
    assert refusal(source, signed({**message, "SignatureVersion": "3"})) == 401


@pytest.mark.parametrize(
    ("partition", "region", "domain"),
    [
        ("aws-cn", "cn-north-1", "amazonaws.com.cn"),
        ("aws-us-gov", "us-gov-west-1", "amazonaws.com"),
        ("aws-eusc", "eusc-de-east-1", "amazonaws.eu"),
    ],
)
def test_clouds_of_sns(partition: str, region: str, domain: str) -> None:
    """Topics and certificates of other clouds of Amazon are taken."""
    source, topic = Source("ses"), f"arn:{partition}:sns:{region}:123456789012:mail"
    message = json.loads(posted(source).body)
    url = f"https://sns.{region}.{domain}/SimpleNotificationService-1.pem"
    source.trusted = dict.fromkeys([url], *source.trusted.values())
    del message["Signature"]

    assert source.read(
        signed({**message, "TopicArn": topic, "SigningCertURL": url}), topics=(topic,)
    )


def test_what_sns_signs() -> None:
    """The text has each name and value on a line of its own, in the order of the documentation."""
    message = {"Type": "Notification", "MessageId": "1", "TopicArn": TOPIC, "Message": "Hi"}
    message["Timestamp"] = "2026-11-29T12:00:00.000Z"

    assert signed_text(Fields(message)).decode() == (
        f"Message\nHi\nMessageId\n1\nTimestamp\n2026-11-29T12:00:00.000Z\nTopicArn\n{TOPIC}\n"
        "Type\nNotification\n"
    )


# Time


@pytest.mark.parametrize(
    ("provider", "window", "status"),
    [
        ("resend", 300, 401),
        ("mailgun", 12 * HOUR, 406),
        ("sendgrid", 26 * HOUR, 401),
        ("ses", 24 * 24 * HOUR, 401),
    ],
)
def test_windows(provider: str, window: float, status: int) -> None:
    """A signature is valid for as long as the provider tries again, and not in the future."""
    source = Source(provider)
    signed_at = now().timestamp()
    post = posted(source)

    assert source.read(post, now=signed_at + window - 100)
    assert refusal(source, post, now=signed_at + window + 100) == status
    assert refusal(source, post, now=signed_at - 400) == status
    # An event that is stored for a shorter time could be told twice.
    assert refusal(source, post, now=signed_at + 200, kept=100.0) == status


@pytest.mark.parametrize(
    "stamp", ["", "now", "-1", "1e9", "9" * 5_000, "٣", " 1", "nan", None, 1.5]
)
@pytest.mark.parametrize("provider", ["resend", "sendgrid", "mailgun"])
def test_wrong_times(provider: str, stamp: t.Any) -> None:
    """What is not a time in seconds is refused."""
    source = Source(provider)
    post = posted(source)
    if provider == "mailgun":
        inner = json.loads(post.body)["signature"]
        wrong = changed(post, signature={**inner, "timestamp": stamp})
    else:
        name = next(name for name in post.headers if name.endswith("timestamp"))
        wrong = post._replace(headers={**post.headers, name: str(stamp or "")})

    assert refusal(source, wrong) in (401, 406)


# Topics and certificates


@pytest.mark.parametrize(
    "topic",
    ["", f"{TOPIC}x", TOPIC.upper(), TOPIC.replace("eu-west-1", "us-east-1"), None, [TOPIC], 17],
)
def test_another_topic(topic: t.Any) -> None:
    """A message of another topic is refused before its certificate is fetched."""
    source = Source("ses")
    source.posts(told())
    (url,) = source.trusted
    post = posted(source)

    assert refusal(source, changed(post, TopicArn=topic)) == 401
    if isinstance(topic, str):  # the signature of SNS is valid
        text = json.dumps({"eventType": "Bounce"})
        other = notification(topic, url, {"eventType": "Bounce"}, now().isoformat())
        assert refusal(source, signed({**other, "Message": text})) == 401
    assert source.asked == []


CERTIFICATES: list[t.Any] = [
    "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
    "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-1.pem",
    "https://evil.example/SimpleNotificationService-1.pem",
    "https://evil.example/?https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
    "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-1.pem",
    "https://sns.eu-west-1.amazonaws.com:444/SimpleNotificationService-1.pem",
    "https://bucket.s3.amazonaws.com/SimpleNotificationService-1.pem",
    "https://sns.evil.example/.amazonaws.com/SimpleNotificationService-1.pem",
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem?x=1",
    "https://sns.eu-west-1.amazonaws.com/x/SimpleNotificationService-1.pem",
    "https://sns.eu-west-1.amazonaws.com/../SimpleNotificationService-1.pem",
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem\n",
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem#x",
    "https://sns.eu-west-1.amazonaws.com\\evil.example/SimpleNotificationService-1.pem",
    "https://sns.%65.amazonaws.com/SimpleNotificationService-1.pem",
    # A bucket of S3, and another region.
    "https://sns.s3.amazonaws.com/SimpleNotificationService-1.pem",
    "https://sns.s3-eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem",
    *("", "https://", None, 17, ["https://sns.eu-west-1.amazonaws.com/x.pem"], "\ud800"),
]


@pytest.mark.parametrize("url", CERTIFICATES)
def test_another_certificate(url: t.Any) -> None:
    """No URL is asked that is not one of the certificates of SNS."""
    source = Source("ses")
    post = posted(source)

    assert refusal(source, changed(post, SigningCertURL=url)) == 401
    assert source.asked == []


@pytest.mark.parametrize(
    "found", [b"", b"not a certificate", b"-----BEGIN CERTIFICATE-----\n", b"\xff"]
)
def test_a_certificate_that_cannot_be_read(found: bytes) -> None:
    """A message is refused if what is fetched is not a certificate with an RSA key."""
    source = Source("ses")
    post = posted(source)
    source.trusted = dict.fromkeys(source.trusted, found)

    assert refusal(source, post) == 401


def subscription(kind: str = "SubscriptionConfirmation", **changes: t.Any) -> tuple[Source, Posted]:
    """What SNS posts before the first notification."""
    source = Source("ses")
    source.posts(told())
    (url,) = source.trusted
    message = notification(TOPIC, url, {}, now().isoformat())
    del message["Subject"]
    confirm = (
        "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn&Token=2336"
    )
    more = {"Type": kind, "Message": "You have chosen", "Token": "2336", "SubscribeURL": confirm}
    return source, signed({**message, **more, **changes})


def test_a_subscription_is_confirmed() -> None:
    """The app confirms a subscription to its topic, after it has checked the signature."""
    source, post = subscription()

    assert source.read(post) == []
    assert source.asked[1] == json.loads(post.body)["SubscribeURL"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"TopicArn": f"{TOPIC}x"}, 401),
        ({"SubscribeURL": "https://evil.example/?Action=ConfirmSubscription&Token=1"}, 401),
        ({"SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=DeleteTopic&x=1"}, 401),
        ({"SubscribeURL": "http://169.254.169.254/latest/meta-data"}, 401),
        ({"SubscribeURL": "https://sns.s3.amazonaws.com/?Action=ConfirmSubscription&x=1"}, 401),
        ({"Timestamp": "2020-01-01T00:00:00.000Z"}, 401),
        ({"Timestamp": "yesterday"}, 400),
    ],
)
def test_a_subscription_that_is_not_confirmed(changes: dict[str, str], status: int) -> None:
    """A subscription to another topic, and one at another URL, is not confirmed."""
    source, post = subscription(**changes)

    assert refusal(source, post) == status
    assert not [url for url in source.asked if not url.endswith(".pem")]


def test_other_messages_of_sns() -> None:
    """The end of a subscription is not an event, and raw delivery is refused: it is not signed."""
    source, post = subscription("UnsubscribeConfirmation")

    assert source.read(post) == []
    assert len(source.asked) == 1
    raw = json.dumps({"eventType": "Bounce", "bounce": {}}).encode()
    assert refusal(source, post._replace(body=raw)) == 400


# Logins

LOGINS = ["", "Basic", "Basic ", "Bearer dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA=="]
LOGINS += ["Basic user:password", "Basic dXNlcjo=", "Basic é", "Basic dXNlcjpwYXNzd29yZA== x"]
LOGINS += ["Basic " + "A" * 10_000]


@pytest.mark.parametrize("provider", ["postmark", "brevo"])
@pytest.mark.parametrize("given", LOGINS)
def test_wrong_logins(provider: str, given: str) -> None:
    """Another login is refused, whatever its form."""
    source = Source(provider)
    post = posted(source)

    assert refusal(source, post._replace(headers={"Authorization": given})) == 401


@pytest.mark.parametrize("provider", ["postmark", "brevo"])
def test_without_a_login(provider: str) -> None:
    """Without a key, the secret of the URL is enough."""
    source = Source(provider)
    post = posted(source)._replace(headers={})

    assert source.read(post, key=None)


# Bodies


BODIES = [b"", b"{", b"null", b"17", b'"x"', b"\xff", b"[]", b"{}", b"[[[]]]", b'{"a":NaN}']
BODIES += [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5_000, b"\xef\xbb\xbf{}", b"{}{}"]
BODIES += ['{"event":"open"}'.encode("utf-16"), b'{"x": "\\ud800"}', b'{"x": 1e400}']


@pytest.mark.parametrize("provider", NAMES)
def test_broken_bodies(provider: str) -> None:
    """A body that is not what the provider writes is refused, or has no event."""

    from flask_mailhandler.testing.provider_events.sendgrid import keys
    from flask_mailhandler.testing.provider_events.sendgrid import signed as by_sendgrid

    source = Source(provider)
    post = posted(source)
    stamp = str(int(now().timestamp()))
    for body in BODIES:
        wrong = post._replace(body=body)
        if provider == "resend":
            wrong = resigned(source, body)
        if provider == "sendgrid":
            wrong = wrong._replace(headers=by_sendgrid(keys()[0], stamp, body))
        assert answer_to(source, wrong) in (200, 400, 401, 406)


def answer_to(source: Source, post: Posted) -> int:
    """The status that a request without an event is answered with."""
    try:
        found = source.read(post)
    except WebhookError as error:
        return error.status
    return 500 if found else 200


def test_the_same_name_twice() -> None:
    """What is checked is what is read, whatever stands before it."""
    source = Source("ses")
    post = posted(source)
    text = post.body.decode()

    ours_last = f'{{"TopicArn": "arn:aws:sns:eu-west-1:1:x", {text[1:]}'
    theirs_last = f'{text[:-1]}, "TopicArn": "arn:aws:sns:eu-west-1:1:x"}}'

    assert source.read(post._replace(body=ours_last.encode()))
    assert refusal(source, post._replace(body=theirs_last.encode())) == 401


def test_a_token_of_mailgun_for_another_event() -> None:
    """The signature does not cover the event: the app is told of one event with each token."""
    source = Source("mailgun")
    post = posted(source)
    data = json.loads(post.body)["event-data"]

    (event,) = source.read(post)
    (forged,) = source.read(changed(post, **{"event-data": {**data, "recipient": "eve@x.example"}}))

    assert event.token == forged.token == json.loads(post.body)["signature"]["token"]


# Keys


@pytest.mark.parametrize(
    ("provider", "key"),
    [
        ("resend", None),
        ("resend", "re_1"),
        ("resend", "whsec_"),
        ("resend", "whsec_é"),
        ("resend", "whsec_a"),
        ("sendgrid", None),
        ("sendgrid", "SG.1"),
        ("sendgrid", "AAAA"),
        ("sendgrid", base64.b64encode(b"x" * 91).decode()),
        ("mailgun", None),
        ("mailgun", ""),
        ("postmark", "password"),
        ("brevo", "password"),
        ("ses", None),
    ],
)
def test_what_is_not_a_key(provider: str, key: str | None) -> None:
    """A key that cannot be one of the provider's is told from one that can."""
    given = None if key is None else Secret(key)

    assert format_of(provider).missing(given, ())
    assert not format_of(provider).missing(key_of(provider), (TOPIC,))


@pytest.mark.parametrize(
    "topic", ["", "mail", "arn:aws:sqs:eu-west-1:123456789012:mail", f"{TOPIC} "]
)
def test_what_is_not_a_topic(topic: str) -> None:
    """Each topic is the ARN of one of SNS."""
    assert format_of("ses").missing(None, (TOPIC, topic))
    assert not format_of("ses").missing(None, (TOPIC, f"{TOPIC}.fifo".replace(".", "-")))


def other_certificate() -> bytes:
    """A certificate with another key."""
    import trustme

    return trustme.CA(key_type=trustme.KeyType.RSA).cert_pem.bytes()


def other_key() -> str:
    """A key of another account of SendGrid."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.hazmat.primitives.serialization import PublicFormat

    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return base64.b64encode(
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode()
