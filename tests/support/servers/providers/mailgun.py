"""The API of Mailgun."""

from __future__ import annotations

import base64
import email
import email.policy
import re
import typing as t

from ..http_server import HTTPRequest
from ..http_server import json_page
from ..http_server import page
from .fake import FakeProvider
from .fake import Mail
from .fake import mailboxes


class FakeMailgun(FakeProvider):
    """https://documentation.mailgun.com/docs/mailgun/api-reference"""

    path = "/v3/mg.example.com/messages.mime"
    content_type = "multipart/form-data"
    FIELDS: t.ClassVar = {
        "to", "o:tag", "o:tracking-opens", "o:tracking-clicks", "o:testmode", "v:order", "v:Team",
    }  # fmt: skip
    wrong: t.ClassVar = {"wrong@example.com"}
    """Recipients that it does not take."""

    @property
    def mail_url(self) -> str:
        return f"mailgun://{self.key}@eu?domain=mg.example.com&api_url={self.url}"

    def take(self, request: HTTPRequest) -> bytes:
        key = base64.b64encode(f"api:{self.key}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {key}":
            return page(401, b"Forbidden")
        fields = form_of(request)
        if unknown := fields.keys() - self.FIELDS - {"message"}:
            self.fault(f"fields {unknown}")
        recipients = mailboxes([one.decode() for one in fields.get("to", [])])
        if len(recipients) > 1000:
            return mailgun_error(400, "to parameter has too many recipients")
        if not recipients or not self.wrong.isdisjoint(recipients):
            return mailgun_error(400, "'to' parameter is not a valid address.")
        (data,) = fields["message"]
        message = email.message_from_bytes(data, policy=email.policy.SMTP)
        if message["Bcc"]:
            self.fault("Bcc is shown")
        self.taken.append(Mail(recipients, message["Subject"], {**fields, "octets": data}))
        said = {"id": str(message["Message-ID"]), "message": "Queued. Thank you."}
        return json_page(200, said)


def form_of(request: HTTPRequest) -> dict[str, list[bytes]]:
    """The fields of a form (RFC 7578), read strictly."""
    found = re.fullmatch(
        r"multipart/form-data; boundary=([0-9A-Za-z]{1,70})", request.headers["content-type"]
    )
    assert found is not None
    first, *parts, last = (b"\r\n" + request.body).split(f"\r\n--{found[1]}".encode())
    assert (first, last) == (b"", b"--\r\n")
    fields: dict[str, list[bytes]] = {}
    for part in parts:
        head, _, value = part.partition(b"\r\n\r\n")
        named = re.fullmatch(
            rb'\r\nContent-Disposition: form-data; name="([A-Za-z:-]+)"'
            rb'(?:; filename="[a-z.]+"\r\nContent-Type: application/octet-stream)?',
            head,
        )
        assert named is not None, head
        assert (named[1] == b"message") is (b"filename" in head)
        fields.setdefault(named[1].decode(), []).append(value)
    return fields


def mailgun_error(status: int, message: str, *headers: str) -> bytes:
    """An error of Mailgun."""
    return json_page(status, {"message": message}, *headers)
