"""Previews: how an app registers them, and how they are rendered without sending or storing."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest
from flask import current_app
from flask import Flask
from flask import request

from flask_mailhandler import Attachment
from flask_mailhandler import current_mail
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler.mime.reading import read_content
from flask_mailhandler.mime.reading import Reading
from flask_mailhandler.previews.rendering import Failure
from flask_mailhandler.previews.rendering import render


def an_app(**config: object) -> tuple[Flask, Mail]:
    app = Flask("shop")
    app.config.update(config)
    return app, Mail(app)


def made(app: Flask, mail: Mail, key: str) -> Reading:
    """The message of a preview, as a reader sees it."""
    sample = mail.previews.find(key)
    assert sample is not None
    rendered = render(app, sample)
    assert rendered.failure is None, rendered.failure.lines
    return read_content(rendered.content)


def failed(app: Flask, mail: Mail, name: str) -> Failure:
    sample = mail.previews.find(name)
    assert sample is not None
    rendered = render(app, sample)
    assert rendered.failure is not None
    assert rendered.content == b""
    return rendered.failure


def a_message(**arguments: object) -> Message:
    return Message(subject="Hi", text=f"Hello {arguments}")


async def a_coroutine() -> Message:
    return a_message()


def test_a_preview() -> None:
    """A preview is a function that returns a message; the decorator returns the function."""
    app, mail = an_app(MAIL_DEFAULT_FROM="Shop <shop@example.com>", MAIL_SUBJECT_PREFIX="[x]")

    @mail.preview("Account/Welcome")
    def welcome() -> Message:
        """What a new customer gets.

        And more.
        """
        return Message(subject="Welcome", text="Hello Ann", to="ann@example.com")

    message = made(app, mail, "Account/Welcome")

    assert welcome().subject == "Welcome"
    assert [*mail.previews] == ["Account/Welcome"]
    assert mail.previews["Account/Welcome"].about == "What a new customer gets."
    assert (message.subject, message.text) == ("[x] Welcome", "Hello Ann\n")
    assert message.from_addr is not None
    assert message.from_addr.formatted == "Shop <shop@example.com>"
    assert message.to == ["ann@example.com"]


def test_variants_and_locales() -> None:
    """Every variant is rendered in every locale, with its own arguments."""
    app, mail = an_app()

    @mail.preview("Bill", variants={"paid": {"paid": True}, "due": {}}, locales=["en", "de"])
    def bill(locale: str, paid: bool = False) -> Message:
        return Message(subject=f"{locale} {paid}", text="x")

    assert [sample.label for sample in mail.previews.samples()] == [
        "Bill[paid, en]",
        "Bill[paid, de]",
        "Bill[due, en]",
        "Bill[due, de]",
    ]
    assert made(app, mail, "Bill").subject == "en True"
    assert made(app, mail, "Bill:due:en").subject == "en False"
    assert made(app, mail, "Bill:due:de").subject == "de False"


@pytest.mark.parametrize("key", ["", ":", "Bill:", "Bill:due", "Bill:due:fr", "Bill:due:en:", "x"])
def test_there_is_no_such_sample(key: str) -> None:
    """Only a whole key finds a sample; a name alone finds the first."""
    _, mail = an_app()
    variants: dict[str, dict[str, object]] = {"paid": {}, "due": {}}
    mail.preview("Bill", variants=variants, locales=["en", "de"])(a_message)

    assert mail.previews.find(key) is None
    assert [sample.key for sample in mail.previews.samples()][:2] == [
        "Bill:paid:en",
        "Bill:paid:de",
    ]


def test_sorted() -> None:
    """Previews are sorted like a tree of folders, in any order of registration and any case."""
    _, mail = an_app()
    for name in ("b", "a z/x", "A/z", "a/B", "a", "a/b/c"):
        mail.preview(name)(a_message)

    assert [*mail.previews] == ["a", "a/B", "a/b/c", "A/z", "a z/x", "b"]


@pytest.mark.parametrize(
    ("name", "options", "function", "error", "says"),
    [
        ("", {}, a_message, ValueError, "cannot be the name of a preview"),
        ("/a", {}, a_message, ValueError, "cannot be the name of a preview"),
        ("a//b", {}, a_message, ValueError, "cannot be the name of a preview"),
        ("a/../b", {}, a_message, ValueError, "cannot be the name of a preview"),
        ("a/ b", {}, a_message, ValueError, "cannot be the name of a preview"),
        ("a\nb", {}, a_message, ValueError, "cannot be the name of a preview"),
        ("a:b", {}, a_message, ValueError, "cannot be the name of a preview"),
        ("a", {"variants": {"": {}}}, a_message, ValueError, "'' cannot be the name of a variant"),
        ("a", {"variants": {1: {}}}, a_message, ValueError, "1 cannot be the name of a variant"),
        ("a", {"locales": ["x:y"]}, a_message, ValueError, "'x:y' cannot be the name"),
        (
            "Taken",
            {},
            a_message,
            ValueError,
            "There is a preview 'Taken' already.*its own module",
        ),
        ("a", {"allow": ["colour"]}, a_message, ValueError, "not 'colour'"),
        ("a", {"variants": ["x", "y"]}, a_message, TypeError, "takes a dict of names and arg"),
        ("a", {"variants": {"x": 1}}, a_message, TypeError, "is not a mapping"),
        ("a", {"locales": "de"}, a_message, TypeError, r"such as \['de'\]"),
        (
            "a",
            {"locales": ["de"]},
            lambda: None,
            TypeError,
            r"preview 'a\[de\]' cannot be registered",
        ),
        ("a", {"variants": {"x": {"y": 1}}}, lambda: None, TypeError, "argument 'y'"),
        ("a", {}, lambda user: None, TypeError, "missing a required argument: 'user'"),
        ("a", {}, a_coroutine, TypeError, "write def, not async def"),
    ],
)
def test_mistakes(
    name: str, options: t.Any, function: t.Any, error: type[Exception], says: str
) -> None:
    """A wrong name, argument or rule is an error on the line that has it."""
    _, mail = an_app()
    mail.preview("Taken")(a_message)

    with pytest.raises(error, match=says):
        mail.preview(name, **options)(function)

    assert [*mail.previews] == ["Taken"]


def test_without_parentheses() -> None:
    """A decorator without a name is an error that says what to write."""
    _, mail = an_app()

    with pytest.raises(TypeError, match=r'Write @mail.preview\("Account/Welcome"\)'):
        mail.preview(a_message)  # type: ignore[arg-type]


def test_addresses_are_made_up() -> None:
    """A preview needs neither a sender nor a recipient."""
    app, mail = an_app()
    mail.preview("Hi")(a_message)

    message = made(app, mail, "Hi")

    assert message.from_addr == "sender@example.com"
    assert message.to == ["recipient@example.com"]


@pytest.mark.parametrize("field", ["cc", "bcc"])
def test_no_address_is_made_up_beside_another(field: str) -> None:
    """If a preview names a recipient, no other one is added."""
    app, mail = an_app()
    fields: t.Any = {field: "ann@example.com"}
    mail.preview("Hi")(lambda: a_message().replace(**fields))

    message = made(app, mail, "Hi")

    assert message.to == []
    assert message.cc == (["ann@example.com"] if field == "cc" else [])


def test_as_it_would_be_sent() -> None:
    """before_send functions change the preview; the staging guard does not, because a customer
    would get another mail."""
    app, mail = an_app(MAIL_REDIRECT_TO="me@example.com", MAIL_ALLOW_TO="me@example.com")
    mail.preview("Hi")(a_message)
    mail.before_send(lambda message: message.replace(headers={"X-Shop": "1"}))

    message = made(app, mail, "Hi")

    assert message.headers["X-Shop"] == "1"
    assert message.to == ["recipient@example.com"]


def test_in_a_request_of_its_own() -> None:
    """A preview is rendered in its own app context and request, not in the page's."""
    app, mail = an_app()

    @mail.preview("Hi")
    def hi() -> Message:
        return Message(subject=current_app.name, text=request.path + request.args.get("a", "-"))

    with app.test_request_context("/_mail/previews?a=1"):
        inside = made(app, mail, "Hi")

    assert (inside.subject, inside.text) == ("shop", "/-\n")
    assert made(app, mail, "Hi").text == "/-\n"


