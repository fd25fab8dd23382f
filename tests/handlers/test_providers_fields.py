"""What every provider that takes fields is given: addresses, bodies, header fields, attachments."""

from __future__ import annotations

import base64
import typing as t
from email.message import EmailMessage

import pytest

from flask_mailhandler import About
from flask_mailhandler import Attachment
from flask_mailhandler import DeferredError
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler import RefusedError
from flask_mailhandler import State
from providing import Case
from providing import handler_of
from providing import judged
from providing import refuses
from providing import send
from sending import letter
from servers.http_server import json_page
from servers.http_server import page
from servers.providers import FAKES
from servers.providers.fake import not_taken_and
from servers.providers.fake import taken_and
from servers.providers.postmark import FakePostmark
from servers.providers.resend import FakeResend

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.providers.fake import FakeProvider

ACCEPTED, DEFERRED, REFUSED, UNKNOWN = State
PROVIDERS = ("resend", "postmark", "sendgrid", "brevo")


@pytest.fixture(params=PROVIDERS)
def fake(request: pytest.FixtureRequest) -> Iterator[FakeProvider]:
    """Each provider's fake, to which no wrong request may be sent."""
    with FAKES[request.param]() as started:
        yield started
    assert started.faults == []


def fields_of(fake: FakeProvider) -> dict[str, t.Any]:
    """The fields of the only mail, without those that are new in each mail."""
    (mail,) = fake.taken
    return mail.fields


def attached_to(fake: FakeProvider) -> list[tuple[str, str | None, bytes]]:
    """The name, the type and the octets of each attachment."""
    fields = fields_of(fake)
    files = fields.get("attachments") or fields.get("Attachments") or fields["attachment"]
    return [
        (
            file.get("filename") or file.get("Name") or file["name"],
            file.get("content_type") or file.get("ContentType") or file.get("type"),
            base64.b64decode(file.get("content") or file["Content"]),
        )
        for file in files
    ]


def test_a_group_of_the_standard_library(fake: FakeProvider) -> None:
    """A message that cannot be written in fields is refused, and the error names a way that is not
    the one that was tried."""
    message = EmailMessage()
    message["Subject"], message["From"] = "Hi", "shop@example.com"
    message["To"] = "Friends: ann@example.com, bob@example.com;"
    message.set_content("Hi\n")

    with pytest.raises(MessageError, match=r"group 'Friends' in To.* such as one of SMTP"):
        handler_of(fake).send([message])

    assert fake.requests == []


def test_domains_are_in_ascii(fake: FakeProvider) -> None:
    """No provider takes a domain beyond ASCII, so its ASCII form is sent, in every address."""
    message = letter().replace(
        from_addr=("Bücher", "shop@bücher.example"),
        to=("Zoë", "zoe@bücher.example"),
        cc="carl@ñandú.example",
        bcc="dora@bücher.example",
        reply_to="help@bücher.example",
        message_id="<17@shop.example>",
    )
    (report,) = send(fake, message)

    assert report.ok
    assert fake.taken[0].recipients == (
        "zoe@xn--bcher-kva.example",
        "carl@xn--and-6ma2c.example",
        "dora@xn--bcher-kva.example",
    )
    fields = {name: value for name, value in fields_of(fake).items() if name != "headers"}
    assert "bücher" not in repr(fields)
    assert repr(fields).count("xn--bcher-kva.example") == 4


def test_nothing_empty_is_sent(fake: FakeProvider) -> None:
    """A field that a message does not have is not sent, so the settings of the account decide."""
    send(fake, letter())

    assert (
        fields_of(fake).keys()
        == {
            "resend": {"from", "to", "subject", "text"},
            "postmark": {"From", "To", "Subject", "TextBody", "Headers"},
            "sendgrid": {"from", "personalizations", "subject", "content", "headers"},
            "brevo": {"sender", "to", "subject", "textContent", "htmlContent", "headers"},
        }[type(fake).__name__.removeprefix("Fake").lower()]
    )


@pytest.mark.parametrize(
    "recipients",
    [
        {"to": [], "cc": ["ann@example.com", "bob@example.com"]},
        {"to": [], "cc": ["ann@example.com"], "bcc": ["bob@example.com"]},
        {"to": ["ann@example.com"], "cc": [], "bcc": ["bob@example.com"]},
    ],
)
def test_without_a_to(fake: FakeProvider, recipients: dict[str, list[str]]) -> None:
    """The APIs want a To, so the first Cc takes its place, and no recipient is lost."""
    (report,) = send(fake, Message(**{**rest(), **recipients}))

    assert report.ok
    assert fake.taken[0].recipients == ("ann@example.com", "bob@example.com")


def rest() -> dict[str, t.Any]:
    """The fields of a message other than its recipients."""
    return {"subject": "Hi", "text": "Hi", "from_addr": "shop@example.com"}


