"""``flask mail check``."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import types
import typing as t
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from flask import redirect
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from flask_mailhandler import Mail
from flask_mailhandler.app.settings import read_settings
from flask_mailhandler.cli import alone
from sending import PATIENT
from sending import Scripted
from servers import DROP
from servers import ScriptedServer
from servers import SILENCE
from servers.dead_ends import closed_port

if t.TYPE_CHECKING:
    from click.testing import Result

    from servers.certificates import Certificates
    from servers.postfix import Postfix


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A narrower terminal would wrap lines."""
    monkeypatch.setenv("COLUMNS", "120")


def create_app(**keys: object) -> Flask:
    app = Flask("checker")
    app.config.update({f"MAIL_{name.upper()}": value for name, value in keys.items()})
    Mail(app)
    return app


def over(server: ScriptedServer, **keys: object) -> Flask:
    return create_app(host=server.host, port=server.port, **{**PATIENT, **keys})


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["mail", "check", *arguments])


def steps(result: Result) -> list[str]:
    """Return the steps and their results, without the time."""
    found = re.findall(r"^  (\w+) +(?:\d+ ms)?  +(.*)$", result.output, re.M)
    return [f"{name}: {what}" for name, what in found if name in _STEPS]


_STEPS = ("connect", "greeting", "extensions", "TLS", "login", "sender", "recipient")


def test_every_step_over_tls(scripted: Scripted, certificates: Certificates) -> None:
    """Each step is shown with its time, from the connection to RCPT; no message is sent."""
    server = scripted(starttls=certificates.valid, users={"me@example.com": "hunter2"})
    app = over(
        server,
        security="starttls",
        tls_ca_file=certificates.ca_file,
        username="me@example.com",
        password="hunter2",
        local_hostname="me.example.com",
    )

    result = run(app, "--to", "ann@example.com")

    assert result.exit_code == 0, result.output
    found = steps(result)
    assert found[0] == f"connect: 127.0.0.1, port {server.port}"
    assert found[1:3] == [
        "greeting: 220 scripted.example ESMTP",
        "extensions: SIZE 10485760, 8BITMIME, ENHANCEDSTATUSCODES, STARTTLS",
    ]
    assert re.fullmatch(r"TLS: TLSv1\.[23], TLS_\w+", found[3])
    assert re.search(
        r"  certificate of localhost, .*\n +by trustme v[\d.]+, \d+ days", result.output
    )
    assert found[4:] == [
        "extensions: SIZE 10485760, 8BITMIME, ENHANCEDSTATUSCODES, AUTH PLAIN LOGIN",
        "login: PLAIN, as me@example.com",
        "sender: me@example.com: 250 2.1.0 sender ok",
        "recipient: ann@example.com: 250 2.1.5 recipient ok",
    ]
    assert result.output.endswith(
        "would accept mail from me@example.com to ann@example.com.\nNothing was sent.\n"
    )
    assert "hunter2" not in result.output
    server.settle()
    assert server.received == []
    assert [command.split()[0] for command in server.commands][-4:] == [
        "MAIL",
        "RCPT",
        "RSET",
        "QUIT",
    ]


def test_the_order_of_the_settings(scripted: Scripted, tmp_path: Path) -> None:
    """The server comes first, as on the page of the docs, and what other handlers have comes after
    it. A queue that cannot be used does not widen the table."""
    page = (Path(__file__).parents[2] / "docs" / "cli.rst").read_text(encoding="utf-8")
    shown = page.partition("SMTPEmailHandler, chosen by MAIL_URL")[2].partition("For the whole")[0]
    names = re.findall(r"^      (\w+) ", shown, re.M)
    app = over(
        scripted(),
        username="me@example.com",
        password="hunter2",
        default_from="me@example.com",
        queue=str(tmp_path / "queue.sqlite"),
        suppressions=True,
    )
    (tmp_path / "queue.sqlite").write_bytes(b"Dear diary, " * 1000)

    output = run(app).output

    assert names[:3] == ["host", "port", "security"]
    first = output.partition("For the whole")[0]
    assert re.findall(r"^  (\w+) ", first, re.M) == names
    assert re.search(r"suppressions  +unknown: see flask mail queue health  +MAIL_SUPP", output)


