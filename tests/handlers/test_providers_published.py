"""What the OpenAPI files of providers say: of our requests, and of the responses of our fakes."""

from __future__ import annotations

import json
import typing as t

import pytest

from flask_mailhandler.handlers.providers.hearing import hearing
from provider_mails import mails
from providing import handler_of
from providing import rich
from providing import send
from sending import letter
from servers.providers import FAKES
from servers.providers.mailgun import form_of
from servers.providers.published import faults
from servers.providers.published import REQUESTS
from servers.providers.published import RESPONSES

if t.TYPE_CHECKING:
    from flask_mailhandler import Message
    from flask_mailhandler.net.http.request import Request
    from flask_mailhandler.net.http.response import Response
    from servers.http_server import HTTPRequest

pytestmark = pytest.mark.slow
WIDE: dict[str, dict[str, t.Any]] = {
    "resend": {"tags": ["a", "b"], "metadata": {"order": "17"}},
    "sendgrid": {"tags": ["a", "b"], "metadata": {"order": "1"}, "track_opens": True},
    "mailgun": {"tags": ["a", "b"], "metadata": {"order": "1"}, "track_clicks": False},
    "postmark": {"tags": ["a"], "metadata": {"order": "1"}, "track_clicks": False},
}
# Recipients that a fake refuses.
REFUSED = {"mailgun": "wrong@example.com", "postmark": "inactive@example.com"}


def given(provider: str) -> list[Message]:
    """The mails that a provider is judged by: the twelve, and some with all that it takes."""
    again: list[t.Any] = ["help@example.com", ("Help", "help@example.com"), "help@example.com"]
    twice = letter().replace(reply_to=again, cc=["A@example.com", "a@example.com"])
    hidden = letter().replace(to=None, bcc=["a@example.com", "A@example.com", "b@example.com"])
    other = rich().replace(attachments=[], stream=None, **WIDE[provider])
    return [*mails(provider), twice, hidden, other]


def fields_of(request: HTTPRequest) -> dict[str, t.Any]:
    if request.headers["content-type"] == "application/json":
        return t.cast("dict[str, t.Any]", request.json)
    form = form_of(request)
    return {
        name: [one.decode(errors="replace") for one in several] for name, several in form.items()
    }


@pytest.mark.parametrize("provider", REQUESTS)
def test_requests(provider: str) -> None:
    """Each request has the fields, types and limits of the provider's OpenAPI file."""
    with FAKES[provider]() as fake:
        handler = handler_of(fake, webhook_secret="a-secret-part-of-a-url")
        reports = handler.send(given(provider))
        handler.close()
        requests = [fields_of(request) for request in fake.requests]

    assert [fault for fields in requests for fault in faults(fields, REQUESTS[provider])] == []
    assert fake.faults == []
    assert all(report.ok for report in reports)


@pytest.mark.parametrize("provider", RESPONSES)
def test_responses(provider: str) -> None:
    """Each response of a fake has the fields and types of the provider's OpenAPI file."""
    heard: dict[int, t.Any] = {}

    def hear(request: Request, response: Response) -> None:
        if response.status in RESPONSES[provider]:
            heard[response.status] = json.loads(response.body) if response.body else None

    refused = letter().replace(to=REFUSED.get(provider, "ann@example.com"))
    with FAKES[provider]() as fake, hearing(hear):
        send(fake, letter(), refused)
        send(fake, api_key="no-key-of-this-account")

    known = RESPONSES[provider]
    assert {200, 202} & heard.keys()
    assert [fault for status, body in heard.items() for fault in faults(body, known[status])] == []


def test_the_judge() -> None:
    """A wrong type, length or form, something twice, missing or unknown is a fault."""
    shape = REQUESTS["sendgrid"]
    person = {"email": "a@example.com"}
    right = {"from": person, "personalizations": [{"to": [person]}]}

    assert [*faults(right, shape)] == []
    for wrong in (
        {"from": person},
        {**right, "from": {"name": "x"}},
        {**right, "subject": ""},
        {**right, "reply_to_list": [person, person]},
        {**right, "categories": ["a"] * 11},
        {**right, "personalizations": [{"to": person}]},
        {**right, "personalizations": [{"to": [person], "custom_args": {"a": 1}}]},
        {**right, "content": [{"type": "text/plain"}]},
        {**right, "attachments": [{"content": "x", "filename": "a", "disposition": "other"}]},
        {**right, "text": "x"},
    ):
        assert [*faults(wrong, shape)] != []