def test_html_alone(fake: FakeProvider) -> None:
    """A message of HTML gets the text that it would get by SMTP."""
    message = letter().replace(text="", html="<p>Grüße &amp; mehr</p>")
    send(fake, message)

    fields = fields_of(fake)
    values = [one["value"] for one in fields.get("content", [])] or [
        fields.get("text") or fields.get("TextBody") or fields.get("textContent"),
        fields.get("html") or fields.get("HtmlBody") or fields.get("htmlContent"),
    ]
    assert values == ["Grüße & mehr", "<p>Grüße &amp; mehr</p>"]


@pytest.mark.parametrize("kind", ["postmark", "sendgrid"])
def test_a_message_id_of_the_app(kind: str) -> None:
    """Where a provider takes a Message-ID, it gets that of the message."""
    with FAKES[kind]() as fake:
        send(fake, letter().replace(message_id="<order-17@shop.example>"))

    headers = fields_of(fake)["headers" if kind == "sendgrid" else "Headers"]
    assert "<order-17@shop.example>" in repr(headers)


LATIN = "é;ü\n".encode("latin-1")
UTF8 = "é;ü\n".encode()
KEEPS = ("resend", "postmark")
"""The providers that send the charset of an attachment."""


@pytest.mark.parametrize(
    ("attachment", "kept", "octets"),
    [
        (Attachment(LATIN, filename="a.csv", mimetype="text/csv; charset=iso-8859-1"),
         "text/csv; charset=iso-8859-1", LATIN),
        (Attachment("é;ü\n", filename="a.csv", mimetype="text/csv; charset=iso-8859-1"),
         "text/csv; charset=iso-8859-1", LATIN),
        (Attachment(UTF8, filename="a.csv"), "text/csv; charset=utf-8", UTF8),
        (Attachment("é;ü\n", filename="a.csv"), "text/csv; charset=utf-8", UTF8),
        (Attachment("a;b\n", filename="a.csv"), "text/csv", b"a;b\n"),
    ],
)  # fmt: skip
def test_the_charset_of_attachments(
    fake: FakeProvider, attachment: Attachment, kept: str, octets: bytes
) -> None:
    """The charset is sent along, or the text is sent in UTF-8 where it would get lost."""
    send(fake, letter().replace(attachments=[attachment]))

    ((name, mimetype, data),) = attached_to(fake)
    if isinstance(fake, FakeResend | FakePostmark):
        assert (name, mimetype, data) == ("a.csv", kept, octets)
    else:
        assert (name, data) == ("a.csv", octets.replace(LATIN, UTF8))
        assert mimetype in ("text/csv", None)


@pytest.mark.parametrize(
    ("data", "charset"),
    [(b"\xff\xfe", "ascii"), (b"\x81", "cp1252"), (b"x", "no-such-charset")],
)
def test_an_attachment_that_is_not_in_its_charset(
    fake: FakeProvider, data: bytes, charset: str
) -> None:
    """Octets that are not what their type says are sent as they are."""
    attachment = Attachment(data, filename="a.txt", mimetype=f"text/plain; charset={charset}")
    send(fake, letter().replace(attachments=[attachment]))

    ((_, _, sent),) = attached_to(fake)
    assert sent == data


def test_a_calendar_has_its_method() -> None:
    """An attached calendar has the parameters that it would have by SMTP."""
    attachment = Attachment("BEGIN:VCALENDAR\r\nMETHOD:CANCEL\r\n", filename="a.ics")
    with FakePostmark() as fake:
        send(fake, letter().replace(attachments=[attachment]))

    assert attached_to(fake)[0][1] == "text/calendar; method=CANCEL"


@pytest.mark.parametrize(
    ("attachment", "name"),
    [
        (Attachment(b"x", mimetype="application/pdf"), "attachment.pdf"),
        (Attachment("x", mimetype="text/plain"), "attachment.txt"),
        (Attachment(b"x", filename="a.b.pdf"), "a.b.pdf"),
    ],
)
def test_every_attachment_has_a_name(fake: FakeProvider, attachment: Attachment, name: str) -> None:
    """The APIs want a name, so an attachment without one is called by its type."""
    send(fake, letter().replace(attachments=[attachment]))

    assert attached_to(fake)[0][0] == name


# Resend accepts some attachments and does not send them