def test_where_settings_come_from() -> None:
    """Each setting is shown with the key, the URL or the alias that it was read from."""
    app = create_app(
        server="elsewhere.example",
        url="console:?default_subject=News",
        default_sender="Me <me@example.com>",
        subject_prefix="[x]",
        allow_to=["@example.com", "ann@example.org"],
        rate_limit="14/s; 500/h",
        base_url="https://shop.example",
        queue="/srv/queue.sqlite",
        accounts={"news": {"subject_prefix": "[news]"}},
    )

    result = run(app)

    assert result.exit_code == 0
    assert result.output == (
        "Account 'default': ConsoleEmailHandler, chosen by MAIL_URL\n\n"
        "  default_from     Me <me@example.com>            MAIL_DEFAULT_SENDER\n"
        "  default_subject  News                           MAIL_URL\n"
        "  subject_prefix   [x]                            MAIL_SUBJECT_PREFIX\n"
        "  allow_to         @example.com, ann@example.org  MAIL_ALLOW_TO\n"
        "  rate_limit       14/s; 500/h                    MAIL_RATE_LIMIT\n\n"
        "For the whole app:\n\n"
        "  base_url        https://shop.example/  MAIL_BASE_URL\n"
        "  queue           /srv/queue.sqlite      MAIL_QUEUE\n"
        "  queue_engine    thread                 default\n"
        "  other accounts  news                   MAIL_ACCOUNTS\n\n"
        "Messages are printed. Nothing is sent.\n"
    )


def test_bounces_and_notifications() -> None:
    """The bounce address is shown with its delimiter, and what is asked of servers as words."""
    app = create_app(
        url="console:", bounce_address="bounces@example.com", dsn_notify="failure, delay"
    )

    shown = run(app).output

    assert "  bounce_address    bounces@example.com  MAIL_BOUNCE_ADDRESS\n" in shown
    assert "  bounce_delimiter  +                    default\n" in shown
    assert "  dsn_notify        failure, delay       MAIL_DSN_NOTIFY\n" in shown


def test_the_settings_of_an_account() -> None:
    """For an account, the app's settings are shown too; the table fits a narrow terminal."""
    app = create_app(
        url="smtp://mail.example.com",
        accounts={"newsletter": {"handler": "console", "subject_prefix": "[news]"}},
    )

    result = run(app, "--using", "newsletter")

    assert result.exit_code == 0
    assert "  subject_prefix  [news]  MAIL_ACCOUNTS[...]['subject_prefix']\n" in result.output
    assert "  other accounts  default" in result.output
    assert "  queue_engine    thread" in result.output


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("sqlalchemy", "this app does not have: call db.init_app(app)"),
        ("sqlite://", "a database in memory"),
        ("postgresql+nosuch://ann:s3cret@db/shop", "not a URL of SQLAlchemy"),
    ],
)
def test_a_queue_that_cannot_be_used(place: str, error: str) -> None:
    """A queue that cannot be used is an error before the session starts."""
    result = run(create_app(url="console:", queue=place))

    assert result.exit_code == 1
    assert error in " ".join(result.output.split())
    assert "s3cret" not in result.output


def test_a_queue_that_is_down(tmp_path: Path) -> None:
    """The reason why the queue's database cannot be used is an error in one line, and the exit code
    is 1. The rest is checked all the same. A queue that was never used is not created."""
    path = tmp_path / "queue.sqlite"

    assert run(create_app(url="console:", queue=str(path))).exit_code == 0
    assert not path.exists()
    path.write_bytes(b"Dear diary, " * 1000)
    result = run(create_app(url="console:", queue=str(path)))
    assert result.exit_code == 1
    assert result.output.count(f"Error: The queue in {path} cannot be used: file is not a") == 1
    assert "Nothing is sent." in result.output
    with closed_port() as port:
        url = f"postgresql+psycopg://shop:s3cret@127.0.0.1:{port}/shop"
        accounts = {"spare": {"url": "console:"}}
        failover = ["default", "spare"]
        app = create_app(url="console:", queue=url, accounts=accounts, failover=failover)
        result = run(app)
    assert result.exit_code == 1 and "s3cret" not in result.output
    assert len(re.findall(r"^Error: The queue in postgresql.*refused", result.output, re.M)) == 1


