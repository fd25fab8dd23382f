"""Sent to npm's smtp-server: what arrives is what was sent, once, octet for octet."""

from __future__ import annotations

import typing as t

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import LoginError
from flask_mailhandler import Message
from flask_mailhandler import RefusedError
from sending import ACCEPTED
from sending import codes
from sending import DEFERRED
from sending import letter
from sending import letters
from sending import REFUSED
from sending import smtp
from sending import states

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from flask_mailhandler.handlers.smtp import SMTPEmailHandler
    from servers.certificates import Certificates
    from servers.node_smtp_server import NodeSmtpServer

pytestmark = pytest.mark.services

Node: t.TypeAlias = "Callable[..., NodeSmtpServer]"


def octets(handler: SMTPEmailHandler, message: Message) -> bytes:
    """The content that should arrive."""
    job = handler.prepare(message).job
    assert job is not None
    return bytes(job.content)


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("login", [True, False])
@pytest.mark.parametrize("mode", ["plain", "starttls", "tls"])
def test_modes(
    node_smtp_server: Node, certificates: Certificates, mode: str, login: bool, pipelining: bool
) -> None:
    """C-1, C-9, C-56, C-90, C-96: in each mode, with and without login and PIPELINING, each message
    once, octet for octet."""
    users = {"ann": "pässword"} if login else None
    server = node_smtp_server(mode, users=users, pipelining=pipelining)
    options: dict[str, t.Any] = {"username": "ann", "password": "pässword"} if login else {}
    if mode != "plain":
        options |= {"security": mode, "tls_ca_file": certificates.ca_file}
    handler = smtp(server, **options)
    file = Attachment(bytes(range(256)) * 2000, filename="all.bin")
    messages = [
        letter("b@example.com", text=".\n..\nKäse\n.\n"),
        letter("b@example.com", "c@example.com", subject="with a file").replace(attachments=[file]),
        letter("d@example.com"),
    ]

    reports = handler.send(messages)
    (last,) = handler.send([letters(1)[0]])
    handler.close()
    received = server.stop()

    assert all(report.ok for report in [*reports, last])
    assert [one.recipients for one in received] == [
        ["b@example.com"],
        ["b@example.com", "c@example.com"],
        ["d@example.com"],
        ["r1@example.com"],
    ]
    assert [one.content for one in received[:3]] == [octets(handler, one) for one in messages]
    assert {one.sender for one in received} == {"a@example.com"}
    assert {(one.user, one.secure) for one in received} == {
        ("ann" if login else None, mode != "plain")
    }


def test_token(node_smtp_server: Node, certificates: Certificates) -> None:
    """C-94, PROTOCOL 22: XOAUTH2, where OAUTHBEARER is not offered."""
    server = node_smtp_server("tls", tokens={"ann": "ya29.token"})
    secure = {"security": "tls", "tls_ca_file": certificates.ca_file, "username": "ann"}
    right = smtp(server, oauth_token="ya29.token", **secure)
    wrong = smtp(server, oauth_token="ya29.expired", **secure)

    (accepted,) = right.send([letter()])
    (deferred,) = wrong.send([letter()])
    right.close()
    wrong.close()

    assert accepted.ok
    assert states(deferred) == [DEFERRED] and isinstance(deferred.error, LoginError)
    assert [one.user for one in server.stop()] == ["ann"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"username": "ann", "password": "wrong"}, "535"),
        ({}, "530"),
    ],
)
def test_login_refused(
    node_smtp_server: Node, certificates: Certificates, options: dict[str, t.Any], text: str
) -> None:
    """F-18, F-29: with a wrong password, and without one, no message is accepted."""
    server = node_smtp_server("tls", users={"ann": "secret"})
    handler = smtp(server, security="tls", tls_ca_file=certificates.ca_file, **options)

    (report,) = handler.send([letter()])
    handler.close()

    assert states(report) == [DEFERRED]
    assert isinstance(report.error, LoginError) and text in str(report.error)
    assert server.stop() == []


@pytest.mark.parametrize("pipelining", [True, False])
def test_refused_recipients(node_smtp_server: Node, pipelining: bool) -> None:
    """F-30, F-31, F-32, F-69: some recipients are refused, then all; the next message is sent."""
    refused = {"no@example.com": 550, "later@example.com": 450}
    server = node_smtp_server(refused=refused, pipelining=pipelining)
    handler = smtp(server)

    mixed, nobody, last = handler.send(
        [
            letter("no@example.com", "b@example.com", "later@example.com"),
            letter("no@example.com", subject="to nobody"),
            letter("c@example.com"),
        ]
    )
    handler.close()
    received = server.stop()

    assert states(mixed) == [REFUSED, ACCEPTED, DEFERRED]
    assert codes(mixed) == [550, 250, 450]
    assert states(nobody) == [REFUSED] and codes(nobody) == [550]
    assert last.ok
    assert [one.recipients for one in received] == [["b@example.com"], ["c@example.com"]]
    assert len({one.connection for one in received}) == 1


def test_size(node_smtp_server: Node) -> None:
    """F-90: a message larger than the server's limit is refused here, and the next one is sent."""
    server = node_smtp_server(size=1000)
    handler = smtp(server)

    large, small = handler.send([letter(text="x\n" * 1000), letter()])
    handler.close()

    assert isinstance(large.error, RefusedError)
    assert small.ok
    assert len(server.stop()) == 1


@pytest.mark.parametrize("pipelining", [True, False])
def test_list(node_smtp_server: Node, pipelining: bool) -> None:
    """200 messages in one list and one to 200 recipients: each arrives once, in order."""
    server = node_smtp_server(pipelining=pipelining)
    messages = letters(200)
    everybody = [f"r{number}@example.com" for number in range(1, 201)]
    handler = smtp(server)

    reports = handler.send([*messages, letter(*everybody)])
    handler.close()
    received = server.stop()

    assert all(report.ok for report in reports)
    assert [one.recipients for one in received] == [*([to] for to in everybody), everybody]
    assert [one.content for one in received[:200]] == [octets(handler, one) for one in messages]
