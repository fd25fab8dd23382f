"""The values of MAIL_* keys, and the errors for wrong ones."""

from __future__ import annotations

import ssl
import sys
import traceback
import typing as t
import warnings

import pytest
from flask import Flask

from flask_mailhandler import Address
from flask_mailhandler import config
from flask_mailhandler import ConfigurationError
from flask_mailhandler import ConfigurationWarning
from flask_mailhandler import ConsoleEmailHandler
from flask_mailhandler import EmailHandler
from flask_mailhandler import FileEmailHandler
from flask_mailhandler import Mail
from flask_mailhandler import MailboxEmailHandler
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler.app import unknown_keys as key_names
from flask_mailhandler.app.settings import read_settings
from flask_mailhandler.config import rate
from flask_mailhandler.config import split
from flask_mailhandler.handlers import parse_url


def app_with(**keys: object) -> Flask:
    app = Flask("configured")
    app.config.update({f"MAIL_{name.upper()}": value for name, value in keys.items()})
    return app


def handler_of(using: str | None = None, /, **keys: object) -> EmailHandler:
    """Return the handler that is built from these keys."""
    app = app_with(**keys)
    mail = Mail(app, cli=None)
    with app.app_context():
        return mail.handler_for(using)


def smtp_of(using: str | None = None, /, **keys: object) -> SMTPEmailHandler:
    handler = handler_of(using, **keys)
    assert isinstance(handler, SMTPEmailHandler)
    return handler


@pytest.mark.parametrize(
    ("keys", "expect"),
    [
        ({}, ("localhost", 25, "none")),
        ({"host": "mx.example.com"}, ("mx.example.com", 587, "starttls")),
        ({"host": "mx.example.com", "port": 465}, ("mx.example.com", 465, "tls")),
        ({"host": "mx.example.com", "port": "25"}, ("mx.example.com", 25, "starttls")),
        ({"host": "mx.example.com", "security": "tls"}, ("mx.example.com", 465, "tls")),
        ({"host": "mx.example.com", "security": "NONE"}, ("mx.example.com", 25, "none")),
        ({"host": "127.0.0.2", "port": 1025}, ("127.0.0.2", 1025, "none")),
        ({"host": "::1"}, ("::1", 25, "none")),
        ({"host": "bücher.example"}, ("xn--bcher-kva.example", 587, "starttls")),
        ({"url": "smtps://mx.example.com"}, ("mx.example.com", 465, "tls")),
        ({"url": "smtp://mx.example.com"}, ("mx.example.com", 587, "starttls")),
        ({"url": "smtp://mx.example.com:25?security=none"}, ("mx.example.com", 25, "none")),
        ({"url": "smtp://[::1]:2525"}, ("::1", 2525, "none")),
        ({"url": "smtp://mx.example.com", "port": 2525}, ("mx.example.com", 2525, "starttls")),
        ({"url": "smtp://mx.example.com:26", "port": 2525}, ("mx.example.com", 26, "starttls")),
        # Flask-Mail's names, with Flask-Mail's meaning
        ({"server": "mx.example.com", "use_tls": True}, ("mx.example.com", 587, "starttls")),
        ({"server": "mx.example.com", "use_ssl": "true"}, ("mx.example.com", 465, "tls")),
        (
            {"server": "mx.example.com", "port": 25, "use_tls": False, "use_ssl": False},
            ("mx.example.com", 25, "none"),
        ),
        (
            {"server": "mx.example.com", "port": 465, "use_tls": False},
            ("mx.example.com", 465, "tls"),
        ),
        (
            {"server": "old.example.com", "host": "new.example.com"},
            ("new.example.com", 587, "starttls"),
        ),
    ],
)
def test_where_mail_goes(keys: dict[str, object], expect: tuple[str, int, str]) -> None:
    """C-96: security follows from port and host, and a URL wins over the keys."""
    server = smtp_of(**keys).server

    assert (server.host, server.port, server.security) == expect


