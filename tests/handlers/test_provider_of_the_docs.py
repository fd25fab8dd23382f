"""The providers that docs/providers/own.rst writes: the page's code, over small servers."""

from __future__ import annotations

import base64
import typing as t
from pathlib import Path

import pytest
from flask import Flask

from code_blocks import code_blocks
from flask_mailhandler import About
from flask_mailhandler import Attachment
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler import State
from sending import letter
from sending import PATIENT
from servers.http_server import json_page
from servers.http_server import page
from servers.providers.fake import DROPPED
from servers.providers.fake import FakeProvider
from servers.providers.fake import LOST
from servers.providers.fake import Mail as Taken
from servers.providers.fake import mailboxes
from servers.providers.fake import not_taken_and
from servers.providers.fake import taken_and

if t.TYPE_CHECKING:
    from flask_mailhandler import Report
    from servers.http_server import HTTPRequest
    from servers.providers.fake import Manner

PAGE = Path(__file__).parents[2] / "docs" / "providers" / "own.rst"
ACCEPTED, DEFERRED, REFUSED, UNKNOWN = State


class FakePigeonPost(FakeProvider):
    """Recognizes a repeat by its key."""

    path = "/v1/letters"
    FIELDS: t.ClassVar = {"from", "to", "cc", "bcc", "reply_to", "subject", "text", "html"}

    def __init__(self, *manners: Manner, **given: t.Any) -> None:
        super().__init__(*manners, **given)
        self.known: set[str] = set()

    def take(self, request: HTTPRequest) -> bytes:
        if request.headers.get("x-pigeon-key") != self.key:
            return json_page(401, {"reason": "Unknown pigeon"})
        fields = request.json
        if not fields.keys() <= self.FIELDS | {"headers", "loft", "labels", "ring"}:
            self.fault(str(sorted(fields)))
        once = request.headers["x-pigeon-once"]
        if once in self.known:
            return json_page(409, {"error": "already_sent", "reason": "It has flown."})
        self.known.add(once)
        everybody = [one for name in ("to", "cc", "bcc") for one in mailboxes(fields.get(name))]
        self.note(everybody, fields)
        return json_page(201, {"letter": f"pigeon-{len(self.taken)}"})

    def note(self, recipients: list[str], fields: dict[str, t.Any]) -> None:
        self.taken.append(Taken(tuple(recipients), fields.get("subject", ""), fields))


class FakeOwlMail(FakePigeonPost):
    """Takes octets."""

    path = "/raw"

    def take(self, request: HTTPRequest) -> bytes:
        if request.headers.get("x-owl-key") != self.key:
            return json_page(401, {"reason": "Who?"})
        self.note(request.json["recipients"], request.json)
        return json_page(202, {"owl": f"owl-{len(self.taken)}"})


@pytest.fixture(scope="module")
def written() -> dict[str, t.Any]:
    """What the page's code defines."""
    namespace: dict[str, t.Any] = {"__name__": "page", "Flask": Flask, "Mail": Mail}
    for block in code_blocks(PAGE):
        block.run(namespace)
    return namespace


def send(
    written: dict[str, t.Any], fake: FakeProvider, message: Message, **options: t.Any
) -> Report:
    name = "OwlEmailHandler" if isinstance(fake, FakeOwlMail) else "PigeonEmailHandler"
    handler = written[name](**{**PATIENT, "api_key": fake.key, "api_url": fake.url, **options})
    (report,) = handler.send([message])
    handler.close()
    return t.cast("Report", report)


def test_a_provider_that_takes_fields(written: dict[str, t.Any]) -> None:
    """The provider gets the fields and the option, and the report has its identifier."""
    message = letter("ann@example.com").replace(
        cc="c@example.com", bcc="d@example.com", html="<p>Hi", headers={"X-A": "1"}
    )
    message = message.replace(tags=["news"], provider_options={"pigeon": {"ring": 7}})
    with FakePigeonPost() as fake:
        report = send(written, fake, message, loft="north")

    (mail,) = fake.taken
    assert report.ok
    assert {one.provider_id for one in report.outcomes} == {"pigeon-1"}
    assert mail.recipients == ("ann@example.com", "c@example.com", "d@example.com")
    assert mail.fields == {
        "from": "a@example.com",
        "to": ["ann@example.com"],
        "cc": ["c@example.com"],
        "bcc": ["d@example.com"],
        "subject": "Hi",
        "text": "Hello.",
        "html": "<p>Hi",
        "headers": {"X-A": "1"},
        "loft": "north",
        "labels": ["news"],
        "ring": 7,
    }
    assert fake.faults == []


