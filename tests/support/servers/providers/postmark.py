"""The API of Postmark."""

from __future__ import annotations

import base64
import typing as t

from ..http_server import HTTPRequest
from ..http_server import json_page
from .fake import FakeProvider
from .fake import Mail
from .fake import mailboxes


class FakePostmark(FakeProvider):
    """https://postmarkapp.com/developer/api/email-api"""

    path = "/email"
    FIELDS: t.ClassVar = {
        "From": str, "To": str, "Cc": str, "Bcc": str, "ReplyTo": str, "Subject": str,
        "TextBody": str, "HtmlBody": str, "Headers": list, "Attachments": list,
        "MessageStream": str, "Tag": str, "Metadata": dict, "TrackOpens": bool,
        "TrackLinks": str, "InlineCss": bool,
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
            kind = self.FIELDS.get(name, ())
            if not isinstance(value, kind) or not (value or kind is bool):
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
            one for name in ("To", "Cc", "Bcc") for one in mailboxes(fields.get(name))
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
        answer = {"ErrorCode": 0, "Message": text, "MessageID": number, "To": "x"}
        return json_page(200, {**answer, "SubmittedAt": "2026-11-30T10:00:00Z"})
