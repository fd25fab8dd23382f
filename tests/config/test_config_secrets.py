"""Wrong values that may hold a password, and that no error shows; hosts that are none."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from flask import Flask

from flask_mailhandler import ConfigurationError
from flask_mailhandler import Mail
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler.handlers import find
from flask_mailhandler.handlers import parse_url

URL = "smtps://u:hunter2@mail.example.com"


def refused(**keys: object) -> str:
    """The error of an app with these keys."""
    app = Flask("refused")
    app.config.update({f"MAIL_{name.upper()}": value for name, value in keys.items()})
    with pytest.raises(ConfigurationError) as caught:
        Mail(app, cli=None)
    return str(caught.value)


@pytest.mark.parametrize("value", [f"{URL}\n/", "smtps://u:hunter2\r@h", URL.encode(), [URL], 5.5])
@pytest.mark.parametrize("account", [False, True])
def test_a_wrong_url_is_not_shown(value: object, account: bool) -> None:
    """A URL of any kind that cannot be read is not repeated, for it may hold a password."""
    error = refused(**({"accounts": {"b": {"url": value}}} if account else {"url": value}))

    assert error.startswith("MAIL_ACCOUNTS['b']['url'] " if account else "MAIL_URL ")
    assert "hunter2" not in error


def test_a_line_end_behind_a_url() -> None:
    """A URL from a file may end its line."""
    assert parse_url(f"{URL}\n", "MAIL_URL") == parse_url(URL, "MAIL_URL")


@pytest.mark.parametrize(
    "url", ["smtps://us%ff:hunter2@h", "smtps://me:hunter2%ff@h", "smtps://me:hunter2\udcff@h"]
)
def test_a_url_that_is_not_in_utf8(url: str) -> None:
    """An octet that is no UTF-8, escaped or from the environment, is a configuration error."""
    error = refused(url=url)

    assert error.startswith("MAIL_URL ")
    assert "hunter2" not in error


@pytest.mark.parametrize("value", [URL, f"{URL}\n", "u:hunter2@h", "smtp://h", [URL], URL.encode()])
def test_a_url_in_another_place(value: t.Any) -> None:
    """A URL where a host or a handler belongs is not repeated, and the right key is named."""
    with pytest.raises(ConfigurationError) as caught:
        find(value)

    keys = ("host", "server", "tls_server_name", "local_hostname", "source_address")
    errors = [refused(**{key: value}) for key in keys]
    for error in (*errors, str(caught.value)):
        assert "hunter2" not in error
        assert "Set MAIL_URL to the URL" in error


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("mail.example.com:587", "write MAIL_HOST = 'mail.example.com' and MAIL_PORT = 587."),
        ("bücher.example:25", "write MAIL_HOST = 'bücher.example' and MAIL_PORT = 25."),
        ("mail.example.com;x", "must be a host name or an IP address"),
        ("mail.example.com,", "must be a host name or an IP address"),
        ("[::1]", "must be a host name or an IP address"),
        ("a:b:c", "must be a host name or an IP address"),
        ("mail.example.com:", "must be a host name or an IP address"),
        ("bü cher.example", "MAIL_HOST must be a host name"),
        ("bücher.example;x", "MAIL_HOST must be a host name"),
    ],
)
def test_a_host_that_is_none(host: str, said: str) -> None:
    """A host with a port or with what no name has is refused where it is written."""
    error = refused(host=host)

    assert error.startswith("MAIL_HOST ")
    assert said in error


@pytest.mark.parametrize(
    "host", ["mail.example.com", "mail.example.com.", "my_mail-1", "192.0.2.1", "::1", "fe80::1%lo"]
)
def test_hosts(host: str) -> None:
    """Names, with an underscore as in container networks too, and addresses are taken as such."""
    assert SMTPEmailHandler(host=host).server.host == host


@pytest.mark.parametrize("name", ["tls_ca_file", "tls_cert_file", "tls_key_file"])
def test_a_file_that_is_not_there(name: str, tmp_path: Path) -> None:
    """A file for TLS that cannot be read is found by init_app, and its key alone is named."""
    (tmp_path / "good.pem").touch()
    keys = {"host": "mail.example.com", "tls_cert_file": tmp_path / "good.pem"}

    error = refused(**keys | {name: "/nonexistent"})

    assert error.startswith(f"MAIL_{name.upper()} = '/nonexistent' cannot be read.")


def test_the_timeout_is_the_servers_too() -> None:
    """MAIL_TIMEOUT holds for whoever speaks to the server, the command line among them."""
    assert SMTPEmailHandler(timeout=3).server.timeout == 3
