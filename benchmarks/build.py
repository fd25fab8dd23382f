"""One build of Flask-MailHandler, in a process of its own: the build that PYTHONPATH names.

Each request names what to do, and how often. Each answer is the seconds that it took by the clock
and of CPU time. It uses only what earlier versions of the package have, too.

::

    ["load", CASE]      set the mail
    ["octets", 1]       return its octets in base64
    ["render", N]       render it N times
    ["connect", PORT]   set the server
    ["one", N]          send it N times, as a view does
    ["many", N]         send a list of N mails in one call
    ["wide", N]         send it to N recipients, in batches
    ["queue", FOLDER]   set the folder of the queue
    ["later", N]        accept it N times
    ["drain", N]        accept it N times, and time the worker that sends them
"""

from __future__ import annotations

import base64
import dataclasses
import logging
import time
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator

from flask import Flask

from flask_mailhandler import EmailHandler
from flask_mailhandler import Job
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import Phase
from flask_mailhandler import Report
from flask_mailhandler.handlers.base import accept
from flask_mailhandler.report import Observe

from .cases import Case
from .cases import from_json
from .cases import SMALL
from .peers import flask_mailhandler as writer
from .program import answer
from .program import requests
from .senders import BATCH
from .senders import flask_mailhandler
from .servers import Site

_TEXT = ("x" * 76 + "\n") * 130
_ONE_CONNECTION = {
    "MAIL_MESSAGES_PER_CONNECTION": 10_000,
    "MAIL_POOL_IDLE": 0.001,
    "MAIL_RECIPIENTS_PER_MESSAGE": BATCH,
}


class Taking(EmailHandler):
    """Accepts at once, so the time left is the queue's own."""

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        for job in jobs:
            observe(Phase.END_OF_DATA, job)
            yield accept(job)


class Build:
    """Does what is requested, with one mail, one server and one queue at a time."""

    def __init__(self) -> None:
        self._write = writer()
        self._case: Case = SMALL

    def load(self, fields: dict[str, t.Any]) -> None:
        self._case = from_json(fields)

    def octets(self, _: int) -> str:
        return base64.b64encode(self._write(self._case)).decode("ascii")

    def render(self, number: int) -> list[float]:
        def act() -> None:
            for _ in range(number):
                self._write(self._case)

        return _spent(act)

    def connect(self, port: int) -> None:
        site = Site(port)
        self._pool = flask_mailhandler(site)
        self._list = flask_mailhandler(site, _ONE_CONNECTION)

    def one(self, number: int) -> list[float]:
        return _spent(lambda: self._pool.one(self._case, number))

    def many(self, number: int) -> list[float]:
        people = (f"Ann Archer <ann{n}@example.org>" for n in range(number))
        cases = [dataclasses.replace(self._case, recipients=(person,)) for person in people]
        return list(self._list.many(cases))

    def wide(self, number: int) -> list[float]:
        bcc = tuple(f"member{n}@example.org" for n in range(number))
        return list(self._list.many([dataclasses.replace(self._case, recipients=(), bcc=bcc)]))

    def queue(self, folder: str) -> None:
        logging.getLogger("flask_mailhandler").setLevel(logging.CRITICAL)
        app = Flask("shop", instance_path=folder)
        app.config["MAIL_HANDLER"] = Taking
        app.config["MAIL_QUEUE_ENGINE"] = "none"
        self._mail = Mail(app)
        app.app_context().push()

    def later(self, number: int) -> list[float]:
        return _spent(lambda: _accept(self._mail, number))

    def drain(self, number: int) -> list[float]:
        self._mail.queue.run_once()
        _accept(self._mail, number)
        return _spent(self._mail.queue.run_once)


def _accept(mail: Mail, number: int) -> None:
    for _ in range(number):
        mail.send_later(
            Message(subject="Hi", text=_TEXT, from_addr="shop@example.com", to="ann@example.com")
        )


def _spent(act: Callable[[], object]) -> list[float]:
    start, cpu = time.perf_counter(), time.process_time()
    act()
    return [time.perf_counter() - start, time.process_time() - cpu]


if __name__ == "__main__":
    build = Build()
    for name, argument in requests():
        answer(getattr(build, name)(argument))
