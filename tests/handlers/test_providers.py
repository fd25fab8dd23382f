"""The providers: what they are given, what their answers mean, and what they cannot express."""

from __future__ import annotations

import errno
import gzip
import ssl
import typing as t
from email.message import EmailMessage

import pytest
from flask import Flask

from flask_mailhandler import About
from flask_mailhandler import Attachment
from flask_mailhandler import ConfigurationError
from flask_mailhandler import ConnectError
from flask_mailhandler import DeferredError
from flask_mailhandler import LoginError
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import Phase
from flask_mailhandler import RefusedError
from flask_mailhandler import State
from flask_mailhandler import UnknownOutcomeError
from flask_mailhandler.handlers.providers.verdict import seconds_of
from providing import Case
from providing import handler_of
from providing import judged
from providing import refuses
from providing import rich
from providing import send
from providing import SILENT
from sending import letter
from sending import letters
from servers.http_server import json_page
from servers.http_server import page
from servers.providers import FAKES
from servers.providers.fake import DROPPED
from servers.providers.fake import FakeProvider
from servers.providers.fake import LOST
from servers.providers.fake import not_taken_and
from servers.providers.fake import taken_and
from servers.providers.postmark import FakePostmark
from servers.providers.resend import error as resend_error
from servers.providers.resend import FakeResend
from servers.providers.ses import aws_error
from servers.providers.ses import FakeSES

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.certificates import Certificates
    from servers.http_server import HTTPRequest
    from servers.providers.fake import Manner

ACCEPTED, DEFERRED, REFUSED, UNKNOWN = State


@pytest.fixture(params=FAKES)
def fake(request: pytest.FixtureRequest) -> Iterator[FakeProvider]:
    """Each provider's fake, to which no wrong request may be sent."""
    with FAKES[request.param]() as started:
        yield started
    assert started.faults == []


# What is sent


def test_what_resend_gets() -> None:
    """Resend gets a message as fields, with names that are quoted where they must be."""
    with FakeResend() as fake:
        (report,) = send(fake, rich())

    (mail,) = fake.taken
    fields = dict(mail.fields)
    assert fields.pop("attachments") == [
        {"filename": "logo.png", "content": "cG5n", "content_type": "image/png",
         "content_id": "logo@shop"},
        {"filename": "ä.csv", "content": "w6QsYgo=",
         "content_type": "text/csv; charset=utf-8"},
        {"filename": "attachment.gif", "content": "eA==", "content_type": "image/gif"},
    ]  # fmt: skip
    assert fields == {
        "from": '"Shop, Inc." <shop@example.com>',
        "to": ['"Ann \\"A\\" Lee" <ann@example.com>', "bob@example.com"],
        "cc": ["carl@example.com"],
        "bcc": ["dora@example.com"],
        "reply_to": ["help@example.com", "Ä Ö <sales@example.com>"],
        "subject": "Grüße, \N{SNOWMAN}",
        "text": "Hello\n.dot",
        "html": '<p>Hello <img src="cid:logo@shop" alt=""></p>',
        "headers": {"X-Order": "17", "X-Name": "Grüße"},
    }
    assert [outcome.provider_id for outcome in report.outcomes] == ["resend-1"] * 4
    assert report.ok


def test_what_postmark_gets() -> None:
    """Postmark gets a message as fields, and is asked to keep its Message-ID."""
    with FakePostmark() as fake:
        (report,) = send(fake, rich(), message_stream="broadcast")

    (mail,) = fake.taken
    fields = dict(mail.fields)
    assert [one["Name"] for one in fields["Attachments"]] == [
        "logo.png",
        "ä.csv",
        "attachment.gif",
    ]
    assert fields.pop("Attachments")[0]["ContentID"] == "cid:logo@shop"
    assert fields == {
        "From": '"Shop, Inc." <shop@example.com>',
        "To": '"Ann \\"A\\" Lee" <ann@example.com>, bob@example.com',
        "Cc": "carl@example.com",
        "Bcc": "dora@example.com",
        "ReplyTo": "help@example.com, Ä Ö <sales@example.com>",
        "Subject": "Grüße, \N{SNOWMAN}",
        "TextBody": "Hello\n.dot",
        "HtmlBody": '<p>Hello <img src="cid:logo@shop" alt=""></p>',
        "Headers": [
            {"Name": "Message-ID", "Value": report.message_id},
            {"Name": "X-PM-KeepID", "Value": "true"},
            {"Name": "X-Order", "Value": "17"},
            {"Name": "X-Name", "Value": "Grüße"},
        ],
        "MessageStream": "broadcast",
    }
    assert {outcome.provider_id for outcome in report.outcomes} == {"postmark-1"}


