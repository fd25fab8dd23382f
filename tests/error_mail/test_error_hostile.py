"""Errors that cannot be written, and texts with secrets: nothing raises, hangs, or is shown."""

from __future__ import annotations

import logging
import sys
import threading
import tracemalloc
import typing as t

import pytest
from flask import request

from error_shop import error_shop
from error_shop import OPS
from flask_mailhandler.extension.error_mail import desk
from flask_mailhandler.extension.error_mail.captured import _variables
from flask_mailhandler.extension.error_mail.kind import is_own
from flask_mailhandler.extension.error_mail.masking import Masker
from flask_mailhandler.extension.error_mail.masking import Names

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no str")


def bad_arguments(logger: logging.Logger) -> None:
    logger.error("%s and %d", "one", "two", "three")


def unprintable_argument(logger: logging.Logger) -> None:
    logger.error("here: %s", Unprintable())


def unprintable_message(logger: logging.Logger) -> None:
    logger.error(Unprintable())


def unprintable_error(logger: logging.Logger) -> None:
    try:
        raise UnprintableError
    except UnprintableError:
        logger.exception("failed")


def not_a_text(logger: logging.Logger) -> None:
    logger.error({"a": 1})


def not_a_number(logger: logging.Logger) -> None:
    logger.error(10**5000)


def ten_megabytes(logger: logging.Logger) -> None:
    try:
        raise RuntimeError("y" * 10_000_000)
    except RuntimeError:
        logger.exception("x" * 10_000_000)


def surrogates(logger: logging.Logger) -> None:
    logger.error("\ud800 \x00 \x1b[31m <script>alert(1)</script> \r\n\u2028 Bcc: x@y.example")


def recursion(logger: logging.Logger) -> None:
    def deeper(number: int) -> int:
        return deeper(number + 1) + 1

    try:
        deeper(0)
    except RecursionError:
        logger.exception("too deep")


def at_the_limit(logger: logging.Logger) -> None:
    """Log where the stack is used up."""

    def deeper() -> None:
        try:
            deeper()
        except RecursionError:
            logger.error("no room")
            raise

    with pytest.raises(RecursionError):
        deeper()
    logger.error("room again")


def long_chain(logger: logging.Logger) -> None:
    error: BaseException = ValueError("0")
    for number in range(1, 500):
        following = ValueError(str(number))
        following.__context__, error = error, following
    logger.error("chained", exc_info=error)


def circular_chain(logger: logging.Logger) -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    logger.error("circle", exc_info=one)


def group(logger: logging.Logger) -> None:
    inner = ExceptionGroup("inner", [KeyError("within"), OSError(2, "gone")])
    many = [inner, *(ValueError(str(number)) for number in range(1000))]
    try:
        raise ExceptionGroup("outer", many)
    except ExceptionGroup:
        logger.exception("group")


def notes(logger: logging.Logger) -> None:
    error = ValueError("with notes")
    error.add_note("token=note-secret-1")
    error.__notes__.append(Unprintable())  # type: ignore[arg-type]
    logger.error("noted", exc_info=error)


def odd_exc_info(logger: logging.Logger) -> None:
    for wrong in ((None, None, None), (), "text", 17):
        record = logger.makeRecord("odd", 40, "x.py", 1, "odd", (), None)
        record.exc_info = t.cast("t.Any", wrong)
        logger.handle(record)


def odd_record(logger: logging.Logger) -> None:
    logger.handle(logging.makeLogRecord({"levelno": 40, "msg": "odd %s", "args": None}))
    logger.handle(logging.makeLogRecord({"levelno": 40, "created": float("inf"), "msg": "inf"}))
    logger.handle(logging.makeLogRecord({"levelno": 40, "pathname": None, "lineno": None}))


def base_exception(logger: logging.Logger) -> None:
    logger.error("exit", exc_info=SystemExit(3))


@pytest.mark.parametrize(
    "log",
    [
        *(bad_arguments, unprintable_argument, unprintable_message, unprintable_error, not_a_text),
        *(not_a_number, ten_megabytes, surrogates, recursion, at_the_limit, long_chain),
        *(circular_chain, group, notes, odd_exc_info, odd_record, base_exception),
    ],
    ids=lambda log: log.__name__,
)
@pytest.mark.parametrize("show_locals", [False, True])
def test_hostile(
    log: Callable[[logging.Logger], None],
    show_locals: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    untraced: None,
) -> None:
    """Whatever is logged, the call returns, and there is a mail of a size that can be read."""
    with (
        error_shop(tmp_path, show_locals=show_locals) as shop,
        shop.mail.capture(shop.app) as outbox,
    ):
        logger = logging.Logger("hostile")
        logger.addHandler(shop.handler)
        log(logger)
        shop.handler.flush()
        assert outbox, capsys.readouterr().err
        for message in outbox:
            assert len(bytes(message.content)) < 200_000
            assert "<script>" not in message.html
            assert "note-secret-1" not in message.text
            assert message.subject.isprintable()