@pytest.mark.parametrize(
    ("filename", "mimetype", "sent"),
    [
        ("a.txt", "text/csv", None),
        ("a.pdf", "image/png", None),
        ("a.html", "application/json", None),
        ("a", "text/plain", None),
        ("a.csv", "text/csv", "text/csv"),
        ("A.CSV", "text/csv; charset=utf-8", "text/csv; charset=utf-8"),
        ("a.jpeg", "image/jpeg", "image/jpeg"),
        ("a.shop", "application/x-shop", "application/x-shop"),
        ("a.shop", "application/octet-stream", "application/octet-stream"),
        ("a.pdf", "application/octet-stream", ""),
    ],
)
def test_attachments_that_resend_does_not_send(
    filename: str, mimetype: str, sent: str | None, tmp_path: Path
) -> None:
    """A name must not say another type than the attachment has."""
    message = letter().replace(attachments=[Attachment(b"x", filename=filename, mimetype=mimetype)])
    if sent is None:
        refuses(FakeResend, message, "does not send an attachment called", "send", tmp_path)
        return
    with FakeResend() as fake:
        (report,) = send(fake, message)

    assert report.ok
    assert fake.taken[0].fields["attachments"][0].get("content_type", "") == sent


# What Postmark says of addresses


def wrong(text: str) -> t.Any:
    return not_taken_and(json_page(422, {"ErrorCode": 300, "Message": text}))


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("Invalid 'To' address: 'ann@shop'.", [REFUSED, DEFERRED]),
        ("Error parsing 'Cc': Illegal email domain 'shop' in address 'ann@shop'.",
         [REFUSED, DEFERRED]),
        ("Error parsing 'Bcc': Illegal email address 'bob@shop'. It has no '+'.",
         [DEFERRED, REFUSED]),
        ("Invalid 'To' address: 'eve@shop'.", [DEFERRED, DEFERRED]),
        ("Invalid metadata content.", [REFUSED, REFUSED]),
    ],
)  # fmt: skip
def test_recipients_that_are_not_valid(text: str, states: list[State]) -> None:
    """If Postmark refuses all for the sake of one address, the others can be tried again."""
    with FakePostmark(wrong(text)) as fake:
        (report,) = send(fake, letter("Ann@shop", "bob@shop"))

    assert [outcome.state for outcome in report.outcomes] == states
    named = [one.about for one in report.outcomes if one.state is REFUSED]
    assert named in ([About.RECIPIENT], [About.CONTENT] * 2, [])


FROM_POSTMARK: list[Case] = [
    (wrong("Invalid 'From' address: 'shop@localhost'."), REFUSED, RefusedError, About.SENDER),
    (wrong("Error parsing 'From': Illegal email domain."), REFUSED, RefusedError, About.SENDER),
    (wrong("Error parsing 'Reply-To': Illegal email domain '+' in address 'b@+'."), REFUSED,
     RefusedError, About.CONTENT),
    (wrong("Invalid 'To' address: 'b@example.com'."), REFUSED, RefusedError, About.RECIPIENT),
]  # fmt: skip


@pytest.mark.parametrize("case", FROM_POSTMARK)
def test_addresses_in_errors_of_postmark(case: Case) -> None:
    """Error 300 is about the address that its text names, if it names one."""
    with FakePostmark() as fake:
        judged(fake, case)


def test_two_inactive_recipients_in_several_lines() -> None:
    """Postmark writes the addresses in lower case, in a text of several lines."""
    text = (
        "You tried to send to recipients that have been marked as inactive.\n"
        "Found inactive addresses: ann@example.com, bob.lee@example.com.\n"
        "Inactive recipients are ones that have generated a hard bounce."
    )
    error = {"ErrorCode": 406, "Message": text}
    with FakePostmark(not_taken_and(json_page(422, error))) as fake:
        (report,) = send(fake, letter("Ann@example.com", "bob.lee@example.com", "c@example.com"))

    assert [outcome.state for outcome in report.outcomes] == [REFUSED, REFUSED, DEFERRED]
    assert type(report.error) is DeferredError


def test_a_delay_is_no_error() -> None:
    """Postmark leaves out the error code if it accepts a message and delays it."""
    answer = {"Message": "Message accepted, but delivery may be delayed.", "MessageID": "id-1"}
    with FakePostmark(taken_and(json_page(200, answer))) as fake:
        (report,) = send(fake)

    assert report.ok
    assert report.outcomes[0].provider_id == "id-1"


# What an error says


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (json_page(400, {"message": "Say  please", "Message": "Say  please"}), "400 Say please"),
        (json_page(422, {"errors": [], "message": "x", "Message": "x"}), "422"),
        (page(400, b"<html>Ack! Bad proxy!"), "400."),
        (page(502, b"Bad proxy!"), "502 the response is not one of its API"),
    ],
)
def test_the_text_of_errors(fake: FakeProvider, response: bytes, text: str) -> None:
    """An error has the provider's text, if the response is one of its API."""
    fake.manners += [not_taken_and(response)] * 2
    (report,) = send(fake)

    assert text in str(report.error)
    assert f"{type(fake).__name__.removeprefix('Fake')}: " in str(report.error)
