"""SendGrid: what it is given, what its answers mean, and what it cannot express."""

from __future__ import annotations

import time
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
from flask_mailhandler import SendGridEmailHandler
from flask_mailhandler import State
from flask_mailhandler import UnknownOutcomeError
from flask_mailhandler.handlers import parse_url
from providing import Case
from providing import handler_of
from providing import judged
from providing import refuses
from providing import rich
from providing import send
from providing import SILENT
from sending import letter
from servers.http_server import json_page
from servers.http_server import page
from servers.providers.fake import not_taken_and
from servers.providers.fake import taken_and
from servers.providers.sendgrid import error
from servers.providers.sendgrid import FakeSendGrid

if t.TYPE_CHECKING:
    from pathlib import Path

ACCEPTED, DEFERRED, REFUSED, UNKNOWN = State
INVITATION = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"


def test_what_sendgrid_gets() -> None:
    """SendGrid gets a message as fields, and our Message-ID in its header."""
    with FakeSendGrid() as fake:
        (report,) = send(fake, rich())

    assert fake.faults == []
    (mail,) = fake.taken
    assert mail.fields == {
        "personalizations": [
            {
                "to": [
                    {"email": "ann@example.com", "name": 'Ann "A" Lee'},
                    {"email": "bob@example.com"},
                ],
                "cc": [{"email": "carl@example.com"}],
                "bcc": [{"email": "dora@example.com"}],
            }
        ],
        "from": {"email": "shop@example.com", "name": "Shop, Inc."},
        "reply_to_list": [
            {"email": "help@example.com"},
            {"email": "sales@example.com", "name": "Ä Ö"},
        ],
        "subject": "Grüße, \N{SNOWMAN}",
        "content": [
            {"type": "text/plain", "value": "Hello\n.dot"},
            {"type": "text/html", "value": '<p>Hello <img src="cid:logo@shop" alt=""></p>'},
        ],
        "headers": {"Message-ID": report.message_id, "X-Order": "17", "X-Name": "Grüße"},
        "attachments": [
            {"filename": "logo.png", "content": "cG5n", "type": "image/png",
             "disposition": "inline", "content_id": "logo@shop"},
            {"filename": "ä.csv", "content": "w6QsYgo=", "type": "text/csv",
             "disposition": "attachment"},
            {"filename": "attachment.gif", "content": "eA==", "type": "image/gif",
             "disposition": "attachment"},
        ],
    }  # fmt: skip
    assert [outcome.provider_id for outcome in report.outcomes] == ["sendgrid-1"] * 4
    assert [outcome.code for outcome in report.outcomes] == [202] * 4


def test_tags_metadata_tracking_and_options() -> None:
    """Metadata is next to our Message-ID, and options are merged into the fields."""
    message = letter().replace(
        tags=["news", "2026"],
        metadata={"order": "17", "name": "Grüße"},
        track_opens=False,
        provider_options={
            "sendgrid": {
                "ip_pool_name": "pool",
                "tracking_settings": {"subscription_tracking": {"enable": True}},
            }
        },
    )
    with FakeSendGrid() as fake:
        (report,) = send(fake, message, webhook_secret="s" * 32)

    assert report.ok
    assert fake.faults == []
    fields = fake.taken[0].fields
    assert fields["categories"] == ["news", "2026"]
    assert fields["tracking_settings"] == {
        "open_tracking": {"enable": False},
        "subscription_tracking": {"enable": True},
    }
    assert fields["ip_pool_name"] == "pool"
    assert fields["personalizations"][0]["custom_args"] == {
        "order": "17",
        "name": "Grüße",
        "mh-id": report.message_id.strip("<>"),
    }


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        ({"sandbox_mode": {"enable": True}}, ACCEPTED),
        ({"sandbox_mode": {"enable": False}}, UNKNOWN),
        ({}, UNKNOWN),
        ("x", UNKNOWN),
    ],
)
def test_the_sandbox(settings: object, state: State) -> None:
    """In the sandbox, SendGrid checks a message and answers 200 without an identifier."""
    options = {"sendgrid": {"mail_settings": settings}}
    with FakeSendGrid(not_taken_and(page(200))) as fake:
        (report,) = send(fake, letter().replace(provider_options=options))

    assert [outcome.state for outcome in report.outcomes] == [state]


@pytest.mark.parametrize(
    ("mimetype", "written"),
    [
        ("text/calendar", "text/calendar; method=REQUEST"),
        ("text/calendar; method=REQUEST", "text/calendar; method=REQUEST"),
        ('text/calendar; charset=utf-8; method="CANCEL"', "text/calendar; method=CANCEL"),
        ("Text/X-AMP-HTML; charset=utf-8", "text/x-amp-html"),
    ],
)
@pytest.mark.parametrize("data", [INVITATION, INVITATION.encode()])
def test_alternatives(data: str | bytes, mimetype: str, written: str) -> None:
    """Other forms of the body come after text and HTML, and their type has no charset."""
    message = letter().replace(html="<p>Hi", alternatives=[(data, mimetype)])
    with FakeSendGrid() as fake:
        (report,) = send(fake, message)

    assert report.ok
    *_, last = fake.taken[0].fields["content"]
    assert last["type"] == written
    assert last["value"].split() == INVITATION.split()


