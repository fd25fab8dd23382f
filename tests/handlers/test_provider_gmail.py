"""The API of Gmail: what it is given, and what its answers mean."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask

from flask_mailhandler import About
from flask_mailhandler import Attachment
from flask_mailhandler import ConfigurationError
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
from providing import UNKNOWN
from sending import letter
from sending import letters
from servers.http_server import json_page
from servers.http_server import page
from servers.providers.fake import not_taken_and
from servers.providers.fake import taken_and
from servers.providers.gmail import FakeGmail
from servers.providers.gmail import gmail_error

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def gmail() -> Iterator[FakeGmail]:
    """The fake, to which no wrong request may be sent."""
    with FakeGmail() as started:
        yield started
    assert started.faults == []


def test_what_gmail_gets(gmail: FakeGmail) -> None:
    """Gmail gets the octets that SMTP would get, with To, Cc and Bcc first."""
    message = rich()
    handler = handler_of(gmail)
    job = handler.prepare(message).job
    (report,) = handler.send([message])
    handler.close()

    (mail,) = gmail.taken
    assert job is not None
    lines = mail.fields["octets"].split(b"\r\n")
    assert lines[2] == b"Bcc: dora@example.com"
    assert sorted(lines[:2] + lines[3:]) == sorted(bytes(job.content).split(b"\r\n"))
    assert [outcome.provider_id for outcome in report.outcomes] == ["gmail-1"] * 4


@pytest.mark.parametrize(
    ("only", "recipients"),
    [
        (["bob@example.com", "dora@example.com"], ("bob@example.com", "dora@example.com")),
        (["eve@example.com"], ("eve@example.com",)),
    ],
)
def test_the_header_is_the_envelope(
    gmail: FakeGmail, only: list[str], recipients: tuple[str, ...]
) -> None:
    """Gmail sends to those in the header, so only the recipients of the envelope are there."""
    handler = handler_of(gmail)
    (report,) = handler.send([rich()], recipients=only)
    handler.close()

    assert report.ok
    assert gmail.taken[0].recipients == recipients
    assert b"ann@" not in gmail.taken[0].fields["octets"]


@pytest.mark.parametrize("size", [0, 70_000, 1_000_000])
def test_any_size(gmail: FakeGmail, size: int, tmp_path: Path) -> None:
    """A file is read while it is sent."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * size)
    (report,) = send(gmail, letter().replace(attachments=[Attachment.from_path(path)]))

    assert report.ok
    assert gmail.taken[0].fields["octets"].count(b"eHh4") >= size // 3 - 1


def test_a_refused_token_is_asked_for_again(gmail: FakeGmail) -> None:
    """A token that is refused is replaced by what the callable returns next."""
    tokens = ["expired", gmail.key, gmail.key]
    handler = handler_of(gmail, oauth_token=lambda: tokens.pop(0))
    reports = handler.send(letters(2))
    handler.close()

    assert [report.ok for report in reports] == [True, True]
    assert len(gmail.requests) == 3


