"""The fields with which a mail client unsubscribes (RFC 2369, RFC 8058), and the link in a mail."""

from __future__ import annotations

import email
import email.policy
import json
import re
import typing as t
import urllib.request
from email.message import EmailMessage

import jinja2
import pytest

from flask_mailhandler import ConfigurationError
from flask_mailhandler import Mailer
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler.app.unsubscribing import read_token
from flask_mailhandler.handlers.staging import for_others
from flask_mailhandler.lint import lint
from leaving import address
from leaving import ANN
from leaving import BASE
from leaving import link
from leaving import ListShop
from leaving import MAILTO
from leaving import news
from sending import PATIENT
from servers.flask_server import served

if t.TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

    from sending import Scripted

BOB = "bob@example.org"
TOKEN = r"\.?[\w-]+\.[\w-]{43}"
TEMPLATES = {
    "page.html": '<p>Hello <a href="{{ unsubscribe_url }}">Leave</a></p>',
    "page.txt": "Leave: {{ unsubscribe_url }}",
    "marked.md": "Hello [Leave]({{ unsubscribe_url }})",
    "one.mail": "{% block text %}Leave: {{ unsubscribe_url }}{% endblock %}"
    '{% block html %}<a href="{{ unsubscribe_url }}">Leave</a>{% endblock %}',
    "part.html": '{% from "macro.html" import leave %}{{ leave(unsubscribe_url) }}',
    "macro.html": '{% macro leave(url) %}<a href="{{ url }}">Leave</a>{% endmacro %}',
}


def subscription(app: Flask, url: str) -> t.Any:
    return read_token(app, url.rpartition("/")[2])


# The fields


def test_both_fields() -> None:
    """The mail has both fields, with the link first, and the link is for this mail's recipient."""
    shop = ListShop(MAIL_UNSUBSCRIBE_MAILTO=MAILTO)
    captured = shop.sent()
    parsed = email.message_from_bytes(bytes(captured.content), policy=email.policy.SMTP)

    assert re.fullmatch(
        rf"<{BASE}/mail/unsubscribe/{TOKEN}>,"
        r" <mailto:leave\+[a-z2-7]+@shop.example\?subject=unsubscribe>",
        str(parsed["List-Unsubscribe"]),
    )
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert subscription(shop.app, link(captured)) == ("newsletter", ANN, captured.message_id, "")
    assert not [found for found in lint(bytes(captured.content)) if found.rule == "one-click"]


def test_only_an_address() -> None:
    """Without MAIL_UNSUBSCRIBE, there is only the address, and no List-Unsubscribe-Post."""
    captured = ListShop(MAIL_UNSUBSCRIBE=False, MAIL_UNSUBSCRIBE_MAILTO=MAILTO).sent()

    assert (
        captured.headers["List-Unsubscribe"] == f"<mailto:{address(captured)}?subject=unsubscribe>"
    )
    assert "List-Unsubscribe-Post" not in captured.headers


def test_other_mail() -> None:
    """A message without unsubscribe= has neither."""
    captured = ListShop(MAIL_UNSUBSCRIBE_MAILTO=MAILTO).sent(news(unsubscribe=None))

    assert not captured.headers


@pytest.mark.parametrize("url", ["https://shop.example/app", "https://shop.example/app/"])
def test_a_mounted_app(url: str) -> None:
    """The link begins with MAIL_BASE_URL, and its path."""
    shop = ListShop(MAIL_BASE_URL=url)
    captured = shop.sent()

    assert link(captured).startswith("https://shop.example/app/mail/unsubscribe/")
    assert captured.unsubscribe(shop.client).status_code == 200


def test_server_name() -> None:
    """Without MAIL_BASE_URL, the link begins with SERVER_NAME."""
    shop = ListShop(MAIL_BASE_URL=None, SERVER_NAME="my.shop.example", PREFERRED_URL_SCHEME="https")

    assert link(shop.sent()).startswith("https://my.shop.example/mail/unsubscribe/")