@pytest.mark.parametrize(
    ("values", "using", "option", "source"),
    [
        ({"host": "a"}, None, "host", "MAIL_HOST"),
        ({"server": "a"}, None, "host", "MAIL_SERVER"),
        ({"host": "b", "server": "a"}, None, "host", "MAIL_HOST"),
        ({"host": "b", "url": "smtp://a"}, None, "host", "MAIL_URL"),
        ({"use_tls": True, "use_ssl": False}, None, "security", "MAIL_USE_TLS"),
        ({"use_tls": "no", "use_ssl": "no"}, None, "security", "MAIL_USE_SSL"),
        ({"suppress_send": True}, None, "handler", "MAIL_SUPPRESS_SEND"),
        ({"backend": "locmem"}, None, "handler", "MAIL_BACKEND"),
        ({"accounts": {"b": {"host": "a"}}}, "b", "host", "MAIL_ACCOUNTS['b']['host']"),
        ({"accounts": {"b": {"url": "smtp://a"}}}, "b", "host", "MAIL_ACCOUNTS['b']['url']"),
        ({"server": "a", "accounts": {"b": {"default_to": "x@y.z"}}}, "b", "host", "MAIL_SERVER"),
    ],
)
def test_sources(values: dict[str, object], using: str | None, option: str, source: str) -> None:
    """The source of an option is the key that decided it."""
    assert read_settings(values).account(using).sources[option] == source


def test_secrets_are_not_shown() -> None:
    """A password from any key, and a token, are shown as stars."""
    with closed_port() as port:
        by_url = run(create_app(url=f"smtp://me:hunter2@127.0.0.1:{port}"))
        by_token = run(
            create_app(host="127.0.0.1", port=port, username="me", oauth_token=lambda: "hunter2")
        )

    assert "password                 ***        MAIL_URL" in by_url.output
    assert "oauth_token              ***        MAIL_OAUTH_TOKEN" in by_token.output
    assert "hunter2" not in by_url.output + by_token.output