def backend_class(name: str) -> type:
    """A class like those of Flask-Mailman, whose backends all have the same name."""
    return type("EmailBackend", (), {"__module__": f"flask_mailman.backends.{name}"})


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"server": 5.0}, "MAIL_SERVER "),
        ({"server": "localhost:25"}, "MAIL_SERVER has a port in it"),
        ({"default_sender": "nobody"}, "MAIL_DEFAULT_SENDER "),
        ({"max_emails": "many"}, "MAIL_MAX_EMAILS "),
        ({"backend": "own.EmailBackend"}, "MAIL_BACKEND = 'own.EmailBackend'"),
        ({"backend": "smtp://mx.example.com"}, "MAIL_BACKEND"),
        ({"default_from": "nobody", "default_sender": "a@b.c"}, "MAIL_DEFAULT_FROM "),
        (
            {"server": "a", "accounts": {"b": {"default_to": "c"}}},
            "MAIL_ACCOUNTS['b']['default_to']",
        ),
    ],
)
def test_an_error_names_the_key_that_was_written(keys: dict[str, object], key: str) -> None:
    """An error names the key that is in the configuration, even if it is another extension's."""
    with pytest.raises(ConfigurationError) as caught:
        handler_of(**keys)

    assert key in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "expect"),
    [
        ({"handler": "console"}, ConsoleEmailHandler),
        ({"handler": "dummy"}, ConsoleEmailHandler),
        ({"handler": "memory"}, MemoryEmailHandler),
        ({"handler": "test"}, MemoryEmailHandler),
        ({"handler": "file"}, FileEmailHandler),
        ({"handler": MemoryEmailHandler}, MemoryEmailHandler),
        ({"handler": "flask_mailhandler:MemoryEmailHandler"}, MemoryEmailHandler),
        ({"url": "console:"}, ConsoleEmailHandler),
        ({"url": "memory:"}, MemoryEmailHandler),
        ({"url": "file:///tmp/mail"}, FileEmailHandler),
        ({"url": "console:", "handler": "memory"}, ConsoleEmailHandler),
        ({"suppress_send": True}, MemoryEmailHandler),
        ({"backend": "console"}, ConsoleEmailHandler),
        ({"backend": "flask_mailman.backends.locmem"}, MemoryEmailHandler),
        ({"backend": "file", "file_path": "/tmp/mail"}, FileEmailHandler),
        ({"backend": "smtp"}, SMTPEmailHandler),
        ({"backend": "flask_mailman.backends.smtp.EmailBackend"}, SMTPEmailHandler),
        ({"backend": "flask_mailman.backends.console.EmailBackend"}, ConsoleEmailHandler),
        ({"backend": "flask_mailman.backends.dummy.EmailBackend"}, MemoryEmailHandler),
        ({"backend": "console.EmailBackend"}, ConsoleEmailHandler),
        ({"backend": backend_class("locmem")}, MemoryEmailHandler),
        ({"backend": backend_class("file"), "file_path": "/tmp/mail"}, FileEmailHandler),
        ({"backend": "flask_mailhandler:MemoryEmailHandler"}, MemoryEmailHandler),
        ({"backend": MemoryEmailHandler}, MemoryEmailHandler),
    ],
)
def test_which_handler(keys: dict[str, object], expect: type) -> None:
    """A handler is chosen by name, module path, class or URL, also with other extensions' names."""
    assert type(handler_of(**keys)) is expect