@pytest.mark.parametrize(
    ("recipients", "people"),
    [
        (
            {"to": ["ann@example.com", "bob@example.com"], "cc": "Ann@example.com"},
            [{"to": ["ann@example.com", "bob@example.com"]}],
        ),
        (
            {"to": "ann@example.com", "bcc": ["ANN@example.com", "bob@example.com"]},
            [{"to": ["ann@example.com"], "bcc": ["bob@example.com"]}],
        ),
        ({"bcc": ["ann@example.com", "Ann@example.com"]}, [{"to": ["ann@example.com"]}]),
        ({"to": [("Ann", "ann@example.com"), "Ann@example.com"]}, [{"to": ["ann@example.com"]}]),
    ],
)
def test_an_address_twice(recipients: dict[str, t.Any], people: list[dict[str, list[str]]]) -> None:
    """SendGrid refuses an address that is there twice, so the first one counts."""
    message = Message(subject="Hi", text="Hi", from_addr="shop@example.com", **recipients)
    with FakeSendGrid() as fake:
        (report,) = send(fake, message)

    assert report.ok
    copies = fake.taken[0].fields["personalizations"]
    assert [
        {name: [one["email"] for one in some] for name, some in copy.items() if name[0] != "c"}
        for copy in copies
    ] == [{name: some for name, some in copy.items() if name[0] != "c"} for copy in people]
    assert not any("cc" in copy for copy in copies)


@pytest.mark.parametrize("only", [None, ["dora@example.com", "eve@example.com"]])
def test_only_bcc(only: list[str] | None) -> None:
    """Without a To, each recipient gets a copy of its own, all in one request."""
    hidden = ["dora@example.com", "eve@example.com", "fay@example.com"]
    to = "ann@example.com" if only else []
    message = Message(subject="Hi", text="Hi", from_addr="shop@example.com", to=to, bcc=hidden)
    with FakeSendGrid() as fake:
        handler = handler_of(fake)
        (report,) = handler.send([message], recipients=only)
        handler.close()

    assert report.ok
    (mail,) = fake.taken
    assert [copy["to"] for copy in mail.fields["personalizations"]] == [
        [{"email": one}] for one in only or hidden
    ]
    assert all(copy.keys() == {"to"} for copy in mail.fields["personalizations"])


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("sendgrid://key@default", "api.sendgrid.com"),
        ("sendgrid://key@eu", "api.eu.sendgrid.com"),
        ("sendgrid://key@eu?api_url=https://proxy.example.com", "proxy.example.com"),
    ],
)
def test_regions(url: str, api: str) -> None:
    """The URL names the region, whose API has a host of its own."""
    values = parse_url(url, "MAIL_URL")
    assert values.pop("handler") == "sendgrid"
    handler = SendGridEmailHandler.from_config(values)

    assert handler.url("/v3/mail/send").hostname == api


@pytest.mark.parametrize("case", SILENT)
def test_unknown(case: Case) -> None:
    """SendGrid recognizes no repeat, so a message that may have been taken is unknown."""
    with FakeSendGrid() as fake:
        judged(fake, case)

    assert len(fake.requests) == 1