def test_an_error_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a mail cannot be composed, another one says where the errors were, without their texts."""

    def fail(*arguments: object) -> t.NoReturn:
        raise ZeroDivisionError

    monkeypatch.setattr("flask_mailhandler.extension.error_mail.delivery.compose", fail)
    with error_shop(tmp_path) as shop, shop.mail.capture(shop.app) as outbox:
        shop.app.logger.error("token=hunter2-x")
        (message,) = outbox
    assert "could not be written as a mail: ZeroDivisionError" in message.text
    assert f"once: {__file__}, line" in message.text
    assert "hunter2" not in message.text


@pytest.mark.parametrize("kind", [bytes, bytearray, dict, set, frozenset])
def test_a_large_variable(kind: Callable[[t.Any], object]) -> None:
    """Only the beginning of a variable is written, and nothing is sorted."""
    numbers = [(number, number) for number in range(50_000)]
    large = kind(numbers if kind not in (bytes, bytearray) else bytes(200_000))
    tracemalloc.start()
    try:
        ((_, shown),) = _variables({"large": large})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50_000
    assert len(shown) < 1000


@pytest.mark.slow
def test_large_requests(tmp_path: Path, untraced: None) -> None:
    """A client cannot make the mail large."""
    form = {f"field {number} {'x' * 500}": "y" * 5000 for number in range(200)}
    with error_shop(tmp_path) as shop, shop.mail.capture(shop.app) as outbox:
        shop.app.test_client().post(f"/reset/{'z' * 5000}?{'q=1&' * 5000}", data=form)
        assert len(bytes(outbox[0].content)) < 200_000


@pytest.mark.parametrize(
    "sent",
    [
        {"json": {**{f"a{number}": number for number in range(100)}, "password": "hunter2"}},
        {"json": {"password": "\ud800 hunter2"}},
        {"json": {"password": "\x00 hunter2"}},
        {"data": {"password": "long " * 500 + "hunter2"}},
        {"headers": {"Cookie": f"a={'b' * 1200}; c=hunter2"}},
        {"headers": {"Cookie": 'c="hunter2"'}},
        {"headers": {"Authorization": f"Negotiate {'abcd' * 600}hunter2"}},
        {"headers": {"Authorization": 'Digest username="Ann", response="hunter2"'}},
        {"auth": ("Ann", "hunter2")},
    ],
    ids=lambda sent: ascii(sent)[:60],
)
def test_a_secret_of_a_request(
    sent: dict[str, t.Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the text of an error, a secret is masked wherever the request has it: in the first mail,
    in a digest, and on stderr."""
    with error_shop(tmp_path) as shop:

        @shop.app.post("/fail")
        def fail() -> t.NoReturn:
            found: list[str | None] = [*request.cookies.values(), *request.form.values()]
            found += (request.get_json(silent=True) or {}).values()
            if login := request.authorization:
                found += [login.token, *login.parameters.values()]
            raise ValueError("refused: " + next(text for text in reversed(found) if text))

        def post() -> None:
            shop.app.test_client(use_cookies=False).post("/fail", **sent)

        with shop.mail.capture(shop.app) as outbox:
            for _ in range(2):
                post()
            shop.handler.flush()
        assert len(outbox) == 2
        for message in outbox:
            assert "ValueError: refused: " in message.text
            assert "hunter2" not in message.subject + message.text + message.html

        def refuse(*arguments: object) -> t.NoReturn:
            raise OSError

        shop.mail.before_send(refuse)
        post()
        capsys.readouterr()
        shop.handler.flush()
        told = capsys.readouterr().err
        assert "ValueError: refused: " in told
        assert "hunter2" not in told


def test_no_lock_is_held(tmp_path: Path) -> None:
    """An exception whose text waits for another thread, which logs too, is not a deadlock."""

    class WaitingError(Exception):
        def __str__(self) -> str:
            thread = threading.Thread(target=shop.app.logger.error, args=("from a thread",))
            thread.start()
            thread.join(60)
            return "hung" if thread.is_alive() else "waited"

    with error_shop(tmp_path) as shop, shop.mail.capture(shop.app) as outbox:
        shop.app.logger.error("waiting", exc_info=WaitingError())
        assert any("WaitingError: waited" in message.subject for message in outbox)


