"""``flask mail check --production``, and the page of the docs with its checklist."""

from __future__ import annotations

import re
import time
import typing as t
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Blueprint
from flask import Flask

from code_blocks import captioned
from code_blocks import code_blocks
from flask_mailhandler import EmailHandler
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler.cli import alone
from flask_mailhandler.cli.production.checklist import CHECKLIST
from flask_mailhandler.queue.row import RowState
from queueing import alter
from queueing import shop
from sending import PATIENT
from sending import Scripted
from servers import ScriptedServer
from servers.dead_ends import closed_port
from servers.dns import DNSServer

if t.TYPE_CHECKING:
    from click.testing import Result

    from servers.certificates import Certificates

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "production.rst"
KEY = "0123456789abcdef" * 4
PASSWORD = "correct horse"
# What the loopback servers stand for: each of them is "on this machine".
ZONE: dict[str, t.Any] = {
    "flower.shop": {"TXT": ["v=spf1 mx -all"], "MX": ["10 mail.flower.shop."]},
    "mail.flower.shop": {"A": ["192.0.2.25"]},
    "_dmarc.flower.shop": {"TXT": ["v=DMARC1; p=reject; rua=mailto:d@flower.shop"]},
}


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wide terminal, which wraps no line, a password in the environment, and a folder of the
    test that does not count as a temporary one."""
    monkeypatch.setattr("flask_mailhandler.cli.production.waiting.TEMPORARY", Path("/not/here"))
    monkeypatch.setattr("flask_mailhandler.cli.production.deployment.TIMEOUT", 60.0)
    monkeypatch.setattr("flask_mailhandler.cli.table._WIDEST", 2000)
    monkeypatch.setenv("COLUMNS", "2000")
    monkeypatch.setenv("FLASK_MAIL_PASSWORD", PASSWORD)


@pytest.fixture
def server(scripted: Scripted, certificates: Certificates) -> ScriptedServer:
    """A server with STARTTLS and a login."""
    return scripted(starttls=certificates.valid, users={"shop@flower.shop": PASSWORD})


@pytest.fixture
def good(
    server: ScriptedServer, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, t.Any]:
    """A configuration in which nothing is to do."""
    return {
        "SECRET_KEY": KEY,
        "MAIL_HOST": server.host,
        "MAIL_PORT": server.port,
        "MAIL_SECURITY": "starttls",
        "MAIL_TLS_CA_FILE": certificates.ca_file,
        "MAIL_USERNAME": "shop@flower.shop",
        "MAIL_PASSWORD": PASSWORD,
        "MAIL_BASE_URL": "https://flower.shop",
        "MAIL_DEFAULT_FROM": "The Shop <shop@flower.shop>",
        "MAIL_BOUNCE_ADDRESS": "bounce@flower.shop",
        "MAIL_BOUNCE_IMAP": "imaps://shop:secret@imap.flower.shop",
        "MAIL_QUEUE": "queue.sqlite",
        "MAIL_SUPPRESSIONS": True,
        **{f"MAIL_{name.upper()}": value for name, value in PATIENT.items()},
    }


def create_app(keys: dict[str, t.Any], folder: Path) -> Flask:
    app = Flask("shop", instance_path=str(folder))
    app.config.update(keys)
    Mail(app)
    return app


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["mail", "check", "--production", *arguments])


def items(result: Result) -> dict[str, tuple[str, str]]:
    """Return the status and the text of each item, by its title."""
    found = re.findall(r"^  (ok|to do|cannot tell|not used) +(\S.*)\n +(.*)$", result.output, re.M)
    return {title: (status, text) for status, title, text in found}


def test_words_of_the_docs() -> None:
    """The command has the items of the page, in the same words and order."""
    page = PAGE.read_text(encoding="utf-8")
    checklist = page.partition("\nChecklist\n---------\n\n")[2].partition("\n\n\n")[0]

    assert checklist.splitlines() == [f"-   {title}" for title in CHECKLIST]
    assert f"Of {len(CHECKLIST)} items" in page


def test_files_of_the_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app of the page starts with the environment of production, and with that of staging."""
    (block,) = code_blocks(PAGE)
    for name, file in captioned(PAGE).items():
        for line in file.split():
            key, _, value = line.partition("=")
            monkeypatch.setenv(key, value)
        namespace: dict[str, t.Any] = {"__name__": "shop"}
        block.run(namespace)
        found = items(run(namespace["create_app"](), "--using", "default"))

        assert len(found) == len(CHECKLIST)
        guarded = found["Mail goes to its recipients, and on staging to you."]
        assert guarded[0] == ("to do" if "staging" in name else "ok")
        assert found["Addresses that bounce get no more mail."][0] == "ok"