GRANT = "The provided authorization grant is invalid, expired, or revoked"
SENDER = "The from address does not match a verified Sender Identity."
ERRORS: list[Case] = [
    (taken_and(page(202)), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (taken_and(page(202, b"OK")), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (taken_and(error(500, "Internal error")), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (taken_and(json_page(202, {"message": "success"})), UNKNOWN, UnknownOutcomeError,
     About.ACCOUNT),
    (taken_and(json_page(200, {"errors": []})), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (taken_and(json_page(200, {"errors": True})), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (taken_and(json_page(202, {"errors": [{}, 1]})), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (not_taken_and(error(200, "Invalid type", "subject")), REFUSED, RefusedError, About.CONTENT),
    (not_taken_and(error(400, "Invalid type", "subject")), REFUSED, RefusedError, About.CONTENT),
    (not_taken_and(error(406, "No Accept")), REFUSED, RefusedError, About.CONTENT),
    (not_taken_and(error(413, "Too large")), REFUSED, RefusedError, About.CONTENT),
    (not_taken_and(error(401, GRANT)), DEFERRED, LoginError, About.ACCOUNT),
    (not_taken_and(error(403, "access forbidden")), DEFERRED, LoginError, About.ACCOUNT),
    (not_taken_and(error(403, SENDER, "from")), REFUSED, RefusedError, About.SENDER),
    (not_taken_and(error(401, "Maximum credits exceeded")), DEFERRED, DeferredError, About.ACCOUNT),
    (not_taken_and(error(429, "too many requests")), DEFERRED, DeferredError, About.ACCOUNT),
    (not_taken_and(error(503, "unavailable")), DEFERRED, DeferredError, About.ACCOUNT),
    (not_taken_and(json_page(400, {"errors": ["x", {"message": 1}]})), REFUSED, RefusedError,
     About.CONTENT),
]  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: Case) -> None:
    """An error of SendGrid is judged by its status, and by its text where that says more."""
    with FakeSendGrid() as fake:
        judged(fake, case)


def test_the_text_of_errors() -> None:
    """The outcome has the text of each error, and the field that it is about."""
    errors = [
        {"message": "Bad  type\r\nhere", "field": "content.0.type"},
        {"message": "Too long", "field": None},
    ]
    with FakeSendGrid(not_taken_and(json_page(400, {"errors": errors}))) as fake:
        (report,) = send(fake)

    assert report.outcomes[0].text == "Bad type here (content.0.type) Too long"


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ([], 0, 0),
        (["X-RateLimit-Reset: {now+30}"], 20, 30),
        (["X-RateLimit-Reset: {now+99999}"], 3600, 3600),
        (["X-RateLimit-Reset: {now-30}"], 0, 0),
        (["X-RateLimit-Reset: soon"], 0, 0),
        (["X-RateLimit-Reset: {now+30}", "Retry-After: 7"], 7, 7),
    ],
)
def test_how_long_the_account_rests(headers: list[str], least: float, most: float) -> None:
    """After 429 the account rests until the time that SendGrid names, at most an hour."""
    now = int(time.time())
    given = [
        line.replace("{now+30}", str(now + 30))
        .replace("{now+99999}", str(now + 99999))
        .replace("{now-30}", str(now - 30))
        for line in headers
    ]
    with FakeSendGrid(not_taken_and(error(429, "too many requests", None, *given))) as fake:
        (report,) = send(fake)

    assert isinstance(report.error, DeferredError)
    assert report.error.retry_after is not None
    assert least <= report.error.retry_after <= most


def wrong(**fields: t.Any) -> Message:
    return letter().replace(**fields)


REFUSED_HERE: list[tuple[Message, str]] = [
    *[
        (wrong(headers={name: "x"}), "writes the header field .* itself")
        for name in ("X-SG-ID", "x-sg-eid", "Received", "DKIM-Signature")
    ],
    (wrong(headers=[("X-A", "1"), ("x-a", "2")]), "SendGrid takes the header field x-a only once"),
    (wrong(subject=""), "without a subject: pass subject="),
    (wrong(text=""), "without a body: pass text= or html="),
    (wrong(attachments=[Attachment(b"", filename="a.csv")]), "no empty attachment: leave out"),
    (wrong(tags=[f"t{n}" for n in range(11)]), "at most 10 of tags="),
    (wrong(tags=["Grüße"]), "In tags=, SendGrid takes ASCII characters"),
    (wrong(metadata={"a": "x" * 10_000}), "takes 10000 octets of metadata=, not 100"),
    (wrong(stream="news"), "has no streams"),
    (wrong(provider_options={"sendgrid": {"headers": {"X-A": "1"}}}), "cannot have 'headers'"),
    (wrong(alternatives=[("<p>", "text/html")]), "attachments="),
    (wrong(alternatives=[("x", "TEXT/plain; charset=utf-8")]), "attachments="),
    (wrong(alternatives=[(b"\xff\0", "application/x-amp")]), "only text as alternatives="),
    (wrong(alternatives=[("", "text/calendar")]), "attachments="),
    (wrong(envelope_sender="b@example.com"), "leave it out"),
    (wrong(to=[f"r{n}@example.com" for n in range(1001)]), "at most 1000"),
    (wrong(attachments=[Attachment(b"x" * 23_000_000, filename="a.bin")]), "link to"),
]


@pytest.mark.parametrize(("message", "text"), REFUSED_HERE)
@pytest.mark.parametrize("call", ["send", "send_later"])
def test_what_sendgrid_cannot_express(
    message: Message, text: str, call: str, tmp_path: Path
) -> None:
    """A message that SendGrid would refuse fails on the caller's line, and in send_later too."""
    refuses(FakeSendGrid, message, text, call, tmp_path)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("sendgrid://eu", "MAIL_API_KEY is not set"),
        ("sendgrid://key@us", "must be like 'sendgrid://KEY@default'"),
        ("sendgrid://key@eu:443", "must be like 'sendgrid://KEY@default'"),
    ],
)
def test_wrong_urls(url: str, text: str) -> None:
    """A wrong URL is an error at start, which says what to write."""
    app = Flask("shop")
    app.config["MAIL_URL"] = url
    with pytest.raises(ConfigurationError, match=text):
        Mail(app, cli=None)
