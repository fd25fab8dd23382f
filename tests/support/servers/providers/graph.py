"""Microsoft Graph."""

from __future__ import annotations

import base64

from ..http_server import HTTPRequest
from ..http_server import json_page
from ..http_server import page
from . import addressed
from .fake import FakeProvider


class FakeGraph(FakeProvider):
    """https://learn.microsoft.com/graph/outlook-send-mime-message"""

    path = "/v1.0/users/shop%40example.com/sendMail"
    content_type = "text/plain"

    @property
    def mail_url(self) -> str:
        return f"graph://shop%40example.com@default?api_url={self.url}&oauth_token={self.key}"

    def take(self, request: HTTPRequest) -> bytes:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return graph_error(401, "InvalidAuthenticationToken", "Access token has expired.")
        if len(request.body) > 4_000_000:
            return page(200)  # and the message is not sent
        data = base64.b64decode(request.body, validate=True)
        mail = addressed.read(self, data)
        if mail is None:
            return graph_error(400, "ErrorInvalidRecipients", "It contains no recipients.")
        if len(mail.recipients) > 500:
            return graph_error(400, "ErrorExceededMaxRecipientLimit", "Too many recipients.")
        self.taken.append(mail)
        return page(202)


def graph_error(status: int, code: str, message: str, *headers: str) -> bytes:
    """An error of Graph."""
    inner = {"date": "2026-11-30T01:00:00", "request-id": "0", "client-request-id": "0"}
    found = {"error": {"code": code, "message": message, "innerError": inner}}
    return json_page(status, found, *headers)
