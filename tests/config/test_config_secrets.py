"""Errors never show a wrong value that may contain a password; and wrong hosts."""

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
    """Return the error of an app with these keys."""
    app = Flask("refused")
    app.config.update({f"MAIL_{name.upper()}": value for name, value in keys.items()})
    with pytest.raises(ConfigurationError) as caught:
        Mail(app, cli=None)
    return str(caught.value)


@pytest.mark.parametrize("value", [f"{URL}\n/", "smtps://u:hunter2\r@h", URL.encode(), [URL], 5.5])
@pytest.mark.parametrize("account", [False, True])
def test_a_wrong_url_is_not_shown(value: object, account: bool) -> None:
    """The error for an invalid URL does not show it, because it may contain a password."""
    error = refused(**({"accounts": {"b": {"url": value}}} if account else {"url": value}))

    assert error.startswith("MAIL_ACCOUNTS['b']['url'] " if account else "MAIL_URL ")
    assert "hunter2" not in error


def test_a_line_end_behind_a_url() -> None:
    """A URL from a file may end with a line end."""
    assert parse_url(f"{URL}\n", "MAIL_URL") == parse_url(URL, "MAIL_URL")


@pytest.mark.parametrize(
    "url", ["smtps://us%ff:hunter2@h", "smtps://me:hunter2%ff@h", "smtps://me:hunter2\udcff@h"]
)
def test_a_url_that_is_not_in_utf8(url: str) -> None:
    """An octet that is not UTF-8, escaped or from the environment, is a configuration error."""
    error = refused(url=url)

    assert error.startswith("MAIL_URL ")
    assert "hunter2" not in error


@pytest.mark.parametrize("value", [URL, f"{URL}\n", "u:hunter2@h", "smtp://h", [URL], URL.encode()])
def test_a_url_in_another_place(value: t.Any) -> None:
    """The error for a URL in another key does not show it, and names the right key."""
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
    """A host with a port, or with a character that no name has, is refused in init_app."""
    error = refused(host=host)

    assert error.startswith("MAIL_HOST ")
    assert said in error


@pytest.mark.parametrize(
    "host", ["mail.example.com", "mail.example.com.", "my_mail-1", "192.0.2.1", "::1", "fe80::1%lo"]
)
def test_hosts(host: str) -> None:
    """Host names, also with an underscore as in containers, and IP addresses are accepted."""
    assert SMTPEmailHandler(host=host).server.host == host


@pytest.mark.parametrize("name", ["tls_ca_file", "tls_cert_file", "tls_key_file"])
def test_a_file_that_is_not_there(name: str, tmp_path: Path) -> None:
    """If init_app cannot read a TLS file, the error names only its key."""
    (tmp_path / "good.pem").touch()
    keys = {"host": "mail.example.com", "tls_cert_file": tmp_path / "good.pem"}

    error = refused(**keys | {name: "/nonexistent"})

    assert error.startswith(f"MAIL_{name.upper()} = '/nonexistent' cannot be read.")


def test_the_timeout_is_the_servers_too() -> None:
    """MAIL_TIMEOUT holds for every connection to the server, also from the command line."""
    assert SMTPEmailHandler(timeout=3).server.timeout == 3
