"""Sent to third-party servers: aiosmtpd, OpenSMTPD, and Postfix, from which the message is read
back."""

from __future__ import annotations

import threading
import typing as t

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import LoginError
from flask_mailhandler import Message
from flask_mailhandler import RefusedError
from flask_mailhandler.handlers.smtp import SMTPEmailHandler
from sending import ACCEPTED
from sending import codes
from sending import DEFERRED
from sending import letter
from sending import REFUSED
from sending import smtp
from sending import states

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from servers.aiosmtpd_server import AiosmtpdServer
    from servers.certificates import Certificates
    from servers.opensmtpd import OpenSMTPD
    from servers.postfix import Postfix

MODES = pytest.mark.parametrize("mode", ["plain", "starttls", "tls"])


@MODES
@pytest.mark.parametrize("login", [False, True])
def test_aiosmtpd(
    aiosmtpd_server: Callable[..., AiosmtpdServer],
    certificates: Certificates,
    mode: str,
    login: bool,
    no_leaks: None,
) -> None:
    """C-2, C-90, C-96: in each mode, with and without a login, and what arrives is the message."""
    secure: dict[str, t.Any] = {} if mode == "plain" else {mode: certificates.valid}
    server = aiosmtpd_server(users={"ann": "pässword"} if login else None, **secure)
    options: dict[str, t.Any] = {"username": "ann", "password": "pässword"} if login else {}
    if mode != "plain":
        options |= {"security": mode, "tls_ca_file": certificates.ca_file}
    messages = [letter("b@example.com", text=".dot\n\nbye\n"), letter("c@example.com")]
    handler = smtp(server, **options)

    reports = handler.send(messages)

    assert all(report.ok for report in reports)
    contents = [bytes(job.content) for message in messages if (job := handler.prepare(message).job)]
    assert server.messages == [
        ("a@example.com", ["b@example.com"], contents[0]),
        ("a@example.com", ["c@example.com"], contents[1]),
    ]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"username": "ann", "password": "wrong"}, "535 5.7.8"),
        ({}, "530 5.7.0 Authentication required. Probably set MAIL_USERNAME"),
    ],
)
def test_aiosmtpd_login(
    aiosmtpd_server: Callable[..., AiosmtpdServer], options: dict[str, t.Any], text: str
) -> None:
    """F-18, F-29: a wrong login, and none."""
    server = aiosmtpd_server(users={"ann": "secret"})

    (report,) = smtp(server, **options).send([letter()])

    assert states(report) == [DEFERRED]
    assert isinstance(report.error, LoginError)
    assert text in str(report.error)
    assert server.messages == []


def test_aiosmtpd_size(aiosmtpd_server: Callable[..., AiosmtpdServer]) -> None:
    """F-90: a message larger than the server's limit is refused."""
    server = aiosmtpd_server(size=1000)

    (report,) = smtp(server).send([letter(text="x\n" * 1000)])

    assert isinstance(report.error, RefusedError)


