"""Mailgun: what it is given, what its answers mean, and what it cannot express."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from flask import Flask

from flask_mailhandler import About
from flask_mailhandler import Attachment
from flask_mailhandler import ConfigurationError
from flask_mailhandler import Content
from flask_mailhandler import DeferredError
from flask_mailhandler import LoginError
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import RefusedError
from flask_mailhandler import UnknownOutcomeError
from providing import Case
from providing import DEFERRED
from providing import handler_of
from providing import judged
from providing import REFUSED
from providing import refuses
from providing import rich
from providing import send
from providing import SILENT
from sending import letter
from servers.http_server import json_page
from servers.http_server import page
from servers.providers.fake import not_taken_and
from servers.providers.mailgun import FakeMailgun
from servers.providers.mailgun import mailgun_error

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def mailgun() -> Iterator[FakeMailgun]:
    """The fake, to which no wrong request may be sent."""
    with FakeMailgun() as started:
        yield started
    assert started.faults == []


def test_what_mailgun_gets(mailgun: FakeMailgun) -> None:
    """Mailgun gets the octets that SMTP would get, and the envelope next to them."""
    message = rich()
    handler = handler_of(mailgun)
    job = handler.prepare(message).job
    (report,) = handler.send([message])
    handler.close()

    (mail,) = mailgun.taken
    assert job is not None
    assert mail.fields["octets"] == bytes(job.content)
    assert mail.recipients == (*message.to, *message.cc, *message.bcc)
    assert {outcome.provider_id for outcome in report.outcomes} == {report.message_id}


@pytest.mark.parametrize("only", [["dora@example.com"], ["bob@example.com", "eve@example.com"]])
def test_the_envelope_decides(mailgun: FakeMailgun, only: list[str]) -> None:
    """Only the recipients of the envelope get the message, whatever its header says."""
    handler = handler_of(mailgun)
    (report,) = handler.send([rich()], recipients=only)
    handler.close()

    assert report.accepted == only
    assert mailgun.taken[0].recipients == tuple(only)


@pytest.mark.parametrize("size", [0, 4, 70_000, 300_000])
def test_any_size(mailgun: FakeMailgun, size: int, tmp_path: Path) -> None:
    """A large message is read while it is sent, and again for the next batch."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"\r\n--" * (size // 4))
    to = [f"r{number}@example.com" for number in range(1001)]
    message = letter(*to).replace(attachments=[Attachment.from_path(path)])
    handler = handler_of(mailgun)
    job = handler.prepare(message).job
    (report,) = handler.send([message])
    handler.close()

    assert job is not None
    assert report.ok
    assert [len(mail.recipients) for mail in mailgun.taken] == [1000, 1]
    assert {mail.fields["octets"] for mail in mailgun.taken} == {bytes(job.content)}


def test_a_file_that_changes(mailgun: FakeMailgun, tmp_path: Path) -> None:
    """A file that has changed since it was attached refuses the message, and breaks its request
    off."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 3_000_000)
    message = letter().replace(attachments=[Attachment.from_path(path)])
    handler = handler_of(mailgun)
    job = handler.prepare(message).job
    path.write_bytes(b"y" * 2_000_000)
    assert job is not None
    (report,) = handler.deliver([job], lambda phase, job: None)
    (other,) = handler.send([letter()])
    handler.close()

    assert isinstance(report.error, RefusedError)
    assert "a.bin" in str(report.error)
    assert other.ok
    assert len(mailgun.requests) == 1


OF_MAILGUN: list[Case] = [
    (not_taken_and(page(401, b"Forbidden")), DEFERRED, LoginError, About.ACCOUNT),
    (not_taken_and(mailgun_error(403, "Domain is not allowed to send")), DEFERRED, LoginError,
     About.ACCOUNT),
    (not_taken_and(mailgun_error(404, "Domain not found: mg.example.com")), DEFERRED,
     DeferredError, About.ACCOUNT),
    (not_taken_and(mailgun_error(404, "Not found")), REFUSED, RefusedError, About.ACCOUNT),
    (not_taken_and(mailgun_error(400, "'to' parameter is not a valid address.")), REFUSED,
     RefusedError, About.CONTENT),
    (not_taken_and(mailgun_error(413, "too large")), REFUSED, RefusedError, About.CONTENT),
    (not_taken_and(mailgun_error(429, "request limit", "Retry-After: 9")), DEFERRED,
     DeferredError, About.ACCOUNT),
    (not_taken_and(page(200, b"Mailgun Magnificent API")), REFUSED, RefusedError, About.ACCOUNT),
    (not_taken_and(json_page(200, {"id": ""})), SILENT[0][1], UnknownOutcomeError, About.ACCOUNT),
    *SILENT,
]  # fmt: skip


@pytest.mark.parametrize("case", OF_MAILGUN)
def test_errors_of_mailgun(mailgun: FakeMailgun, case: Case) -> None:
    """An error of Mailgun is judged by its status, and a page that is not of its API by its text.
    Nothing that may have been taken is repeated."""
    judged(mailgun, case)

    assert len(mailgun.requests) == 1


@pytest.mark.parametrize(
    ("response", "text", "rests"),
    [
        (
            page(401, b"Forbidden"),
            "Check the key of the account, MAIL_DOMAIN, and the region",
            None,
        ),
        (mailgun_error(404, "Domain not found: x"), "Check MAIL_DOMAIN, and the region", 0.0),
        (mailgun_error(429, "limit", "Retry-After: 9"), "429 limit", 9.0),
        (page(200, b"Mailgun Magnificent API"), "Check MAIL_API_URL", None),
    ],
)
def test_what_to_check(
    mailgun: FakeMailgun, response: bytes, text: str, rests: float | None
) -> None:
    """An error about the account says what to check, and the account rests where it helps."""
    mailgun.manners.append(not_taken_and(response))
    (report,) = send(mailgun)

    assert text in str(report.error)
    assert getattr(report.error, "retry_after", None) == rests


def test_one_wrong_recipient(mailgun: FakeMailgun) -> None:
    """Mailgun refuses a request for the sake of one recipient, so the others get nothing either."""
    (report,) = send(mailgun, letter("ann@example.com", "wrong@example.com"))

    assert report.refused == ["ann@example.com", "wrong@example.com"]
    assert mailgun.taken == []


@pytest.mark.parametrize("line", ["--{0}", "--{0}--", "\r\n--{0}\r\n"])
def test_no_message_ends_its_part(mailgun: FakeMailgun, line: str) -> None:
    """The boundary of a form can be guessed from nothing that a sender of text knows."""
    message = letter()
    send(mailgun, message)
    boundary = mailgun.requests[0].headers["content-type"].partition("boundary=")[2]
    forged = message.replace(text=line.format(boundary))
    send(mailgun, forged)

    first, second = (request.headers["content-type"] for request in mailgun.requests)
    assert first != second
    assert boundary.encode() in mailgun.taken[1].fields["octets"]


REFUSED_HERE: list[tuple[Message, str]] = [
    (letter().replace(envelope_sender="b@example.com"), "leave it out"),
    (letter().replace(bcc="ä@example.com"), "SMTPUTF8"),
    (letter().replace(attachments=[Attachment(b"x" * 20_000_000, filename="a.bin")]), "link to"),
]


@pytest.mark.parametrize(("message", "text"), REFUSED_HERE)
def test_what_mailgun_cannot_express(message: Message, text: str, tmp_path: Path) -> None:
    """A message that Mailgun cannot send as it is fails on the caller's line."""
    refuses(FakeMailgun, message, text, "send_later", tmp_path)