@pytest.mark.parametrize(
    "send",
    [
        lambda: current_mail.send(a_message()),
        lambda: current_mail.send("text", subject="x", to="ann@example.com"),
        lambda: [*current_mail.send_each([a_message()])],
        lambda: current_mail.send_later(a_message()),
        lambda: [*current_mail.send_later_each([a_message()])],
        lambda: current_mail.handler.send([a_message()]),
        lambda: current_mail.handler_for(None),
    ],
    ids=["send", "text", "send_each", "send_later", "send_later_each", "handler", "handler_for"],
)
@pytest.mark.parametrize("testing", [True, False])
def test_nothing_is_sent(send: t.Callable[[], object], testing: bool) -> None:
    """A preview that tries to send fails with an error that says so, and nothing is sent, in a test
    neither."""
    app, mail = an_app(TESTING=testing, MAIL_URL="smtp://127.0.0.1:1")

    @mail.preview("Hi")
    def hi() -> Message:
        with current_app.app_context():  # another context is no way out
            send()
        return a_message()

    with mail.capture(app) as outbox:
        failure = failed(app, mail, "Hi")

    assert failure.text.startswith("The preview 'Hi' was about to send mail.")
    assert outbox == []


def test_others_go_on_sending() -> None:
    """Mail that another thread sends while a preview is rendered is sent."""
    app, mail = an_app(TESTING=True, MAIL_DEFAULT_FROM="me@example.com")
    making, sent = threading.Event(), threading.Event()

    def other() -> None:
        assert making.wait(60)
        with app.app_context():
            mail.send("Hello", subject="Real", to="ann@example.com")
        sent.set()

    @mail.preview("Hi")
    def hi() -> Message:
        making.set()
        assert sent.wait(60)
        return a_message()

    thread = threading.Thread(target=other)
    thread.start()
    made(app, mail, "Hi")
    thread.join(60)

    with app.app_context():
        assert [captured.subject for captured in mail.handler.outbox] == ["Real"]  # type: ignore[attr-defined]
        assert mail.send("Hello", subject="After", to="ann@example.com").ok