@pytest.mark.parametrize(
    ("testing", "debug", "keys", "expect"),
    [
        (True, False, {"host": "mx.example.com"}, MemoryEmailHandler),
        (True, True, {"handler": "console"}, MemoryEmailHandler),
        (True, False, {"handler": "console", "testing_handler": "configured"}, ConsoleEmailHandler),
        (True, False, {"handler": "console", "suppress_send": False}, ConsoleEmailHandler),
        (True, False, {"testing_handler": "console"}, ConsoleEmailHandler),
        (False, True, {}, MailboxEmailHandler),
        (False, True, {"default_from": "me@example.com"}, MailboxEmailHandler),
        (False, True, {"stream": sys.stderr, "folder": "mail"}, MailboxEmailHandler),
        (False, True, {"server": None, "port": 25, "use_tls": False}, MailboxEmailHandler),
        (False, True, {"host": "", "security": "tls"}, MailboxEmailHandler),
        (False, True, {"server": None, "username": "me", "password": "x"}, MailboxEmailHandler),
        (False, True, {"server": None, "host": "mx.example.com"}, SMTPEmailHandler),
        (False, True, {"server": None, "url": "smtp://mx.example.com"}, SMTPEmailHandler),
        (False, True, {"port": 1025}, SMTPEmailHandler),
        (False, False, {"server": None, "port": 25, "use_tls": False}, SMTPEmailHandler),
        (False, True, {"host": "mx.example.com"}, SMTPEmailHandler),
        (False, True, {"url": "smtp://mx.example.com"}, SMTPEmailHandler),
        (False, False, {}, SMTPEmailHandler),
    ],
)
def test_testing_and_debug(
    testing: bool, debug: bool, keys: dict[str, object], expect: type
) -> None:
    """TESTING comes first, then the configured handler, then debug mode's mailbox; they count
    when set after init_app too."""
    app = app_with(**keys)
    mail = Mail(app, cli=None)
    app.testing, app.debug = testing, debug

    with app.app_context():
        assert type(mail.handler) is expect


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        ({"rate_limit": "1/s"}, MailboxEmailHandler),
        ({"default_from": "news@example.com"}, MailboxEmailHandler),
        ({"host": "bulk.example.com"}, SMTPEmailHandler),
        ({"url": "smtp://bulk.example.com"}, SMTPEmailHandler),
    ],
)
def test_accounts_next_to_an_empty_server(given: dict[str, object], expect: type) -> None:
    """An account that inherits a connection without a server goes to the mailbox too."""
    app = app_with(server=None, port=25, use_tls=False, accounts={"news": given})
    mail = Mail(app, cli=None)
    app.debug = True

    with app.app_context():
        assert type(mail.handler_for("news")) is expect


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"port": "smtp"}, "MAIL_PORT must be a whole number, not 'smtp'"),
        ({"port": 70000}, "MAIL_PORT must be from 1 to 65535"),
        ({"port": -1}, "MAIL_PORT must be from 1 to 65535, not -1"),
        ({"port": True}, "MAIL_PORT must be a whole number"),
        ({"host": "smtp://mx.example.com"}, "MAIL_HOST must be a host name"),
        ({"host": "mx.example.com\r\n"}, "MAIL_HOST has the control character"),
        ({"security": "ssl"}, "MAIL_SECURITY must be one of 'tls', 'starttls', 'none'"),
        ({"handler": "smpt"}, "MAIL_HANDLER = 'smpt' is not a known handler"),
        ({"handler": dict}, "MAIL_HANDLER must be one of"),
        ({"handler": ["smtp"]}, "MAIL_HANDLER must be one of"),
        ({"testing_handler": "nothing"}, "MAIL_TESTING_HANDLER = 'nothing' is not a known handler"),
        ({"timeout": "soon"}, "MAIL_TIMEOUT must be a number of seconds"),
        ({"timeout": 0}, "MAIL_TIMEOUT must be a number of seconds over 0"),
        ({"timeout": "nan"}, "MAIL_TIMEOUT must be a number of seconds"),
        ({"recipients_per_message": 0}, "MAIL_RECIPIENTS_PER_MESSAGE must be from 1"),
        ({"default_from": "nobody"}, "MAIL_DEFAULT_FROM is not an address"),
        ({"default_to": "a@example.com, b@"}, "MAIL_DEFAULT_TO has no valid domain"),
        ({"default_subject": "a\nb"}, "MAIL_DEFAULT_SUBJECT has the control character"),
        ({"allow_to": "@"}, "MAIL_ALLOW_TO has no valid domain"),
        ({"allow_to": ""}, "MAIL_ALLOW_TO is empty"),
        ({"allow_to": " , "}, "MAIL_ALLOW_TO is empty"),
        ({"redirect_to": []}, "MAIL_REDIRECT_TO is empty"),
        ({"rate_limit": "fast"}, "MAIL_RATE_LIMIT must be like '14/s; 500/h'"),
        ({"username": 1e5, "password": "x"}, "FLASK_MAIL_USERNAME='\"...\"'"),
        ({"username": "me", "password": 1e5}, "FLASK_MAIL_PASSWORD='\"...\"'"),
        ({"username": "me", "password": True}, "MAIL_PASSWORD must be text, but its type is bool"),
        ({"username": "me", "password": None}, "neither MAIL_PASSWORD nor MAIL_OAUTH_TOKEN"),
        ({"username": "me", "password": ""}, "needs no login, leave out the user name as well"),
        ({"username": "me", "password": "a\r\nb"}, "MAIL_PASSWORD has a control character"),
        ({"password": "x"}, "MAIL_PASSWORD is set, and MAIL_USERNAME is not"),
        ({"oauth_token": "x"}, "MAIL_OAUTH_TOKEN is set, and MAIL_USERNAME is not"),
        (
            {"host": "mx.example.com", "security": "none", "username": "me", "password": "x"},
            "would go over the network unencrypted",
        ),
        ({"tls_key_file": "/key"}, "MAIL_TLS_KEY_FILE needs MAIL_TLS_CERT_FILE"),
        ({"tls_context": "x"}, "MAIL_TLS_CONTEXT must be an ssl.SSLContext"),
        ({"local_hostname": "a b"}, "MAIL_LOCAL_HOSTNAME must be a host name"),
        ({"local_hostname": "a\r\nMAIL"}, "MAIL_LOCAL_HOSTNAME has the control character"),
        ({"url": "mx.example.com"}, "MAIL_URL must be like"),
        ({"url": "smtp://"}, "MAIL_URL needs a host"),
        (
            {"url": "smtp://mx.example.com/inbox"},
            "MAIL_URL needs a host, and only a query may follow it. In the user name",
        ),
        ({"url": "smtp://mx.example.com:99999"}, "a port from 1 to 65535"),
        ({"url": "localhost:25"}, "MAIL_URL begins with 'localhost:', which only"),
        (
            {"url": "console://terminal"},
            "MAIL_URL begins with 'console:', which only options can follow",
        ),
        (
            {"url": "smtp://mx.example.com?colour=red"},
            "MAIL_URL has unknown options: colour. Write",
        ),
        ({"url": "smtp://mx.example.com?timout=9"}, "timout. Did you mean timeout?"),
        ({"url": "smtps://a@b:p@ss/w@mx.example.com"}, "write '@', ':', '/',"),
        ({"accounts": {"bulk": {"user": "x"}}}, "user. Did you mean username?"),
        ({"url": "smtp://mx.example.com?port=0"}, "'port' in MAIL_URL must be from 1"),
        ({"accounts": "bulk"}, "MAIL_ACCOUNTS must be like"),
        pytest.param({"accounts": "[" * 100_000}, "MAIL_ACCOUNTS must be like", id="deep"),
        pytest.param({"spread": "[" * 100_000}, "MAIL_SPREAD must be a mapping", id="deep-spread"),
        ({"accounts": {"default": {}}}, "MAIL_ACCOUNTS['default'] must be"),
        ({"accounts": {"bulk": {"hots": "x"}}}, "MAIL_ACCOUNTS['bulk'] has unknown options: hots"),
        ({"accounts": {"bulk": {"port": 0}}}, "MAIL_ACCOUNTS['bulk']['port'] must be from 1"),
        ({"use_tls": "perhaps"}, "MAIL_USE_TLS must be true or false"),
    ],
)
def test_wrong_values(keys: dict[str, object], said: str) -> None:
    """A wrong value raises an error in init_app, with the key and what to write."""
    with pytest.raises(ConfigurationError) as caught:
        Mail(app_with(**keys), cli=None)

    assert said in str(caught.value)


