"""Brevo: what it is given, what its answers mean, and what it cannot express."""

from __future__ import annotations

import dataclasses
import email.header
import json
import typing as t

import pytest

from flask_mailhandler import About
from flask_mailhandler import Attachment
from flask_mailhandler import DeferredError
from flask_mailhandler import LoginError
from flask_mailhandler import Message
from flask_mailhandler import RefusedError
from flask_mailhandler import State
from flask_mailhandler import UnknownOutcomeError
from providing import Case
from providing import handler_of
from providing import judged
from providing import refuses
from providing import send
from providing import SILENT
from sending import letter
from servers.http_server import page
from servers.providers.brevo import error
from servers.providers.brevo import FakeBrevo
from servers.providers.fake import DROPPED
from servers.providers.fake import LOST
from servers.providers.fake import not_taken_and
from servers.providers.fake import taken_and

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.providers.fake import Manner

ACCEPTED, DEFERRED, REFUSED, UNKNOWN = State


@pytest.fixture
def fake() -> Iterator[FakeBrevo]:
    """A fake to which no wrong request may be sent."""
    with FakeBrevo() as started:
        yield started
    assert started.faults == []


def test_what_brevo_gets(fake: FakeBrevo) -> None:
    """Brevo gets a message as fields, and a key by which it recognizes a repeat."""
    message = Message(
        subject="Grüße, \N{SNOWMAN}",
        text="Hello\n.dot",
        html="<p>Hello",
        from_addr=("Shop, Inc.", "shop@example.com"),
        reply_to=("Help", "help@example.com"),
        to=[("Ann", "ann@example.com"), "bob@example.com"],
        cc=("Ä Ö", "carl@example.com"),
        bcc="dora@example.com",
        headers={"X-Order": "17"},
        attachments=[Attachment("ä,b\n", filename="a.csv"), Attachment(b"x", mimetype="image/gif")],
    )
    (report,) = send(fake, message)

    (mail,) = fake.taken
    key = mail.fields["headers"].pop("idempotencyKey")
    assert len(key) == 36
    assert mail.fields == {
        "sender": {"email": "shop@example.com", "name": "Shop, Inc."},
        "to": [{"email": "ann@example.com", "name": "Ann"}, {"email": "bob@example.com"}],
        "cc": [{"email": "carl@example.com", "name": "Ä Ö"}],
        "bcc": [{"email": "dora@example.com"}],
        "replyTo": {"email": "help@example.com", "name": "Help"},
        "subject": "Grüße, \N{SNOWMAN}",
        "textContent": "Hello\n.dot",
        "htmlContent": "<p>Hello",
        "headers": {"X-Order": "17"},
        "attachment": [
            {"name": "a.csv", "content": "w6QsYgo="},
            {"name": "attachment.gif", "content": "eA=="},
        ],
    }
    ids = {outcome.provider_id for outcome in report.outcomes}
    assert ids == {"<brevo-1@smtp-relay.mailin.fr>"}
    assert [outcome.code for outcome in report.outcomes] == [201] * 4


def test_tags_metadata_and_options(fake: FakeBrevo) -> None:
    """Metadata is in the field that events repeat, with our Message-ID."""
    message = letter().replace(
        tags=["news", "Grüße"],
        metadata={"order": "17", "kind": "paper back"},
        provider_options={"brevo": {"batchId": "b-1"}, "sendgrid": {"asm": {"group_id": 1}}},
    )
    (report,) = send(fake, message, webhook_secret="s" * 32)

    fields = fake.taken[0].fields
    assert fields["tags"] == ["news", "Grüße"]
    assert fields["batchId"] == "b-1"
    assert "asm" not in fields
    assert json.loads(fields["headers"]["X-Mailin-custom"]) == {
        "order": "17",
        "kind": "paper back",
        "mh-id": report.message_id.strip("<>"),
    }


@pytest.mark.parametrize(
    ("bodies", "text", "html"),
    [
        (
            {"text": "1 < 2 & 3\n  Ä\n"},
            "1 < 2 & 3\n  Ä",
            '<pre style="font: inherit; white-space: pre-wrap">1 &lt; 2 &amp; 3\n  Ä</pre>',
        ),
        ({"html": "<p>Hi</p>"}, "Hi", "<p>Hi</p>"),
        ({"text": "Ä", "html": "<b>Ä"}, "Ä", "<b>Ä"),
    ],
)
def test_text_and_html(fake: FakeBrevo, bodies: dict[str, t.Any], text: str, html: str) -> None:
    """Both forms are always there, because Brevo would replace the text by HTML."""
    send(fake, letter().replace(text="").replace(**bodies))

    assert fake.taken[0].fields["textContent"] == text
    assert fake.taken[0].fields["htmlContent"] == html


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("Ann Lee", False),
        ("Lee, Ann", False),
        ("Änn Lee", False),
        ("Lee, Änn", True),
        ("Änn: Shop", True),
        ("Änn “Lee” <3", True),
        ("Ä" * 20 + ".", True),
    ],
)
def test_names(fake: FakeBrevo, name: str, encoded: bool) -> None:
    """A name that Brevo would lose is encoded by RFC 2047, and one in a Reply-To that it would
    not encode."""
    message = Message(
        subject="Hi",
        text="Hi",
        from_addr=(name, "shop@example.com"),
        to=(name, "ann@example.com"),
        cc=[(name, "bob@example.com")],
        reply_to=(name, "help@example.com"),
    )
    send(fake, message)

    fields = fake.taken[0].fields
    for one in [fields["sender"], *fields["to"], *fields["cc"]]:
        assert one["name"].startswith("=?utf-8?") is encoded
        assert str(email.header.make_header(email.header.decode_header(one["name"]))) == name
    assert fields["replyTo"]["name"].isascii()


