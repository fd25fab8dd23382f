"""The official clients of providers as judges: for the same mail, they send the same as we do."""

from __future__ import annotations

import base64
import json
import subprocess
import typing as t
from pathlib import Path

import pytest

from environments import environment
from flask_mailhandler import Attachment
from flask_mailhandler import Message
from providing import handler_of
from servers.providers import FAKES
from servers.providers.mailgun import form_of

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from flask_mailhandler import Address
    from servers.http_server import HTTPRequest

PACKAGES = (
    "brevo-python==5.1.0",
    "mailgun==1.10.0",
    "postmark-python==0.4.0",
    "sendgrid==6.12.5",
)
CLIENTS = ("brevo", "mailgun", "postmark", "sendgrid")
LOGO = Attachment(b"png", filename="logo.png", cid="logo@shop")
MAILS: list[dict[str, t.Any]] = [
    {"text": "Hello"},
    {"text": "Hello", "html": "<p>Hello"},
    {"html": "<p>Hello & goodbye"},
    {"text": "Grüße \N{SNOWMAN}\n.\n", "tags": ["news"], "metadata": {"order": "17"}},
    {"text": "x", "to": [("Ann Lee", "ann@example.com"), "bob@example.com"]},
    {"text": "x", "cc": ["carl@example.com", ("Dora", "dora@example.com")]},
    {"text": "x", "bcc": ["eve@example.com", "fay@example.com"]},
    {"text": "x", "from_addr": ("Grüner Laden", "shop@example.com")},
    {"text": "x", "reply_to": ("Help", "help@example.com")},
    {"text": "x", "headers": {"X-Order": "17", "List-Unsubscribe": "<https://example.com/u>"}},
    {
        "text": "x",
        "attachments": [
            Attachment(b"\0\xff", filename="a.pdf"),
            Attachment("a,b\n", filename="b.csv"),
        ],
    },
    {"html": '<img src="cid:logo@shop">', "text": "x", "inline_attachments": [LOGO]},
]


def messages(client: str) -> list[Message]:
    """The mails that a provider takes."""
    common: dict[str, t.Any] = {"subject": "Grüße", "from_addr": "shop@example.com"}
    common["to"] = "ann@example.com"
    taken = [mail for mail in MAILS if client != "brevo" or "inline_attachments" not in mail]
    return [Message(**{**common, **mail}) for mail in taken]


def read(request: HTTPRequest) -> dict[str, t.Any]:
    """The fields of a request: JSON, or a form."""
    if request.headers["content-type"] != "application/json":
        return dict(form_of(request))
    # The client of Postmark sends empty fields too.
    return {name: value for name, value in request.json.items() if value}


def description(message: Message, fields: dict[str, t.Any]) -> dict[str, t.Any]:
    """Describe a mail for a client, with the bodies and header fields that we send."""

    def people(addresses: Iterable[Address]) -> list[list[str]]:
        return [[str.__str__(one), one.name] if one.name else [one] for one in addresses]

    if "message" in fields:
        (octets,), (recipients,) = fields["message"], fields["to"]
        given = base64.b64encode(octets).decode()
        return {
            "octets": given,
            "recipients": recipients.decode().split(", "),
            "tags": message.tags,
            "metadata": dict(message.metadata),
        }
    content = {one["type"]: one["value"] for one in fields.get("content", [])}
    headers = fields.get("headers") or {one["Name"]: one["Value"] for one in fields["Headers"]}
    files = fields.get("attachments") or fields.get("Attachments") or fields.get("attachment") or []
    all_given = (*message.inline_attachments, *message.attachments)
    assert message.from_addr is not None
    return {
        "from": people([message.from_addr])[0],
        "to": people(message.to),
        "cc": people(message.cc),
        "bcc": people(message.bcc),
        "reply_to": people(message.reply_to),
        "subject": message.subject,
        "plain": fields.get("textContent") or fields.get("TextBody") or content.get("text/plain"),
        "html": fields.get("htmlContent") or fields.get("HtmlBody") or content.get("text/html"),
        "headers": headers,
        "tags": message.tags,
        "metadata": dict(message.metadata),
        "files": [
            {
                "name": attached.filename,
                "type": attached.mimetype.partition(";")[0],
                "content": file.get("content") or file["Content"],
                "cid": attached.given_cid,
            }
            for attached, file in zip(all_given, files, strict=True)
        ],
    }


@pytest.mark.services
@pytest.mark.slow
def test_the_official_clients_send_the_same(tmp_path: Path) -> None:
    """Each client, given the same mails as it is documented, sends the same fields."""
    python = environment(tmp_path / "venv", *PACKAGES)
    program = Path(__file__).with_name("provider_clients.py")
    for client in CLIENTS:
        mails = messages(client)
        with FAKES[client]() as fake, FAKES[client]() as other:
            handler = handler_of(fake)
            assert all(report.ok for report in handler.send(mails))
            handler.close()
            ours = [*map(read, fake.requests)]
            given = [description(*pair) for pair in zip(mails, ours, strict=True)]
            done = subprocess.run(
                [str(python), str(program), client, other.url, other.key],
                input=json.dumps(given),
                capture_output=True,
                text=True,
                timeout=120,
            )

        assert done.returncode == 0, done.stderr
        assert fake.faults == []
        assert [*map(read, other.requests)] == ours