@pytest.mark.parametrize("option", ["username", "password"])
def test_only_keys_are_read_from_the_environment(option: str) -> None:
    """The error for an argument does not mention the environment, which cannot set it."""
    with pytest.raises(ConfigurationError, match=rf"\A{option}= must be text.*[^.]\.\Z") as caught:
        SMTPEmailHandler(**{option: 1.5})  # type: ignore[arg-type]

    assert "FLASK" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "smtp://me:pa#ss@mx.example.com",
        "smtp://me:pa/ss@mx.example.com",
        "smtp://me:pa?ss@mx.example.com",
        "smtp://me:pass@mx.example.com:port",
        "smtp://me:pass@[mx",
        "smtp://me:pass@mx.example.com/x?y=pass",
    ],
)
def test_a_wrong_url_is_not_shown(url: str) -> None:
    """The error about a URL does not show the password in it."""
    with pytest.raises(ConfigurationError) as caught:
        Mail(app_with(url=url), cli=None)

    assert "pa" not in str(caught.value).replace("password", "").replace("nothing", "")
    assert caught.value.__cause__ is None


def test_url_with_login() -> None:
    """The user name and the password of a URL are percent-decoded, and its query has options."""
    url = "smtps://me%40example.com:p%40ss%2Fword@mx.example.com:2465?timeout=9"

    handler = smtp_of(url=url, timeout=30)

    assert handler.username == "me@example.com"
    assert handler.password is not None
    assert handler.password.reveal() == "p@ss/word"
    assert (handler.server.port, handler.timeout) == (2465, 9)


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values from from_prefixed_env are converted: strings to numbers, and ints to strings."""
    for key, value in {
        "HOST": "mx.example.com",
        "PORT": "2587",
        "USERNAME": "12345",
        "PASSWORD": "67890",
        "DEFAULT_TO": "Ann <ann@example.com>, bob@example.com",
        "ACCOUNTS": '{"bulk": {"host": "bulk.example.com"}}',
    }.items():
        monkeypatch.setenv(f"FLASK_MAIL_{key}", value)
    app = Flask("environment")
    app.config.from_prefixed_env()
    mail = Mail(app, cli=None)

    with app.app_context():
        handler = t.cast(SMTPEmailHandler, mail.handler)
        bulk = t.cast(SMTPEmailHandler, mail.handler_for("bulk"))

    assert handler.server.port == 2587
    assert (handler.username, repr(handler.password)) == ("12345", "***")
    assert handler.default_to == ["ann@example.com", "bob@example.com"]
    assert handler.default_to[0].name == "Ann"
    assert bulk.host == "bulk.example.com"


def test_accounts_inherit() -> None:
    """An account inherits the options that it leaves out, except those of a connection."""
    keys: dict[str, object] = {
        "host": "mx.example.com",
        "username": "me",
        "password": "secret",
        "subject_prefix": "[app]",
        "redirect_to": "staging@example.com",
        "accounts": {
            "bulk": {"host": "bulk.example.com", "default_from": "news@example.com"},
            "same": {"default_from": "other@example.com"},
        },
    }

    bulk, same = smtp_of("bulk", **keys), smtp_of("same", **keys)

    assert (bulk.host, bulk.username) == ("bulk.example.com", None)
    assert (same.host, same.username) == ("mx.example.com", "me")
    assert bulk.subject_prefix == same.subject_prefix == "[app]"
    assert bulk.redirect_to == ["staging@example.com"]
    assert (bulk.default_from, same.default_from) == ("news@example.com", "other@example.com")


@pytest.mark.parametrize(
    "keys",
    [
        {"handler": "console"},
        {"url": "memory:"},
        {"suppress_send": True, "url": "smtp://mx.example.com"},
        {"suppress_send": True, "handler": "smtp"},
    ],
)
@pytest.mark.parametrize("bulk", [{"host": "mx.example.com"}, {"url": "smtps://mx.example.com"}])
def test_an_app_that_sends_nothing(keys: dict[str, object], bulk: dict[str, object]) -> None:
    """If the app prints, stores or suppresses its mail, no account sends any."""
    for using in (None, "bulk"):
        assert not isinstance(handler_of(using, **keys, accounts={"bulk": bulk}), SMTPEmailHandler)


def test_an_account_may_insist() -> None:
    """An account that names its handler uses it, whatever the app's handler is."""
    bulk = {"handler": "smtp", "host": "bulk.example.com"}

    assert smtp_of("bulk", handler="console", accounts={"bulk": bulk}).host == "bulk.example.com"