def test_nothing_to_do(good: dict[str, t.Any], server: ScriptedServer, tmp_path: Path) -> None:
    """An app in order has exit code 0. Nothing is sent or created, and no password is shown."""
    app = create_app(good, tmp_path)
    zone = DNSServer(ZONE)
    try:
        result = run(app, "--dns", "--nameserver", f"127.0.0.1:{zone.port}")
    finally:
        zone.close()

    found = items(result)
    assert [title for title, (status, _) in found.items() if status == "to do"] == []
    assert result.exit_code == 0, result.output
    assert [*found] == [*CHECKLIST]
    assert found["Each account connects with TLS and logs in."] == (
        "ok",
        f"{server.host}:{server.port}, with TLS, as shop@flower.shop.",
    )
    assert found["SPF, DKIM and DMARC records are published."][0] == "ok"
    assert found["Passwords are in the environment or in a private file."][0] == "cannot tell"
    assert "MAIL_BOUNCE_IMAP" in found["Passwords are in the environment or in a private file."][1]
    assert PASSWORD not in result.output
    assert KEY not in result.output
    assert result.output.endswith("\nOf 21 items, 13 ok, 4 cannot tell, 4 not used.\n")
    assert server.received == []
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("change", "title", "status", "said"),
    [
        ({"TESTING": True}, "Debug mode is off.", "to do", "TESTING is on"),
        ({"SECRET_KEY": None}, "SECRET_KEY is long and random.", "to do", "secrets.token_hex()"),
        ({"SECRET_KEY": "dev"}, "SECRET_KEY is long and random.", "to do", "can be guessed"),
        ({"SECRET_KEY": "a" * 64}, "SECRET_KEY is long and random.", "to do", "can be guessed"),
        ({"SECRET_KEY_FALLBACKS": ["x"]}, "SECRET_KEY is long and random.", "to do", "guessed"),
        (
            {"SECRET_KEY_FALLBACKS": [KEY[::-1]]},
            "SECRET_KEY is long and random.",
            "ok",
            "1 older one is accepted",
        ),
        (
            {"SECRET_KEY_FALLBACKS": (KEY[::-1], KEY[::-1].encode())},
            "SECRET_KEY is long and random.",
            "ok",
            "2 older ones are accepted",
        ),
        ({"SECRET_KEY": 10**64}, "SECRET_KEY is long and random.", "to do", "quote a key"),
        ({"SECRET_KEY_FALLBACKS": KEY}, "SECRET_KEY is long and random.", "to do", "a list of"),
        (
            {"SECRET_KEY_FALLBACKS": [7]},
            "SECRET_KEY is long and random.",
            "to do",
            "must be a text",
        ),
        (
            {"MAIL_BOUNCE_IMAP": None},
            "Passwords are in the environment or in a private file.",
            "ok",
            "From FLASK_MAIL_PASSWORD.",
        ),
        (
            {
                "MAIL_URL": "smtps://shop:hidden@mail.flower.shop?timeout=7",
                "MAIL_BOUNCE_IMAP": None,
            },
            "Passwords are in the environment or in a private file.",
            "cannot tell",
            "value of MAIL_URL.",
        ),
        (
            {"MAIL_URL": f"ses://{KEY}:{PASSWORD}@eu-west-1".replace(" ", "%20")},
            "Passwords are in the environment or in a private file.",
            "cannot tell",
            "value of MAIL_BOUNCE_IMAP, MAIL_URL.",
        ),
        (
            {"MAIL_PASSWORD": "a"},
            "Passwords are in the environment or in a private file.",
            "cannot tell",
            "MAIL_PASSWORD",
        ),
        (
            {"MAIL_QUEUE": "postgresql+psycopg://shop:hidden@127.0.0.1:1/shop"},
            "Passwords are in the environment or in a private file.",
            "cannot tell",
            "value of MAIL_QUEUE.",
        ),
        (
            {"MAIL_QUEUE": "postgresql+psycopg://shop:hidden[@127.0.0.1:1/shop"},
            "Passwords are in the environment or in a private file.",
            "cannot tell",
            "value of MAIL_QUEUE.",
        ),
        ({"MAIL_BASE_URL": None}, "Links in mail lead to your site.", "to do", "is not set"),
        (
            {"MAIL_BASE_URL": "http://flower.shop"},
            "Links in mail lead to your site.",
            "to do",
            "need https://",
        ),
        (
            {"MAIL_BASE_URL": "https://localhost:5000"},
            "Links in mail lead to your site.",
            "to do",
            "cannot reach",
        ),
        (
            {"MAIL_BASE_URL": "https://[::1]:5000"},
            "Links in mail lead to your site.",
            "to do",
            "cannot reach",
        ),
        (
            {"MAIL_HANDLER": "console"},
            "Each account sends by a real server or provider.",
            "to do",
            "ConsoleEmailHandler, which sends nothing",
        ),
        (
            {"MAIL_HOST": "smtp.example.com"},
            "Each account sends by a real server or provider.",
            "to do",
            "is an example",
        ),
        (
            {"MAIL_HANDLER": "postmark", "MAIL_API_KEY": "k"},
            "Each account sends by a real server or provider.",
            "ok",
            "The API at api.postmarkapp.com.",
        ),
        (
            {"MAIL_HANDLER": "postmark", "MAIL_API_KEY": "k"},
            "Each account connects with TLS and logs in.",
            "cannot tell",
            "flask mail check --live --to ADDRESS",
        ),
        (
            {"MAIL_PASSWORD": "wrong horse"},
            "Each account connects with TLS and logs in.",
            "to do",
            "did not accept the login",
        ),
        (
            {"MAIL_TLS_CA_FILE": None},
            "Each account connects with TLS and logs in.",
            "to do",
            "See flask mail check.",
        ),
        (
            {"MAIL_DEFAULT_FROM": None},
            "MAIL_DEFAULT_FROM is an address of your domain.",
            "to do",
            "It is not set.",
        ),
        (
            {"MAIL_DEFAULT_FROM": "shop@example.com"},
            "MAIL_DEFAULT_FROM is an address of your domain.",
            "to do",
            "is an example",
        ),
        (
            {"MAIL_DEFAULT_FROM": "shop@gmail.com"},
            "MAIL_DEFAULT_FROM is an address of your domain.",
            "cannot tell",
            "whose servers alone",
        ),
        ({}, "SPF, DKIM and DMARC records are published.", "cannot tell", "add --dns"),
        (
            {"MAIL_BOUNCE_IMAP": None},
            "The app hears of bounces.",
            "cannot tell",
            "flask mail bounce",
        ),
        (
            {"MAIL_BOUNCE_IMAP": None, "MAIL_BOUNCE_ADDRESS": None},
            "The app hears of bounces.",
            "to do",
            "MAIL_BOUNCE_ADDRESS and MAIL_BOUNCE_IMAP",
        ),
        (
            {"MAIL_SUPPRESSIONS": False},
            "Addresses that bounce get no more mail.",
            "to do",
            "MAIL_SUPPRESSIONS = True",
        ),
        (
            {"MAIL_QUEUE": None, "MAIL_SUPPRESSIONS": False},
            "Mail that waits survives a restart.",
            "to do",
            "MAIL_QUEUE is not set",
        ),
        (
            {"MAIL_QUEUE": "/dev/null/queue.sqlite"},
            "Mail that waits survives a restart.",
            "to do",
            "cannot write into /dev/null",
        ),
        (
            {"MAIL_QUEUE": "/not/here/queue.sqlite"},
            "Mail that waits survives a restart.",
            "to do",
            "is a temporary file",
        ),
        (
            {"MAIL_QUEUE": "sqlalchemy"},
            "Mail that waits survives a restart.",
            "to do",
            "Flask-SQLAlchemy",
        ),
        (
            {"MAIL_QUEUE": "postgresql+psycopg://shop:hidden@127.0.0.1:1/shop"},
            "The tables of the queue are those of this release.",
            "to do",
            "cannot be used",
        ),
        (
            {"MAIL_QUEUE_ENGINE": "none"},
            "A worker sends what waits.",
            "cannot tell",
            "Run 'flask mail worker'.",
        ),
        (
            {"MAIL_REDIRECT_TO": "me@flower.shop"},
            "Mail goes to its recipients, and on staging to you.",
            "to do",
            "MAIL_REDIRECT_TO of 'default' is set",
        ),
        (
            {"MAIL_MAILBOX": True},
            "Pages with mail need a login.",
            "to do",
            "MAIL_MAILBOX is on",
        ),
        (
            {"MAIL_ACCOUNTS": {"news": {"default_from": "news@example.com"}}},
            "MAIL_DEFAULT_FROM is an address of your domain.",
            "to do",
            "'news': news@example.com is an example.",
        ),
        (
            {"MAIL_ACCOUNTS": '{"b": {}, "both": {"spread": {"default": 1, "b": 1}}}'},
            "Another account takes over if one fails.",
            "ok",
            "By spread of 'both'.",
        ),
        (
            {"MAIL_FAILOVER": ["default"]},
            "Another account takes over if one fails.",
            "not used",
            "With a second account",
        ),
        (
            {"MAIL_TELEMETRY": "false"},
            "Traces and metrics are reported.",
            "not used",
            "MAIL_TELEMETRY = True",
        ),
    ],
)
def test_items(
    change: dict[str, t.Any],
    title: str,
    status: str,
    said: str,
    good: dict[str, t.Any],
    tmp_path: Path,
) -> None:
    """Each item says what is wrong and what to write, and the others are still looked at."""
    keys = {key: value for key, value in {**good, **change}.items() if value is not None}
    app = create_app(keys, tmp_path)

    result = run(app)

    found = items(result)
    assert found[title][0] == status
    assert said in found[title][1]
    assert [*found] == [*CHECKLIST]
    assert result.exit_code == int(any(one == "to do" for one, _ in found.values()))
    assert "Traceback" not in result.output
    assert "hidden" not in result.output


