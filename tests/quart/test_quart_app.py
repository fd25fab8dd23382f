"""An app of Quart: views, templates, contexts and the functions of the app."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import subprocess
import sys
import threading
import types
import typing as t

import pytest
from quart import appcontext_pushed
from quart import current_app
from quart import g
from quart import has_app_context
from quart import Quart

from flask_mailhandler import ConfigurationError
from flask_mailhandler import current_mail
from flask_mailhandler import Event
from flask_mailhandler import EventKind
from flask_mailhandler import Mail
from flask_mailhandler import MailWarning
from flask_mailhandler import Message
from flask_mailhandler import message_sent
from flask_mailhandler import MessageError
from flask_mailhandler.app.current import registration_of
from flask_mailhandler.app.framework import framework_of
from flask_mailhandler.app.listeners import tell
from quart_shop import ANN
from quart_shop import letter
from quart_shop import QuartShop

if t.TYPE_CHECKING:
    from pathlib import Path

    from flask_mailhandler import Report
    from sending import Scripted


@pytest.fixture
def shop(tmp_path: Path) -> QuartShop:
    """An app in a test."""
    return QuartShop(tmp_path)


def test_an_async_view(shop: QuartShop) -> None:
    """A view awaits send_async, and current_mail is the Mail of its app."""

    async def visit() -> t.Any:
        response = await shop.client.get("/hello")
        return await response.get_json()

    with shop.mail.capture(shop.app) as outbox:
        answer = asyncio.run(visit())

    assert answer == {"accepted": [ANN]}
    assert outbox.one(to=ANN).subject == "Hello"
    assert t.cast(t.Any, shop.app).mail is shop.mail


def test_a_factory(tmp_path: Path) -> None:
    """One Mail serves several apps, each with its own keys."""
    mail = Mail()
    apps = [Quart(name) for name in ("one", "other")]
    for app in apps:
        app.config["MAIL_DEFAULT_FROM"] = f"{app.name}@shop.example"
        app.testing = True
        mail.init_app(app)

    async def senders() -> list[str]:
        with mail.capture() as outbox:
            for app in apps:
                async with app.app_context():
                    await mail.send_async("Hello", subject="Hi", to=ANN)
        return [str(captured.envelope.sender) for captured in outbox]

    assert asyncio.run(senders()) == ["one@shop.example", "other@shop.example"]


def test_outside_a_context(shop: QuartShop) -> None:
    """Without an app context, an error says that Quart's is pushed with async with."""
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(shop.mail.send_async(letter()))
    with pytest.raises(RuntimeError, match="async with"):
        _ = current_mail.queue


def test_a_view_without_async(shop: QuartShop) -> None:
    """Quart calls such a view in a thread, so it may call send."""

    def plain() -> Report:
        return shop.mail.send(letter())

    assert shop.view(plain).ok


def blocking(shop: QuartShop) -> dict[str, t.Callable[[], object]]:
    return {
        "send": lambda: shop.mail.send(letter()),
        "several": lambda: shop.mail.send([letter(), letter()]),
        "send_each": lambda: [*shop.mail.send_each([letter()])],
    }


@pytest.mark.parametrize("name", ["send", "several", "send_each"])
def test_sending_on_the_event_loop(shop: QuartShop, name: str) -> None:
    """A call that would block the event loop is a warning, which names the line of the view."""

    async def view() -> object:
        return blocking(shop)[name]()

    with pytest.warns(MailWarning, match=r"Write 'await mail\.send_async") as caught:
        answer = shop.view(view)

    assert not isinstance(answer, Exception)
    assert caught[0].filename == __file__


def test_sending_in_a_command(shop: QuartShop) -> None:
    """A command of the app may call send, although Quart runs it on an event loop."""
    from quart.cli import with_appcontext

    @shop.app.cli.command()
    @with_appcontext
    def remind() -> None:
        print(*shop.mail.send(letter()).accepted)

    result = shop.app.test_cli_runner().invoke(args=["remind"])

    assert result.output == f"{ANN}\n"