def test_accounts() -> None:
    """Each account may have its own address, and may have no link."""
    accounts = {
        "bulk": {"unsubscribe_mailto": "off@news.example"},
        "plain": {"unsubscribe": False},
    }
    shop = ListShop(MAIL_UNSUBSCRIBE_MAILTO=MAILTO, MAIL_ACCOUNTS=accounts)

    assert address(shop.sent()).startswith("leave+")
    assert address(shop.sent(using="bulk")).startswith("off+")
    assert link(shop.sent(using="bulk")).startswith(BASE)
    assert "https" not in shop.sent(using="plain").headers["List-Unsubscribe"]


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"to": [ANN]}, {}),
        ({"to": [], "bcc": [ANN]}, {}),
        ({"to": [ANN, BOB]}, {"recipients": [ANN]}),
        ({"to": [ANN, ANN]}, {}),
    ],
)
def test_one_recipient(fields: t.Any, options: t.Any) -> None:
    """The recipient is the one of the envelope. An archive of the account does not count."""
    shop = ListShop(MAIL_DEFAULT_BCC=None if "bcc" in fields or options else "archive@shop.example")
    captured = shop.sent(news(**fields), **options)

    assert subscription(shop.app, link(captured)).recipient == ANN


@pytest.mark.parametrize(
    "fields", [{"to": [ANN, BOB]}, {"cc": BOB}, {"bcc": [BOB, "archive@shop.example"]}]
)
def test_several_recipients(fields: t.Any) -> None:
    """A message to several is an error that says how to send a list."""
    shop = ListShop(MAIL_DEFAULT_BCC="archive@shop.example")

    with pytest.raises(MessageError, match=r"needs one recipient, .* mail.send_each\(...\)"):
        shop.sent(news(**fields))


def test_a_list() -> None:
    """With send_each, each recipient has a link of their own."""
    shop = ListShop()
    people = [f"p{number}@example.org" for number in range(3)]
    with shop.app.app_context(), shop.mail.capture() as outbox:
        reports = [*shop.mail.send_each(news(to=person) for person in people)]

    assert all(report.ok for report in reports)
    assert [subscription(shop.app, link(one)).recipient for one in outbox] == people


# What is wrong


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "takes the name of a list"),
        (7, "takes the name of a list"),
        ("  ", "takes the name of a list"),
        ("x" * 101, "up to 100 characters"),
        (["newsletter"], "takes the name of a list"),
        ("a\nb", "unsubscribe"),
    ],
)
def test_a_wrong_name(value: t.Any, said: str) -> None:
    """A name that is none is an error of the line that gives it."""
    with pytest.raises(MessageError, match=said):
        news(unsubscribe=value)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"MAIL_UNSUBSCRIBE": None}, "needs MAIL_UNSUBSCRIBE = True and MAIL_BASE_URL, or MAIL_UN"),
        ({"SECRET_KEY": None}, "MAIL_UNSUBSCRIBE needs the app's SECRET_KEY"),
        ({"MAIL_BASE_URL": None}, "MAIL_UNSUBSCRIBE needs MAIL_BASE_URL, the URL of the app"),
        ({"MAIL_BASE_URL": None, "SERVER_NAME": "shop.example"}, "that begins with https:, not"),
        (
            {"MAIL_UNSUBSCRIBE": None, "MAIL_UNSUBSCRIBE_MAILTO": MAILTO, "SECRET_KEY": ""},
            "MAIL_UNSUBSCRIBE_MAILTO needs the app's SECRET_KEY, which signs the address",
        ),
    ],
)
def test_a_wrong_configuration(keys: t.Any, said: str) -> None:
    """A message that needs a key which is missing is an error that says what to set."""
    shop = ListShop(testing=False, **keys)

    with pytest.raises(ConfigurationError, match=re.escape(said)):
        shop.sent()
    assert shop.sent(news(unsubscribe=None)).subject == "News"


@pytest.mark.parametrize("url", ["http://shop.example", "http://192.0.2.1:5000/app"])
def test_no_tls(url: str) -> None:
    """A URL without TLS is an error when the app is made, but not in a test or debug mode."""
    with pytest.raises(ConfigurationError, match="needs a MAIL_BASE_URL that begins with https:"):
        ListShop(testing=False, MAIL_BASE_URL=url)
    captured = ListShop(MAIL_BASE_URL=url).sent()

    assert link(captured).startswith(url)
    assert "List-Unsubscribe-Post" not in captured.headers


