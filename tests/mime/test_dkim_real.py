"""Signatures that OpenDKIM and mailauth verify, before and after real mail servers."""

from __future__ import annotations

import typing as t
from email.message import EmailMessage

import pytest

import opendkim
from flask_mailhandler import Attachment
from flask_mailhandler import Content
from flask_mailhandler import Message
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler.mime import render
from flask_mailhandler.mime.dkim import sign
from flask_mailhandler.mime.stdlib.render import adopt
from signing import BOTH
from signing import ed25519
from signing import made
from signing import rsa
from signing import verified
from signing import zone

if t.TYPE_CHECKING:
    from mailauth import Mailauth
    from servers.exim import Exim
    from servers.postfix import Postfix

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("untraced")]

CASES: dict[str, dict[str, t.Any]] = {
    "plain": {},
    "empty": {"text": ""},
    "white space": {"text": "a  b\t c \n \n\t\n\n\n"},
    "dots": {"text": ".\n..\n.a\n\n."},
    "from lines": {"text": "From me\n>From you"},
    "html": {"html": "<p>Grüße</p>\n" * 50},
    "folded": {"to": [f"Number {n} <n{n}@example.com>" for n in range(30)]},
    "long subject": {"subject": "Grüße an alle 🙂 " * 20},
    "bcc": {"to": None, "bcc": "b@example.com"},
    "fields": {
        "headers": [
            ("List-Unsubscribe", "<https://shop.example/u/" + "x" * 90 + ">"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ("X-Tag", "a"),
            ("X-Tag", "b"),
        ]
    },
    "IDN": {"from_addr": "Jürgen <j@bücher.example>"},
    "attached": {"attachments": [Attachment(bytes(range(256)) * 300, filename="Übersicht.bin")]},
}
DOMAINS = {"IDN": "xn--bcher-kva.example"}


def standard() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "Ann <ann@shop.example>", "b@example.com"
    message["Subject"] = "Grüße"
    message.set_content("Grüße\n\n\n")
    message.add_attachment(b"\x00\xff" * 200, maintype="application", subtype="octet-stream")
    return message


def messages() -> dict[str, t.Any]:
    given = {"subject": "Hi", "text": "Hello", "from_addr": "ann@shop.example"}
    ours: dict[str, t.Any] = {
        name: Message(**{**given, "to": "b@example.com", **fields})
        for name, fields in CASES.items()
    }
    return {**ours, "standard library": standard()}


def content_of(message: t.Any) -> Content:
    return render(message) if isinstance(message, Message) else adopt(message).content


def records_of(name: str) -> dict[str, str]:
    return zone(domain=DOMAINS.get(name, "shop.example"))


def selectors(found: list[t.Any]) -> list[tuple[str, bool]]:
    return [(verdict.selector, verdict.passed) for verdict in found]


PASSED = selectors(BOTH)


@pytest.mark.parametrize("name", messages())
def test_others_verify(name: str, mailauth: Mailauth, opendkim_installed: None) -> None:
    """OpenDKIM and mailauth verify both signatures, and find a change of the body in both."""
    octets = bytes(sign(content_of(messages()[name]), [rsa(), ed25519()]))
    records, changed = records_of(name), octets + b"!\r\n"

    assert selectors(mailauth.verified(octets, records)) == PASSED
    assert selectors(opendkim.verified(octets, records)) == PASSED
    assert [one.passed for one in mailauth.verified(changed, records)] == [False, False]
    assert [one.passed for one in opendkim.verified(changed, records)] == [False, False]


def handler_for(server: t.Any, port: int) -> SMTPEmailHandler:
    keys = {"e2026": made("e2026", True)[1], "s2026": made()[1]}
    return SMTPEmailHandler(
        host=server.host, port=port, timeout=60, connect_timeout=60, dkim_keys=keys
    )


@pytest.mark.parametrize("name", messages())
def test_after_postfix(
    name: str, postfix: Postfix, mailauth: Mailauth, opendkim_installed: None
) -> None:
    """What Postfix has delivered verifies, with the fields that it has added."""
    handler = handler_for(postfix, postfix.ports["plain"])

    (report,) = handler.send([messages()[name]])
    handler.close()

    assert report.ok, report.error
    octets = postfix.wait_for(report.message_id)[0].octets.replace(b"\n", b"\r\n")
    assert b"\r\nReceived: " in octets
    assert selectors(verified(octets, records_of(name))) == PASSED
    assert selectors(mailauth.verified(octets, records_of(name))) == PASSED
    assert selectors(opendkim.verified(octets, records_of(name))) == PASSED


@pytest.mark.parametrize("name", messages())
def test_after_exim(name: str, exim: Exim, mailauth: Mailauth, opendkim_installed: None) -> None:
    """What Exim has delivered verifies, with the fields that it has added."""
    handler = handler_for(exim, exim.port)

    (report,) = handler.send([messages()[name]])
    handler.close()

    assert report.ok, report.error
    octets = exim.wait_for(report.message_id)
    assert b"\r\nReceived: " in octets
    assert selectors(verified(octets, records_of(name))) == PASSED
    assert selectors(mailauth.verified(octets, records_of(name))) == PASSED
    assert selectors(opendkim.verified(octets, records_of(name))) == PASSED