def test_a_background_task(shop: QuartShop) -> None:
    """A background task sends, and the end of the app waits for it."""

    async def work() -> None:
        await shop.mail.send_async(letter(subject="From a task"))

    async def serve() -> None:
        async with shop.app.test_app():
            shop.app.add_background_task(work)

    with shop.mail.capture(shop.app) as outbox:
        asyncio.run(serve())

    assert [captured.subject for captured in outbox] == ["From a task"]


def test_render(shop: QuartShop) -> None:
    """A template has the variables of async context processors, the request, and whole URLs."""

    async def render() -> Message:
        return current_mail.render("welcome", {"name": "Ann"}, subject="Welcome", to=ANN)

    html = shop.view(render).html

    assert 'Hello Ann from the shop. <a href="https://shop.example/hello">' in html
    assert "<p>/views/render" in html


def test_render_outside_a_request(shop: QuartShop) -> None:
    """The same template is rendered in a thread, in an app context, and without one it is an
    error."""

    async def render() -> Message:
        return await asyncio.to_thread(
            shop.mail.render, "welcome", {"name": "Ann", "request": {"path": "-"}}, subject="Hi"
        )

    assert "Hello Ann from the shop" in (shop.within(render).html or "")
    with pytest.raises(RuntimeError, match="no app context"):
        shop.mail.render("welcome", subject="Hi")


@pytest.mark.parametrize(
    "asks",
    [
        "{{ later() }}",
        "{{ later()|upper }}",
        "{% if later() %}yes{% endif %}",
        "{% macro called(f) %}{{ '%s' % f() }}{% endmacro %}{{ called(later) }}",
        "{% set later = later() %}{{ later }}",
    ],
)
def test_what_a_mail_cannot_await(shop: QuartShop, tmp_path: Path, asks: str) -> None:
    """A template that calls an async function is an error which names it, and nothing is left
    to await."""

    async def later() -> str:
        return "too late"

    (tmp_path / "templates" / "asked.html").write_text(asks, encoding="utf-8")

    async def render() -> Message:
        return shop.mail.render("asked", {"later": later}, subject="Hi", to=ANN)

    error = shop.view(render)

    assert isinstance(error, MessageError)
    assert "later in a template of a mail is an 'async' function" in str(error)


def test_url_for(shop: QuartShop) -> None:
    """A URL in a mail begins with MAIL_BASE_URL, in a request and outside one; a client that
    chooses the Host of its request does not change it."""

    async def url() -> str:
        return shop.mail.url_for("hello", _anchor="top")

    assert shop.view(url) == shop.within(url) == "https://shop.example/hello#top"


def test_no_base_url(tmp_path: Path) -> None:
    """Without the key, a URL is an error outside a request, and in one whose Host was not
    checked."""
    shop = QuartShop(tmp_path, testing=False, MAIL_BASE_URL=None)

    async def url() -> str:
        return shop.mail.url_for("hello")

    assert "needs MAIL_BASE_URL" in str(shop.view(url))
    with pytest.raises(ConfigurationError, match="MAIL_BASE_URL outside a request"):
        shop.within(url)


def test_a_receiver(shop: QuartShop) -> None:
    """A receiver of a signal gets the app, in a context of it."""
    heard: list[object] = []

    def receive(app: Quart, **facts: object) -> None:
        heard.append((app, current_app.name, facts["report"]))

    with message_sent.connected_to(receive, shop.app):
        report = shop.within(lambda: shop.mail.send_async(letter()))

    assert heard == [(shop.app, "shop", report)]


def test_a_receiver_that_is_async(shop: QuartShop, caplog: pytest.LogCaptureFixture) -> None:
    """An async receiver is logged as an error, and the message is sent."""

    async def receive(app: Quart, **facts: object) -> None:
        raise AssertionError

    with message_sent.connected_to(receive, shop.app), caplog.at_level(logging.ERROR):
        report = shop.within(lambda: shop.mail.send_async(letter()))

    assert report.ok
    assert "write 'def' instead of 'async def'" in caplog.text