def test_empty_is_left_out() -> None:
    """An empty value, as a compose file sets it for an unset variable, counts as left out."""
    handler = smtp_of(
        host="mx.example.com",
        username="",
        password="",
        port="",
        url="",
        default_from="",
        timeout="",
    )

    assert (handler.username, handler.server.port) == (None, 587)


def test_a_wrong_configuration_leaves_no_secret_in_the_traceback() -> None:
    """The traceback of a wrong key does not contain the values of the others."""
    app = app_with(password="oober-secret", username="me", port="x")

    with pytest.raises(ConfigurationError) as caught:
        Mail(app, cli=None)

    shown = "".join(
        traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    )
    assert "MAIL_PORT" in shown
    assert "oober-secret" not in shown.replace(repr(app.config), "")


def test_accounts_do_not_print_their_secrets() -> None:
    """The repr of an app's or an account's settings shows no password."""
    bulk = {"host": "mx.example.com", "username": "me", "password": "oober-secret"}

    settings = read_settings({"accounts": {"bulk": bulk}, "api_key": "oober-secret"})

    assert "oober-secret" not in repr(settings)


def test_an_unknown_account() -> None:
    """An unknown account is an error that lists the known ones."""
    with pytest.raises(ConfigurationError, match=r"no account 'bulk'.*there is 'default'"):
        handler_of("bulk")


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("pasword", "password"),
        ("prot", "port"),
        ("hots", "host"),
        ("use_tsl", "use_tls"),
        ("supress_send", "suppress_send"),
        ("from", "default_from"),
        ("sender", "default_from"),
        ("queue_url", "queue"),
        ("user", "username"),
        ("use_starttls", "security"),
        ("smtp_server", "host"),
    ],
)
def test_a_slip_of_the_pen_warns(slip: str, meant: str) -> None:
    """An unknown key that is like a known one, also one of Flask-Mail, gives a warning."""
    said = f"Unknown configuration key MAIL_{slip.upper()}. Did you mean MAIL_{meant.upper()}"

    with pytest.warns(ConfigurationWarning, match=said):
        Mail(app_with(**{slip: "x"}), cli=None)


