"""A send that a test makes fail, while mail is captured in memory.

The session is a real one. It sends to a server that runs as long as the send, so the report and
the error are those that SMTP makes of the server's reply in this version.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import socket
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from ..report import Job
from ..report import Observe
from ..report import Report
from ..testing.outbox import Outbox
from ..testing.script import Script
from ..testing.server import SMTPServer
from .smtp import SMTPEmailHandler


def deliver(
    jobs: Iterable[Job], observe: Observe, script: Script, session: Mapping[str, object]
) -> Iterator[tuple[Job, Report]]:
    """Send jobs to a server that plays a script, and report on each.

    :param session: The options of :class:`.SMTPEmailHandler`, except those of the connection.
    """
    waiting = iter(jobs)
    first = next(waiting, None)
    if first is None:
        return  # so that no step of the script is taken
    passed: collections.deque[Job] = collections.deque()

    def given() -> Iterator[Job]:
        for job in itertools.chain([first], waiting):
            passed.append(job)
            yield job

    with _listening(script) as (host, port):
        # The messages are captured unsigned, and no key is needed.
        where = {"host": host, "port": port, "security": "none", "dkim_keys": None}
        handler = SMTPEmailHandler.from_config({**session, **where})
        with contextlib.closing(handler):
            for report in handler.deliver(given(), observe):
                yield passed.popleft(), report


@contextlib.contextmanager
def _listening(script: Script) -> Iterator[tuple[str, int]]:
    """Give the address of a server, or of a port that no program listens on."""
    if script.take("connect"):
        with socket.socket() as bound:  # so that no other program listens there meanwhile
            bound.bind((SMTPServer.host, 0))
            yield bound.getsockname()
        return
    outbox = Outbox()
    outbox.script = script
    with SMTPServer(outbox=outbox) as server:
        yield server.host, server.port