async def _asynchronous(value: t.Any) -> t.Any:
    return value


class _Asynchronous:
    async def __call__(self, value: t.Any) -> t.Any:
        return value

    def __repr__(self) -> str:
        return "_asynchronous object"


@pytest.mark.parametrize("name", ["before_send", "on_event", "on_event of one kind"])
@pytest.mark.parametrize(
    ("function", "named"),
    [
        (_asynchronous, "_asynchronous"),
        (functools.partial(_asynchronous), "functools.partial"),
        (_Asynchronous(), "_asynchronous object"),
    ],
)
def test_functions_that_are_async(shop: QuartShop, name: str, function: t.Any, named: str) -> None:
    """A function that a thread calls is refused where it is registered, if it is async."""
    decorators: dict[str, t.Any] = {
        "before_send": shop.mail.before_send,
        "on_event": shop.mail.on_event(),
        "on_event of one kind": shop.mail.on_event("bounced"),
    }

    with pytest.raises(TypeError, match=f"write 'def' instead of 'async def' in <?{named}"):
        decorators[name](function)


def test_a_function_that_returns_a_coroutine(
    shop: QuartShop, caplog: pytest.LogCaptureFixture
) -> None:
    """An event for a function which cannot be known to be async is logged as an error."""
    shop.mail.on_event()(lambda event: _asynchronous(event))
    event = Event(kind=EventKind.BOUNCED)

    tell(registration_of(shop.app), event)

    assert "write 'def' instead of 'async def'" in caplog.text


def test_the_app_by_its_proxy() -> None:
    """An app that is passed as current_app is the one that is registered."""
    app, mail = Quart("shop"), Mail()

    async def init() -> None:
        async with app.app_context():
            mail.init_app(t.cast(t.Any, current_app))

    asyncio.run(init())

    assert registration_of(app).hold() is app


def test_the_words_of_the_app() -> None:
    """A text names the command and the variables of Quart, and paths of the user as they are."""
    text = "/srv/flask mail/new: run 'flask mail dkim new', or set FLASK_MAIL_URL."

    assert framework_of(Quart("shop")).wording(text) == (
        "/srv/flask mail/new: run 'quart mail dkim new', or set QUART_MAIL_URL."
    )


def test_the_extension_of_quart_for_languages(shop: QuartShop) -> None:
    """Quart-Babel has the name of Flask-Babel in app.extensions, and a mail is still rendered."""
    shop.app.extensions["babel"] = types.SimpleNamespace()

    async def render() -> Message:
        return current_mail.render("welcome", {"name": "Ann"}, locale="de", subject="Hi", to=ANN)

    assert "Hello Ann" in shop.view(render).html


def test_ordinary_functions_of_a_context(shop: QuartShop) -> None:
    """The functions of a context that are not async are called in the thread that pushes it, and
    may run an event loop."""
    threads: list[int] = []

    @shop.app.teardown_appcontext
    def end(error: BaseException | None) -> None:
        asyncio.run(asyncio.sleep(0))
        threads.append(threading.get_ident())

    with framework_of(shop.app).app_context(shop.app):
        pass

    assert threads == [threading.get_ident()]


def test_before_send(shop: QuartShop) -> None:
    """A before_send function changes messages, in a context of the app."""
    shop.mail.before_send(lambda message: message.replace(subject=current_app.name))

    with shop.mail.capture(shop.app) as outbox:
        shop.within(lambda: shop.mail.send_async(letter()))

    assert outbox[0].subject == "shop"


