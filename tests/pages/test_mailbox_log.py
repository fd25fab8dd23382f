"""Requests of an open mailbox page in the log of the development server."""

from __future__ import annotations

import contextlib
import http.client
import logging
from pathlib import Path

import pytest
from werkzeug.serving import WSGIRequestHandler

from flask_mailhandler.pages.register import _is_worth_showing
from mailbox_app import app_with_mailbox
from servers.flask_server import served


class Coloured(WSGIRequestHandler):
    """Logs with colours, as for a terminal."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        asked = f"{self.command} {self.path} {self.request_version}"
        self.log("info", '"%s" %s %s', f"\x1b[36m{asked}\x1b[0m", str(code), size)


class Plain(WSGIRequestHandler):
    """Logs without changes."""


def record(message: object, *args: object) -> logging.LogRecord:
    return logging.LogRecord("werkzeug", logging.INFO, __file__, 1, message, args, None)


@pytest.mark.parametrize("kind", [Plain, Coloured])
def test_an_open_page(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: type[WSGIRequestHandler]
) -> None:
    """The regular requests of an open page do not fill the log. Changes and all other requests are
    logged."""
    with served(app_with_mailbox(tmp_path), kind) as address:
        host = address.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=60)
        with caplog.at_level(logging.INFO, "werkzeug"), contextlib.closing(connection):

            def ask(path: str, state: str = "") -> str:
                connection.request("GET", path, headers={"If-None-Match": state})
                with connection.getresponse() as found:
                    found.read()
                    return found.headers.get("ETag", "")

            state = ask("/_mail/list")
            for path in ("/_mail/list", "/_mail/list?q=x", "/_mail/static/mailbox.js", "/other"):
                ask(path, state)
            ask("/_mail/queue/list", ask("/_mail/queue/list"))

    told = [record.getMessage().partition('"')[2] for record in caplog.records]
    assert [line.replace("\x1b[36m", "").split()[1] for line in told] == [
        "/_mail/list",
        "/_mail/static/mailbox.js",
        "/other",
        "/_mail/queue/list",
    ]


def test_several_apps(tmp_path: Path) -> None:
    """However many apps have a mailbox, the log of their process has one filter."""
    for number in range(3):
        app_with_mailbox(tmp_path / str(number))

    assert logging.getLogger("werkzeug").filters.count(_is_worth_showing) == 1


@pytest.mark.parametrize(
    "line",
    [
        record('"%s" %s %s', "GET /_mail/list HTTP/1.1", "200", "-"),
        record('"%s" %s %s', "POST /_mail/list HTTP/1.1", "304", "-"),
        record('"%s" %s %s', "GET /_mail/listing HTTP/1.1", "304", "-"),
        record('"%s" %s %s', "GET /?to=/_mail/list HTTP/1.1", "304", "-"),
        record("Detected a change: GET /_mail/list 304 , reloading"),
        record("%d of %s", "no number"),
        record("no argument: %s"),
        record(None),
        record("%(a)s", {"a": 1}),
    ],
)
def test_other_lines(line: logging.LogRecord) -> None:
    """All other log records of the process are passed on, even broken ones."""
    assert _is_worth_showing(line)
