"""Microsoft Graph: what it is given, what its answers mean, and what it cannot express."""

from __future__ import annotations

import base64
import dataclasses
import email
import email.policy
import typing as t
from email.message import EmailMessage

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
from flask_mailhandler import MessageError
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
from queueing import shop
from sending import letter
from sending import letters
from servers.http_server import CLOSE
from servers.http_server import page
from servers.providers.fake import LOST
from servers.providers.fake import not_taken_and
from servers.providers.fake import taken_and
from servers.providers.graph import FakeGraph
from servers.providers.graph import graph_error
from servers.token_server import answer
from servers.token_server import TokenServer
from tokens import of_client

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.providers.fake import Mail as Taken


@pytest.fixture
def graph() -> Iterator[FakeGraph]:
    """The fake, to which no wrong request may be sent."""
    with FakeGraph() as started:
        yield started
    assert started.faults == []


def shown(taken: Taken) -> tuple[tuple[str, ...], ...]:
    """The addresses of To, Cc and Bcc."""
    return tuple(taken.fields[name] for name in ("to", "cc", "bcc"))


# What is sent


def test_what_graph_gets(graph: FakeGraph) -> None:
    """Graph gets the octets that SMTP would get, with To, Cc and Bcc first."""
    message = rich()
    handler = handler_of(graph)
    job = handler.prepare(message).job
    (report,) = handler.send([message])
    handler.close()

    (mail,) = graph.taken
    assert job is not None
    lines = mail.fields["octets"].split(b"\r\n")
    assert lines[2] == b"Bcc: dora@example.com"
    assert sorted(lines[:2] + lines[3:]) == sorted(bytes(job.content).split(b"\r\n"))
    assert [outcome.provider_id for outcome in report.outcomes] == [""] * 4
    assert report.ok


def of_library(**fields: str) -> EmailMessage:
    """A message of the standard library whose fields come after its body was set."""
    message = EmailMessage()
    message.set_content("Hello\n")
    message["From"] = "shop@example.com"
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


OURS = Message(
    subject="Hi",
    from_addr="shop@example.com",
    to=["ann@example.com", ("Bob, B.", "bob@example.com")],
    cc="carl@example.com",
    bcc="dora@example.com",
)
THEIRS = of_library(
    Subject="Hi",
    To='Team: ann@example.com, "Bob, B." <bob@example.com>;',
    Cc="=?utf-8?q?C=C3=A4rl?= <carl@example.com>",
    Bcc="dora@example.com",
)


@pytest.mark.parametrize("message", [OURS, THEIRS])
@pytest.mark.parametrize(
    ("only", "to", "cc", "bcc"),
    [
        (None, ["ann", "bob"], ["carl"], ["dora"]),
        (["bob", "dora"], ["bob"], [], ["dora"]),
        (["carl"], [], ["carl"], []),
        (["dora"], [], [], ["dora"]),
        (["dora", "eve"], [], [], ["dora", "eve"]),
        (["eve", "ann", "carl"], ["ann"], ["carl"], ["eve"]),
    ],
)
def test_the_header_is_the_envelope(
    graph: FakeGraph,
    message: Message | EmailMessage,
    only: list[str] | None,
    to: list[str],
    cc: list[str],
    bcc: list[str],
) -> None:
    """Graph sends to those in the header, so a recipient of the header that is not in the envelope
    is left out, and one that is only in the envelope is Bcc."""
    handler = handler_of(graph)
    recipients = only and [f"{name}@example.com" for name in only]
    (report,) = handler.send([message], recipients=recipients)
    handler.close()

    (mail,) = graph.taken
    wanted = [tuple(f"{name}@example.com" for name in names) for names in (to, cc, bcc)]
    assert shown(mail) == tuple(wanted)
    assert {*mail.recipients} == {*report.accepted}
    if "bob" in to:
        assert b'"Bob, B." <bob@example.com>' in mail.fields["octets"]
    if message is THEIRS and cc:
        read = email.message_from_bytes(mail.fields["octets"], policy=email.policy.SMTP)
        assert str(read["Cc"]) == "Cärl <carl@example.com>"