def test_lint() -> None:
    """The message is linted, except for the allowed rules."""
    app, mail = an_app()
    html = '<a href="/pay">Pay</a><img src="https://x.example/y.png">'
    for name, allow in (("all", []), ("some", ["alt"])):
        mail.preview(name, allow=allow)(lambda: Message(subject="Hi", html=html))

    found = {
        sample.label: [finding.rule for finding in render(app, sample).findings]
        for sample in mail.previews.samples()
    }

    assert found == {"all": ["link", "alt"], "some": ["link"]}


def test_lint_knows_placeholders() -> None:
    """The app's MAIL_PLACEHOLDERS are not findings."""
    app, mail = an_app(MAIL_PLACEHOLDERS=["%out%"])
    html = '<a href="%out%">Leave</a><a href="%other%">x</a>'
    mail.preview("a")(lambda: Message(subject="Hi", html=html))

    (sample,) = mail.previews.samples()

    assert [finding.text for finding in render(app, sample).findings] == [
        "The link 'x' leads to the relative URL '%other%'."
    ]


def test_an_error() -> None:
    """An exception is described with the line of the app that raised it, and is never raised."""
    app, mail = an_app()

    @mail.preview("Hi")
    def hi() -> Message:
        return Message(subject="a\nb")

    failure = failed(app, mail, "Hi")

    assert failure.kind == "MessageError"
    assert "control character" in failure.text
    assert failure.place.startswith(f"{Path(__file__)}, line ")
    assert 'return Message(subject="a\\nb")' in failure.lines


