"""The API of Gmail."""

from __future__ import annotations

from ..http_server import HTTPRequest
from ..http_server import json_page
from . import addressed
from .fake import FakeProvider


class FakeGmail(FakeProvider):
    """https://developers.google.com/workspace/gmail/api/guides/uploads"""

    path = "/upload/gmail/v1/users/me/messages/send?uploadType=media"
    content_type = "message/rfc822"

    @property
    def mail_url(self) -> str:
        return f"gmail://default?api_url={self.url}&oauth_token={self.key}"

    def take(self, request: HTTPRequest) -> bytes:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return gmail_error(401, "authError", "Invalid Credentials")
        mail = addressed.read(self, request.body)
        if mail is None:
            return gmail_error(400, "invalidArgument", "Recipient address required")
        self.taken.append(mail)
        number = f"gmail-{len(self.taken)}"
        return json_page(200, {"id": number, "threadId": number, "labelIds": ["SENT"]})


def gmail_error(status: int, reason: str, message: str, *headers: str) -> bytes:
    """An error of Gmail."""
    errors = [{"domain": "global", "reason": reason, "message": message}]
    found = {"error": {"code": status, "message": message, "errors": errors}}
    return json_page(status, found, *headers)
