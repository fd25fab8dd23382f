"""Clients of the providers' own as judges: the same signature, and the same JSON, for the same
mail."""

from __future__ import annotations

import base64
import datetime
import json
import os
import random
import typing as t

import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.session
import pytest
import resend

from flask_mailhandler import Attachment
from flask_mailhandler import LoginError
from flask_mailhandler import Message
from flask_mailhandler import ResendEmailHandler
from flask_mailhandler import Secret
from flask_mailhandler import SESEmailHandler
from flask_mailhandler.handlers.providers.sigv4 import Credentials
from flask_mailhandler.handlers.providers.sigv4 import signed
from sending import letter
from servers.providers.resend import FakeResend
from servers.providers.ses import FakeSES

pytestmark = pytest.mark.slow
_LETTERS = "ABCXYZabcxyz019/+=-_. äé"


def test_the_signature_is_that_of_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the keys, the region, the time and the body are, botocore signs in the same way."""
    chance = random.Random(17)

    def text(most: int, letters: str = _LETTERS[:20]) -> str:
        return "".join(chance.choices(letters, k=chance.randint(1, most)))

    for _ in range(100):
        key, secret = text(20, "ABCXYZ019"), text(40)
        token = text(300) if chance.random() < 0.5 else None
        region, body = chance.choice(["eu-west-1", "us-gov-east-1"]), text(200, _LETTERS).encode()
        now = datetime.datetime.fromtimestamp(chance.randint(10**9, 2 * 10**9), datetime.UTC)
        host, path = f"email.{region}.amazonaws.com", "/v2/email/outbound-emails"

        given = Credentials(key, Secret(secret), None if token is None else Secret(token))
        ours = signed(given, region, "ses", host, path, body, now)

        request = botocore.awsrequest.AWSRequest(
            "POST", f"https://{host}{path}", {"Content-Type": "application/json"}, body
        )
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda now=now: now)
        theirs = botocore.credentials.Credentials(key, secret, token)
        botocore.auth.SigV4Auth(theirs, "ses", region).add_auth(request)
        assert ours["Authorization"] == request.headers["Authorization"]


def test_botocore_sends_the_same_to_ses() -> None:
    """botocore takes our fields for those of SendEmail, and its request has the same JSON."""
    message = letter("ann@example.com", "bob@example.com").replace(envelope_sender="b@example.com")
    with FakeSES() as fake:
        ours = SESEmailHandler(
            api_key=fake.key, api_secret=fake.secret, region="eu-west-1", api_url=fake.url
        )
        (report,) = ours.send([message])
        ours.close()
        given = json.loads(fake.requests[0].body)
        fields = dict(given)
        raw = base64.b64decode(fields["Content"]["Raw"]["Data"])
        client: t.Any = botocore.session.Session().create_client(
            "sesv2",
            region_name="eu-west-1",
            endpoint_url=fake.url,
            aws_access_key_id=fake.key,
            aws_secret_access_key=fake.secret,
            config=botocore.config.Config(
                retries={"total_max_attempts": 1}, parameter_validation=True
            ),
        )
        response = client.send_email(**{**fields, "Content": {"Raw": {"Data": raw}}})
        client.close()

    assert report.ok
    assert response["MessageId"] == "ses-2"
    assert json.loads(fake.requests[1].body) == given


def test_credentials_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keys of its own, the handler takes those that botocore finds."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", FakeSES.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with FakeSES() as fake:
        ours = SESEmailHandler(region="eu-west-1", api_url=fake.url)
        (report,) = ours.send([letter()])
        ours.close()

    assert report.ok


def test_no_credentials_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """If botocore finds no credentials now, the message is deferred: the metadata of a machine may
    be out of reach for a moment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "BOTO_CONFIG"):
        monkeypatch.setenv(name, os.devnull)
    with FakeSES() as fake:
        ours = SESEmailHandler(region="eu-west-1", api_url=fake.url)
        (report,) = ours.send([letter()])
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", FakeSES.key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        (again,) = ours.send([report.message])
        ours.close()

    assert isinstance(report.error, LoginError)
    assert "botocore finds no credentials" in str(report.error)
    assert again.ok


PARAMS: list[tuple[dict[str, t.Any], dict[str, t.Any]]] = [
    ({"text": "Hello"}, {"text": "Hello"}),
    ({"text": "Hello", "html": "<p>Hello"}, {"text": "Hello", "html": "<p>Hello"}),
    ({"html": "<p>Hello"}, {"text": "Hello", "html": "<p>Hello"}),
    ({"text": "Grüße \N{SNOWMAN}\n.\n"}, {"text": "Grüße \N{SNOWMAN}\n."}),
    ({"text": "x", "cc": "c@example.com"}, {"text": "x", "cc": ["c@example.com"]}),
    ({"text": "x", "bcc": ["d@example.com"]}, {"text": "x", "bcc": ["d@example.com"]}),
    (
        {"text": "x", "reply_to": ("Ann", "a@example.com")},
        {"text": "x", "reply_to": ["Ann <a@example.com>"]},
    ),
    ({"text": "x", "headers": {"X-A": "1"}}, {"text": "x", "headers": {"X-A": "1"}}),
    (
        {"text": "x", "attachments": [Attachment(b"\0\xff", filename="a.bin")]},
        {
            "text": "x",
            "attachments": [
                {
                    "filename": "a.bin",
                    "content": "AP8=",
                    "content_type": "application/octet-stream",
                }
            ],
        },
    ),
    (
        {
            "html": '<img src="cid:i@x">',
            "text": "x",
            "inline_attachments": [Attachment(b"i", filename="i.png", cid="i@x")],
        },
        {
            "html": '<img src="cid:i@x">',
            "text": "x",
            "attachments": [
                {
                    "filename": "i.png",
                    "content": "aQ==",
                    "content_type": "image/png",
                    "content_id": "i@x",
                }
            ],
        },
    ),
    ({"text": "x", "subject": "Grüße"}, {"text": "x", "subject": "Grüße"}),
    ({"text": "x", "to": ["a@example.com", "b@example.com"]},
     {"text": "x", "to": ["a@example.com", "b@example.com"]}),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "params"), PARAMS)
def test_the_client_of_resend_sends_the_same(
    fields: dict[str, t.Any], params: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resend's own client, given the same mail as it is documented, sends the same JSON."""
    common = {"subject": "Hi", "to": ["ann@example.com"]}
    with FakeResend() as fake:
        ours = ResendEmailHandler(api_key=fake.key, api_url=fake.url)
        message = Message(**{**common, "from_addr": "shop@example.com", **fields})
        (report,) = ours.send([message])
        ours.close()
        monkeypatch.setattr(resend, "api_url", fake.url)
        monkeypatch.setattr(resend, "api_key", fake.key)
        given: t.Any = {**common, "from": "shop@example.com", **params}
        resend.Emails.send(given, {"idempotency_key": "another"})

    assert report.ok
    assert fake.faults == []
    one, other = (json.loads(request.body) for request in fake.requests)
    assert one == other