OF_GMAIL: list[Case] = [
    (not_taken_and(gmail_error(401, "authError", "x")), DEFERRED, LoginError, About.ACCOUNT),
    (not_taken_and(gmail_error(403, "insufficientPermissions", "x")), DEFERRED, LoginError,
     About.ACCOUNT),
    (not_taken_and(gmail_error(403, "accessNotConfigured", "x")), DEFERRED, LoginError,
     About.ACCOUNT),
    (not_taken_and(gmail_error(403, "rateLimitExceeded", "x")), DEFERRED, DeferredError,
     About.ACCOUNT),
    (not_taken_and(gmail_error(403, "userRateLimitExceeded", "x")), DEFERRED, DeferredError,
     About.ACCOUNT),
    (not_taken_and(gmail_error(403, "dailyLimitExceeded", "x")), DEFERRED, DeferredError,
     About.ACCOUNT),
    (not_taken_and(gmail_error(429, "rateLimitExceeded", "x")), DEFERRED, DeferredError,
     About.ACCOUNT),
    (not_taken_and(gmail_error(400, "invalidArgument", "x")), REFUSED, RefusedError,
     About.CONTENT),
    (not_taken_and(gmail_error(400, "failedPrecondition", "x")), DEFERRED, LoginError,
     About.ACCOUNT),
    (not_taken_and(gmail_error(413, "uploadTooLarge", "x")), REFUSED, RefusedError,
     About.CONTENT),
    (taken_and(gmail_error(500, "rateLimitExceeded", "x")), UNKNOWN, UnknownOutcomeError,
     About.ACCOUNT),
    (taken_and(gmail_error(500, "backendError", "x")), UNKNOWN, UnknownOutcomeError,
     About.ACCOUNT),
    (not_taken_and(json_page(400, {"error": "x"})), REFUSED, RefusedError, About.CONTENT),
    (not_taken_and(json_page(400, {"error": {"errors": []}})), REFUSED, RefusedError,
     About.CONTENT),
    (not_taken_and(json_page(403, {"error": {"errors": ["x"]}})), DEFERRED, LoginError,
     About.ACCOUNT),
    (taken_and(json_page(200, {"id": 1})), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    *SILENT,
]  # fmt: skip


@pytest.mark.parametrize("case", OF_GMAIL)
def test_errors_of_gmail(gmail: FakeGmail, case: Case) -> None:
    """An error of Gmail is judged by its reason, and only without one by its status."""
    judged(gmail, case)

    assert len(gmail.requests) == 1


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (gmail_error(401, "authError", "x"), "Check MAIL_OAUTH_TOKEN"),
        (gmail_error(403, "accessNotConfigured", "x"), "whether the token's scope allows"),
        (gmail_error(400, "failedPrecondition", "x"), "of a user who has Gmail"),
        (page(401), "the key was refused. Check MAIL_OAUTH_TOKEN"),
    ],
)
def test_what_to_check(gmail: FakeGmail, response: bytes, text: str) -> None:
    """An error about the account says what to check."""
    gmail.manners.append(not_taken_and(response))
    (report,) = send(gmail)

    assert text in str(report.error)


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("text", "headers", "rests"),
    [
        ("User-rate limit exceeded.  Retry after 2099-03-07T18:03:15.961Z", [], 3600.0),
        ("User-rate limit exceeded.  Retry after 2023-03-07T18:03:15.961Z", [], 0.0),
        ("User-rate limit exceeded. Retry after 2099-03-07T18:03:15.961Z", ["Retry-After: 9"], 9.0),
        ("Retry after 2099-03-07T18:03:15", [], 0.0),
        ("Retry after 9999-99-99", [], 0.0),
        ("Retry after a while", [], 0.0),
        ("x", ["Retry-After: 9"], 9.0),
        ("", [], 0.0),
    ],
)
def test_how_long_the_account_rests(
    gmail: FakeGmail, status: int, text: str, headers: list[str], rests: float
) -> None:
    """Gmail says in a text until when it wants no message, and the account rests an hour at
    most."""
    gmail.manners.append(not_taken_and(gmail_error(status, "rateLimitExceeded", text, *headers)))
    (report,) = send(gmail)

    assert isinstance(report.error, DeferredError)
    assert report.error.retry_after == rests


REFUSED_HERE: list[tuple[Message, str]] = [
    (letter().replace(envelope_sender="b@example.com"), "leave it out"),
    (letter(*(f"r{n}@example.com" for n in range(501))), "at most 500"),
]


@pytest.mark.parametrize(("message", "text"), REFUSED_HERE)
def test_what_gmail_cannot_express(message: Message, text: str, tmp_path: Path) -> None:
    """A message that Gmail cannot send as it is fails on the caller's line."""
    refuses(FakeGmail, message, text, "send_later", tmp_path)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("gmail://default", "MAIL_OAUTH_TOKEN is not set.*OAuthToken.gmail"),
        ("gmail:", "MAIL_OAUTH_TOKEN is not set"),
        ("gmail://you%40gmail.com@default?oauth_token=x", "must be 'gmail://default'"),
        ("gmail://smtp.gmail.com?oauth_token=x", "must be 'gmail://default'"),
        ("gmail://default?oauth_token=x&api_key=y", "takes no key"),
    ],
)
def test_wrong_urls(url: str, text: str) -> None:
    """A wrong URL is an error at start, which says what to write."""
    app = Flask("shop")
    app.config["MAIL_URL"] = url
    with pytest.raises(ConfigurationError, match=text):
        Mail(app, cli=None)