def test_what_ses_gets() -> None:
    """SES gets the octets that SMTP would get, and the envelope next to them."""
    message = rich().replace(envelope_sender="bounces@example.com")
    with FakeSES() as fake:
        handler = handler_of(fake, configuration_set="events")
        job = handler.prepare(message).job
        (report,) = handler.send([message])
        handler.close()

    (mail,) = fake.taken
    assert job is not None
    assert mail.fields["octets"] == bytes(job.content)
    assert mail.recipients == (*message.to, *message.cc, *message.bcc)
    assert mail.fields["FeedbackForwardingEmailAddress"] == "bounces@example.com"
    assert mail.fields["ConfigurationSetName"] == "events"
    assert b"dora@" not in mail.fields["octets"]
    assert {outcome.provider_id for outcome in report.outcomes} == {"ses-1"}


@pytest.mark.parametrize("redirect", [None, "dev@example.com"])
def test_a_message_of_the_standard_library(fake: FakeProvider, redirect: str | None) -> None:
    """A message of the standard library gets the same fields by an API as by SMTP: those of the
    app's options too."""
    message = EmailMessage()
    message["Subject"] = "Grüße"
    message["To"], message["Bcc"] = "ann@example.com", "dora@example.com"
    message.set_content("Grüße\n")
    handler = handler_of(fake, default_from=("Shop", "shop@example.com"), redirect_to=redirect)
    (report,) = handler.send([message])
    handler.close()

    assert report.ok
    (mail,) = fake.taken
    assert mail.subject == "Grüße"
    assert mail.recipients == ((redirect,) if redirect else ("ann@example.com", "dora@example.com"))
    assert "shop@example.com" in repr(mail.fields)
    assert ("X-Original-To" in repr(mail.fields)) is bool(redirect)


@pytest.mark.parametrize(
    ("sender", "bounces"),
    [
        (None, None),
        ("App-Bounces@example.com", None),
        ("bounces@example.com", "bounces@example.com"),
        ("app-bounces@example.co", "app-bounces@example.co"),
    ],
)
@pytest.mark.parametrize("name", ["", "bounces@example.com"])
def test_where_ses_sends_bounces(sender: str | None, bounces: str | None, name: str) -> None:
    """SES sends bounces to the envelope sender, and needs not be told that it is the From."""
    message = letter().replace(from_addr=(name, "app-bounces@example.com"), envelope_sender=sender)
    with FakeSES() as fake:
        send(fake, message)

    assert fake.taken[0].fields.get("FeedbackForwardingEmailAddress") == bounces


def test_ses_in_batches() -> None:
    """SES takes 50 recipients in a request, so more go in several, with the same octets."""
    with FakeSES() as fake:
        (report,) = send(fake, letter(*(f"r{number}@example.com" for number in range(120))))

    assert report.ok
    assert [len(mail.recipients) for mail in fake.taken] == [50, 50, 20]
    assert len({mail.fields["octets"] for mail in fake.taken}) == 1


def test_a_batch_that_is_not_accepted() -> None:
    """After a batch that was not accepted the next one is not tried, and each keeps its own
    outcome."""
    with FakeSES(taken_and(json_page(200, {"MessageId": "a"})), LOST) as fake:
        (report,) = send(fake, letter(*(f"r{number}@example.com" for number in range(120))))

    assert [len(report.accepted), len(report.unknown), len(report.deferred)] == [50, 50, 20]
    assert isinstance(report.error, UnknownOutcomeError)
    assert len(fake.requests) == 2