# What its answers mean


@pytest.mark.parametrize("case", SILENT)
def test_brevo_recognizes_a_repeat(fake: FakeBrevo, case: Case) -> None:
    """A message that may have been taken is safe to repeat for ten minutes, and is taken once."""
    manner, *_ = case
    fake.manners += [manner, manner]
    handler = handler_of(fake)
    message = letter()
    (report,) = handler.send([message])
    repeat = handler.prepare(message)
    assert repeat.job is not None
    repeat = repeat._replace(job=dataclasses.replace(repeat.job, repeats=True))
    (again,) = handler.dispatch([repeat])
    (last,) = handler.dispatch([repeat])
    handler.close()

    assert report.deferred
    assert report.safe_until is not None
    assert again.deferred or manner is LOST
    assert last.ok
    assert last.outcomes[0].provider_id == ""
    assert len(fake.taken) == 1
    assert len({fake.key_in(request) for request in fake.requests}) == 1


@pytest.mark.parametrize(
    "first", [error(429, "too_many_requests", "x"), error(402, "x", "y"), None]
)
def test_brevo_knows_a_key_without_an_attempt_in_doubt(
    fake: FakeBrevo, first: bytes | None
) -> None:
    """If Brevo knows the key, and no attempt may have been taken, it may be the key of a refused
    one. So the message is not called accepted."""
    handler = handler_of(fake)
    message = letter()
    if first is not None:
        fake.manners.append(not_taken_and(first))
        (refused,) = handler.send([message])
        assert refused.deferred
        assert refused.safe_until is None
    fake.manners.append(not_taken_and(error(400, "duplicate_parameter", "Key is known")))
    (report,) = handler.send([message])
    handler.close()

    assert isinstance(report.error, UnknownOutcomeError)
    assert "duplicate_parameter" in str(report.error)
    assert report.safe_until is None
    assert fake.taken == []


@pytest.mark.parametrize(
    ("manner", "provider_id"),
    [(LOST, ""), (DROPPED, "<brevo-1@smtp-relay.mailin.fr>")],
)
def test_brevo_is_asked_once_more(fake: FakeBrevo, manner: Manner, provider_id: str) -> None:
    """A lost response is asked for once more; if the first request was taken, without its
    identifier."""
    fake.manners.append(manner)
    (report,) = send(fake)

    assert report.ok
    assert report.outcomes[0].provider_id == provider_id
    assert len(fake.taken) == 1
    first, second = fake.requests
    assert first.body == second.body


@pytest.mark.parametrize(
    "response",
    [page(404), error(400, "invalid_parameter", "x"), error(400, "missing_parameter", "x")],
)
def test_brevo_refuses_the_repeat(fake: FakeBrevo, response: bytes) -> None:
    """A refusal of the repeat does not say that the first request was not taken."""
    fake.manners += [LOST, not_taken_and(response)]
    (report,) = send(fake)

    assert isinstance(report.error, UnknownOutcomeError)


OTHER_SENDER = (
    "Sending has been rejected because the sender you used x@example.com is not valid. Validate"
    " your sender or authenticate your domain"
)
OTHER_IP = "We have detected you are using an unrecognised IP address 192.0.2.1."
ERRORS: list[Case] = [
    (not_taken_and(error(200, "invalid_parameter", "x")), REFUSED, RefusedError, About.CONTENT),
    (not_taken_and(error(400, "invalid_parameter", "x")), REFUSED, RefusedError, About.CONTENT),
    (not_taken_and(error(400, "missing_parameter", "x")), REFUSED, RefusedError, About.CONTENT),
    (not_taken_and(error(404, "document_not_found", "x")), REFUSED, RefusedError, About.CONTENT),
    (not_taken_and(error(400, "invalid_parameter", OTHER_SENDER)), REFUSED, RefusedError,
     About.SENDER),
    (not_taken_and(error(402, "not_enough_credits", "x")), DEFERRED, DeferredError, About.ACCOUNT),
    (not_taken_and(error(400, "not_enough_credits", "x")), DEFERRED, DeferredError, About.ACCOUNT),
    (not_taken_and(page(402)), DEFERRED, DeferredError, About.ACCOUNT),
    (not_taken_and(error(401, "unauthorized", "Key not found")), DEFERRED, LoginError,
     About.ACCOUNT),
    (not_taken_and(error(401, "unauthorized", OTHER_IP)), DEFERRED, LoginError, About.ACCOUNT),
    (not_taken_and(error(403, "permission_denied", "x")), DEFERRED, LoginError, About.ACCOUNT),
    (not_taken_and(error(429, "too_many_requests", "x")), DEFERRED, DeferredError, About.ACCOUNT),
    (taken_and(error(200, "success", "x")), DEFERRED, DeferredError, About.ACCOUNT),
    (taken_and(error(500, "internal", "x")), DEFERRED, DeferredError, About.ACCOUNT),
    (taken_and(error(500, "duplicate_parameter", "x")), DEFERRED, DeferredError, About.ACCOUNT),
]  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_errors(fake: FakeBrevo, case: Case) -> None:
    """An error of Brevo is judged by its code, and by its text where that says more."""
    judged(fake, case)