def test_a_known_key_beside_its_synonym() -> None:
    """A key that looks like an alias of a key that is set belongs to the app."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Mail(app_with(**{"from": "x", "default_from": "me@example.com"}), cli=None)


def test_every_synonym_is_of_a_key() -> None:
    """Every name that a warning proposes is an existing option."""
    for other, option in key_names._SYNONYMS.items():
        with pytest.warns(ConfigurationWarning, match=f"Did you mean MAIL_{option.upper()}"):
            Mail(app_with(**{other: "x"}), cli=None)


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"url": "resend://key@default", "provider": "resend"}, "MAIL_PROVIDER names"),
        ({"handler": "sendgrid", "api_key": "key", "provider": "none"}, "MAIL_PROVIDER names"),
        ({"url": "brevo://key@default?provider=brevo"}, "'provider' in MAIL_URL names"),
        (
            {"accounts": {"b": {"url": "brevo://key@default", "provider": "ses"}}},
            r"MAIL_ACCOUNTS\['b'\]\['provider'\] names",
        ),
    ],
)
def test_a_provider_of_an_api_warns(keys: dict[str, t.Any], place: str) -> None:
    """The provider of an SMTP server has no effect on an account that sends by an API."""
    with pytest.warns(ConfigurationWarning, match=place):
        Mail(app_with(**keys), cli=None)


def test_a_provider_of_an_smtp_server_does_not_warn() -> None:
    """An account by an API beside it, which names its own connection, does not warn either."""
    accounts = {"b": {"url": "brevo://key@default"}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Mail(app_with(host="mail.example.com", provider="ses", accounts=accounts), cli=None)


def test_keys_of_others_do_not_warn() -> None:
    """Keys of Flask-Mail that have no effect here, and keys unlike any known one, do not warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Mail(app_with(debug=True, ascii_attachments=False, campaign="x"), cli=None)


def test_a_flask_mail_configuration() -> None:
    """The configuration of an app that used Flask-Mail works unchanged."""
    handler = smtp_of(
        server="mx.example.com",
        port=587,
        use_tls=True,
        use_ssl=False,
        username=None,
        password=None,
        default_sender=("The App", "app@example.com"),
        max_emails=7,
        suppress_send=False,
        ascii_attachments=False,
        debug=False,
    )

    assert handler.server.security == "starttls"
    assert handler.messages_per_connection == 7
    assert t.cast(Address, handler.default_from).formatted == "The App <app@example.com>"


@pytest.mark.parametrize(
    ("arguments", "expect"),
    [
        ({}, ("localhost", 25, "none")),
        ({"host": "mx.example.com", "port": 465}, ("mx.example.com", 465, "tls")),
        ({"host": "mx.example.com", "use_tls": True}, ("mx.example.com", 465, "tls")),
        ({"host": "mx.example.com", "use_starttls": True}, ("mx.example.com", 587, "starttls")),
        (
            {"host": "mx.example.com", "use_tls": True, "use_starttls": True},
            ("mx.example.com", 465, "tls"),
        ),
        ({"use_starttls": True}, ("localhost", 587, "starttls")),
        ({"use_tls": "no", "use_starttls": "yes"}, ("localhost", 587, "starttls")),
        ({"use_tls": "false"}, ("localhost", 25, "none")),
    ],
)
def test_email_simplified_arguments(
    arguments: dict[str, t.Any], expect: tuple[str, int, str]
) -> None:
    """Email-Simplified's arguments keep their meaning: all optional, 465 is TLS, TLS first."""
    server = SMTPEmailHandler(**arguments).server

    assert (server.host, server.port, server.security) == expect