def test_while_the_handlers_lock_is_held(tmp_path: Path) -> None:
    """A thread that holds the lock of logging's handler keeps no other thread from logging."""
    with error_shop(tmp_path) as shop, shop.mail.capture(shop.app) as outbox:
        shop.handler.acquire()
        try:
            thread = threading.Thread(target=shop.app.logger.error, args=("from a thread",))
            thread.start()
            thread.join(60)
            assert not thread.is_alive()
        finally:
            shop.handler.release()
        assert len(outbox) == 1


def test_flush_while_the_thread_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """flush() ends, although the thread that sends a mail waits for a lock of its caller: of
    dictConfig(), for example, which holds that of logging."""
    monkeypatch.setattr(desk, "PATIENCE", 0.01)
    began, released = threading.Event(), threading.Event()
    with error_shop(tmp_path, {"MAIL_HANDLER": "memory"}) as shop:

        @shop.mail.before_send
        def wait(message: t.Any) -> None:
            began.set()
            released.wait()

        shop.log_error()
        try:
            assert began.wait(60)
            thread = threading.Thread(target=shop.handler.flush, daemon=True)
            thread.start()
            thread.join(60)
            assert not thread.is_alive()
        finally:
            released.set()


def test_stderr_that_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a usable stderr, an error that cannot be mailed is lost, and nothing raises."""
    with error_shop(tmp_path, {"MAIL_URL": "smtp://127.0.0.1:1"}) as shop:
        monkeypatch.setattr(sys, "stderr", None)
        shop.get()
        shop.handler.flush()


SECRETS = {
    "password=hunter2-x": "password=***",
    "Password: hunter2-x": "Password: ***",
    "{'api_key': 'hunter2-x', 'name': 'Ann'}": "{'api_key': '***', 'name': 'Ann'}",
    '{"accessToken":"hunter2-x"}': '{"accessToken":"***"}',
    "Authorization: Bearer hunter2-xyz": "Authorization: ***",
    "sent Bearer hunter2-xyz-abc": "sent Bearer ***",
    "postgresql://shop:hunter2-x@db/shop": "postgresql://shop:***@db/shop",
    "redis://:hunter2-x@localhost:6379/0": "redis://:***@localhost:6379/0",
    "https://x.example/a?b=1&token=hunter2-x#c": "https://x.example/a?b=1&token=***",
    "error=password=hunter2-x": "error=password=***",
    'error="password=hunter2-x"': 'error="password=***"',
    "key eyJhbGciOiJI.eyJzdWIiOiIx.hunter2xx": "key ***",
    "sk_live_hunter2hunter2hunter2": "***",
    "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----": "*** private key ***",
    "config says configured-hunter2-x": "config says ***",
    "in base64 Y29uZmlndXJlZC1odW50ZXIyLXg=": "in base64 ***",
    "quoted configured%2Dhunter2%2Dx": "quoted ***",
    "from a URL: url-hunter2-x": "from a URL: ***",
    "TAN is tan_number=hunter2-x": "TAN is tan_number=***",
    "from an encoded URL: url2/hunter2": "from an encoded URL: ***",
    "deep in the configuration: nested-hunter2": "deep in the configuration: ***",
    "cardNumber=hunter2, userPin=hunter2": "cardNumber=***, userPin=***",
    "user_pw=hunter2": "user_pw=***",
    r'{"a": "{\"password\": \"hunter2\\\" hunter2\"}"}': r'{"a": "{\"password\": ***}"}',
    "{'password': ['hunter2-x', 'hunter2-y']}": "{'password': ***}",
    "[('password', 'hunter2-x'), 1]": "[('password', '***'), 1]",
    "[(b'token', b'hunter2-x')]": "[(b'token', b'***')]",
    "['mysqldump', '--password', 'hunter2-x']": "['mysqldump', '--password', '***']",
    "Cookie: a=hunter2; b=hunter2": "Cookie: ***",
    'Authorization: Digest username="Ann", response="hunter2"': "Authorization: ***",
    "/v?next=%2Freset%3Ftoken%3Dhunter2": "/v?next=%2Freset%3Ftoken%3D***",
    "<password>hunter2</password><name>Ann</name>": "<password>***</password><name>Ann</name>",
    "password = '''hunter2\n'hunter2'''": "password = '***'",
    "postgresql://shop:pass@hunter2@db/shop": "postgresql://shop:***@db/shop",
    "[SQL: ...]\n[parameters: ('Ann', 'hunter2')]\n(See": "[SQL: ...]\n[parameters: ***\n(See",
    r"repr: '[SQL: ...]\n[parameters: ['Ann', 'hunter2']]'": r"repr: '[SQL: ...]\n[parameters: ***",
    "DETAIL:  Failing row contains (1, Ann, hunter2).": "DETAIL:  Failing row contains ***",
    "a session in headers stays": "a session in headers stays",
}
HARMLESS = [
    "author=Ann, keyboard: qwerty, passenger=17, spinning=1",
    "division by zero",
    "KeyError: 'name'",
    "basic authentication failed, and token validation too",
    "monkey=17, spin: no",
    "GET /orders/17?page=2",
    "tokenizer failed at line 3",
    "jwt.exceptions.InvalidTokenError: it has expired",
    "DuplicateKeyError: E11000",
    "[parameters: {'name': 'Ann'}]",
    "card > 5, pin -> led",
]


def masker() -> Masker:
    config = {
        "API_TOKEN": "configured-hunter2-x",
        "DATABASE": "mysql://shop:url-hunter2-x@db/shop",
        "CACHES": {"redis://:url2%2Fhunter2@cache"},
        "PORT": 5000,
        "SESSION_COOKIE_NAME": "session",
        "JWT_TOKEN_LOCATION": ["headers"],
        "MAIL_ACCOUNTS": {"news": {"password": "nested-hunter2"}},
    }
    return Masker(Names(["tan"]), config)


@pytest.mark.parametrize("text", SECRETS)
def test_masked(text: str) -> None:
    """A secret is masked by the name before it, by its form, or as a value of the configuration."""
    found = masker().text(text)
    assert "hunter2" not in found
    assert found.startswith(SECRETS[text])


@pytest.mark.parametrize("text", HARMLESS)
def test_not_masked(text: str) -> None:
    """Words that only contain the name of a secret stay."""
    assert Masker(Names(), {}).text(text) == text


def test_source_stays_readable() -> None:
    """In a line of source, only literals are masked."""
    code = masker().code("password = form.password.data or 'hunter2-x'; token = 'hunter2-x'")
    assert code == "password = form.password.data or 'hunter2-x'; token = '***'"


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        "a=" * 50_000,
        "password=" * 12_000,
        "'\"" * 50_000,
        "://" * 30_000,
        "token: '" + "\\" * 100_000,
        "eyJ" + "a." * 50_000,
        "-----BEGIN PRIVATE KEY-----" * 4000,
        "bearer " * 15_000,
        "." * 100_000 + "=",
        "token='''" * 15_000,
        'token=\\"' * 12_000,
        "token: (" * 12_000,
        "'token','" * 12_000,
        "token>" * 16_000,
        "%3D" * 33_000,
        "[parameters: (" * 7000,
        "a: " + "\\" * 100_000,
    ],
    ids=lambda text: text[:12],
)
def test_long_texts(text: str) -> None:
    """A long text is masked at once: a pattern that backtracked would take hours."""
    assert masker().text(text)


@pytest.mark.parametrize(
    ("file", "own"),
    [
        ("/srv/shop/views.py", True),
        ("/srv/shop/.venv/lib/python3.12/site-packages/flask/app.py", False),
        ("/usr/lib/python3/dist-packages/flask/app.py", False),
        (logging.__file__, False),
        ("<string>", False),
        ("<frozen importlib._bootstrap>", False),
    ],
)
def test_what_is_the_apps_code(file: str, own: bool) -> None:
    """The place of an error is in the app, not in a library or in Python."""
    assert is_own(file, "/srv/shop") is own


def test_an_installed_app() -> None:
    """An app that is installed next to libraries has code of its own, too."""
    packages = "/srv/venv/lib/python3.12/site-packages"
    assert is_own(f"{packages}/shop/views.py", f"{packages}/shop")
    assert not is_own(f"{packages}/flask/app.py", f"{packages}/shop")
    assert not is_own(f"{packages}/flask/app.py", packages)


def test_to_several() -> None:
    """repr() shows to whom errors go."""
    from flask_mailhandler import Mail

    handler = Mail().error_handler(to=[OPS, "Dev <dev@example.com>"], level="warning")
    assert repr(handler) == f"<ErrorMailHandler to {OPS}, dev@example.com (WARNING)>"