@pytest.mark.parametrize(
    ("only", "shown"),
    [
        (["ann@example.com", "dora@example.com"], (["ann@example.com"], [], ["dora@example.com"])),
        (["carl@example.com"], (["carl@example.com"], [], [])),
        (["dora@example.com"], (["dora@example.com"], [], [])),
        (["eve@example.com", "bob@example.com"], (["bob@example.com"], [], ["eve@example.com"])),
    ],
)
def test_some_recipients(only: list[str], shown: tuple[list[str], list[str], list[str]]) -> None:
    """With other recipients than those of the header, the fields name only who gets the message."""
    message = Message(
        subject="Hi",
        from_addr="shop@example.com",
        to=["ann@example.com", "bob@example.com"],
        cc="carl@example.com",
        bcc="dora@example.com",
    )
    with FakeResend() as fake:
        handler = handler_of(fake)
        handler.send([message], recipients=only)
        handler.close()

    fields = fake.taken[0].fields
    assert tuple(fields.get(name, []) for name in ("to", "cc", "bcc")) == shown


@pytest.mark.parametrize("kind", [FakePostmark, FakeResend])
@pytest.mark.parametrize("only", [None, ["dora@example.com", "eve@example.com"]])
def test_a_bcc_recipient_is_shown_to_no_other(
    kind: type[FakeProvider], only: list[str] | None
) -> None:
    """The API wants a To, so without one each recipient gets a request of its own."""
    hidden = ["dora@example.com", "eve@example.com", "fay@example.com"]
    to = "ann@example.com" if only else []
    message = Message(subject="Hi", text="Hi", from_addr="shop@example.com", to=to, bcc=hidden)
    with kind() as fake:
        handler = handler_of(fake)
        (report,) = handler.send([message], recipients=only)
        handler.close()

    assert report.ok
    assert [mail.recipients for mail in fake.taken] == [(one,) for one in only or hidden]
    if kind is FakeResend:
        assert len({request.headers["idempotency-key"] for request in fake.requests}) == len(
            fake.taken
        )


def test_over_tls(certificates: Certificates) -> None:
    """The server is verified, and one connection serves all messages."""
    with FakeResend(tls=certificates.valid) as fake:
        reports = send(fake, *letters(3), tls_ca_file=str(certificates.ca_file))
        (refused,) = send(fake)

    assert all(report.ok for report in reports)
    assert fake.opened == 2
    assert type(refused.error).__name__ == "TLSError"
    assert len(fake.taken) == 3


# What the answers mean


def error_page(status: int, text: str) -> bytes:
    """An error with a text in the form of each provider."""
    inner = {"code": "x", "message": text}
    return json_page(status, {"name": "x", "message": text, "Message": text, "error": inner})


ALL: list[Case] = [
    (not_taken_and(page(408)), DEFERRED, DeferredError, About.ACCOUNT),
    (not_taken_and(page(425)), DEFERRED, DeferredError, About.ACCOUNT),
    (not_taken_and(page(429)), DEFERRED, DeferredError, About.ACCOUNT),
    (not_taken_and(page(429, b"", "Retry-After: 7")), DEFERRED, DeferredError, About.ACCOUNT),
    (not_taken_and(page(503, b"", "Retry-After: 7")), DEFERRED, DeferredError, About.ACCOUNT),
    (
        not_taken_and(error_page(503, "x")),
        DEFERRED,
        DeferredError,
        About.ACCOUNT,
    ),
    (not_taken_and(page(401)), DEFERRED, LoginError, About.ACCOUNT),
    (not_taken_and(page(403)), DEFERRED, LoginError, About.ACCOUNT),
    (not_taken_and(page(400)), REFUSED, RefusedError, About.CONTENT),
    (not_taken_and(page(402)), DEFERRED, DeferredError, About.ACCOUNT),
    (not_taken_and(page(404)), REFUSED, RefusedError, About.ACCOUNT),
    (not_taken_and(page(405)), REFUSED, RefusedError, About.ACCOUNT),
    (not_taken_and(page(413)), REFUSED, RefusedError, About.CONTENT),
    (
        not_taken_and(page(302, b"", "Location: https://example.com/")),
        REFUSED,
        RefusedError,
        About.ACCOUNT,
    ),
]


