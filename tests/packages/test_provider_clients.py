"""The official clients of providers as judges: for the same mail, they send the same as we do."""

from __future__ import annotations

import base64
import json
import subprocess
import typing as t
from pathlib import Path

import pytest

from environments import environment
from provider_mails import mails
from providing import handler_of
from servers.providers import FAKES
from servers.providers.mailgun import form_of

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from flask_mailhandler import Address
    from flask_mailhandler import Message
    from servers.http_server import HTTPRequest

PACKAGES = (
    "brevo-python==5.1.0",
    "mailgun==1.10.0",
    "postmark-python==0.4.0",
    "sendgrid==6.12.5",
)
CLIENTS = ("brevo", "mailgun", "postmark", "sendgrid")


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
        sent = mails(client)
        with FAKES[client]() as fake, FAKES[client]() as other:
            handler = handler_of(fake)
            assert all(report.ok for report in handler.send(sent))
            handler.close()
            ours = [*map(read, fake.requests)]
            given = [description(*pair) for pair in zip(sent, ours, strict=True)]
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