def broken_teardown(app: Flask) -> None:
    @app.teardown_appcontext
    def teardown(error: BaseException | None) -> None:
        raise OSError("teardown")


@pytest.mark.parametrize(
    ("function", "kind", "says"),
    [
        (lambda: None, "TypeError", "returned None, not a Message: return"),
        (lambda: "text", "TypeError", "returned 'text', not a Message"),
        (lambda: 1 / 0, "ZeroDivisionError", "division by zero"),
        (lambda: Message(html="<img src=cid:x@y>"), "MessageError", "no attachment has it"),
        (lambda: Message(to="x", text=""), "MessageError", "to"),
    ],
)
def test_what_is_no_message(function: t.Any, kind: str, says: str) -> None:
    """Whatever a function returns or raises is described."""
    app, mail = an_app()
    mail.preview("Hi")(function)

    failure = failed(app, mail, "Hi")

    assert failure.kind == kind
    assert says in failure.text


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError


def test_an_error_that_cannot_be_told() -> None:
    """An exception whose text cannot be computed is described by its name."""
    app, mail = an_app()

    @mail.preview("Hi")
    def hi() -> Message:
        raise Unspeakable

    failure = failed(app, mail, "Hi")

    assert failure.kind == "Unspeakable"
    assert "Unspeakable: <exception str() failed>" in failure.lines


def test_a_message_that_is_stopped() -> None:
    """A message that a before_send function stops is an error."""
    app, mail = an_app()
    mail.preview("Hi")(a_message)
    mail.before_send(lambda message: None)

    assert "before_send function stopped" in failed(app, mail, "Hi").text


def test_the_app_breaks_down() -> None:
    """An exception in the app's own teardown functions is described too."""
    app, mail = an_app()
    mail.preview("Hi")(a_message)
    broken_teardown(app)

    assert failed(app, mail, "Hi").text == "teardown"


def test_inline_images() -> None:
    """The images of the message are in its octets."""
    app, mail = an_app()
    logo = Attachment(b"\x89PNG", filename="logo.png")

    @mail.preview("Hi")
    def hi() -> Message:
        html = f'<p>Hi<img src="cid:{logo.cid}" alt="">'
        return Message(subject="Hi", html=html, inline_attachments=[logo])

    sample = mail.previews.find("Hi")
    assert sample is not None
    rendered = render(app, sample)

    assert rendered.findings == ()
    assert f"<{logo.cid}>" in [leaf.cid for leaf in read_content(rendered.content).leaves]


def test_an_attached_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that is gone when the message is rendered is an error, as in a send."""
    app, mail = an_app()
    file = tmp_path / "bill.pdf"
    file.write_bytes(b"%PDF")

    @mail.preview("Hi")
    def hi() -> Message:
        message = Message(subject="Hi", text="x", attachments=[Attachment.from_path(file)])
        file.unlink()
        return message

    assert failed(app, mail, "Hi").kind == "MessageError"


def test_registering_loads_little() -> None:
    """An app with previews that no request views loads nothing that shows them."""
    code = (
        "import sys, flask; from flask_mailhandler import Mail; mail = Mail(flask.Flask('x'))\n"
        "mail.preview('Hi', variants={'a': {}})(lambda: None)\nprint(*sys.modules, sep='\\n')"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    ours = {name for name in done.stdout.split() if name.startswith("flask_mailhandler.")}
    shows = re.compile(r"\w+\.(gallery|lint|mailbox|templating|previews\.(rendering|database))")
    assert "flask_mailhandler.previews.preview" in ours
    assert [name for name in ours if shows.match(name)] == []
