"""Messages of Amazon SNS: signature, certificate, subscription.

Written from its documentation
(https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html), not tried against
a live account. A signature proves that SNS has sent a message, and not for whom: so the topic is
compared, too.
"""

from __future__ import annotations

import base64
import re
import typing as t

from ...log import logger
from .call import Call
from .call import WebhookError
from .fields import Fields
from .fields import parse_object

_NOTIFICATION = "Notification"
_CONFIRMATION = "SubscriptionConfirmation"
_FIELDS = {
    _NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    **dict.fromkeys(
        (_CONFIRMATION, "UnsubscribeConfirmation"),
        ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
_DIGESTS = {"1": "SHA1", "2": "SHA256"}
# Only in the region of the topic. Another name may be a service: sns.s3.amazonaws.com is the bucket
# "sns" of S3, and its owner can put any certificate there.
_HOST = r"https://sns\.([a-z0-9-]{1,40})\.amazonaws\.(?:com(?:\.cn)?|eu)"
_CERTIFICATE = re.compile(_HOST + r"/SimpleNotificationService-[A-Za-z0-9]{1,100}\.pem")
_SUBSCRIBE = re.compile(_HOST + r"/\?Action=ConfirmSubscription&[!-;=?-~]{1,2000}")
TOPIC = re.compile(r"arn:aws[a-z-]{0,20}:sns:([a-z0-9-]{1,40}):[0-9]{12}:[A-Za-z0-9_-]{1,256}")
_WINDOW = 24 * 86400.0
"""Seconds for which a message is taken. SNS tries for an hour at most, and does not sign again. But
a message may have waited before, and after a 401 SNS drops it."""


def notification(call: Call) -> tuple[str, str]:
    """Return the id and the text of a notification, after its signature is checked. A subscription
    is confirmed, and has no text.

    :raises WebhookError: if the signature is wrong, or if the message is of another topic.
    """
    found = parse_object(call.body)
    kind, topic = found.raw("Type"), found.raw("TopicArn")
    if kind not in _FIELDS:
        raise WebhookError(
            "it is not a message of SNS. Is raw message delivery on? Switch it off, because without"
            " it SNS does not sign",
            400,
        )
    # First of all: every AWS account can have topics, and their messages have valid signatures.
    if topic not in call.topics:
        raise WebhookError("it is of a topic that is not in MAIL_WEBHOOK_TOPICS")
    _check(call, found)
    sent = found.time("Timestamp")
    # A line break in the id could take the next field into it, with the same signature.
    if sent is None or re.fullmatch("[!-~]{1,100}", found.raw("MessageId")) is None:
        raise WebhookError("it has no time or no id", 400)
    call.check_age(sent.timestamp(), _WINDOW)
    if kind == _NOTIFICATION:
        return found.raw("MessageId"), found.raw("Message")
    if kind == _CONFIRMATION:
        _confirm(call, found.raw("SubscribeURL"), topic)
    else:
        logger.warning("The subscription of this app to %s was cancelled.", topic)
    return "", ""


def signed_text(found: Fields) -> bytes:
    """Return what the signature of a message covers."""
    names = _FIELDS[found.raw("Type")]
    pairs = [(name, found.raw(name)) for name in names if found.found.get(name) is not None]
    return "".join(f"{name}\n{value}\n" for name, value in pairs).encode(errors="surrogatepass")


def _check(call: Call, found: Fields) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    url, digest = found.raw("SigningCertURL"), _DIGESTS.get(found.raw("SignatureVersion"))
    if not _is_of_sns(_CERTIFICATE, url, found.raw("TopicArn")):
        raise WebhookError("its certificate is not at a URL of SNS in the region of its topic")
    if digest is None:
        raise WebhookError("its signature has an unknown version")
    key = _public_key(_fetched(call, url))
    try:
        given = base64.b64decode(found.raw("Signature"), validate=True)
        text = signed_text(found)
        key.verify(given, text, padding.PKCS1v15(), getattr(hashes, digest)())
    except (ValueError, InvalidSignature):
        pass
    else:
        return
    raise WebhookError("its signature is wrong")


def _public_key(certificate: bytes) -> t.Any:
    """Return the RSA key of a certificate in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        key = x509.load_pem_x509_certificate(certificate).public_key()
    except ValueError:
        key = None
    if not isinstance(key, RSAPublicKey):
        raise WebhookError("its certificate cannot be read")
    return key


def _confirm(call: Call, url: str, topic: str) -> None:
    if not _is_of_sns(_SUBSCRIBE, url, topic):
        raise WebhookError("it is to be confirmed at a URL that is not of SNS")
    _fetched(call, url)
    logger.info("This app is subscribed to %s.", topic)


def _is_of_sns(form: re.Pattern[str], url: str, topic: str) -> bool:
    """Return whether a URL has this form, and is in the region of a topic."""
    found, of_topic = form.fullmatch(url), TOPIC.fullmatch(topic)
    return found is not None and of_topic is not None and found[1] == of_topic[1]


def _fetched(call: Call, url: str) -> bytes:
    assert call.fetch is not None
    return call.fetch(url)
