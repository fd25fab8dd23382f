"""What an error costs the request that logs it, with each handler of logging that mails errors.

The error is raised in a view of Flask, and is logged while the request is there. Only the call of
the handler is timed. The server is our own sink, on the same machine, without encryption. Django's
handler gets a request of Django with the same headers.
"""

from __future__ import annotations

import logging
import statistics
import sys
import time
import types
import typing as t
from collections.abc import Callable
from logging.handlers import SMTPHandler

from flask import Flask

from flask_mailhandler import Mail

from . import compose
from .servers import certificates
from .servers import Sink
from .servers import Site
from .table import table
from .table import times
from .targets import Target

COUNTED = "Flask-MailHandler, counted"
FIRST = "Flask-MailHandler, first of a kind"
STDLIB = "logging's SMTPHandler"
DJANGO = "Django's AdminEmailHandler"
_MOST = 50.0  # microseconds
_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.7,de;q=0.3",
    "Cookie": "session=eyJfdXNlcl9pZCI6IjQyIn0.aBcDeF.0123456789; theme=dark",
    "Referer": "https://shop.example.com/orders",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "X-Forwarded-For": "192.0.2.17",
    "X-Forwarded-Proto": "https",
}
# Errors in each turn.
_COUNTED, _FIRST, _SENT = 500, 40, 5
_SENDER, _ADMIN = "shop@example.com", "ops@example.com"

Log: t.TypeAlias = "Callable[[logging.LogRecord], object]"


def run(rounds: int) -> list[Target]:
    """Measure, print the table, and return the targets.

    :param rounds: Five times the number of turns of each handler.
    """
    with certificates() as made, Sink(made) as sink:
        site = sink.sites["none"]
        turns = max(rounds // 5, 3)
        found = _measure(site, turns)
        # A mail for each error by the other two; the first and the rest by ours.
        sent, _ = sink.taken()
        if sent != turns * (2 * _SENT + 2):
            raise ValueError(f"{sent} mails have arrived.")
    rows = [
        [name, f"{seconds * 1e6:,.1f}", times(seconds / found[COUNTED])]
        for name, seconds in sorted(found.items(), key=lambda pair: pair[1])
    ]
    print("\nMicroseconds that an error costs the request that logs it:\n")
    print(table(["handler", "microseconds", "to the least"], rows))
    return [
        Target("an error that is counted", found[COUNTED] * 1e6, "microseconds", most=_MOST),
        Target("the first error of a kind", found[FIRST] * 1e6, "microseconds", most=_MOST),
        Target(
            "the first error of a kind, SMTPHandler",
            found[FIRST] / found[STDLIB],
            "of its time",
            most=0.1,
        ),
    ]


def _measure(site: Site, turns: int) -> dict[str, float]:
    """Return the seconds of one call of each handler: the median of its quietest turn."""
    stdlib = SMTPHandler((site.host, site.port), _SENDER, [_ADMIN], "Error")
    django = _django(site)
    found: dict[str, list[float]] = {COUNTED: [], FIRST: [], STDLIB: [], DJANGO: []}
    for _ in range(turns):
        turn = _ours(site)
        with Flask("bench").test_request_context("/orders/0?page=2", headers=_HEADERS):
            for name, log in ((STDLIB, stdlib.handle), (DJANGO, django)):
                turn[name] = [_timed(log, record) for record in _records(_SENT)]
        for name, seconds in turn.items():
            found[name].append(statistics.median(seconds))
    return {name: min(medians) for name, medians in found.items()}


def _ours(site: Site) -> dict[str, list[float]]:
    """Return the time of each error of an app, after its first mail was sent."""
    app = Flask("bench")
    app.config.update(
        MAIL_HOST=site.host,
        MAIL_PORT=site.port,
        MAIL_SECURITY=site.security,
        MAIL_DEFAULT_FROM=_SENDER,
        SECRET_KEY="a key of the benchmark",
    )
    mail = Mail(app, cli=None)
    handler = mail.error_handler(to=_ADMIN)
    with app.test_request_context("/orders/0?page=2", headers=_HEADERS):
        (warm,) = _records(1)
        handler.handle(warm)
        handler.flush()
        # Now the thread waits for a minute, and does not compete for the processor.
        first = _records(_FIRST, each_its_own=True)
        found = {
            FIRST: [_timed(handler.handle, record) for record in first],
            COUNTED: [_timed(handler.handle, record) for record in _records(_COUNTED)],
        }
    handler.close()
    return found


def _timed(log: Log, record: logging.LogRecord) -> float:
    start = time.perf_counter()
    log(record)
    return time.perf_counter() - start


def _records(number: int, *, each_its_own: bool = False) -> list[logging.LogRecord]:
    """Return records of an exception, as Flask logs it.

    :param each_its_own: Whether each exception has a type of its own.
    """
    made = []
    for count in range(number):
        kind = type(f"Error{count}", (ArithmeticError,), {}) if each_its_own else ArithmeticError
        try:
            _view(kind, 6)
        except ArithmeticError:
            text = "Exception on /orders/0 [GET]"
            place = ("bench", logging.ERROR, __file__, 1)
            made.append(logging.LogRecord(*place, text, (), sys.exc_info()))
    return made


def _view(kind: type[Exception], depth: int) -> None:
    """Raise an exception after so many calls."""
    if depth:
        _view(kind, depth - 1)
    raise kind("division by zero")


def _django(site: Site) -> Log:
    compose.django()  # it sets Django up
    from django.conf import settings

    settings.ADMINS = [("Ops", _ADMIN)]
    settings.SERVER_EMAIL = _SENDER
    settings.SECRET_KEY = "a key of the benchmark"
    settings.ROOT_URLCONF = types.ModuleType("urls")
    settings.ROOT_URLCONF.urlpatterns = []
    settings.ALLOWED_HOSTS = ["*"]
    settings.EMAIL_HOST, settings.EMAIL_PORT = site.host, site.port
    from django.test import RequestFactory
    from django.utils.log import AdminEmailHandler

    headers = {f"HTTP_{name.upper().replace('-', '_')}": text for name, text in _HEADERS.items()}
    request = RequestFactory().get("/orders/0?page=2", **headers)
    handler = AdminEmailHandler()

    def log(record: logging.LogRecord) -> None:
        record.request = request
        record.status_code = 500
        handler.handle(record)

    return log