@pytest.mark.parametrize("case", ALL)
def test_answers(fake: FakeProvider, case: Case) -> None:
    """What a response means by its status, for every provider."""
    judged(fake, case)


@pytest.mark.parametrize("kind", [FakePostmark, FakeResend, FakeSES])
def test_an_answer_that_a_proxy_has_compressed(kind: type[FakeProvider]) -> None:
    """A whole answer is understood in gzip too, although a provider is not asked for it."""

    def manner(fake: FakeProvider, request: HTTPRequest) -> bytes:
        _, _, body = fake.take(request).partition(b"\r\n\r\n")
        return page(200, gzip.compress(body), "Content-Encoding: gzip")

    with kind(manner) as fake:
        (report,) = send(fake)

    assert report.ok
    assert report.outcomes[0].provider_id


@pytest.mark.parametrize("case", SILENT)
@pytest.mark.parametrize("kind", [FakePostmark, FakeSES])
def test_unknown(kind: type[FakeProvider], case: Case) -> None:
    """Without a key, a message that may have been taken is unknown, and is not repeated."""
    with kind() as fake:
        judged(fake, case)

    assert len(fake.requests) == 1


@pytest.mark.parametrize("case", SILENT)
def test_resend_recognizes_a_repeat(case: Case) -> None:
    """With a key, a message that may have been taken is safe to repeat until the time that is said,
    and is taken once."""
    manner, *_ = case
    with FakeResend(manner, manner) as fake:
        handler = handler_of(fake)
        message = letter()
        (report,) = handler.send([message])
        assert report.deferred or manner is LOST
        (again,) = handler.send([message])
        (last,) = handler.send([message])
        handler.close()

    if manner is not LOST:
        assert report.safe_until is not None
        assert again.deferred
    assert last.ok
    assert len(fake.taken) == 1
    assert len({request.headers["idempotency-key"] for request in fake.requests}) == 1


@pytest.mark.parametrize("manner", [LOST, DROPPED])
def test_resend_is_asked_once_more(manner: Manner) -> None:
    """A lost response is asked for once more, with the same key, within the same call."""
    with FakeResend(manner) as fake:
        (report,) = send(fake)

    assert report.ok
    assert len(fake.taken) == 1
    first, second = fake.requests
    assert (first.headers["idempotency-key"], first.body) == (
        second.headers["idempotency-key"],
        second.body,
    )


@pytest.mark.parametrize(
    "second",
    [LOST, not_taken_and(page(429)), not_taken_and(page(401)), not_taken_and(page(503))],
)
def test_resend_asked_in_vain(second: Manner) -> None:
    """If the second response says nothing of the first request, that may have been taken."""
    with FakeResend(LOST, second) as fake:
        (report,) = send(fake)

    assert report.deferred
    assert report.safe_until is not None
    assert len(fake.requests) == 2


@pytest.mark.parametrize(
    "response",
    [
        page(302, b"", "Location: https://example.com/"),
        page(404),
        page(413),
        resend_error(422, "validation_error", "x"),
        resend_error(403, "validation_error", "The domain is not verified"),
    ],
)
def test_resend_refuses_the_repeat(response: bytes) -> None:
    """A refusal of the repeat does not say that the first request was not taken."""
    with FakeResend(LOST, not_taken_and(response)) as fake:
        (report,) = send(fake)

    assert isinstance(report.error, UnknownOutcomeError)
    assert [outcome.state for outcome in report.outcomes] == [UNKNOWN]
    assert len(fake.taken) == 1


