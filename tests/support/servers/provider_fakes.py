"""Strict stand-ins for the APIs of providers, written from their documentation.

Each checks the fields of a request, keeps what it takes, and can be told to behave badly: it has a
*manner* for each of the next requests, after which it behaves well.
"""

from __future__ import annotations

import base64
import collections
import email
import email.policy
import email.utils
import re
import typing as t

from .http_server import CLOSE
from .http_server import HTTPRequest
from .http_server import HTTPServer
from .http_server import json_page
from .http_server import page

if t.TYPE_CHECKING:
    from .http_server import Said

Manner: t.TypeAlias = "t.Callable[[FakeProvider, HTTPRequest], Said | list[Said]]"


def taken_and(said: Said) -> Manner:
    """Take the message, but answer something else."""

    def manner(fake: FakeProvider, request: HTTPRequest) -> Said:
        fake.take(request)
        return said

    return manner


def not_taken_and(said: Said) -> Manner:
    """Answer, without taking the message."""
    return lambda fake, request: said


LOST: Manner = taken_and(CLOSE)
"""Take the message, and close without an answer."""
DROPPED: Manner = not_taken_and(CLOSE)
"""Close without an answer, and without taking the message."""


class Mail(t.NamedTuple):
    """A message that a fake has taken."""

    recipients: tuple[str, ...]
    subject: str
    fields: dict[str, t.Any]


class FakeProvider(HTTPServer):
    """What the fakes have in common.

    :param manners: For the next requests, in order.
    :param given: As for :class:`.HTTPServer`.
    """

    path = ""
    key = "k3y-0f-the-shop"

    def __init__(self, *manners: Manner, **given: t.Any) -> None:
        super().__init__(self._said, **given)
        self.manners = collections.deque(manners)
        self.taken: list[Mail] = []
        """Each message that would have been delivered."""
        self.faults: list[str] = []
        """What was wrong with requests."""

    @property
    def mail_url(self) -> str:
        """The MAIL_URL with which an app sends here."""
        raise NotImplementedError

    def take(self, request: HTTPRequest) -> bytes:
        """Check a request and take its message. Return the answer."""
        raise NotImplementedError

    def fault(self, text: str) -> None:
        """Note what is wrong with a request."""
        self.faults.append(text)

    def _said(self, request: HTTPRequest) -> Said | list[Said]:
        if (request.method, request.target) != ("POST", self.path):
            self.fault(f"{request.method} {request.target}")
            return page(404)
        if request.headers.get("content-type") != "application/json":
            self.fault("Content-Type")
        if self.manners:
            return self.manners.popleft()(self, request)
        return self.take(request)


def _mailboxes(value: t.Any) -> tuple[str, ...]:
    """Return the addresses of a field, which is a text or a list of texts."""
    given = [value] if isinstance(value, str) else value or []
    found = email.utils.getaddresses(given)
    assert all("@" in address for _, address in found), value
    return tuple(address for _, address in found)


class FakeResend(FakeProvider):
    """https://resend.com/docs/api-reference/emails/send-email"""

    path = "/emails"
    FIELDS: t.ClassVar = {
        "from": str, "to": list, "cc": list, "bcc": list, "reply_to": list, "subject": str,
        "text": str, "html": str, "headers": dict, "attachments": list,
    }  # fmt: skip
    ATTACHED: t.ClassVar = {"filename", "content", "content_type", "content_id"}

    def __init__(self, *manners: Manner, **given: t.Any) -> None:
        super().__init__(*manners, **given)
        self.keys: dict[str, tuple[bytes, bytes]] = {}
        """By Idempotency-Key, the body and the answer."""

    @property
    def mail_url(self) -> str:
        return f"resend://{self.key}@default?api_url={self.url}"

    def take(self, request: HTTPRequest) -> bytes:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return error(401, "invalid_api_key", "API key is invalid")
        key = request.headers.get("idempotency-key", "")
        if not 1 <= len(key) <= 256:
            self.fault("Idempotency-Key")
        if key in self.keys:
            body, answer = self.keys[key]
            if body != request.body:
                return error(409, "invalid_idempotent_request", "Same key, other payload")
            return answer
        fields = request.json
        for name, value in fields.items():
            if not isinstance(value, self.FIELDS.get(name, ())) or not value:
                self.fault(f"{name} = {value!r}")
        for attached in fields.get("attachments", []):
            base64.b64decode(attached["content"], validate=True)
            if not {"filename", "content"} <= attached.keys() <= self.ATTACHED:
                self.fault(f"attachment {sorted(attached)}")
        if not {"from", "to", "subject"} <= fields.keys():
            return error(422, "missing_required_field", "Missing field")
        everyone = [_mailboxes(fields.get(name)) for name in ("to", "cc", "bcc")]
        recipients = tuple(one for part in everyone for one in part)
        if len(recipients) > 50:
            return error(422, "validation_error", "Too many recipients")
        self.taken.append(Mail(recipients, fields["subject"], fields))
        answer = json_page(200, {"id": f"resend-{len(self.taken)}"})
        self.keys[key] = (request.body, answer)
        return answer