@pytest.mark.parametrize(
    ("declared", "keys", "last", "error"),
    [
        ({"on": {"greeting": "554 go away"}}, {}, "greeting: failed", "greets with 554 go away."),
        ({"on": {"greeting": DROP}}, {}, "greeting: failed", "set MAIL_SECURITY = 'tls'."),
        (
            {"on": {"greeting": SILENCE}},
            {"connect_timeout": 0.3},
            "greeting: failed",
            "no answer within the time allowed.",
        ),
        ({}, {"security": "starttls"}, "TLS: failed", "does not offer STARTTLS."),
        (
            {},
            {"security": "tls"},
            "TLS: failed",
            "The server speaks plain SMTP first: set MAIL_SECURITY = 'starttls', or use port 465.",
        ),
        (
            {"users": {"me": "right"}},
            {"username": "me", "password": "hunter2"},
            "login: failed",
            "Check MAIL_USERNAME and MAIL_PASSWORD.",
        ),
        (
            {"on": {"MAIL": "530 5.7.0 login first"}},
            {},
            "sender: me@example.com: 530 5.7.0 login first",
            "does not accept mail from me@example.com. It requires a login: set MAIL_USERNAME and",
        ),
        (
            {"on": {"MAIL": "450 4.3.0 \x1b[2Jlater"}},
            {},
            "sender: me@example.com: 450 4.3.0 \\x1b[2Jlater",
            "Try again later.",
        ),
        (
            {"on": {"MAIL": "553 5.7.1 not yours"}, "users": {"me": "right"}},
            {"username": "me", "password": "right"},
            "sender: me@example.com: 553 5.7.1 not yours",
            "Set MAIL_DEFAULT_FROM to an address that this login may send from.",
        ),
        (
            {"on": {"MAIL": "553 5.7.1 not yours"}},
            {},
            "sender: me@example.com: 553 5.7.1 not yours",
            "The server may also require a login.",
        ),
        (
            {"on": {"RCPT": "554 5.7.1 Relay access denied"}},
            {},
            "recipient: me@example.com: 554 5.7.1 Relay access denied",
            "It relays only after a login: set MAIL_USERNAME and MAIL_PASSWORD.",
        ),
        (
            {"on": {"RCPT": "450 4.2.0 greylisted"}},
            {},
            "recipient: me@example.com: 450 4.2.0 greylisted",
            "some servers first defer mail from an unknown client.",
        ),
        (
            {"on": {"RCPT": "550 5.1.1 who"}},
            {},
            "recipient: me@example.com: 550 5.1.1 who",
            "Try another recipient with --to.",
        ),
        ({"on": {"RCPT": DROP}}, {}, "sender: failed", "the server closed the connection."),
    ],
)
def test_a_step_that_fails(
    scripted: Scripted,
    monkeypatch: pytest.MonkeyPatch,
    declared: dict[str, t.Any],
    keys: dict[str, object],
    last: str,
    error: str,
) -> None:
    """The step that failed is the last one; an error in one line says why and what to do, and the
    exit code is 1."""
    server = scripted(**declared)
    # However long the step before it takes: what counts is the silence alone.
    for module in ("net.deadline", "smtp.stream"):
        clock = types.SimpleNamespace(monotonic=lambda: 0.0)
        monkeypatch.setattr(f"flask_mailhandler.{module}.time", clock)

    result = run(over(server, default_from="me@example.com", **keys))

    assert result.exit_code == 1
    assert steps(result)[-1] == last
    message = result.output.rpartition("\n\nError: ")[2]
    assert error in message
    assert message.count("\n") == 1
    assert "hunter2" not in result.output
    if keys.get("security") == "tls":
        server.stop()
        server.breaches.clear()  # a handshake is no SMTP


@pytest.mark.parametrize(
    ("certificate", "error"),
    [
        ("untrusted", "set MAIL_TLS_CA_FILE to its issuer's certificate."),
        ("expired", "The server needs a new certificate."),
        ("wrong_host", "Names in its subjectAltName count, a common name does not (RFC 9525)."),
    ],
)
def test_a_certificate_that_is_not_accepted(
    scripted: Scripted, certificates: Certificates, certificate: str, error: str
) -> None:
    """The error says what is wrong with a certificate, and what to do."""
    server = scripted(tls=getattr(certificates, certificate))

    result = run(over(server, security="tls", tls_ca_file=certificates.ca_file))

    assert result.exit_code == 1
    assert steps(result)[-1] == "TLS: failed"
    assert result.output.endswith(f"{error}\n")


def test_an_unverified_certificate_is_warned_of(
    scripted: Scripted, certificates: Certificates
) -> None:
    """A warning says that the user's own context verifies nothing."""
    server = scripted(tls=certificates.untrusted)
    context = certificates.client()
    context.check_hostname = False
    context.verify_mode = 0  # type: ignore[assignment]

    result = run(over(server, security="tls", tls_context=context))

    assert result.exit_code == 0
    assert "Warning: the certificate is not verified: see MAIL_TLS_CONTEXT." in result.output
    assert "tls_context              a SSLContext  MAIL_TLS_CONTEXT" in result.output


def test_nothing_configured() -> None:
    """If localhost:25 refuses the connection, the error says that no server is configured."""
    with socket.socket() as probe:
        if probe.connect_ex(("localhost", 25)) == 0:
            pytest.skip("There is a server at localhost:25.")

    result = run(create_app())

    assert result.exit_code == 1
    assert "  port                     25         default with security none\n" in result.output
    assert "Check MAIL_HOST and MAIL_PORT. Neither MAIL_URL nor MAIL_HOST is set" in result.output
    assert "FLASK_MAIL_HOST, if the app calls app.config.from_prefixed_env()." in result.output