@pytest.mark.parametrize(
    "url", ["http://localhost", "http://127.0.0.1:5000/app", "http://shop.localhost:5000"]
)
def test_this_machine(url: str) -> None:
    """On this machine, the link works without TLS, and lint says nothing."""
    captured = ListShop(MAIL_BASE_URL=url).sent()

    assert captured.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert not lint(bytes(captured.content))


def test_in_a_test() -> None:
    """A test needs no MAIL_BASE_URL: the link is the one of the request."""
    shop = ListShop(MAIL_BASE_URL=None)
    with shop.app.test_request_context(base_url="http://localhost:8080/app"):
        inside = shop.sent()

    assert link(shop.sent()).startswith("http://localhost/mail/unsubscribe/")
    assert link(inside).startswith("http://localhost:8080/app/mail/unsubscribe/")
    assert shop.sent().unsubscribe(shop.client).status_code == 200


def test_a_long_name() -> None:
    """A name for which an address has no room is an error that says how much there is."""
    shop = ListShop(MAIL_UNSUBSCRIBE_MAILTO=f"{'x' * 21}@shop.example")

    assert len(address(shop.sent(news(unsubscribe="n" * 16))).partition("@")[0]) == 64
    with pytest.raises(MessageError, match=r"has 17 octets, and with .* there is room for 16"):
        shop.sent(news(unsubscribe="n" * 17))
    with pytest.raises(MessageError, match="has 18 octets"):
        shop.sent(news(unsubscribe="ö" * 9))


@pytest.mark.parametrize("value", ["x" * 22 + "@shop.example", "jörg@shop.example"])
def test_a_wrong_address(value: str) -> None:
    """An address without room for a signature is an error when the app is made."""
    with pytest.raises(ConfigurationError, match="MAIL_UNSUBSCRIBE_MAILTO takes an address in ASC"):
        ListShop(MAIL_UNSUBSCRIBE_MAILTO=value)


def test_fields_of_its_own() -> None:
    """A message that has the fields already is an error."""
    headers = {"List-Unsubscribe": "<https://shop.example/u/1>"}

    with pytest.raises(MessageError, match=r"headers= has them already. Leave them out"):
        ListShop().sent(news(headers=headers))


def test_without_an_app() -> None:
    """What belongs to no app can make no link, and says so."""
    handler = SMTPEmailHandler(default_from="a@shop.example", unsubscribe=True)

    with pytest.raises(MessageError, match=r"send the message with mail.send\(...\)"):
        handler.send([news()])
    with pytest.raises(MessageError, match=r"pass it to mail.send\(...\)"):
        news(from_addr="a@shop.example").to_mime()


# The same mail again


def test_the_same_mail() -> None:
    """The same mail has the same link each time, and a changed copy another one."""
    shop = ListShop()
    message = news()
    first, again, other = shop.sent(message), shop.sent(message), shop.sent(message.replace())

    assert link(first) == link(again) != link(other)
    assert bytes(first.content) == bytes(again.content)
    assert message.unsubscribe == message.replace(subject="x").unsubscribe == "newsletter"


def test_the_message_of_a_report() -> None:
    """The message of a report can be sent again, but not to others: its text has a link."""
    shop = ListShop()
    sent = shop.sent()
    message = sent.report.message
    assert isinstance(message, Message)

    assert bytes(shop.sent(message).content) == bytes(sent.content)
    with pytest.raises(MessageError, match="its link is the one of its recipient"):
        shop.sent(message.replace(to=BOB))


def test_as_json() -> None:
    """A message that was stored as JSON has the same link, in its language."""
    shop = rendering()
    with shop.app.app_context():
        message = shop.mail.render("page", subject="x", to=ANN, unsubscribe="news", locale="de_AT")
    read = Message.from_dict(json.loads(json.dumps(message.to_dict())))

    assert link(shop.sent(read)) == link(shop.sent(message.completed(from_addr=None)))
    assert subscription(shop.app, link(shop.sent(read))).locale == "de_AT"