@pytest.mark.parametrize("guarded", [OURS, THEIRS])
@pytest.mark.parametrize(
    ("allowed", "recipients"),
    [
        (["bob@example.com"], ["bob@example.com"]),
        (["dora@example.com", "carl@example.com"], ["carl@example.com", "dora@example.com"]),
    ],
)
def test_the_staging_guard(
    graph: FakeGraph,
    guarded: Message | EmailMessage,
    allowed: list[str],
    recipients: list[str],
) -> None:
    """With MAIL_ALLOW_TO, the others are in no field of the octets."""
    handler = handler_of(graph, allow_to=allowed)
    (report,) = handler.send([guarded])
    handler.close()

    (mail,) = graph.taken
    assert report.accepted == list(mail.recipients) == recipients
    for name in ("ann", "bob", "carl", "dora"):
        assert (name.encode() in mail.fields["octets"]) is (f"{name}@example.com" in allowed)


def test_the_staging_guard_redirects(graph: FakeGraph) -> None:
    """With MAIL_REDIRECT_TO, only those addresses get the message."""
    handler = handler_of(graph, redirect_to="dev@example.com")
    handler.send([OURS, THEIRS])
    handler.close()

    assert [mail.recipients for mail in graph.taken] == [("dev@example.com",)] * 2
    assert all(b"X-Original-To: ann@" in mail.fields["octets"] for mail in graph.taken)


def test_some_recipients_of_a_queued_message(graph: FakeGraph, tmp_path: Path) -> None:
    """The queue sends a stored message to some of its recipients, and the header names only
    these."""
    with shop(tmp_path, MAIL_URL=graph.mail_url) as here:
        here.mail.send_later(OURS)
    allowed = ["ann@example.com", "dora@example.com"]
    with shop(tmp_path, MAIL_URL=graph.mail_url, MAIL_ALLOW_TO=allowed) as later:
        later.queue.run_once()

    (mail,) = graph.taken
    assert shown(mail) == (("ann@example.com",), (), ("dora@example.com",))
    assert b"bob@" not in mail.fields["octets"]


def test_many_recipients(graph: FakeGraph) -> None:
    """A long list is folded, and each address gets the message once."""
    many = [f"recipient-number-{number}@example.com" for number in range(500)]
    message = letter("ann@example.com").replace(to=many[:100], cc=many[100:200], bcc=many[200:])
    handler = handler_of(graph)
    handler.send([message])
    handler.send([message], recipients=many[:500:3])
    handler.close()

    whole, some = graph.taken
    assert list(whole.recipients) == many
    assert list(some.recipients) == many[::3]


def test_a_resent_message(graph: FakeGraph) -> None:
    """A resent message goes to the recipients of its Resent- fields, and to no earlier one."""
    message = of_library(
        Subject="Hi",
        To="ann@example.com",
        Resent_From="shop@example.com",
        Resent_To="bob@example.com",
    )
    handler = handler_of(graph)
    (report,) = handler.send([message])
    handler.close()

    assert report.accepted == ["bob@example.com"]
    assert graph.taken[0].recipients == ("bob@example.com",)


SIGNATURE = "v=1; a=rsa-sha256; d=example.com; s=s; h=to; bh=YQ==; b=YQ=="


@pytest.mark.parametrize("only", [["ann@example.com"], ["eve@example.com"]])
def test_a_signed_header_does_not_change(graph: FakeGraph, only: list[str]) -> None:
    """A message with a DKIM signature is not sent to some of those in its header."""
    message = of_library(Subject="Hi", To="ann@example.com, bob@example.com")
    message["DKIM-Signature"] = SIGNATURE
    handler = handler_of(graph)
    with pytest.raises(MessageError, match="DKIM-Signature"):
        handler.send([message], recipients=only)
    (report,) = handler.send([message], recipients=["bob@example.com", "ann@example.com"])
    handler.close()

    assert report.ok
    assert b"To: ann@example.com, bob@example.com\r\n" in graph.taken[0].fields["octets"]