def test_nothing_configured_without_an_app() -> None:
    """Without an app, the error asks only for a URL, because MAIL_HOST is not read."""
    with socket.socket() as probe:
        if probe.connect_ex(("localhost", 25)) == 0:
            pytest.skip("There is a server at localhost:25.")

    result = CliRunner(env={"MAIL_URL": None}).invoke(alone(), ["check"])

    assert result.exit_code == 1
    assert "Neither --url nor MAIL_URL is set: set one" in result.output
    assert "'python -m flask_mailhandler catch'" in result.output
    assert "MAIL_HOST is" not in result.output


@pytest.mark.parametrize("step", ["greeting", "MAIL"])
def test_the_timeout_holds(scripted: Scripted, step: str) -> None:
    """MAIL_TIMEOUT limits the session, as it limits a send."""
    server = scripted(on={step: SILENCE})

    result = run(over(server, default_from="me@example.com", timeout=0.3, connect_timeout=300))

    assert result.exit_code == 1
    assert "no answer within the time allowed." in result.output


def test_nobody_to_ask_about(scripted: Scripted) -> None:
    """Without any address, the server is not asked whether it would accept a message."""
    server = scripted()

    result = run(over(server))

    assert result.exit_code == 0
    assert result.output.endswith(
        "replies as expected. It was not asked whether it would accept a message: give --to, or set"
        " MAIL_DEFAULT_FROM.\nNothing was sent.\n"
    )
    assert not any(command.startswith("MAIL") for command in server.commands)


@pytest.mark.parametrize(
    ("extensions", "code", "said"),
    [
        (["8BITMIME"], 1, "does not offer SMTPUTF8, which grüße@example.com or"),
        (["SMTPUTF8", "8BITMIME"], 0, "it offers SMTPUTF8, which these addresses need."),
    ],
)
def test_addresses_beyond_ascii(
    scripted: Scripted, extensions: list[str], code: int, said: str
) -> None:
    """A non-ASCII local part needs a server that offers SMTPUTF8."""
    server = scripted(extensions=extensions)

    result = run(over(server, default_from="grüße@example.com"))

    assert result.exit_code == code
    assert said in result.output


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"handler": "memory"}, "Messages are stored in memory, in the outbox of tests."),
        ({"url": "file:///var/mail-dump"}, "Messages are written into /var/mail-dump."),
        (
            {"handler": "flask_mailhandler.handlers.base:EmailHandler"},
            "Messages are passed to flask_mailhandler.handlers.base:EmailHandler, which this",
        ),
    ],
)
def test_other_handlers(keys: dict[str, object], said: str) -> None:
    """For a handler without a session, the command says what the handler does."""
    result = run(create_app(**keys))

    assert result.exit_code == 0
    assert said in result.output


def test_why_testing_is_in_force() -> None:
    """TESTING is named if it decides."""
    app = create_app(url="smtp://mail.example.com")
    app.testing = True

    result = run(app)

    assert result.output.startswith(
        "Account 'default': MemoryEmailHandler, chosen by MAIL_TESTING_HANDLER, because TESTING"
    )