@pytest.mark.parametrize("locale", ["../x", "de_", 7, "d"])
def test_hostile_json(locale: t.Any) -> None:
    """A language that is none is damage."""
    data = news().to_dict()
    data["made"]["locale"] = locale

    with pytest.raises(MessageError, match="damaged"):
        Message.from_dict(data)


# In templates


def rendering(**keys: t.Any) -> ListShop:
    shop = ListShop(**keys)
    shop.app.jinja_loader = jinja2.DictLoader(TEMPLATES)
    return shop


@pytest.mark.parametrize("template", ["page", "marked", "one", "part"])
@pytest.mark.parametrize("late", [False, True])
def test_in_a_template(template: str, late: bool) -> None:
    """``unsubscribe_url`` is the link in the header, also if the recipient is named later."""
    shop = rendering(MAIL_UNSUBSCRIBE_MAILTO=MAILTO)
    with shop.app.app_context():
        fields: t.Any = {} if late else {"to": ANN}
        message = shop.mail.render(template, subject="x", unsubscribe="newsletter", **fields)
    captured = shop.sent(message.replace(to=BOB) if late else message)
    octets = bytes(captured.content)

    assert captured.link("Leave") == link(captured)
    assert captured.text.count(link(captured)) == 1
    assert subscription(shop.app, link(captured)).recipient == (BOB if late else ANN)
    assert b".invalid" not in octets


def test_a_mailer() -> None:
    """A Mailer passes it on."""

    class News(Mailer):
        def week(self, to: str) -> Message:
            return self.render("page", subject="x", to=to, unsubscribe="week")

    shop = rendering()
    with shop.app.app_context():
        captured = shop.sent(News(shop.mail).week(ANN))

    assert captured.link("Leave") == link(captured)
    assert subscription(shop.app, link(captured)).list_name == "week"


def test_only_an_address_in_a_template() -> None:
    """With only an address, ``unsubscribe_url`` is a mailto: URL."""
    shop = rendering(MAIL_UNSUBSCRIBE=False, MAIL_UNSUBSCRIBE_MAILTO=MAILTO)
    with shop.app.app_context():
        captured = shop.sent(shop.mail.render("page", subject="x", to=ANN, unsubscribe="news"))

    assert captured.link("Leave") == f"mailto:{address(captured)}?subject=unsubscribe"


def test_without_a_list() -> None:
    """A template that needs the link without a list is an error that says what to pass."""
    shop = rendering()

    with (
        shop.app.app_context(),
        pytest.raises(jinja2.UndefinedError, match=r"render\(..., unsubscribe='newsletter'\)"),
    ):
        shop.mail.render("page", subject="x", to=ANN)


def test_a_variable_of_the_caller() -> None:
    """A variable that the caller passes takes precedence."""
    shop = rendering()
    own = "https://shop.example/own"
    with shop.app.app_context():
        message = shop.mail.render("page", {"unsubscribe_url": own}, subject="x", to=ANN)

    assert shop.sent(message).link("Leave") == own


def test_a_preview() -> None:
    """A preview shows the link as it would be sent."""
    from flask_mailhandler.previews.rendering import render

    shop = rendering()

    @shop.mail.preview("News")
    def example() -> Message:
        return shop.mail.render("page", subject="x", unsubscribe="newsletter")

    (sample,) = shop.mail.previews.samples()
    rendered = render(shop.app, sample)

    assert rendered.failure is None
    assert f"{BASE}/mail/unsubscribe/".encode() in rendered.content.replace(b"=\r\n", b"")
    assert not rendered.findings


def test_the_language_of_a_person() -> None:
    """A message that was not rendered is in the language of its recipient."""

    class Person:
        def __mail_address__(self) -> str:
            return ANN

        def __mail_locale__(self) -> str:
            return "fr"

    shop = ListShop()

    assert subscription(shop.app, link(shop.sent(news(to=Person())))).locale == "fr"


# The staging guard