@pytest.mark.parametrize(
    ("word", "expect"),
    [
        *((word, True) for word in ("true", "yes", "on", "1", " TRUE ", "On", True, 1)),
        *((word, False) for word in ("false", "no", "off", "0", " Off ", "No", False, 0)),
    ],
)
def test_words_for_yes_and_no(word: object, expect: bool) -> None:
    """Every word for yes and no is understood, in whatever case, with spaces around it."""
    assert config.boolean(word, "MAIL_MAILBOX") is expect


@pytest.mark.parametrize("value", [0.001, 999_999_999, "9", 25.5])
def test_seconds(value: float | str) -> None:
    """A number of seconds is above 0 and below 1e9, the limit of sockets."""
    assert config.seconds(value, "MAIL_TIMEOUT") == float(value)


@pytest.mark.parametrize("value", [0, -0.001, 1e9, 1e9 + 0.5, "inf", "nan", "1e9", True, None])
def test_no_seconds(value: object) -> None:
    """A value outside this range, or not a number, is refused with the name of its key."""
    with pytest.raises(ConfigurationError, match="MAIL_TIMEOUT must be a number of seconds"):
        config.seconds(value, "MAIL_TIMEOUT")


@pytest.mark.parametrize("name", ["use_tls", "use_starttls"])
def test_wrong_email_simplified_arguments(name: str) -> None:
    """A word that is neither yes nor no is an error, and never decides about encryption."""
    with pytest.raises(ConfigurationError, match=f"{name} must be true or false"):
        SMTPEmailHandler(**t.cast("dict[str, t.Any]", {name: "perhaps"}))


def test_an_own_context_is_used() -> None:
    """A given TLS context is used as it is."""
    context = ssl.create_default_context()

    handler = SMTPEmailHandler(host="mx.example.com", use_starttls=True, tls_context=context)

    assert handler.server.tls_context() is context


def test_the_context_is_built_once_and_verifies() -> None:
    """The default context verifies names and chains, requires TLS 1.2, and is reused."""
    server = SMTPEmailHandler(host="mx.example.com").server

    context = server.tls_context()

    assert context is server.tls_context()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_missing_certificate_file() -> None:
    """A file that cannot be read is an error that names its key."""
    with pytest.raises(ConfigurationError, match=r"MAIL_TLS_CA_FILE.*cannot be read"):
        SMTPEmailHandler(host="mx.example.com", tls_ca_file="/nowhere/ca.pem")


def test_config_is_left_alone() -> None:
    """Reading the configuration does not change it."""
    app = app_with(url="memory:", accounts={"bulk": {"url": "console:"}})
    before = {key: value for key, value in app.config.items() if key.startswith("MAIL_")}

    Mail(app, cli=None)

    assert {key: value for key, value in app.config.items() if key.startswith("MAIL_")} == before


def test_secrets_do_not_print() -> None:
    """No repr and no vars() of a handler, server or settings shows a password."""
    handler = smtp_of(host="mx.example.com", username="me", password="oober-secret")
    settings = read_settings(
        {"url": "smtps://me:oober-secret@mx.example.com", "oauth_token": "oober-secret"}
    )

    shown = f"{handler!r}{vars(handler)}{handler.server!r}{vars(handler.server)}{settings!r}"

    assert "oober-secret" not in shown
    assert "password=***" in shown


@pytest.mark.parametrize(
    ("value", "expect"),
    [
        ("a@b.c", ["a@b.c"]),
        ("a@b.c, d@e.f", ["a@b.c", "d@e.f"]),
        ('"Ann, Dr." <a@b.c>,d@e.f,', ['"Ann, Dr." <a@b.c>', "d@e.f"]),
        ('"a,b"@c.d', ['"a,b"@c.d']),
        ("", []),
        (" , ", []),
    ],
)
def test_split(value: str, expect: list[str]) -> None:
    """A list in one string is split at commas, but not inside quotes."""
    assert list(split(value)) == expect


def test_rate() -> None:
    """A rate limit is a list of numbers per unit of time."""
    assert rate("14/s; 500/h", "MAIL_RATE_LIMIT") == ((14, 1.0), (500, 3600.0))


def test_file_url() -> None:
    """The path of a file URL is the folder, percent-decoded."""
    assert parse_url("file:///tmp/my%20mail", "MAIL_URL") == {
        "handler": "file",
        "folder": "/tmp/my mail",
    }