@pytest.mark.parametrize("pieces", [[1], [2, 3, 5], [70, 1, 1, 1], [10_000]])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000])
def test_octets_in_pieces(graph: FakeGraph, pieces: list[int], size: int) -> None:
    """However the octets come, the base64 of all of them is sent."""
    octets = b"From: a@example.com\r\nTo: ann@example.com\r\n"
    octets += b"Subject: x\r\nMIME-Version: 1.0\r\n\r\n" + b"x" * size
    parts = []
    start = 0
    for number in range(len(octets)):
        end = start + pieces[number % len(pieces)]
        parts.append(octets[start:end])
        start = end
    handler = handler_of(graph)
    job = handler.prepare(letter("ann@example.com")).job
    assert job is not None
    content = Content([part for part in parts if part])
    (report,) = handler.deliver([dataclasses.replace(job, content=content)], lambda *_: None)
    handler.close()

    assert report.ok
    (mail,) = graph.taken
    assert mail.fields["octets"] == octets.replace(
        b"From: a@example.com\r\nTo: ann@example.com", b"To: ann@example.com\r\nFrom: a@example.com"
    )


def test_a_large_message(graph: FakeGraph, tmp_path: Path) -> None:
    """A file is read while it is sent, and a larger one than Graph takes is refused before."""
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)) * 6000)
    message = letter().replace(attachments=[Attachment.from_path(path)])
    (report,) = send(graph, message)

    assert report.ok
    assert base64.b64encode(path.read_bytes())[:70] in graph.taken[0].fields["octets"]
    assert graph.requests[0].headers["content-length"] == str(len(graph.requests[0].body))


# The token


class Tokens:
    """Returns the tokens in order, the last one again and again."""

    def __init__(self, *tokens: str) -> None:
        self.left = [*tokens]
        self.forgotten: list[str] = []

    def __call__(self) -> str:
        return self.left[0]

    def forget(self, token: str) -> None:
        self.forgotten.append(token)
        if len(self.left) > 1:
            self.left.pop(0)


def test_a_refused_token_is_asked_for_again(graph: FakeGraph) -> None:
    """A token that is refused is forgotten, and the message is sent with another one."""
    tokens = Tokens("expired", graph.key)
    handler = handler_of(graph, oauth_token=tokens)
    reports = handler.send(letters(2))
    handler.close()

    assert [report.ok for report in reports] == [True, True]
    assert tokens.forgotten == ["expired"]
    sent = [request.headers["authorization"] for request in graph.requests]
    assert sent == ["Bearer expired", f"Bearer {graph.key}", f"Bearer {graph.key}"]
    assert graph.opened == 1


@pytest.mark.parametrize(
    ("tokens", "requests"), [(("wrong",), 1), (("wrong", "wrong-too", "never"), 2)]
)
def test_a_token_is_asked_for_once_more(
    graph: FakeGraph, tokens: tuple[str, ...], requests: int
) -> None:
    """The message is tried with one other token, and not with the same one."""
    handler = handler_of(graph, oauth_token=Tokens(*tokens))
    reports = handler.send(letters(2))
    handler.close()

    assert [type(report.error) for report in reports] == [LoginError] * 2
    assert len(graph.requests) == requests


def test_a_token_of_the_token_endpoint(graph: FakeGraph) -> None:
    """A token that expired before its time is replaced by one from the token endpoint."""
    given: dict[str, t.Any] = {"token_type": "Bearer", "expires_in": 3600}
    answers = [answer(access_token=token, **given) for token in ("early", graph.key)]
    with TokenServer(*answers) as server:
        handler = handler_of(graph, oauth_token=of_client(server))
        reports = handler.send(letters(2))
        handler.close()

    assert [report.ok for report in reports] == [True, True]
    assert len(graph.requests) == 3


@pytest.mark.parametrize("manner", [LOST, taken_and(page(500)), not_taken_and(page(403))])
def test_only_a_refused_token_is_tried_again(graph: FakeGraph, manner: t.Any) -> None:
    """Whatever else goes wrong, the request is not repeated."""
    graph.manners.append(manner)
    handler = handler_of(graph, oauth_token=Tokens(graph.key, "another"))
    (report,) = handler.send([letter()])
    handler.close()

    assert not report.ok
    assert len(graph.requests) == 1


def test_the_second_answer_is_lost(graph: FakeGraph) -> None:
    """The first request was refused, so the second one alone says what is unknown."""
    graph.manners += [not_taken_and(page(401)), LOST]
    handler = handler_of(graph, oauth_token=Tokens("first", graph.key))
    (report,) = handler.send([letter()])
    handler.close()

    assert isinstance(report.error, UnknownOutcomeError)
    assert len(graph.taken) == 1


def _raises() -> t.NoReturn:
    raise OSError("s3cret")