def test_redirected() -> None:
    """The link in a redirected mail is the one of the developer, and not of the customer."""
    shop = ListShop(
        MAIL_REDIRECT_TO="me@shop.example, you@shop.example", MAIL_UNSUBSCRIBE_MAILTO=MAILTO
    )
    captured = shop.sent()
    captured.unsubscribe(shop.client)

    assert shop.told == [("unsubscribed", "me@shop.example", "newsletter")]
    with pytest.raises(MessageError, match="needs one recipient"):
        shop.sent(news(to=[ANN, BOB]))


def test_queued_and_then_redirected(tmp_path: Path, scripted: Scripted) -> None:
    """A worker that redirects mail which was queued for a customer leaves both fields out."""
    server = scripted()
    keys = {
        **PATIENT_KEYS,
        "MAIL_HOST": server.host,
        "MAIL_PORT": server.port,
        "MAIL_QUEUE": str(tmp_path / "queue.sqlite"),
        "MAIL_QUEUE_ENGINE": "none",
        "MAIL_UNSUBSCRIBE_MAILTO": MAILTO,
    }
    for guard in ({}, {"MAIL_REDIRECT_TO": "me@shop.example"}):
        shop = ListShop(testing=False, **keys)
        with shop.app.app_context():
            shop.mail.send_later(news(headers={"X-Last": "1"}))
        worker = ListShop(testing=False, **keys, **guard)
        with worker.app.app_context():
            worker.mail.queue.run_once()

    sent, redirected = [email.message_from_bytes(one.content) for one in server.accepted]
    fields = {"List-Unsubscribe", "List-Unsubscribe-Post"}
    assert fields <= {*sent.keys()}
    assert {*sent.keys()} - {*redirected.keys()} == fields
    assert redirected.get_payload() == sent.get_payload()


PATIENT_KEYS = {f"MAIL_{name.upper()}": value for name, value in PATIENT.items()}


@pytest.mark.parametrize(
    ("octets", "left"),
    [
        (b"A: 1\r\nList-Unsubscribe: <x>,\r\n <y>\r\nB: 2\r\n\r\nb", b"A: 1\r\nB: 2\r\n\r\nb"),
        (b"A: 1\r\nlist-unsubscribe-post: x\r\n\r\nb", b"A: 1\r\n\r\nb"),
        (b"List-Unsubscribe: x\r\nA: 1\r\n\r\nb", b"A: 1\r\n\r\nb"),
        (b"A: 1\r\nResend-Idempotency-Key: x\r\n\r\nb", b"A: 1\r\n\r\nb"),
        (b"A: 1\r\n\r\nList-Unsubscribe: x\r\n\r\nb", b"A: 1\r\n\r\nList-Unsubscribe: x\r\n\r\nb"),
        (b"A: 1\r\nList-Unsubscribe-X: 1\r\n\r\n", b"A: 1\r\nList-Unsubscribe-X: 1\r\n\r\n"),
        (b"A: List-Unsubscribe: x\r\n\r\n", b"A: List-Unsubscribe: x\r\n\r\n"),
    ],
)
def test_without_the_fields(octets: bytes, left: bytes) -> None:
    """Only these fields of the header are left out."""
    assert for_others(octets) == left


# The whole way


def test_over_smtp(scripted: Scripted) -> None:
    """A mail that a server got, read by the standard library, has a URL that works over HTTP."""
    server = scripted()
    shop = ListShop(
        testing=False,
        MAIL_HOST=server.host,
        MAIL_PORT=server.port,
        MAIL_BASE_URL=None,
        **PATIENT_KEYS,
    )
    shop.app.debug = True
    with served(shop.app) as url:
        shop.app.config["SERVER_NAME"] = url.removeprefix("http://")
        with shop.app.app_context():
            shop.mail.send(news())
        shop.app.config["SERVER_NAME"] = None
        found = email.message_from_bytes(server.accepted[0].content, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        (link,) = re.findall("<([^>]*)>", found["List-Unsubscribe"])
        body = found["List-Unsubscribe-Post"].encode()
        with urllib.request.urlopen(link, body) as response:
            page = response.read().decode()

    assert response.status == 200
    assert "You are unsubscribed." in page
    assert shop.told == [("unsubscribed", ANN, "newsletter")]
    assert shop.events[0].message_id == found["Message-ID"]
    assert shop.events[0].verified