def test_an_address_that_may_not_send(fake: FakeBrevo) -> None:
    """Brevo may take a key from some IP addresses only, and the error says to check them."""
    fake.manners.append(not_taken_and(error(401, "unauthorized", OTHER_IP)))
    (report,) = send(fake)

    assert str(report.error).endswith("Check the IP addresses that the account allows.")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], 0),
        (["x-sib-ratelimit-reset: 42"], 42),
        (["x-sib-ratelimit-reset: 999999"], 3600),
        (["x-sib-ratelimit-reset: soon"], 0),
        (["x-sib-ratelimit-reset: 42", "Retry-After: 7"], 7),
    ],
)
def test_how_long_the_account_rests(fake: FakeBrevo, headers: list[str], seconds: float) -> None:
    """After 429 the account rests for as long as Brevo says, at most an hour."""
    fake.manners.append(not_taken_and(error(429, "too_many_requests", "x", *headers)))
    (report,) = send(fake)

    assert isinstance(report.error, DeferredError)
    assert report.error.retry_after == seconds


# What cannot be sent


def wrong(**fields: t.Any) -> Message:
    return letter().replace(**fields)


IMAGE = Attachment(b"png", filename="logo.png", cid="logo@shop")
REFUSED_HERE: list[tuple[Message, str]] = [
    (wrong(subject=""), "without a subject: pass subject="),
    (wrong(text=""), "without a body: pass text= or html="),
    (wrong(html='<img src="cid:logo@shop">', inline_attachments=[IMAGE]), "https: instead of cid:"),
    (wrong(reply_to=["a@example.com", "b@example.com"]), "one address in reply_to="),
    (wrong(to=("x" * 71, "b@example.com")), "names of at most 70 characters"),
    (wrong(reply_to=("Ä" * 40, "b@example.com")), "at most 70 characters, so shorten '=\\?utf-8"),
    (wrong(metadata={"name": "Grüße"}), r"In metadata\['name'\], Brevo takes ASCII characters"),
    (wrong(metadata={"größe": "x"}), "In a name of metadata=, Brevo takes ASCII characters"),
    (wrong(track_opens=False), "does not take track_opens="),
    (wrong(stream="news"), "has no streams"),
    (wrong(provider_options={"brevo": {"headers": {"X-A": "1"}}}), "cannot have 'headers'"),
    (wrong(headers={"X-Name": "Grüße"}), "does not encode the header field X-Name"),
    (wrong(headers={"idempotencykey": "x"}), "idempotencykey for metadata= and keys: leave it out"),
    (wrong(headers={"X-Mailin-Custom": "x"}), "X-Mailin-Custom for metadata= and keys"),
    (wrong(headers=[("X-A", "1"), ("x-a", "2")]), "Brevo takes the header field x-a only once"),
    (wrong(attachments=[Attachment(b"x", filename="ä.csv")]), "called 'ä.csv': it needs a name in"),
    (wrong(attachments=[Attachment(b"x", filename="a.exe")]), "called 'a.exe'"),
    (wrong(attachments=[Attachment(b"x", filename="pdf")]), "called 'pdf'"),
    (wrong(attachments=[Attachment(b"x", filename=".pdf")]), "called '.pdf'"),
    (wrong(attachments=[Attachment(b"x", filename="a.")]), "an extension that Brevo knows"),
    (wrong(alternatives=[("x", "text/calendar")]), "attachments="),
    (wrong(envelope_sender="b@example.com"), "leave it out"),
    (wrong(to=[f"r{n}@example.com" for n in range(100)]), "at most 99"),
    (wrong(attachments=[Attachment(b"x" * 16_000_000, filename="a.zip")]), "link to"),
]


@pytest.mark.parametrize(("message", "text"), REFUSED_HERE)
@pytest.mark.parametrize("call", ["send", "send_later"])
def test_what_brevo_cannot_express(message: Message, text: str, call: str, tmp_path: Path) -> None:
    """A message that Brevo would refuse or spoil fails on the caller's line, and in send_later
    too."""
    refuses(FakeBrevo, message, text, call, tmp_path)
