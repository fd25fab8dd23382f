"""Judges for Amazon SES: moto's server, and the service model of botocore."""

from __future__ import annotations

import base64
import functools
import json
import re
import subprocess
import sys
import typing as t
import urllib.request

import botocore.session
import botocore.validate
import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import Message
from flask_mailhandler import SESEmailHandler
from flask_mailhandler import State
from flask_mailhandler.net.http.response import Response
from sending import letter
from sending import PATIENT
from servers.providers.ses import FakeSES

if t.TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow
REGION = "eu-west-1"
_AT = re.compile(rb"http://127\.0\.0\.1:[0-9]+")


KEYS: dict[str, t.Any] = {
    **PATIENT,
    "api_key": FakeSES.key,
    "api_secret": FakeSES.secret,
    "region": REGION,
}


def ses(url: str, **options: t.Any) -> SESEmailHandler:
    return SESEmailHandler(**{**KEYS, "api_url": url, **options})


@functools.cache
def model() -> t.Any:
    """Return what botocore knows of SendEmail."""
    return botocore.session.Session().get_service_model("sesv2").operation_model("SendEmail")


def test_regions() -> None:
    """The API of each region is where botocore has it: in China and in sovereign clouds too."""
    session = botocore.session.Session()
    regions = {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("sesv2", partition)
    }
    given = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    clients = {one: session.create_client("sesv2", region_name=one, **given) for one in regions}

    homes = {one: SESEmailHandler(**{**KEYS, "region": one}).base_url for one in regions}

    assert homes == {one: client.meta.endpoint_url for one, client in clients.items()}
    assert "eusc-de-east-1" in homes


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of moto's server, in which a@example.com may send."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as server:
        try:
            assert server.stderr is not None
            url = next(found[0].decode() for line in server.stderr if (found := _AT.search(line)))
            client: t.Any = botocore.session.Session().create_client(
                "sesv2",
                region_name=REGION,
                endpoint_url=url,
                aws_access_key_id="a",
                aws_secret_access_key="b",
            )
            client.create_email_identity(EmailIdentity="a@example.com")
            client.close()
            yield url
        finally:
            server.kill()


def stored(url: str) -> list[dict[str, t.Any]]:
    """Return the messages that moto has."""
    with urllib.request.urlopen(f"{url}/moto-api/data.json") as response:
        return t.cast("list[dict[str, t.Any]]", json.load(response)["ses"]["RawMessage"])


LETTERS = [
    letter(),
    letter("ann@example.com", text="Grüße \N{SNOWMAN}\n.\n", subject="Grüße"),
    letter().replace(cc="c@example.com", bcc="d@example.com"),
    letter().replace(html="<p>Hello</p>", attachments=[Attachment(b"\0\xff", filename="a.bin")]),
]


@pytest.mark.parametrize("message", LETTERS)
def test_moto_gets_the_message(message: Message, moto: str) -> None:
    """moto stores our octets under the identifier that the report has, for our envelope."""
    handler = ses(moto)
    (report,) = handler.send([message])
    handler.close()

    (content,) = [
        bytes(prepared.job.content)
        for prepared in [handler.prepare(report.message)]
        if prepared.job is not None
    ]
    last = stored(moto)[-1]
    assert report.ok
    assert {outcome.provider_id for outcome in report.outcomes} == {last["id"]}
    assert last["raw_data"].encode() == content
    # moto adds the To and Cc of the header to the destinations, which SES does not.
    assert {*last["destinations"]} == {*map(str, report.accepted)}
    assert last["source"] == "a@example.com"


def test_moto_refuses_a_sender(moto: str) -> None:
    """The error of a From that is not verified is read from its real form."""
    handler = ses(moto)
    (report,) = handler.send([letter().replace(from_addr="nobody@example.org")])
    handler.close()

    (outcome,) = report.outcomes
    assert (outcome.state, outcome.code) == (State.REFUSED, 400)
    assert outcome.text.startswith("MessageRejected ")
    assert "nobody@example.org" in outcome.text


class Careless(SESEmailHandler):
    """Puts too many recipients into a request."""

    most_recipients = 51


def test_moto_takes_fifty_recipients(moto: str) -> None:
    """SES refuses 51 recipients in a request, so they are sent in two."""
    everybody = [f"r{number}@example.com" for number in range(51)]
    # moto counts those of the header, too.
    message = letter().replace(to=None, bcc=everybody)
    before = len(stored(moto))
    handler = ses(moto)
    careless = Careless(**{**KEYS, "api_url": moto})

    (report,) = handler.send([message])
    (other,) = careless.send([message])
    handler.close()
    careless.close()

    assert report.ok
    sent = [{*one["destinations"]} for one in stored(moto)[before:]]
    assert sent == [{*everybody[:50]}, {*everybody[50:]}]
    assert {(one.state, one.code) for one in other.outcomes} == {(State.REFUSED, 400)}


@pytest.mark.parametrize("message", LETTERS)
@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, {"Content", "Destination"}),
        (
            {"configuration_set": "events"},
            {"Content", "Destination", "ConfigurationSetName"},
        ),
    ],
)
def test_the_model_takes_the_request(
    message: Message, options: dict[str, t.Any], fields: set[str]
) -> None:
    """Our JSON has the fields and types of botocore's service model, and no others."""
    handler = ses("http://127.0.0.1:1", **options)
    job = handler.prepare(message.replace(envelope_sender="bounces@example.com")).job
    assert job is not None
    (body,) = handler.request(job).pieces()
    assert isinstance(body, bytes)
    given = json.loads(body)
    raw = given["Content"]["Raw"]
    raw["Data"] = base64.b64decode(raw["Data"], validate=True)

    found = botocore.validate.ParamValidator().validate(given, model().input_shape)

    assert given.keys() == {*fields, "FeedbackForwardingEmailAddress"}
    assert not found.has_errors(), found.generate_report()


STATES = {
    "TooManyRequestsException": State.DEFERRED,
    "LimitExceededException": State.DEFERRED,
    "AccountSuspendedException": State.DEFERRED,
    "SendingPausedException": State.DEFERRED,
    "MessageRejected": State.REFUSED,
    "MailFromDomainNotVerifiedException": State.REFUSED,
    "NotFoundException": State.REFUSED,
    "BadRequestException": State.REFUSED,
}


@pytest.mark.parametrize("name", STATES)
def test_each_error_of_the_model(name: str) -> None:
    """Each error that botocore knows of SendEmail has its outcome, by its name and its status."""
    (shape,) = [shape for shape in model().error_shapes if shape.name == name]
    handler = ses("http://127.0.0.1:1")
    job = handler.prepare(letter()).job
    assert job is not None
    status = shape.metadata["error"]["httpStatusCode"]

    verdict = handler.judge(Response(status, {"x-amzn-errortype": name}, b'{"message":"x"}'), job)

    assert (verdict.state, verdict.code) == (STATES[name], status)
