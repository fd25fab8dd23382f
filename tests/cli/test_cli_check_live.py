"""``flask mail check --live``."""

from __future__ import annotations

import re
import typing as t

import pytest
from click.testing import CliRunner
from flask import Flask

from flask_mailhandler import Mail
from flask_mailhandler.cli import alone
from sending import PATIENT
from sending import Scripted
from servers.http_server import json_page
from servers.http_server import page
from servers.providers import FAKES
from servers.providers.fake import LOST
from servers.providers.fake import not_taken_and
from servers.providers.resend import error
from servers.providers.resend import FakeResend
from servers.providers.ses import aws_error
from servers.providers.ses import FakeSES

if t.TYPE_CHECKING:
    from click.testing import Result

    from servers.http_server import HTTPRequest
    from servers.providers.fake import FakeProvider

LIVE = ("--live", "--to", "ann@example.com")


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A narrower terminal would wrap lines."""
    monkeypatch.setenv("COLUMNS", "120")


def create_app(**keys: object) -> Flask:
    app = Flask("checker")
    given = {"default_from": "me@example.com", **PATIENT, **keys}
    app.config.update({f"MAIL_{name.upper()}": value for name, value in given.items()})
    Mail(app)
    return app


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["mail", "check", *arguments])


def rows(result: Result) -> dict[str, str]:
    """Return the rows after the settings, by the name in the first column."""
    _, _, shown = result.output.partition("One message was given")
    return dict(re.findall(r"^  (\S+(?: \S+)*)  +(.*)$", shown, re.M))


@pytest.mark.parametrize("name", FAKES)
def test_one_message_by_an_api(name: str) -> None:
    """One message goes to --to alone, and the response is shown field by field, without a key."""
    with FAKES[name]() as fake:
        app = create_app(url=fake.mail_url, default_bcc="archive@example.com")
        result = run(app, *LIVE)

    found = rows(result)
    assert result.exit_code == 0, result.output
    assert (found["recipient"], found["outcome"]) == ("ann@example.com", "accepted")
    assert found["status"].startswith("2")
    assert re.fullmatch(r"<\S+@example\.com>", found["Message-ID"])
    assert re.fullmatch(r"\d+\.\d\d s", found["time"])
    assert "Response of the API, field by field:\n\n  status" in result.output
    assert f"arrives, see whether its Message-ID is {found['Message-ID']}." in result.output
    assert fake.key not in result.output
    assert [mail.recipients for mail in fake.taken] == [("ann@example.com",)]
    assert fake.faults == []


def test_what_a_provider_answers() -> None:
    """Rate limits, identifiers, the fields of the body and our verdict are shown; a cookie is only
    named."""
    answer = error(
        429, "rate_limit_exceeded", "Too many", "Retry-After: 7", "RateLimit-Limit: 2",
        "X-Request-Id: abc-1", "Date: Mon, 30 Nov 2026 01:00:00 GMT", "Set-Cookie: id=s3cret",
    )  # fmt: skip
    with FakeResend(not_taken_and(answer)) as fake:
        result = run(create_app(url=fake.mail_url), *LIVE)

    found = rows(result)
    assert result.exit_code == 1
    assert (found["outcome"], found["error"], found["phase"]) == (
        "deferred",
        "DeferredError",
        "end of data",
    )
    assert (found["account rests"], found["about"]) == ("7 s", "account")
    assert (found["retry-after"], found["ratelimit-limit"]) == ("7", "2")
    assert (found["x-request-id"], found["body: name"]) == ("abc-1", '"rate_limit_exceeded"')
    assert found["date"].startswith("Mon, 30 Nov")
    assert found["other fields"] == "content-length, set-cookie"
    assert "s3cret" not in result.output
    assert "Error: Resend: 429 rate_limit_exceeded Too many." in result.output


def test_text_that_cannot_be_printed() -> None:
    """Characters that a terminal cannot or must not print are escaped."""
    answer = json_page(400, {"message": "\ud800", "\ud800\x9b2J": ["\u202e\udfff"]})
    with FakeResend(not_taken_and(answer)) as fake:
        result = run(create_app(url=fake.mail_url), *LIVE)

    assert (result.exit_code, rows(result)["body: message"]) == (1, r'"\ud800"')
    assert r'body: \ud800\x9b2J  ["\u202e\udfff"]' in result.output


def test_an_account_that_rests() -> None:
    """If the provider does not say for how long the account should rest, that is shown."""
    answer = aws_error(400, "SendingPausedException", "Paused")
    with FakeSES(not_taken_and(answer)) as fake:
        result = run(create_app(url=fake.mail_url), *LIVE)

    found = rows(result)
    assert (found["outcome"], found["account rests"]) == (
        "deferred",
        "for a time that is not said",
    )
    assert found["x-amzn-errortype"] == "SendingPausedException:"


def test_an_answer_that_is_lost() -> None:
    """Without a response, the report says how far the request came, and until when a repeat is
    safe."""
    with FakeResend(LOST, LOST) as fake:
        result = run(create_app(url=fake.mail_url), *LIVE)

    found = rows(result)
    assert result.exit_code == 1
    assert (found["outcome"], found["phase"]) == ("deferred", "end of data")
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\+00:00", found["safe until"])
    assert "Response" not in result.output


def test_several_requests() -> None:
    """Each response is shown, if the message goes in several requests."""
    everybody = [f"a{number}@example.com" for number in range(51)]
    with FakeSES() as fake:
        result = run(create_app(url=fake.mail_url, redirect_to=everybody), *LIVE)

    assert result.exit_code == 0
    assert len(fake.taken) == 2
    assert "Response 1 of 2 of the API" in result.output
    assert "Response 2 of 2 of the API" in result.output


def repeats_it(fake: FakeProvider, request: HTTPRequest) -> bytes:
    """Answer with all that was sent."""
    return json_page(400, {"message": str(request.headers), **request.headers})


def repeats_it_as_text(fake: FakeProvider, request: HTTPRequest) -> bytes:
    text = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
    return page(400, text.encode(), f"X-Trace: {text.replace(chr(10), ' ')}")


@pytest.mark.parametrize("name", FAKES)
@pytest.mark.parametrize("manner", [repeats_it, repeats_it_as_text])
def test_a_key_that_is_repeated(name: str, manner: t.Any) -> None:
    """A key that the provider repeats is masked in its header fields and in its body."""
    with FAKES[name](manner) as fake:
        result = run(create_app(url=fake.mail_url), *LIVE)

    assert result.exit_code == 1
    assert fake.key not in result.output
    assert "***" in result.output.partition("One message")[2]


def test_a_token_of_the_request() -> None:
    """Credentials that only the request had are masked, too."""
    token = "FwoGZXIvYXdzEJr//////////wEaDG5vdC1hLXRva2Vu"
    with FakeSES(repeats_it) as fake:
        app = create_app(
            url=f"ses://eu-west-1?api_url={fake.url}",
            api_credentials=lambda: ("AKIDEXAMPLE", "not-shown", token),
        )
        result = run(app, *LIVE)

    assert "x-amz-security-token" in result.output
    assert token not in result.output


@pytest.mark.parametrize(
    ("reply", "code", "outcome", "text"),
    [
        ("250 2.0.0 queued as 4F2", 0, "accepted", "queued as 4F2"),
        ("452 4.3.1 disk full", 1, "deferred", "disk full"),
        ("554 5.7.1 no", 1, "refused", "no"),
    ],
)
def test_one_message_by_smtp(
    reply: str, code: int, outcome: str, text: str, scripted: Scripted
) -> None:
    """By SMTP, the reply to the message is shown with its codes."""
    server = scripted(on={"end of data": reply})

    result = run(create_app(host=server.host, port=server.port), *LIVE)

    found = rows(result)
    assert (result.exit_code, found["outcome"]) == (code, outcome)
    assert (found["status"], found["text"]) == (reply[:9], text)
    assert "Response" not in result.output


def test_another_account() -> None:
    """With --using, the message goes through that account."""
    with FakeResend() as fake:
        app = create_app(url="smtp://127.0.0.1:1", accounts={"bulk": {"url": fake.mail_url}})
        result = run(app, "--using", "bulk", *LIVE)

    assert result.exit_code == 0
    assert fake.taken[0].subject == "Test of the account 'bulk'"


def test_without_an_app() -> None:
    """The URL on the command line is tried in the same way."""
    with FakeResend() as fake:
        url = f"{fake.mail_url}&default_from=me@example.com"
        result = CliRunner().invoke(alone(), ["check", "--url", url, *LIVE])

    assert result.exit_code == 0, result.output
    assert rows(result)["provider's id"] == "resend-1"


@pytest.mark.parametrize(
    ("keys", "arguments", "said"),
    [
        ({}, ("--live",), "--live needs --to: the address that gets the message."),
        ({}, (*LIVE, "--dns"), "--live sends a message. Leave out --dns and --offline."),
        ({}, (*LIVE, "--offline"), "--live sends a message. Leave out --dns and --offline."),
        ({}, ("--live", "--to", "ann"), "--to is not an address: 'ann' has no @."),
        ({"default_from": None}, LIVE, "Set MAIL_DEFAULT_FROM to an address that the account may"),
        ({"url": "console:"}, LIVE, "the ConsoleEmailHandler sends nothing. It was chosen by"),
        ({"url": "memory:"}, LIVE, "the MemoryEmailHandler sends nothing. It was chosen by"),
        ({"suppress_send": True}, LIVE, "MAIL_SUPPRESS_SEND. Set MAIL_URL to a server or a"),
    ],
)
def test_what_is_refused(keys: dict[str, object], arguments: tuple[str, ...], said: str) -> None:
    """Without a recipient, or where nothing would be sent, the error says what to do."""
    with FakeResend() as fake:
        result = run(create_app(**{"url": fake.mail_url, **keys}), *arguments)

    assert result.exit_code in (1, 2)
    assert said in " ".join(result.output.split())
    assert fake.requests == []


def test_in_a_test() -> None:
    """An app that is tested sends nothing, and neither does one whose mail is captured."""
    with FakeResend() as fake:
        app = create_app(url=fake.mail_url)
        with app.extensions["mailhandler"].capture(app) as outbox:
            captured = run(app, *LIVE)
        app.testing = True
        tested = run(app, *LIVE)

    assert (captured.exit_code, tested.exit_code) == (1, 1)
    assert "a test captures the mail of this app" in captured.output
    assert "because TESTING is on" in " ".join(tested.output.split())
    assert fake.requests == []
    assert [*outbox] == []


def test_a_message_that_is_stopped() -> None:
    """If a before_send function stops the message, the exit code is 1."""
    with FakeResend() as fake:
        app = create_app(url=fake.mail_url)
        app.extensions["mailhandler"].before_send(lambda message: None)
        result = run(app, *LIVE)

    assert result.exit_code == 1
    assert "A before_send function stopped the message. It was not sent." in result.output
    assert fake.requests == []
