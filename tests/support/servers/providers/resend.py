"""The API of Resend."""

from __future__ import annotations

import base64
import re
import typing as t

from ..http_server import HTTPRequest
from ..http_server import json_page
from .fake import FakeProvider
from .fake import Mail
from .fake import mailboxes
from .fake import Manner

A_WORD = re.compile("[A-Za-z0-9_-]{1,256}")
"""What a name and a value of a tag may be, at Resend and SES."""


class FakeResend(FakeProvider):
    """https://resend.com/docs/api-reference/emails/send-email"""

    path = "/emails"
    FIELDS: t.ClassVar = {
        "from": str, "to": list, "cc": list, "bcc": list, "reply_to": list, "subject": str,
        "text": str, "html": str, "headers": dict, "attachments": list,
        "tags": list, "scheduled_at": str,
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
        for tag in fields.get("tags", []):
            words = [*tag.values()]
            if tag.keys() != {"name", "value"} or not all(map(A_WORD.fullmatch, words)):
                self.fault(f"tag {tag!r}")
        if not {"from", "to", "subject"} <= fields.keys():
            return error(422, "missing_required_field", "Missing field")
        everyone = [mailboxes(fields.get(name)) for name in ("to", "cc", "bcc")]
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