OTHER_BODY = resend_error(409, "invalid_idempotent_request", "Another payload")
OF_RESEND: list[Case] = [
    (not_taken_and(resend_error(422, "missing_required_field", "x")), REFUSED, RefusedError,
     About.CONTENT),
    (not_taken_and(resend_error(400, "validation_error", "API key is invalid")), DEFERRED,
     LoginError, About.ACCOUNT),
    (not_taken_and(resend_error(403, "validation_error", "The domain is not verified")), REFUSED,
     RefusedError, About.SENDER),
    (not_taken_and(resend_error(422, "invalid_from_address", "x")), REFUSED, RefusedError,
     About.SENDER),
    (not_taken_and(resend_error(451, "security_error", "x")), REFUSED, RefusedError,
     About.CONTENT),
    (not_taken_and(resend_error(429, "daily_quota_exceeded", "x")), DEFERRED, DeferredError,
     About.ACCOUNT),
    (taken_and(resend_error(500, "application_error", "No API key service")), DEFERRED,
     DeferredError, About.ACCOUNT),
    (taken_and(page(409, b"conflict")), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (taken_and(OTHER_BODY), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (taken_and(resend_error(409, "concurrent_idempotent_requests", "x")), DEFERRED, DeferredError,
     About.ACCOUNT),
]  # fmt: skip


@pytest.mark.parametrize("case", OF_RESEND)
def test_errors_of_resend(case: Case) -> None:
    """An error of Resend is judged by its name."""
    with FakeResend() as fake:
        judged(fake, case)


def postmark_error(code: int, text: str = "x", status: int = 422) -> Manner:
    return not_taken_and(json_page(status, {"ErrorCode": code, "Message": text}))


OF_POSTMARK: list[Case] = [
    (postmark_error(10, status=401), DEFERRED, LoginError, About.ACCOUNT),
    (postmark_error(300), REFUSED, RefusedError, About.CONTENT),
    (postmark_error(300, status=200), REFUSED, RefusedError, About.CONTENT),
    (postmark_error(400), REFUSED, RefusedError, About.SENDER),
    (postmark_error(401), REFUSED, RefusedError, About.SENDER),
    (postmark_error(405), DEFERRED, DeferredError, About.ACCOUNT),
    (postmark_error(412), REFUSED, RefusedError, About.ACCOUNT),
    (postmark_error(411), REFUSED, RefusedError, About.CONTENT),
    (postmark_error(100, status=503), DEFERRED, DeferredError, About.ACCOUNT),
    (postmark_error(300, status=500), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (postmark_error(300, status=429), DEFERRED, DeferredError, About.ACCOUNT),
    (postmark_error(406, "x"), REFUSED, RefusedError, About.CONTENT),
    (postmark_error(406, "inactive addresses:" * 15_000), REFUSED, RefusedError, About.CONTENT),
    (taken_and(json_page(200, {"ErrorCode": True})), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
]


@pytest.mark.parametrize("case", OF_POSTMARK)
def test_errors_of_postmark(case: Case) -> None:
    """An error of Postmark is judged by its code, which is not a status."""
    with FakePostmark() as fake:
        judged(fake, case)


@pytest.mark.parametrize(
    ("to", "states"),
    [
        (["b@example.com", "inactive@example.com"], [ACCEPTED, REFUSED]),
        (["Inactive@example.com"], [REFUSED]),
        (["inactive@example.com", "Inactive@example.com"], [REFUSED, REFUSED]),
    ],
)
def test_inactive_recipients(to: list[str], states: list[State]) -> None:
    """Postmark names the recipients that it leaves out in a text."""
    with FakePostmark() as fake:
        (report,) = send(fake, letter(*to))

    assert [outcome.state for outcome in report.outcomes] == states
    assert report.outcomes[-1].about is About.RECIPIENT
    assert isinstance(report.error, RefusedError)


def test_others_than_inactive_recipients() -> None:
    """If Postmark refuses all for the sake of some, the others can be tried again."""
    text = "Found inactive addresses: inactive@example.com. They bounced."
    with FakePostmark(postmark_error(406, text)) as fake:
        (report,) = send(fake, letter("b@example.com", "inactive@example.com"))

    assert [outcome.state for outcome in report.outcomes] == [DEFERRED, REFUSED]
    assert type(report.error) is DeferredError


OF_SES: list[Case] = [
    (not_taken_and(aws_error(429, "TooManyRequestsException", "x")), DEFERRED, DeferredError,
     About.ACCOUNT),
    (not_taken_and(aws_error(400, "LimitExceededException", "x")), DEFERRED, DeferredError,
     About.ACCOUNT),
    (not_taken_and(aws_error(400, "SendingPausedException", "x")), DEFERRED, DeferredError,
     About.ACCOUNT),
    (not_taken_and(aws_error(400, "MessageRejected", "Email address is not verified.")), REFUSED,
     RefusedError, About.SENDER),
    (not_taken_and(aws_error(400, "MessageRejected", "Local part")), REFUSED, RefusedError,
     About.CONTENT),
    (not_taken_and(aws_error(404, "NotFoundException", "x")), REFUSED, RefusedError,
     About.ACCOUNT),
    (not_taken_and(json_page(403, {"__type": "com.amazon#ExpiredTokenException"})), DEFERRED,
     LoginError, About.ACCOUNT),
    (not_taken_and(aws_error(400, "RequestExpired", "x")), DEFERRED, LoginError, About.ACCOUNT),
    (not_taken_and(aws_error(400, "NotAuthorized", "x")), DEFERRED, LoginError, About.ACCOUNT),
    (not_taken_and(json_page(400, {"__type": "AccessDeniedException"})), DEFERRED, LoginError,
     About.ACCOUNT),
    (taken_and(aws_error(400, "RequestAbortedException", "x")), UNKNOWN, UnknownOutcomeError,
     About.ACCOUNT),
    (taken_and(aws_error(500, "InternalServerErrorException", "x")), UNKNOWN, UnknownOutcomeError,
     About.ACCOUNT),
]  # fmt: skip


@pytest.mark.parametrize("case", OF_SES)
def test_errors_of_ses(case: Case) -> None:
    """An error of SES is judged by its type, in a header field or in the body."""
    with FakeSES() as fake:
        judged(fake, case)


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (aws_error(400, "RequestExpired", "x"), "Check the clock"),
        (aws_error(403, "InvalidSignatureException", "Signature expired: 20"), "Check the clock"),
        (aws_error(403, "InvalidSignatureException", "does not match"), "Check the key"),
        (aws_error(403, "ExpiredTokenException", "token is expired"), "Check the key"),
    ],
)
def test_a_wrong_clock(response: bytes, text: str) -> None:
    """SES refuses a signature of another time, and the error says to check the clock."""
    with FakeSES(not_taken_and(response)) as fake:
        (report,) = send(fake)

    assert isinstance(report.error, LoginError)
    assert text in str(report.error)


def _raises() -> t.NoReturn:
    raise OSError("no metadata")


def _says_why() -> t.NoReturn:
    raise LoginError("the vault is sealed")


@pytest.mark.parametrize(
    ("credentials", "text"),
    [
        (_raises, "MAIL_API_CREDENTIALS returned no credentials (OSError)"),
        (_says_why, "the vault is sealed"),
        (lambda: None, "(TypeError)"),
        (lambda: ("key", "secret"), "(TypeError)"),
        (lambda: (None, None, None), "returned no credentials"),
        (lambda: ("", "secret", None), "returned no credentials"),
        (lambda: ("key\n", "secret", None), "(ValueError)"),
        (lambda: ("key", "secret", "to\r\nken"), "(ValueError)"),
    ],
)
def test_no_credentials(credentials: t.Any, text: str) -> None:
    """Without credentials there is no login, and the next messages are not tried."""
    with FakeSES() as fake:
        handler = handler_of(fake, api_key=None, api_secret=None, api_credentials=credentials)
        reports = handler.send(letters(2))
        handler.close()

    assert [type(report.error) for report in reports] == [LoginError] * 2
    assert text in str(reports[0].error)
    assert "secret" not in f"{reports[0].error!r} {reports!r}"
    assert fake.requests == []


def test_temporary_credentials() -> None:
    """The function is asked for each request, and its token is sent and signed."""
    given = iter([("k", "s", "token-1"), ("k", "s", "token-2"), ("k", "s", None), ("k", "s", "")])
    response = not_taken_and(json_page(200, {"MessageId": "x"}))
    with FakeSES(*[response] * 4) as fake:
        handler = handler_of(
            fake, api_key=None, api_secret=None, api_credentials=lambda: next(given)
        )
        reports = handler.send(letters(4))
        handler.close()

    assert all(report.ok for report in reports)
    tokens = [request.headers.get("x-amz-security-token") for request in fake.requests]
    assert tokens == ["token-1", "token-2", None, None]
    signed = [";x-amz-security-token," in one.headers["authorization"] for one in fake.requests]
    assert signed == [True, True, False, False]


def test_secrets_are_masked(fake: FakeProvider) -> None:
    """A provider that repeats the key has it masked, in the outcome and in the error."""
    text = f"The key {fake.key} is not known"
    fake.manners.append(not_taken_and(error_page(400, text)))
    (report,) = send(fake)

    assert fake.key not in f"{report.error!r} {report.outcomes!r}"
    assert "The key *** is not known" in str(report.error)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("\ud800", r"\ud800"),
        ("a\x00b\r\nc: d", r"a\x00b\r\nc: d"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}a", r"\u202ea"),
        ("x" * 9_000, "x" * 500),
    ],
)
def test_an_identifier_is_shown_safely(given: str, expected: str) -> None:
    """An identifier can be logged and stored, whatever the provider calls the message."""
    with FakeResend(taken_and(json_page(200, {"id": given}))) as fake:
        (report,) = send(fake)

    assert [outcome.provider_id for outcome in report.outcomes] == [expected]