def test_why_debug_mode_is_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debug mode is named if it decides."""
    monkeypatch.setenv("FLASK_DEBUG", "1")

    result = run(create_app())

    assert result.output.startswith(
        "Account 'default': MailboxEmailHandler, chosen because debug mode is on and no key says"
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--using", "bulk"), "There is no account 'bulk'"),
        (("--to", "nobody"), "--to "),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], error: str) -> None:
    """A wrong argument is an error in one line."""
    result = run(create_app(), *arguments)

    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {error}")
    assert result.output.count("\n") == 1


def test_without_an_app(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """python -m flask_mailhandler checks a URL from the option or the environment."""
    server = scripted()
    monkeypatch.setenv("MAIL_URL", f"smtp://127.0.0.1:{server.port}?default_from=me@example.com")

    result = Flask("x").test_cli_runner().invoke(alone(), ["check"])

    assert result.exit_code == 0, result.output
    assert f"  port                     {server.port}" in result.output
    assert result.output.endswith("from me@example.com to me@example.com.\nNothing was sent.\n")


def test_a_wrong_url_is_not_shown() -> None:
    """A URL that cannot be read is not repeated, because it may contain a password."""
    result = (
        Flask("x").test_cli_runner().invoke(alone(), ["check", "--url", "smtp://me:hunter2#@host"])
    )

    assert result.exit_code == 1
    assert result.output.startswith("Error: MAIL_URL must be like")
    assert "hunter2" not in result.output


@pytest.mark.services
@pytest.mark.parametrize(("port", "security"), [("submission", "starttls"), ("submissions", "tls")])
def test_postfix(postfix: Postfix, certificates: Certificates, port: str, security: str) -> None:
    """Debian's Postfix passes every step, including the login."""
    app = create_app(
        host=postfix.host,
        port=postfix.ports[port],
        security=security,
        tls_ca_file=certificates.ca_file,
        username=postfix.user,
        password=postfix.password,
        default_from="me@example.com",
    )

    good, unknown = run(app, "--to", "ann@example.com"), run(app, "--to", "unknown@example.com")

    assert good.exit_code == 0, good.output
    assert f"login: PLAIN, as {postfix.user}" in steps(good)
    assert steps(good)[-1] == "recipient: ann@example.com: 250 2.1.5 Ok"
    assert unknown.exit_code == 1
    assert steps(unknown)[-1].startswith("recipient: unknown@example.com: 550 5.1.1 ")


def test_light_at_import() -> None:
    """Importing the commands loads Click, and nothing that only a running command needs."""
    code = (
        "import sys, click; before = set(sys.modules); import flask_mailhandler.cli;"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['flask_mailhandler', 'flask_mailhandler.cli']"


HOOKS: dict[str, object] = {
    "url": "postmark://token@default",
    "webhook_secret": "a-secret-part-of-a-url",
    "queue": "sqlite",
    "base_url": "https://shop.example/app",
}


def test_the_url_for_webhooks() -> None:
    """The URL to enter at the provider is printed, and tried as the provider would try it."""
    result = run(create_app(**HOOKS))

    url = "https://shop.example/app/mail/webhooks/default/a-secret-part-of-a-url"
    assert f"Webhooks: enter this URL at the provider: {url}\n" in result.output
    assert "  POST without cookies: 200 OK\n" in result.output
    assert result.exit_code == 0


@pytest.mark.parametrize("prefix", ["/app", "/other"])
def test_webhooks_below_a_path_that_a_middleware_takes_off(prefix: str) -> None:
    """A middleware of the app gets the whole path, as it does from a server."""
    app = create_app(**HOOKS)
    app.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign]
        NotFound(), {prefix: app.wsgi_app}
    )

    result = run(app)

    status = "200 OK\n" if prefix == "/app" else "404 NOT FOUND. A provider needs 200"
    assert f"POST without cookies: {status}" in result.output


def test_webhooks_that_do_not_arrive() -> None:
    """A login of the app that stands before the URL is found, and what to do about it."""
    app = create_app(**HOOKS)
    app.before_request(lambda: redirect("/login"))

    result = run(app)

    assert "POST without cookies: 302 FOUND, to /login. A provider needs 200" in result.output
    assert "'mail_webhooks'" in result.output
    assert result.exit_code == 1


def test_webhooks_of_an_app_that_raises() -> None:
    """An error of the app is printed, and the other checks go on."""
    app = create_app(**HOOKS)
    app.testing = True

    @app.before_request
    def fail() -> None:
        raise RuntimeError("of the app")

    result = run(app)

    assert "POST without cookies: RuntimeError: of the app\n" in result.output
    assert "Nothing is sent." in result.output
    assert result.exit_code == 1


def test_webhooks_without_a_base_url() -> None:
    """Without MAIL_BASE_URL, the end of the URL is printed."""
    result = run(create_app(**{**HOOKS, "base_url": None}))

    path = "/mail/webhooks/default/a-secret-part-of-a-url"
    assert f"MAIL_BASE_URL is not set. The URL ends with {path}.\n" in result.output
    assert result.exit_code == 0