def test_debug_mode(
    good: dict[str, t.Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debug mode is to do."""
    monkeypatch.setenv("FLASK_DEBUG", "1")
    found = items(run(create_app(good, tmp_path)))

    assert found["Debug mode is off."][0] == "to do"


def test_mail_that_waits(good: dict[str, t.Any], tmp_path: Path) -> None:
    """The worker item has the words of the health check, and the probe item its status."""
    with shop(tmp_path, **good) as here:
        here.mail.send_later(Message(subject="Hi", text="Hi", to="ann@flower.shop"))
        alter(here.queue.store, here.rows[0], [RowState.WAITING], due=time.time() - 700)

        found = items(run(here.app))

    assert found["A worker sends what waits."][0] == "to do"
    assert "no worker has sent any" in found["A worker sends what waits."][1]
    assert "unhealthy: no-worker" in found["A probe looks at the health of the queue."][1]


def test_what_the_app_has_added(good: dict[str, t.Any], tmp_path: Path) -> None:
    """Parts that an app may do without are found where the app registers them."""
    app = Flask("shop", instance_path=str(tmp_path))
    app.config.update(
        good,
        MAIL_ACCOUNTS={"backup": {}},
        MAIL_FAILOVER=["default", "backup"],
        MAIL_TELEMETRY=True,
    )
    mail = Mail(app)
    staff = Blueprint("staff", __name__, url_prefix="/staff")
    page = mail.queue_page(lambda view: lambda **options: view(**options))
    staff.register_blueprint(page, name="post")
    app.register_blueprint(staff)
    handler = mail.error_handler(to="ops@flower.shop")
    app.logger.addHandler(handler)
    try:
        found = items(run(app, "--using", "default"))
    finally:
        app.logger.removeHandler(handler)

    assert {status for status, _ in found.values()} == {"ok", "cannot tell"}


def test_other_handlers(good: dict[str, t.Any], tmp_path: Path) -> None:
    """A handler of one's own cannot be judged."""

    class Own(EmailHandler):
        pass

    found = items(run(create_app({**good, "MAIL_HANDLER": Own}, tmp_path)))

    assert found["Each account sends by a real server or provider."][0] == "cannot tell"
    assert found["Each account connects with TLS and logs in."][0] == "cannot tell"


def test_an_account_of_a_group(good: dict[str, t.Any], tmp_path: Path) -> None:
    """With an account, those that it passes its messages to are looked at, too."""
    accounts = {
        "backup": {"default_from": "shop@example.com"},
        "alone": {"default_from": "shop@example.org"},
        "both": {"failover": ["default", "backup"]},
    }
    app = create_app({**good, "MAIL_ACCOUNTS": accounts}, tmp_path)

    status, said = items(run(app, "--using", "both"))[
        "MAIL_DEFAULT_FROM is an address of your domain."
    ]

    assert (status, said[:9]) == ("to do", "'backup':")
    assert "shop@example.com" in said
    assert "alone" not in said


def test_an_error_of_the_app(
    good: dict[str, t.Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the app's own code is told without its text, and the next item is looked at."""

    def broken(deployment: object) -> t.NoReturn:
        raise ValueError("hidden")

    monkeypatch.setitem(CHECKLIST, "Links in mail lead to your site.", broken)
    result = run(create_app(good, tmp_path))

    assert items(result)["Links in mail lead to your site."] == (
        "cannot tell",
        "ValueError was raised.",
    )
    assert [*items(result)] == [*CHECKLIST]
    assert "hidden" not in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--live", "--to", "a@b.example"], "goes with --using, --dns and --nameserver only"),
        (["--offline"], "goes with --using"),
        (["--ip", "192.0.2.1"], "goes with --using"),
        (["--nameserver", "127.0.0.1"], "--nameserver needs --dns"),
        (["--using", "nobody"], "nobody"),
        (["--dns", "--nameserver", "x"], "--nameserver"),
    ],
)
def test_wrong_options(
    arguments: list[str], said: str, good: dict[str, t.Any], tmp_path: Path
) -> None:
    """Options that do not go together are an error."""
    result = run(create_app(good, tmp_path), *arguments)

    assert result.exit_code != 0
    assert said in result.output
    assert items(result) == {}


def test_without_an_app() -> None:
    """The commands without an app have no checklist."""
    result = CliRunner().invoke(alone(), ["check", "--production"])

    assert result.exit_code == 2
    assert "run flask mail check --production" in result.output


def test_a_server_that_is_away(good: dict[str, t.Any], tmp_path: Path) -> None:
    """A server that cannot be reached is to do, and the next item is looked at."""
    with closed_port() as port:
        found = items(run(create_app({**good, "MAIL_PORT": port}, tmp_path)))

    assert found["Each account connects with TLS and logs in."][0] == "to do"
    assert "refused" in found["Each account connects with TLS and logs in."][1]