def test_threads(aiosmtpd_server: Callable[..., AiosmtpdServer], no_leaks: None) -> None:
    """F-94: one handler in eight threads: each message once."""
    server = aiosmtpd_server()
    handler = smtp(server)
    subjects = [[f"{thread} {count}" for count in range(5)] for thread in range(8)]

    def send(wanted: list[str]) -> None:
        reports = handler.send([letter(subject=subject) for subject in wanted])
        assert all(report.ok for report in reports)

    threads = [threading.Thread(target=send, args=(wanted,)) for wanted in subjects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = [
        content.partition(b"Subject: ")[2].split(b"\r\n")[0] for *_, content in server.messages
    ]
    assert sorted(found) == sorted(subject.encode() for wanted in subjects for subject in wanted)


# Postfix


def handler(postfix: Postfix, port: str, certificates: Certificates) -> SMTPEmailHandler:
    """A handler for one of Postfix's ports."""
    security = {"starttls": "starttls", "submission": "starttls", "submissions": "tls"}.get(port)
    options: dict[str, t.Any] = {"security": security or "none", "timeout": 60}
    options["connect_timeout"] = 60
    if security:
        options["tls_ca_file"] = certificates.ca_file
    if port.startswith("submission"):
        options |= {"username": postfix.user, "password": postfix.password}
    return SMTPEmailHandler(host=postfix.host, port=postfix.ports[port], **options)


@pytest.mark.services
@pytest.mark.parametrize("port", ["plain", "starttls", "submission", "submissions"])
def test_postfix(postfix: Postfix, certificates: Certificates, port: str) -> None:
    """C-1, C-9, C-90, C-96: plain, STARTTLS, login, TLS: what is read back is what was sent, octet
    for octet; Postfix refuses bare line feeds."""
    message = Message(
        subject="Grüße",
        text=".\n..\nKäse\n.\n",
        html="<p>Käse</p>",
        from_addr="Ann <ann@example.com>",
        to=["b@example.com"],
        bcc=["secret@example.com"],
        attachments=[Attachment(bytes(range(256)) * 100, filename="all.bin")],
    )
    sending = handler(postfix, port, certificates)

    (report,) = sending.send([message])

    assert report.ok
    job = sending.prepare(message).job
    copies = postfix.wait_for(report.message_id, copies=2)
    assert job is not None
    assert [copy.content for copy in copies] == [bytes(job.content)] * 2
    assert [copy.recipient for copy in copies] == ["b@example.com", "secret@example.com"]
    assert {copy.sender for copy in copies} == {"ann@example.com"}
    assert b"secret" not in copies[0].content


@pytest.mark.services
def test_postfix_wrong_password(postfix: Postfix, certificates: Certificates) -> None:
    """F-18: the login is refused, and no message was accepted."""
    sending = SMTPEmailHandler(
        host=postfix.host,
        port=postfix.ports["submission"],
        security="starttls",
        tls_ca_file=certificates.ca_file,
        username=postfix.user,
        password="wrong",
    )

    (report,) = sending.send([letter()])

    assert isinstance(report.error, LoginError)
    assert not report.error.temporary
    assert "535 5.7.8" in str(report.error)


@pytest.mark.services
def test_postfix_wants_tls(postfix: Postfix) -> None:
    """F-29: MAIL without TLS, if it is required, ends in an error that says what to set."""
    sending = SMTPEmailHandler(host=postfix.host, port=postfix.ports["starttls"], security="none")

    (report,) = sending.send([letter()])

    assert isinstance(report.error, LoginError)
    assert "set MAIL_SECURITY = 'starttls'" in str(report.error)


@pytest.mark.services
def test_postfix_limits_recipients(postfix: Postfix, certificates: Certificates) -> None:
    """F-39: 120 recipients where 50 are allowed: the real 452, and all get it once."""
    to = [f"r{number:03}@example.com" for number in range(120)]

    (report,) = handler(postfix, "limited", certificates).send([letter(*to)])

    assert report.ok and report.accepted == to
    copies = postfix.wait_for(report.message_id, copies=120)
    assert [copy.recipient for copy in copies] == to


@pytest.mark.services
def test_postfix_refuses(postfix: Postfix, certificates: Certificates) -> None:
    """F-25, F-30, F-31: an unknown address, a greylisted one, and an unwanted sender; the other
    recipients get the message, and the next one is sent."""
    to = ["unknown@example.com", "b@example.com", "later@example.com"]
    unwanted = letter().replace(from_addr="refused@example.com")

    mixed, refused, last = handler(postfix, "plain", certificates).send(
        [letter(*to), unwanted, letter()]
    )

    assert states(mixed) == [REFUSED, ACCEPTED, DEFERRED]
    assert codes(mixed) == [550, 250, 450]
    assert mixed.outcomes[0].enhanced_code == "5.1.1"
    assert states(refused) == [REFUSED] and codes(refused) == [550]
    assert last.ok
    assert len(postfix.wait_for(mixed.message_id)) == 1
    assert len(postfix.wait_for(last.message_id)) == 1


@pytest.mark.services
def test_postfix_list(postfix: Postfix, certificates: Certificates) -> None:
    """200 messages in one list, over two connections: each arrives once."""
    messages = [letter(subject=f"list {number}") for number in range(200)]

    reports = handler(postfix, "plain", certificates).send(messages)

    assert all(report.ok for report in reports)
    sent = {report.message_id for report in reports}
    copies = postfix.wait_for(
        lambda copy: str(copy.message["Message-ID"]) in sent, copies=200, timeout=120
    )
    assert len(sent) == 200
    assert {str(copy.message["Message-ID"]) for copy in copies} == sent
    assert len(copies) == 200


@pytest.mark.services
def test_opensmtpd_limits_messages(opensmtpd: OpenSMTPD) -> None:
    """It takes 100 messages of a connection, and replies 452 4.5.3 to the next MAIL: the others
    follow over new connections."""
    sending = SMTPEmailHandler(
        host="127.0.0.1", port=opensmtpd.port, security="none", messages_per_connection=1000
    )

    reports = sending.send([letter("ann@example.com") for _ in range(250)])

    assert all(report.ok for report in reports)


@pytest.mark.services
def test_opensmtpd_limits_recipients(opensmtpd: OpenSMTPD) -> None:
    """It takes 1,000 recipients of a message, and replies 451 4.5.3 to the next RCPT: the others
    follow in a second transaction."""
    to = [f"r{number:04}@example.com" for number in range(1100)]
    sending = SMTPEmailHandler(
        host="127.0.0.1", port=opensmtpd.port, security="none", recipients_per_message=2000
    )

    (report,) = sending.send([letter(*to)])

    assert report.ok and report.accepted == to