@pytest.mark.parametrize("token", [_raises, lambda: "", lambda: "a b", lambda: None])
def test_no_token(graph: FakeGraph, token: t.Any) -> None:
    """Without a token there is no login, and the next messages are not tried."""
    handler = handler_of(graph, oauth_token=token)
    reports = handler.send(letters(2))
    handler.close()

    assert [type(report.error) for report in reports] == [LoginError] * 2
    assert "No login at Microsoft Graph: the callable of MAIL_OAUTH_TOKEN" in str(reports[0].error)
    assert "s3cret" not in f"{reports!r}"
    assert graph.requests == []


def test_a_test_needs_no_token(graph: FakeGraph) -> None:
    """The outbox shows the request without asking for a token."""
    app = Flask("shop")
    app.config.update(MAIL_URL=f"graph://shop%40example.com@default?api_url={graph.url}")
    app.config.update(MAIL_OAUTH_TOKEN=_raises)
    mail = Mail(app, cli=None)
    with app.app_context(), mail.capture() as outbox:
        mail.send(letter())

    (request,) = outbox[0].requests
    assert request.url == graph.url + graph.path
    assert b"Subject: Hi" in base64.b64decode(request.body)


def test_every_token_is_masked(graph: FakeGraph) -> None:
    """A token that a callable returned is masked, and the one before it too."""
    text = "tokens t0ken-1 and t0ken-2"
    graph.manners += [not_taken_and(page(401)), not_taken_and(graph_error(400, "x", text))]
    handler = handler_of(graph, oauth_token=Tokens("t0ken-1", "t0ken-2"))
    (report,) = handler.send([letter()])
    handler.close()

    assert "tokens *** and ***" in str(report.error)
    assert "t0ken" not in f"{report!r} {handler!r}"


# What the answers mean