def test_eight_bits(mailgun: FakeMailgun) -> None:
    """A form carries the octets of a message as they are, beyond ASCII too."""
    handler = handler_of(mailgun)
    job = handler.prepare(letter()).job
    assert job is not None
    content = Content(bytes(job.content) + "Grüße\n".encode(), eightbit=True)
    (report,) = handler.deliver(
        [dataclasses.replace(job, content=content)], lambda phase, job: None
    )
    handler.close()

    assert report.ok
    assert mailgun.taken[0].fields["octets"] == bytes(content)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("mailgun://key@eu", "MAIL_DOMAIN is not set.*'mailgun://KEY@eu"),
        ("mailgun://key@mg.example.com", "with the region 'us' or 'eu'"),
        ("mailgun://key@default?domain=mg.example.com", "with the region 'us' or 'eu'"),
        ("mailgun://key:more@eu?domain=mg.example.com", "must be like 'mailgun://KEY@eu"),
        ("mailgun://key@eu/mg.example.com", "must be like 'mailgun://KEY@eu"),
        ("mailgun://eu?domain=mg.example.com", "MAIL_API_KEY is not set.*'mailgun://KEY@eu"),
        ("mailgun://key@eu?domain=mg.example.com/../x", "'domain' in MAIL_URL must be the domain"),
        ("mailgun://key@eu?domain=example", "must be the domain that sends"),
        ("mailgun://key@eu?domain=mg.example.com&region=eu-west-1", "must be 'us' or 'eu'"),
        ("mailgun://key@eu?domain=mg.example.com&region=e", "must be a region like"),
    ],
)
def test_wrong_urls(url: str, text: str) -> None:
    """A wrong URL is an error at start, which says what to write."""
    app = Flask("shop")
    app.config["MAIL_URL"] = url
    with pytest.raises(ConfigurationError, match=text):
        Mail(app, cli=None)


@pytest.mark.parametrize(
    ("options", "home"),
    [
        ({}, "https://api.mailgun.net"),
        ({"MAIL_REGION": "us"}, "https://api.mailgun.net"),
        ({"MAIL_REGION": "EU"}, "https://api.eu.mailgun.net"),
    ],
)
def test_the_region(options: dict[str, str], home: str) -> None:
    """The region decides the URL of the API."""
    app = Flask("shop")
    app.config.update(MAIL_HANDLER="mailgun", MAIL_API_KEY="key", MAIL_DOMAIN="MG.example.com")
    app.config.update(options)
    mail = Mail(app, cli=None)
    with app.app_context():
        url = t.cast("t.Any", mail.handler).url("/v3")

    assert url.geturl() == f"{home}/v3"


def test_the_domain_stays_with_its_account() -> None:
    """An account with a key of its own inherits no domain of another one."""
    app = Flask("shop")
    app.config["MAIL_URL"] = "mailgun://key@eu?domain=mg.example.com"
    app.config["MAIL_ACCOUNTS"] = {"other": {"handler": "mailgun", "api_key": "another"}}
    with pytest.raises(ConfigurationError, match="MAIL_DOMAIN is not set"):
        Mail(app, cli=None)