@pytest.mark.parametrize(
    "manner",
    [
        not_taken_and(page(401)),
        not_taken_and(page(429)),
        not_taken_and(page(503, b"", "Retry-After: 7")),
    ],
)
def test_a_list_ends_early(fake: FakeProvider, manner: Manner) -> None:
    """If the account is at fault, the next messages of a list are not tried."""
    fake.manners.append(manner)
    reports = send(fake, *letters(3))

    assert [report.deferred != () for report in reports] == [True] * 3
    assert len({id(report.error) for report in reports}) == 3
    assert len(fake.requests) == 1


def test_a_list_goes_on(fake: FakeProvider) -> None:
    """A message that is refused or unknown says nothing of the next."""
    fake.manners += [not_taken_and(page(422)), not_taken_and(json_page(400, {}))]
    reports = send(fake, *letters(3))

    assert [report.ok for report in reports] == [False, False, True]


def test_no_server(fake: FakeProvider) -> None:
    """Without a connection, nothing was sent, and the error says that there was none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("socket.socket.connect_ex", lambda *_: errno.ECONNREFUSED)
        (report,) = send(fake)

    assert isinstance(report.error, ConnectError)
    assert report.error.phase is Phase.CONNECT
    assert "no connection to its API: Connection refused." in str(report.error)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("99999999", 3600),
        ("-3", 0),
        ("soon", 0),
        ("", 0),
        ("1e9", 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ("1000000000000", 3600),
        ("9" * 5000, 3600),
        ("Sun, 06 Nov 1994 08:49:37 +99999999999999999999", 0),
        ("Sun, 06 Nov 1994 99999999999999999999:49:37 GMT", 0),
    ],
)
def test_retry_after(said: str, seconds: float) -> None:
    """Retry-After is seconds or a date, and an hour at most."""
    assert seconds_of(said) == seconds


# What cannot be sent


def wrong(**fields: t.Any) -> Message:
    return letter().replace(**fields)


CALENDAR = [("BEGIN:VCALENDAR", "text/calendar; method=REQUEST")]
FIELDS = ["resend", "postmark"]
REFUSED_HERE: list[tuple[str, Message, str]] = [
    *[(name, wrong(alternatives=CALENDAR), "attachments=") for name in FIELDS],
    *[(name, wrong(envelope_sender="b@example.com"), "leave it out") for name in FIELDS],
    *[(name, wrong(to=[f"r{n}@example.com" for n in range(51)]), "at most 50") for name in FIELDS],
    *[(name, wrong(to="ä@example.com"), "SMTPUTF8") for name in FAKES],
    ("resend", wrong(subject=""), "without a subject: pass subject="),
    ("resend", wrong(headers=[("X-A", "1"), ("x-a", "2")]), "x-a only once"),
    ("postmark", wrong(attachments=[Attachment(b"x" * 8_000_000, filename="a.bin")]), "link to"),
]


@pytest.mark.parametrize(("name", "message", "text"), REFUSED_HERE)
@pytest.mark.parametrize("call", ["send", "send_later"])
def test_what_a_provider_cannot_express(
    name: str, message: Message, text: str, call: str, tmp_path: Path
) -> None:
    """A message that the provider cannot send as it is fails on the caller's line, and in
    send_later too."""
    refuses(FAKES[name], message, text, call, tmp_path)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("resend://default", "MAIL_API_KEY is not set"),
        ("resend://k%20y@default", "without spaces"),
        ("resend://k%C3%A9y@default", "without spaces"),
        ("resend://key", "must be like 'resend://KEY@default'"),
        ("resend://key@example.com", "must be like 'resend://KEY@default'"),
        ("resend://key:more@default", "must be like 'resend://KEY@default'"),
        ("postmark://key@default/path", "must be like 'postmark://KEY@default'"),
        ("postmark://key@default?api_url=http://example.com", "must be like 'https://api"),
        ("postmark://key@default?api_url=https://a:b@example.com", "without a login"),
        ("ses://key@eu-west-1", "Set both MAIL_API_KEY.*'ses://KEY:SECRET@eu-west-1'"),
        ("ses://:secret@eu-west-1", "must be like 'ses://KEY:SECRET@eu-west-1'"),
        ("ses://key:secret@default", "must be a region like 'eu-west-1'"),
        ("ses://s3cret", "must be a region like 'eu-west-1'"),
        ("ses://key:s3cret", "must be like 'smtps://"),
        ("ses://key:s3/cret@eu-west-1", "must be like 'smtps://"),
        ("ses://key:secret@eu-west-1:443", "must be like 'ses://KEY:SECRET@eu-west-1'"),
        ("ses:?region=eu-west-1", "must be like 'ses://KEY:SECRET@eu-west-1'"),
    ],
)
def test_wrong_urls(url: str, text: str) -> None:
    """A wrong URL is an error at start, which says what to write and does not show it."""
    app = Flask("shop")
    app.config["MAIL_URL"] = url
    with pytest.raises(ConfigurationError, match=text) as caught:
        Mail(app, cli=None)

    assert url not in str(caught.value)
    assert "cret" not in str(caught.value).replace("the secret", "")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"tls_context": ssl.create_default_context(), "tls_ca_file": "ca.pem"},
            "complete context",
        ),
        ({"tls_ca_file": "not-there.pem"}, "not-there.pem"),
    ],
)
def test_wrong_options_of_tls(fake: FakeProvider, options: dict[str, t.Any], text: str) -> None:
    """Options of TLS that cannot be used are an error at start, for every provider."""
    with pytest.raises(ConfigurationError, match=text):
        handler_of(fake, **options)


def test_keys_stay_with_their_account(tmp_path: Path) -> None:
    """An account with a connection of its own inherits no key of another provider."""
    app = Flask("shop")
    app.config["MAIL_URL"] = "resend://key@default"
    app.config["MAIL_ACCOUNTS"] = {"other": {"handler": "postmark"}}
    with pytest.raises(ConfigurationError, match="MAIL_API_KEY is not set"):
        Mail(app, cli=None)


def test_the_key_is_not_shown(fake: FakeProvider) -> None:
    """The repr of a handler shows no key."""
    assert fake.key not in repr(handler_of(fake))
    assert "=***" in repr(handler_of(fake))


def test_the_command_says_where_mail_goes(fake: FakeProvider) -> None:
    """``flask mail check`` names the API, shows no key, and asks nothing."""
    app = Flask("shop")
    app.config["MAIL_URL"] = fake.mail_url
    Mail(app)

    result = app.test_cli_runner().invoke(args=["mail", "check"])

    assert result.exit_code == 0
    assert f"Messages are sent by the API at 127.0.0.1:{fake.port}" in result.output
    assert fake.key not in result.output
    assert fake.opened == 0


def test_in_a_test(fake: FakeProvider) -> None:
    """With TESTING, mail is captured, whatever the provider."""
    app = Flask("shop")
    app.config.update(TESTING=True, MAIL_URL=fake.mail_url)
    mail = Mail(app, cli=None)
    with app.app_context(), mail.capture() as outbox:
        mail.send(letter())

    assert len(outbox) == 1
    assert fake.opened == 0
