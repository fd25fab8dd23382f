"""The queue of an app of Quart, and the commands."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from quart import current_app
from quart import Quart
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from code_blocks import code_blocks
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import message_sent
from flask_mailhandler.queue.engines.broker import TASK
from quart_shop import ANN
from quart_shop import letter
from quart_shop import QuartShop
from queueing import url_of
from running_pytest import run_pytest
from sending import Scripted

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result


class Heard:
    """The names of the current apps while messages are reported."""

    def __init__(self, number: int) -> None:
        self.names: list[str] = []
        self._left = threading.Semaphore(0)
        self._number = number

    def __call__(self, app: Quart, **facts: object) -> None:
        self.names.append(current_app.name)
        self._left.release()

    def wait(self) -> list[str]:
        """Wait for all messages."""
        for _ in range(self._number):
            assert self._left.acquire(timeout=60)
        return self.names


@pytest.fixture
def shops(tmp_path: Path, scripted: Scripted) -> Iterator[t.Callable[..., QuartShop]]:
    """Makes apps that send to a server, and closes their queues."""
    made: list[QuartShop] = []
    url = url_of(scripted())

    def make(**keys: t.Any) -> QuartShop:
        made.append(QuartShop(tmp_path, testing=False, MAIL_URL=url, **keys))
        return made[-1]

    yield make
    for shop in made:
        shop.within(lambda shop=shop: asyncio.to_thread(shop.mail.queue.close))  # type: ignore[misc]


def queue_letters(shop: QuartShop, number: int) -> None:
    """Queue messages in a view."""

    def queue() -> None:
        for _ in range(number):
            shop.mail.send_later(letter())

    assert shop.view(queue) is None


def test_the_thread(shops: t.Callable[..., QuartShop]) -> None:
    """The thread of the queue sends, and receivers are called in a context of the app."""
    shop = shops(MAIL_QUEUE_ENGINE="thread")
    heard = Heard(3)

    with message_sent.connected_to(heard, shop.app):
        queue_letters(shop, 3)
        assert heard.wait() == ["shop"] * 3


def test_the_first_request(shops: t.Callable[..., QuartShop]) -> None:
    """A request starts the thread if an earlier process has left mail."""
    queue_letters(shops(), 2)
    shop = shops(MAIL_QUEUE_ENGINE="thread")
    heard = Heard(2)

    async def visit() -> None:
        await shop.client.get("/no/such/page")

    with message_sent.connected_to(heard, shop.app):
        asyncio.run(visit())
        assert heard.wait() == ["shop"] * 2


@pytest.mark.parametrize("where", ["on the event loop", "in a thread"])
def test_run_once(shops: t.Callable[..., QuartShop], where: str) -> None:
    """run_once sends what is due, wherever it is called."""
    shop = shops()
    queue_letters(shop, 2)

    async def run() -> int:
        queue = shop.mail.queue
        return queue.run_once() if "loop" in where else await asyncio.to_thread(queue.run_once)

    assert shop.within(run) == 2


def test_a_test_of_the_app(tmp_path: Path) -> None:
    """In a test, send_later sends at once into the outbox."""
    shop = QuartShop(tmp_path)

    async def later() -> None:
        await asyncio.to_thread(shop.mail.send_later, letter())

    with shop.mail.capture(shop.app) as outbox:
        shop.within(later)

    assert outbox.one(to=ANN).queued


def test_the_transaction_of_the_app(
    shops: t.Callable[..., QuartShop], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A message is queued when the transaction of the app commits; if it does not, a warning is
    logged at the end of the app context."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    shop, engine = shops(MAIL_QUEUE=url), create_engine(url)

    async def later(commit: bool) -> None:
        with Session(engine) as session:
            shop.mail.send_later(letter(), session=session)
            if commit:
                session.commit()
                assert [row.state for row in shop.mail.queue.rows()] == ["waiting"]

    shop.within(lambda: later(commit=True))
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING):
        shop.within(lambda: later(commit=False))
    assert "Mail is not queued" in caplog.text
    engine.dispose()


def test_dramatiq(shops: t.Callable[..., QuartShop]) -> None:
    """A worker of Dramatiq sends, in contexts of the app that it needs no middleware for."""
    broker = StubBroker()
    broker.emit_after("process_boot")
    dramatiq.set_broker(broker)
    shop = shops(MAIL_QUEUE_ENGINE="dramatiq")
    heard = Heard(2)
    worker = dramatiq.Worker(broker, worker_timeout=10, worker_threads=1)
    worker.start()
    try:
        with message_sent.connected_to(heard, shop.app):
            queue_letters(shop, 2)
            assert heard.wait() == ["shop"] * 2
    finally:
        worker.stop()
        broker.close()


def test_celery(tmp_path: Path, scripted: Scripted) -> None:
    """A task of Celery sends, with the task class of the documentation."""
    server = scripted()
    app = Quart("shop", instance_path=str(tmp_path))
    app.config["MAIL_URL"] = url_of(server)
    app.config["MAIL_DEFAULT_FROM"] = "shop@example.com"
    app.config["MAIL_QUEUE_ENGINE"] = "celery"
    app.config["CELERY"] = {"broker_url": "memory://"}
    page: dict[str, t.Any] = {}
    blocks = code_blocks(Path(__file__).parents[2] / "docs" / "quart.rst")
    next(block for block in blocks if block.file == "tasks.py").run(page)
    celery = page["celery_init_app"](app)
    mail = Mail(app)
    heard = Heard(1)

    async def later() -> None:
        async with app.app_context():
            mail.send_later(letter())

    with message_sent.connected_to(heard, app):
        asyncio.run(later())
        celery.tasks[TASK].apply(("default",))
        assert heard.wait() == ["shop"]

    async def close() -> None:
        async with app.app_context():
            mail.queue.close()

    asyncio.run(close())
    assert len(server.accepted) == 1


# The commands


def run(shop: QuartShop, *arguments: str) -> Result:
    """Run ``quart mail`` in the app."""
    result: Result = shop.app.test_cli_runner().invoke(args=["mail", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["check"], 0, "default_from             shop@shop.example"),
        (["check"], 0, "Unsubscribe: POST https://shop.example/mail/unsubscribe/..., without"),
        (["check"], 0, "without cookies: 200"),
        (["send", "--to", ANN, "--subject", "Hi", "--text", "Hello"], 0, f"accepted  {ANN}"),
        (["send", "--subject", "Hi", "--text", "Hello"], 1, "Give --to, or set MAIL_DEFAULT_TO"),
        (["queue", "status"], 0, "waiting    2"),
        (["queue", "list"], 0, "Hello"),
        (["worker", "--once"], 0, ""),
        (["preview"], 0, "Account/Welcome"),
        (["dkim", "records"], 1, "Make a key: quart mail dkim new"),
        (["suppressed", "list"], 0, "No addresses."),
        (["nothing"], 2, "No such command"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_commands(
    shops: t.Callable[..., QuartShop], arguments: list[str], code: int, said: str
) -> None:
    """The commands of flask mail are those of quart mail."""
    shop = shops(MAIL_UNSUBSCRIBE=True, MAIL_SUPPRESSIONS=True, MAIL_QUEUE="sqlite")

    @shop.mail.preview("Account/Welcome")
    def welcome() -> Message:
        return shop.mail.render("welcome", {"name": "Ann"}, subject="Welcome", to=ANN)

    queue_letters(shop, 2)

    result = run(shop, *arguments)

    assert said in result.output
    assert result.exit_code == code, result.output


def test_what_a_preview_gets(tmp_path: Path) -> None:
    """A preview is rendered in a request, and its page is written without sending."""
    shop = QuartShop(tmp_path)

    @shop.mail.preview("Account/Welcome")
    def welcome() -> Message:
        return shop.mail.render("welcome", {"name": "Ann"}, subject="Welcome", to=ANN)

    result = run(shop, "preview", "--export", str(tmp_path / "pages"))

    assert result.exit_code == 0, result.output
    page = (tmp_path / "pages" / "account-welcome" / "html-light-0.html").read_text("utf-8")
    assert "Hello Ann from the shop" in page


@pytest.mark.slow
def test_the_worker(shops: t.Callable[..., QuartShop], tmp_path: Path) -> None:
    """quart mail worker sends what waits until SIGTERM, and its exit code is 0."""
    shop = shops()
    queue_letters(shop, 3)
    keys = {**shop.app.config.get_namespace("MAIL_", lowercase=False), "SECRET_KEY": "s"}
    (tmp_path / "app.py").write_text(
        "import json, os\n"
        "from pathlib import Path\n"
        "from flask_mailhandler import message_sent\n"
        "from quart_shop import QuartShop\n"
        "keys = {f'MAIL_{key}': value for key, value in json.loads(os.environ['KEYS']).items()}\n"
        "shop = QuartShop(Path.cwd(), testing=False, **keys)\n"
        "app = shop.app\n"
        "def tell(app, **facts): print('sent', flush=True)\n"
        "message_sent.connect(tell)\n",
        encoding="utf-8",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "quart", "mail", "worker"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "KEYS": json.dumps(keys)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        lines = iter(process.stdout)
        for _ in range(3):
            assert any(line == "sent\n" for line in lines)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)

    assert process.returncode == 0


@pytest.mark.slow
def test_the_end_of_a_script(tmp_path: Path) -> None:
    """A script that ends sends what is due, and calls the teardown functions of the app, also those
    that are not async."""
    (tmp_path / "script.py").write_text(
        "import asyncio, quart\n"
        "from flask_mailhandler import Mail, Message\n"
        f"app = quart.Quart('shop', instance_path={str(tmp_path)!r})\n"
        "app.config.update(MAIL_DEFAULT_FROM='shop@example.com', MAIL_HANDLER='console')\n"
        "mail = Mail(app)\n"
        "@app.teardown_appcontext\n"
        "def end(error):\n"
        "    print('torn down')\n"
        "async def main():\n"
        "    async with app.app_context():\n"
        "        mail.send_later(Message(subject='Hi', text='Hello', to='ann@example.com'))\n"
        "asyncio.run(main())\n",
        encoding="utf-8",
    )

    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0
    assert "Subject: Hi" in done.stdout + done.stderr
    assert done.stdout.count("torn down") > 1
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_new_mail(tmp_path: Path) -> None:
    """quart mail new writes a mail whose test passes, without warnings."""
    (tmp_path / "app.py").write_text(
        "from quart import Quart\n"
        "from flask_mailhandler import Mail\n"
        "mail = Mail()\n"
        "def create_app():\n"
        "    app = Quart(__name__)\n"
        "    app.config['MAIL_DEFAULT_FROM'] = 'shop@example.com'\n"
        "    mail.init_app(app)\n"
        "    return app\n",
        encoding="utf-8",
    )

    command = [sys.executable, "-m", "quart", "mail", "new", "welcome"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "quart mail preview --export previews" in done.stdout
    assert "Flask" not in (tmp_path / "conftest.py").read_text(encoding="utf-8")
    # pytest-flask takes the fixture "app" for one of Flask.
    run_pytest(tmp_path, "-p", "no:flask")