@pytest.mark.parametrize("on_a_loop", [False, True])
def test_a_context_for_a_thread(shop: QuartShop, on_a_loop: bool) -> None:
    """Code without await gets a context of the app, on an event loop too. At its end, the teardown
    functions of the app get the error, and the context before is in force again."""
    torn_down: list[object] = []

    @shop.app.teardown_appcontext
    async def end(error: BaseException | None) -> None:
        torn_down.append((g.mark, error))

    def work() -> None:
        error = ValueError("of the body")
        context = framework_of(shop.app).app_context(shop.app)
        context.__enter__()
        g.mark = current_app.name
        assert not context.__exit__(ValueError, error, None)
        assert torn_down == [("shop", error)]
        assert not has_app_context()

    async def on_loop() -> None:
        work()

    asyncio.run(on_loop()) if on_a_loop else work()


def test_a_context_within_another(shop: QuartShop, tmp_path: Path) -> None:
    """A context of another app ends with the one around it in force, and what receivers of
    Quart's signal set is seen inside."""
    other = Quart("other")
    seen: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="")

    async def pushed(app: Quart, **extra: object) -> None:
        seen.set(app.name)

    async def work() -> list[str]:
        with (
            appcontext_pushed.connected_to(pushed, other),
            framework_of(other).app_context(other),
        ):
            inside = [current_app.name, seen.get()]
        return [*inside, current_app.name, seen.get()]

    assert shop.within(work) == ["other", "other", "shop", ""]


def test_cancelling(scripted: Scripted, tmp_path: Path) -> None:
    """A request that is cancelled while it sends does not stop the message, and its report goes
    to the signal."""
    at_end, go_on = threading.Event(), threading.Event()
    server = scripted()
    shop = QuartShop(tmp_path, testing=False, MAIL_URL=f"smtp://{server.host}:{server.port}")
    reports: list[Report] = []
    told = threading.Event()

    def receive(app: Quart, *, report: Report, **facts: object) -> None:
        reports.append(report)
        told.set()

    @shop.mail.before_send
    def wait(message: Message) -> Message:
        at_end.set()
        assert go_on.wait(60)
        return message

    async def visit() -> None:
        request = asyncio.create_task(t.cast(t.Any, shop.client.get("/hello")))
        await asyncio.to_thread(at_end.wait, 60)
        request.cancel()
        await asyncio.wait([request])
        assert request.cancelled()
        go_on.set()

    with message_sent.connected_to(receive, shop.app):
        asyncio.run(visit())
        assert told.wait(60)

    assert [report.accepted for report in reports] == [(ANN,)]
    assert len(server.accepted) == 1


def test_the_mailbox_page(tmp_path: Path) -> None:
    """MAIL_MAILBOX is an error, which says what to use."""
    with pytest.raises(ConfigurationError, match="'quart mail catch'"):
        QuartShop(tmp_path, MAIL_MAILBOX=True)

    assert "mailhandler" not in QuartShop(tmp_path, MAIL_MAILBOX=False).app.blueprints


def test_debug_mode(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """In debug mode, mail is written into the folder that the catcher shows, and a line says how
    to see it."""
    shop = QuartShop(tmp_path, testing=False)
    shop.app.debug = True

    shop.within(lambda: shop.mail.send_async(letter()))

    assert len([*(tmp_path / "mail").glob("*.eml")]) == 1
    assert "(to see it in a browser, run 'quart mail catch')" in capfd.readouterr().err


def test_flask_does_not_load_it() -> None:
    """An app of Flask loads neither Quart nor what is for Quart."""
    program = (
        "import sys, flask, flask_mailhandler\n"
        "app = flask.Flask('shop')\n"
        "app.config['MAIL_DEFAULT_FROM'] = 'shop@example.com'\n"
        "app.testing = True\n"
        "mail = flask_mailhandler.Mail(app)\n"
        "with app.app_context():\n"
        "    mail.send('Hello', subject='Hi', to='ann@example.com')\n"
        "print([name for name in sys.modules if 'quart' in name])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout == "[]\n", done.stderr
