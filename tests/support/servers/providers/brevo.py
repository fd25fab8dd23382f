"""The API of Brevo."""

from __future__ import annotations

import base64
import json
import re
import typing as t
import uuid

from ..http_server import HTTPRequest
from ..http_server import json_page
from .fake import FakeProvider
from .fake import Mail


class FakeBrevo(FakeProvider):
    """https://developers.brevo.com/reference/send-transac-email"""

    path = "/v3/smtp/email"
    FIELDS: t.ClassVar = {
        "sender": dict, "to": list, "cc": list, "bcc": list, "replyTo": dict, "subject": str,
        "textContent": str, "htmlContent": str, "headers": dict, "attachment": list,
        "tags": list, "scheduledAt": str, "batchId": str,
    }  # fmt: skip

    def __init__(self, *manners: t.Any, **given: t.Any) -> None:
        super().__init__(*manners, **given)
        self.keys: set[str] = set()
        """The keys that it recognizes."""

    @property
    def mail_url(self) -> str:
        return f"brevo://{self.key}@default?api_url={self.url}"

    @staticmethod
    def key_in(request: HTTPRequest) -> str:
        """The key of a request."""
        return str(request.json["headers"]["idempotencyKey"])

    def take(self, request: HTTPRequest) -> bytes:
        if request.headers.get("api-key") != self.key:
            return error(401, "unauthorized", "Key not found")
        fields = request.json
        for name, value in fields.items():
            if not isinstance(value, self.FIELDS.get(name, ())) or not value:
                self.fault(f"{name} = {value!r}")
        if missing := {"sender", "to", "subject", "htmlContent"} - fields.keys():
            return error(400, "missing_parameter", f"{sorted(missing)[0]} is missing")
        if "textContent" not in fields:
            self.fault("a message without its text")
        self._check_headers(fields["headers"])
        self._check_attached(fields.get("attachment", []))
        everyone = [one for name in ("to", "cc", "bcc") for one in fields.get(name, [])]
        for one in [*everyone, fields["sender"]]:
            self._check_person(one, r'[,<>@"]')
        if "replyTo" in fields:
            self._check_person(fields["replyTo"], "")
        if len(everyone) > 99:
            return error(400, "invalid_parameter", "to should have at most 99 recipients")
        key = self.key_in(request)
        if key in self.keys:
            return error(400, "duplicate_parameter", "idempotencyKey already used")
        self.keys.add(key)
        self.taken.append(Mail(tuple(one["email"] for one in everyone), fields["subject"], fields))
        return json_page(201, {"messageId": f"<brevo-{len(self.taken)}@smtp-relay.mailin.fr>"})

    def _check_person(self, one: dict[str, str], lost_with: str) -> None:
        if not {"email"} <= one.keys() <= {"email", "name"}:
            self.fault(f"address {one!r}")
        name = one.get("name", "")
        if not name.isascii() and re.search(lost_with, name):
            self.fault(f"the name {name!r} gets lost")

    def _check_headers(self, headers: dict[str, str]) -> None:
        uuid.UUID(headers["idempotencyKey"])
        json.loads(headers.get("X-Mailin-custom", "{}"))
        for name, value in headers.items():
            if not f"{name}{value}".isascii() or r"\u" in value:
                self.fault(f"header {name} = {value!r}")

    def _check_attached(self, attachments: list[dict[str, str]]) -> None:
        for attached in attachments:
            base64.b64decode(attached["content"], validate=True)
            if attached.keys() != {"name", "content"} or not attached["name"].isascii():
                self.fault(f"attachment {attached!r}")


def error(status: int, code: str, message: str, *headers: str) -> bytes:
    """An error of Brevo."""
    return json_page(status, {"code": code, "message": message}, *headers)