REST = "Retry-After: 9"
OF_GRAPH: list[Case] = [
    (not_taken_and(graph_error(401, "InvalidAuthenticationToken", "x")), DEFERRED, LoginError,
     About.ACCOUNT),
    (not_taken_and(graph_error(403, "ErrorAccessDenied", "x")), DEFERRED, LoginError,
     About.ACCOUNT),
    (not_taken_and(graph_error(403, "ErrorSendAsDenied", "x")), REFUSED, RefusedError,
     About.SENDER),
    (not_taken_and(graph_error(403, "ErrorExceededMessageLimit", "x")), DEFERRED, DeferredError,
     About.ACCOUNT),
    (not_taken_and(graph_error(403, "ErrorMessageSubmissionBlocked", "x")), DEFERRED,
     DeferredError, About.ACCOUNT),
    (not_taken_and(graph_error(507, "QuotaExceededException", "x")), DEFERRED, DeferredError,
     About.ACCOUNT),
    (not_taken_and(graph_error(404, "MailboxNotEnabledForRESTAPI", "x")), DEFERRED, LoginError,
     About.ACCOUNT),
    (not_taken_and(graph_error(404, "ErrorInvalidUser", "x")), DEFERRED, LoginError,
     About.ACCOUNT),
    (not_taken_and(graph_error(400, "ErrorInvalidRecipients", "x")), REFUSED, RefusedError,
     About.CONTENT),
    (not_taken_and(graph_error(400, "ErrorMessageSizeExceeded", "x")), REFUSED, RefusedError,
     About.CONTENT),
    (not_taken_and(graph_error(429, "ApplicationThrottled", "x", REST)), DEFERRED, DeferredError,
     About.ACCOUNT),
    (not_taken_and(graph_error(503, "ErrorServerBusy", "x")), DEFERRED, DeferredError,
     About.ACCOUNT),
    (taken_and(graph_error(500, "ErrorInternalServerError", "x")), UNKNOWN, UnknownOutcomeError,
     About.ACCOUNT),
    (taken_and(page(400, b'{"error": "x"}')), REFUSED, RefusedError, About.CONTENT),
    (taken_and(CLOSE), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    *SILENT,
]  # fmt: skip


@pytest.mark.parametrize("case", OF_GRAPH)
def test_errors_of_graph(graph: FakeGraph, case: Case) -> None:
    """An error of Graph is judged by its code, and only without one by its status."""
    judged(graph, case)

    assert len(graph.requests) == 1


@pytest.mark.parametrize(
    ("response", "text", "rests"),
    [
        (graph_error(403, "ErrorAccessDenied", "x"), "Check the app's permission Mail.Send", None),
        (graph_error(404, "ErrorInvalidUser", "x"), "Check MAIL_USERNAME", None),
        (graph_error(401, "InvalidAuthenticationToken", "x"), "Check MAIL_OAUTH_TOKEN", None),
        (graph_error(429, "TooManyRequests", "x", REST), "429 TooManyRequests x", 9.0),
        (graph_error(403, "ErrorExceededMessageLimit", "x", REST), "ErrorExceeded", 9.0),
        (graph_error(403, "ErrorExceededMessageLimit", "x"), "ErrorExceeded", 0.0),
    ],
)
def test_what_to_check(graph: FakeGraph, response: bytes, text: str, rests: float | None) -> None:
    """An error about the account says what to check, and for how long the account rests."""
    graph.manners.append(not_taken_and(response))
    (report,) = send(graph)

    assert text in str(report.error)
    assert isinstance(report.error, DeferredError)
    assert report.error.retry_after == rests


# What cannot be sent

REFUSED_HERE: list[tuple[Message, str]] = [
    (letter().replace(envelope_sender="b@example.com"), "leave it out"),
    (letter().replace(bcc="ä@example.com"), "SMTPUTF8"),
    (letter(*(f"r{n}@example.com" for n in range(501))), "at most 500"),
    (letter().replace(attachments=[Attachment(b"x" * 2_000_000, filename="a.bin")]), "link to"),
]


@pytest.mark.parametrize(("message", "text"), REFUSED_HERE)
def test_what_graph_cannot_express(message: Message, text: str, tmp_path: Path) -> None:
    """A message that Graph cannot send as it is fails on the caller's line."""
    refuses(FakeGraph, message, text, "send_later", tmp_path)


@pytest.mark.parametrize(
    ("url", "more", "text"),
    [
        ("graph://shop%40example.com@default", {}, "MAIL_OAUTH_TOKEN is not set"),
        ("graph://default?oauth_token=x", {}, "MAIL_USERNAME is not set"),
        ("graph://..@default?oauth_token=x", {}, "MAIL_USERNAME is not set"),
        ("graph://shop@example.com?oauth_token=x", {}, "must be like 'graph://shop%40example.com"),
        ("graph://a:b@default?oauth_token=x", {}, "must be like 'graph://shop%40example.com"),
        ("graph://a@default?oauth_token=a%20b", {}, "without spaces"),
        ("graph://a@default", {"MAIL_OAUTH_TOKEN": "a\nb"}, "line break"),
        ("graph://a@default?oauth_token=x", {"MAIL_API_KEY": "y"}, "takes no key"),
    ],
)
def test_wrong_urls(url: str, more: dict[str, str], text: str) -> None:
    """A wrong URL is an error at start, which says what to write."""
    app = Flask("shop")
    app.config.update(MAIL_URL=url, **more)
    with pytest.raises(ConfigurationError, match=text):
        Mail(app, cli=None)


@pytest.mark.parametrize(
    ("mailbox", "path"),
    [
        ("shop@example.com", "/v1.0/users/shop%40example.com/sendMail"),
        ("../../v1.0/me?x=#", "/v1.0/users/..%2F..%2Fv1.0%2Fme%3Fx%3D%23/sendMail"),
        ("ä b", "/v1.0/users/%C3%A4%20b/sendMail"),
    ],
)
def test_the_mailbox_is_one_segment(mailbox: str, path: str) -> None:
    """Whatever the mailbox is called, it is one segment of the path."""
    with FakeGraph() as fake:
        fake.path = path
        (report,) = send(fake, username=mailbox)

    assert report.ok
    assert fake.faults == []


def test_the_token_stays_with_its_account() -> None:
    """An account with a mailbox of its own inherits no token of another one."""
    app = Flask("shop")
    app.config["MAIL_URL"] = "graph://a@default"
    app.config["MAIL_OAUTH_TOKEN"] = "token"
    app.config["MAIL_ACCOUNTS"] = {"other": {"handler": "graph", "username": "b"}}
    with pytest.raises(ConfigurationError, match="MAIL_OAUTH_TOKEN is not set"):
        Mail(app, cli=None)