@pytest.mark.parametrize(
    ("manners", "state", "about", "taken"),
    [
        ([LOST], ACCEPTED, None, 1),  # the repeat is recognized
        ([DROPPED], ACCEPTED, None, 1),
        ([LOST, LOST], DEFERRED, About.ACCOUNT, 1),
        ([taken_and(page(200, b"<html>"))], DEFERRED, About.ACCOUNT, 1),
        ([taken_and(page(500))], DEFERRED, About.ACCOUNT, 1),
        ([not_taken_and(page(429, b"", "Retry-After: 7"))], DEFERRED, About.ACCOUNT, 0),
        (
            [not_taken_and(json_page(402, {"error": "no_grain_left", "reason": "Pay."}))],
            DEFERRED,
            About.ACCOUNT,
            0,
        ),
        (
            [not_taken_and(json_page(400, {"error": "unknown_sender", "reason": "No."}))],
            REFUSED,
            About.SENDER,
            0,
        ),
        (
            [not_taken_and(json_page(422, {"error": "rain", "reason": "No."}))],
            REFUSED,
            About.CONTENT,
            0,
        ),
    ],
)
def test_what_its_answers_mean(
    manners: list[Manner],
    state: State,
    about: About | None,
    taken: int,
    written: dict[str, t.Any],
) -> None:
    """Each answer has its outcome, and no message is taken twice."""
    with FakePigeonPost(*manners) as fake:
        report = send(written, fake, letter())

    assert [(one.state, one.about) for one in report.outcomes] == [(state, about)]
    assert len(fake.taken) == taken
    # Whatever may have been taken is repeated while the key is known.
    assert (report.safe_until is not None) == (state is DEFERRED and taken == 1)
    assert fake.key not in str(report.error)


def test_a_wrong_key(written: dict[str, t.Any]) -> None:
    """A wrong key lets the account rest."""
    with FakePigeonPost() as fake:
        report = send(written, fake, letter(), api_key="another")

    assert str(report.error) == ("Pigeon Post: 401 Unknown pigeon. Check the key of the account.")


@pytest.mark.parametrize(
    "fields",
    [
        {"attachments": [Attachment(b"x", filename="a.bin")]},
        {"html": "<img src='cid:i'>",
         "inline_attachments": [Attachment(b"x", filename="a.png", cid="i")]},
        {"envelope_sender": "bounces@example.com"},
        {"metadata": {"order": "7"}},
        {"track_opens": True},
        {"to": [f"r{number}@example.com" for number in range(11)]},
        {"text": "x" * 1_000_000},
    ],
)  # fmt: skip
def test_what_it_refuses(fields: dict[str, t.Any], written: dict[str, t.Any]) -> None:
    """What a pigeon cannot carry is an error on the line that sends it."""
    with FakePigeonPost() as fake, pytest.raises(MessageError):
        send(written, fake, letter().replace(**fields))

    assert fake.requests == []


def test_a_provider_that_takes_octets(written: dict[str, t.Any]) -> None:
    """The provider gets the octets, in which Bcc is not shown, and the recipients."""
    with FakeOwlMail() as fake:
        report = send(written, fake, letter("ann@example.com").replace(bcc="dora@example.com"))

    (mail,) = fake.taken
    octets = base64.b64decode(mail.fields["message"])
    assert report.ok
    assert report.outcomes[0].provider_id == "owl-1"
    assert mail.recipients == ("ann@example.com", "dora@example.com")
    assert b"To: ann@example.com\r\n" in octets
    assert b"dora@example.com" not in octets


@pytest.mark.parametrize(
    ("manner", "state", "taken"),
    [
        (LOST, UNKNOWN, 1),
        (taken_and(page(200, b"<html>")), UNKNOWN, 1),
        (not_taken_and(json_page(400, {"reason": "No."})), REFUSED, 0),
    ],
)
def test_without_a_key_for_repeats(
    manner: Manner, state: State, taken: int, written: dict[str, t.Any]
) -> None:
    """Where a repeat is not recognized, a lost answer is unknown, and nothing is repeated."""
    with FakeOwlMail(manner) as fake:
        report = send(written, fake, letter())

    assert [one.state for one in report.outcomes] == [state]
    assert len(fake.requests) == 1
    assert len(fake.taken) == taken


def test_its_entry_point(
    written: dict[str, t.Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the entry point of the page, its name is a scheme of MAIL_URL."""
    source = "\n".join(block.code for block in code_blocks(PAGE)[:1])
    (tmp_path / "flask_pigeon.py").write_text(source, encoding="utf-8")
    folder = tmp_path / "flask_pigeon-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: flask-pigeon\nVersion: 1.0\n", encoding="utf-8"
    )
    lines = PAGE.read_text(encoding="utf-8").partition(".. code-block:: toml\n\n")[2].splitlines()
    (name,) = [line.strip() for line in lines[:3] if " = " in line]
    (folder / "entry_points.txt").write_text(
        "[flask_mailhandler.handlers]\n" + name.replace('"', "") + "\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with FakePigeonPost() as fake:
        app = Flask("shop")
        app.config["MAIL_URL"] = f"pigeon://{fake.key}@default?loft=north&api_url={fake.url}"
        mail = Mail(app)
        with app.app_context():
            report = mail.send(letter())

    assert report.ok
    assert fake.taken[0].fields["loft"] == "north"
