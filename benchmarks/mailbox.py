"""The time of the mailbox's list with a full store, compared with a Flask page that does nothing.

Both are whole requests through the app, without a socket, and return the same number of octets.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
import typing as t
from collections.abc import Callable

from flask import Flask
from werkzeug.test import create_environ

from flask_mailhandler import Attachment
from flask_mailhandler import Mail
from flask_mailhandler import MailboxEmailHandler
from flask_mailhandler import Message

from .table import microseconds
from .table import table
from .table import times
from .targets import Target

MESSAGES = 200
_MOST = 3.0
_TURN = 0.02
_AGO = 60.0  # seconds


def run(rounds: int) -> list[Target]:
    """Measure, print the table, and return the targets.

    :param rounds: The number of turns of all pages.
    """
    with tempfile.TemporaryDirectory(prefix="bench-mail-") as folder:
        _fill(folder)
        app = _app(folder)
        page = len(_ask(app, "/_mail/"))
        empty = Flask("empty")
        empty.add_url_rule("/", "empty", lambda: "x" * page)
        old = os.stat(folder).st_mtime - _AGO
        state = _state(app)
        cases: dict[str, Callable[[], object]] = {
            f"a Flask page of {page:,} octets": lambda: _ask(empty, "/"),
            f"the page with {MESSAGES} messages": lambda: _ask(app, "/_mail/"),
            "asked again, nothing has changed": lambda: _ask(
                app, "/_mail/list", If_None_Match=state
            ),
        }
        os.utime(folder, (old, old))
        found = _measure(cases, rounds)
        changing: dict[str, Callable[[], object]] = {
            "the page, while messages arrive": lambda: _changed(app, folder)
        }
        found |= _measure(changing, max(rounds // 5, 5))
    nothing, full, *_ = found.values()
    print(f"\nMicroseconds per request to the mailbox with {MESSAGES} messages:\n")
    rows = [[case, microseconds(took), times(took / nothing)] for case, took in found.items()]
    print(table(["request", "microseconds", "to Flask's page"], rows))
    return [Target("the mailbox's page with a full store", full / nothing, "times", most=_MOST)]


def _fill(folder: str) -> None:
    handler = MailboxEmailHandler(folder=folder, mailbox_messages=MESSAGES)
    handler.send(
        Message(
            from_addr="The Shop <shop@example.com>",
            to=[f"Ann Lee <ann{number}@example.com>"],
            subject=f"Your receipt {number} & more",
            text="Thank you for your order. It leaves our workshop within two working days.",
            html="<p>Thank you for your order.",
            attachments=[Attachment(b"%PDF", filename="receipt.pdf")],
        )
        for number in range(MESSAGES)
    )


def _app(folder: str) -> Flask:
    app = Flask("bench")
    app.debug = True
    app.config["MAIL_FOLDER"] = folder
    Mail(app, cli=None)
    return app


def _ask(app: Flask, path: str, **headers: str) -> bytes:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    environ = create_environ(path, headers=named, environ_base={"REMOTE_ADDR": "127.0.0.1"})
    body = app(environ, lambda status, headers, exc_info=None: t.cast("t.Any", None))
    return b"".join(body)


def _state(app: Flask) -> str:
    return str(app.test_client().get("/_mail/list").headers["ETag"])


def _changed(app: Flask, folder: str) -> None:
    """Request the page after a change in the folder, so that its names are read again."""
    os.utime(folder)
    _ask(app, "/_mail/")


def _measure(cases: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median seconds of one call of each."""
    took: dict[str, list[float]] = {case: [] for case in cases}
    for call in cases.values():
        call()
    for _ in range(rounds):
        for case, call in cases.items():
            start = now = time.perf_counter()
            calls = 0
            while now - start < _TURN:
                call()
                calls += 1
                now = time.perf_counter()
            took[case].append((now - start) / calls)
    return {case: statistics.median(values) for case, values in took.items()}
