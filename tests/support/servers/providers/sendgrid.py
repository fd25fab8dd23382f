"""The API of SendGrid."""

from __future__ import annotations

import base64
import json
import re
import typing as t

from ..http_server import HTTPRequest
from ..http_server import json_page
from ..http_server import page
from .fake import FakeProvider
from .fake import Mail

RESERVED = {
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type",
    "content-transfer-encoding", "to", "from", "subject", "reply-to", "cc", "bcc",
}  # fmt: skip


class FakeSendGrid(FakeProvider):
    """https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send"""

    path = "/v3/mail/send"
    FIELDS: t.ClassVar = {
        "personalizations": list, "from": dict, "reply_to_list": list, "subject": str,
        "content": list, "attachments": list, "headers": dict, "categories": list,
        "tracking_settings": dict, "mail_settings": dict, "ip_pool_name": str,
    }  # fmt: skip
    COPY: t.ClassVar = {"to": list, "cc": list, "bcc": list, "custom_args": dict}
    ATTACHED: t.ClassVar = {"content", "filename", "type", "disposition"}

    @property
    def mail_url(self) -> str:
        return f"sendgrid://{self.key}@default?api_url={self.url}"

    def take(self, request: HTTPRequest) -> bytes:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return error(401, "The provided authorization grant is invalid, expired, or revoked")
        fields = request.json
        for name, value in fields.items():
            if not isinstance(value, self.FIELDS.get(name, ())) or not value:
                self.fault(f"{name} = {value!r}")
        if request.headers.get("accept") != "application/json":
            return error(406, "Missing Accept header")
        wrong = next(self._wrong(fields), None)
        if wrong is not None:
            return error(400, *wrong)
        self._check_attached(fields.get("attachments", []))
        copies = [self._people(copy) for copy in fields["personalizations"]]
        recipients = tuple(one for copy in copies for one in copy)
        self.taken.append(Mail(recipients, fields["subject"], fields))
        return page(202, b"", f"X-Message-Id: sendgrid-{len(self.taken)}")

    def _people(self, copy: dict[str, t.Any]) -> list[str]:
        return [one["email"] for name in ("to", "cc", "bcc") for one in copy.get(name, [])]

    def _wrong(self, fields: dict[str, t.Any]) -> t.Iterator[tuple[str, str]]:
        copies = fields.get("personalizations") or []
        if not copies or not all(copy.get("to") for copy in copies):
            yield "The to array is required for all personalization objects", "personalizations.0"
        for copy in copies:
            if not all(isinstance(value, self.COPY.get(name, ())) for name, value in copy.items()):
                yield "Bad Request", "personalizations"
            if not all(isinstance(value, str) for value in copy.get("custom_args", {}).values()):
                yield "Bad Request", "personalizations.0.custom_args"
        everyone = [one.lower() for copy in copies for one in self._people(copy)]
        if len(everyone) > 1000:
            yield "There is a limit of 1000 total recipients", "personalizations"
        if len(everyone) != len(set(everyone)):
            yield "Each email address should be unique between to, cc, and bcc", "personalizations"
        if len(fields.get("categories", [])) > 10:
            yield "Bad Request", "categories"
        if not fields.get("subject"):
            yield "The subject is required", "subject"
        content = fields.get("content") or []
        if (
            not all(one.keys() == {"type", "value"} and one["value"] for one in content)
            or not content
        ):
            yield "The content value must be a string at least one character in length", "content"
        kinds = [one["type"] for one in content]
        first = [kind for kind in ("text/plain", "text/html") if kind in kinds]
        if kinds[: len(first)] != first or len(kinds) != len(set(kinds)):
            yield "If present, text/plain and text/html may only be provided once", "content"
        if any(re.search(r"[,\r\n]|;(?! method=\w+\Z)", kind) for kind in kinds):
            yield "The content type cannot contain ';', or CRLF characters", "content.0.type"
        answered = [json.dumps(one) for one in fields.get("reply_to_list", [])]
        if len(answered) != len(set(answered)):
            yield "Each email address should be unique", "reply_to_list"
        headers = [name.lower() for name in fields.get("headers", {})]
        if RESERVED & {*headers} or len(headers) != len(set(headers)):
            yield "Header can't be one of the reserved keys", "headers"

    def _check_attached(self, attachments: list[dict[str, str]]) -> None:
        for attached in attachments:
            inline = attached["disposition"] == "inline"
            wanted = self.ATTACHED | ({"content_id"} if inline else set())
            if attached.keys() != wanted or not base64.b64decode(
                attached["content"], validate=True
            ):
                self.fault(f"attachment {sorted(attached)}")
            if re.search(r"[;,\r\n]", attached["type"]):
                self.fault(f"attachment of type {attached['type']}")


def error(status: int, message: str, field: str | None = None, *headers: str) -> bytes:
    """An error of SendGrid."""
    one = {"message": message, "field": field}
    return json_page(status, {"errors": [one]}, *headers)