def error(status: int, name: str, message: str, *headers: str) -> bytes:
    """An error of Resend."""
    found = {"statusCode": status, "name": name, "message": message}
    return json_page(status, found, *headers)


class FakePostmark(FakeProvider):
    """https://postmarkapp.com/developer/api/email-api"""

    path = "/email"
    FIELDS: t.ClassVar = {
        "From": str, "To": str, "Cc": str, "Bcc": str, "ReplyTo": str, "Subject": str,
        "TextBody": str, "HtmlBody": str, "Headers": list, "Attachments": list,
        "MessageStream": str,
    }  # fmt: skip
    inactive: t.ClassVar[set[str]] = {"inactive@example.com", "Inactive@example.com"}

    @property
    def mail_url(self) -> str:
        return f"postmark://{self.key}@default?api_url={self.url}"

    def take(self, request: HTTPRequest) -> bytes:
        if request.headers.get("x-postmark-server-token") != self.key:
            return json_page(401, {"ErrorCode": 10, "Message": "Bad or missing Server API token."})
        fields = request.json
        for name, value in fields.items():
            if not isinstance(value, self.FIELDS.get(name, ())) or not value:
                self.fault(f"{name} = {value!r}")
        for header in fields.get("Headers", []):
            if header.keys() != {"Name", "Value"}:
                self.fault(f"header {header!r}")
        for attached in fields.get("Attachments", []):
            base64.b64decode(attached["Content"], validate=True)
            wanted = {"Name", "Content", "ContentType"}
            if attached.keys() - {"ContentID"} != wanted:
                self.fault(f"attachment {sorted(attached)}")
        if not {"From", "To"} <= fields.keys():
            return json_page(422, {"ErrorCode": 300, "Message": "Zero recipients specified"})
        recipients = tuple(
            one for name in ("To", "Cc", "Bcc") for one in _mailboxes(fields.get(name))
        )
        out = [one for one in recipients if one in self.inactive]
        if len(recipients) > 50:
            return json_page(422, {"ErrorCode": 300, "Message": "Too many recipients"})
        named = f"inactive addresses: {', '.join(out)}."
        if out and len(out) == len(recipients):
            text = f"You tried to send to recipients marked as inactive. Found {named}"
            return json_page(422, {"ErrorCode": 406, "Message": text})
        others = tuple(one for one in recipients if one not in out)
        self.taken.append(Mail(others, fields.get("Subject", ""), fields))
        text = f"Message OK, but will not deliver to these {named}" if out else "OK"
        number = f"postmark-{len(self.taken)}"
        return json_page(200, {"ErrorCode": 0, "Message": text, "MessageID": number, "To": "x"})


class FakeSES(FakeProvider):
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html"""

    path = "/v2/email/outbound-emails"
    secret = "s3cr3t/0f+the-shop"

    @property
    def mail_url(self) -> str:
        secret = self.secret.replace("/", "%2F").replace("+", "%2B")
        return f"ses://{self.key}:{secret}@eu-west-1?api_url={self.url}"

    @staticmethod
    def subject_of(request: HTTPRequest) -> str:
        """The subject of a message that was not taken, perhaps."""
        data = base64.b64decode(request.json["Content"]["Raw"]["Data"])
        return str(email.message_from_bytes(data)["Subject"])

    def take(self, request: HTTPRequest) -> bytes:
        signed = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/[0-9]{8}/eu-west-1/ses/aws4_request,"
            r" SignedHeaders=content-type;host;x-amz-date, Signature=[0-9a-f]{64}",
            request.headers.get("authorization", ""),
        )
        if signed is None or signed[1] != self.key:
            return aws_error(403, "UnrecognizedClientException", "The security token is invalid")
        fields = request.json
        if not {"Content", "Destination"} <= fields.keys() <= {
            "Content", "Destination", "FeedbackForwardingEmailAddress", "ConfigurationSetName",
        }:  # fmt: skip
            self.fault(f"fields {sorted(fields)}")
        data = base64.b64decode(fields["Content"]["Raw"]["Data"], validate=True)
        message = email.message_from_bytes(data, policy=email.policy.SMTP)
        recipients = tuple(fields["Destination"]["ToAddresses"])
        if not 1 <= len(recipients) <= 50:
            return aws_error(400, "BadRequestException", "Recipient count exceeds 50.")
        if any(len(line) > 1000 for line in data.split(b"\n")) or not data.isascii():
            self.fault("octets")
        if message["Bcc"]:
            self.fault("Bcc is shown")
        self.taken.append(Mail(recipients, message["Subject"], {"octets": data, **fields}))
        return json_page(200, {"MessageId": f"ses-{len(self.taken)}"})


def aws_error(status: int, kind: str, message: str, *headers: str) -> bytes:
    """An error of an AWS service."""
    return json_page(status, {"message": message}, f"x-amzn-ErrorType: {kind}:", *headers)


FAKES: dict[str, type[FakeProvider]] = {
    "resend": FakeResend,
    "postmark": FakePostmark,
    "ses": FakeSES,
}
