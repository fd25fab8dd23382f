"""Sending by the API of a provider, compared with Anymail.

The server is our own sink with TLS, on the same machine as the client or behind a proxy that adds
delay. All senders take turns. The first mail of each turn is not counted, so that kept connections
are open. The times of single mails are those of the quickest turn, because other load on the
machine adds to a short time more than it adds to a long one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import ssl
import statistics
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping

from . import imports
from .api_senders import anymail
from .api_senders import anymail_kept
from .api_senders import APISink
from .api_senders import check_arrived
from .api_senders import CLIENTS
from .api_senders import flask_mailhandler
from .cases import BOTH
from .peers import OURS
from .senders import Library
from .senders import Spent
from .servers import certificates
from .servers import delayed
from .servers import Site
from .table import table
from .targets import Target
from .targets import worst

ANYMAIL = "Anymail"
KEPT = f"{ANYMAIL}, connection kept"
FOUR = f"{OURS}, 4 connections"
_MILLISECONDS = 20
# Mails: of each turn for the CPU time, and in one call. Turns and mails with delay.
_TURN, _CALL, _FAR = 10, 1000, (10, 3)
_HANDLERS = {
    "Resend": "from flask_mailhandler import ResendEmailHandler",
    "Postmark": "from flask_mailhandler import PostmarkEmailHandler",
    "Amazon SES": "from flask_mailhandler import SESEmailHandler",
}
_REQUESTS = "import requests"

# By provider and sender.
Found = dict[str, dict[str, float]]


def run(rounds: int) -> list[Target]:
    """Measure, print the tables, and return the targets.

    :param rounds: The number of turns of each library for the CPU time.
    """
    far: Found = {}
    cpu: Found = {}
    rates: dict[str, Found] = {"near": {}, "far": {}}
    with certificates() as made, APISink(made) as sink, delayed(sink.site, _MILLISECONDS) as line:
        trip = _round_trip(line, str(made.ca_file)) - _round_trip(sink.site, str(made.ca_file))
        for provider in CLIENTS:
            with _senders(sink.site, provider) as senders:
                _check(sink, provider, senders)
                cpu[provider] = _cpu(senders, max(rounds, 5))
            with _senders(line, provider) as senders:
                far[provider] = _one(senders)
            rates["near"][provider] = _many(sink.site, provider, max(rounds // 16, 1))
            rates["far"][provider] = _many(line, provider, 1)
    print(f"\nMilliseconds to send one mail with a round trip of {trip * 1e3:.1f} ms:\n")
    print(_table(far, lambda value: f"{value * 1e3:.1f}"))
    print("\nThe same in round trips:\n")
    print(_table(far, lambda value: f"{value / trip:.2f}"))
    print("\nMicroseconds of CPU time for one mail over a kept connection:\n")
    print(_table(cpu, lambda value: f"{value * 1e6:,.0f}"))
    print(f"\nMails per second of {_CALL:,} mails in one call, on the same machine:\n")
    print(_table(rates["near"], lambda value: f"{1 / value:,.0f}"))
    print("\nThe same with this round trip:\n")
    print(_table(rates["far"], lambda value: f"{1 / value:,.0f}"))
    return [*_targets(far, trip, cpu, rates), *_imports(max(rounds // 4, 5))]


@contextlib.contextmanager
def _senders(site: Site, provider: str) -> Iterator[dict[str, Library]]:
    with anymail_kept(site, provider) as kept:
        yield {
            OURS: flask_mailhandler(site, provider),
            KEPT: kept,
            ANYMAIL: anymail(site, provider),
        }


def _check(sink: APISink, provider: str, senders: Mapping[str, Library]) -> None:
    """Check that the mail that arrives matches the case."""
    for name, library in senders.items():
        before = sink.taken()
        library.one(BOTH, 2)
        if sink.taken() != before + 2:
            raise ValueError(f"{name} reported success, but nothing arrived.")
        check_arrived(name, provider, BOTH, sink.last())


def _cpu(senders: Mapping[str, Library], turns: int) -> dict[str, float]:
    """Return the CPU seconds of a mail, in the quickest of many short turns."""
    found: dict[str, list[float]] = {name: [] for name in senders if name != ANYMAIL}
    for _ in range(turns):
        for name, seconds in found.items():
            senders[name].one(BOTH, 1)
            start = time.process_time()
            senders[name].one(BOTH, _TURN)
            seconds.append((time.process_time() - start) / _TURN)
    return {name: min(seconds) for name, seconds in found.items()}


def _one(senders: Mapping[str, Library]) -> dict[str, float]:
    turns, mails = _FAR
    found: dict[str, list[float]] = {name: [] for name in senders}
    for _ in range(turns):
        for name, library in senders.items():
            found[name] += library.one(BOTH, 1 + mails)[1:]
    return {name: min(seconds) for name, seconds in found.items()}


def _many(site: Site, provider: str, turns: int) -> dict[str, float]:
    """Return the seconds for each mail of one call."""
    senders = {
        FOUR: flask_mailhandler(site, provider, 4),
        ANYMAIL: anymail(site, provider),
    }
    people = (f"Ann Archer <ann{n}@example.org>" for n in range(_CALL))
    cases = [dataclasses.replace(BOTH, recipients=(person,)) for person in people]
    found: dict[str, list[Spent]] = {name: [] for name in senders}
    for _ in range(turns):
        for name, library in senders.items():
            found[name].append(library.many(cases))
    return {
        name: statistics.median(one.seconds for one in spent) / _CALL
        for name, spent in found.items()
    }


def _round_trip(site: Site, ca_file: str) -> float:
    """Return the seconds of a small request and its answer, including the server's own time."""
    found = []
    context = ssl.create_default_context(cafile=ca_file)
    with (
        socket.create_connection((site.host, site.port)) as plain,
        context.wrap_socket(plain, server_hostname=site.host) as sock,
    ):
        for _ in range(20):
            start = time.perf_counter()
            sock.sendall(b"GET / HTTP/1.1\r\nHost: sink\r\n\r\n")
            sock.recv(1 << 16)
            found.append(time.perf_counter() - start)
    return min(found)


def _table(found: Found, shown: Callable[[float], str]) -> str:
    first = next(iter(found.values()))
    names = sorted(first, key=first.__getitem__)
    rows = [[name, *(shown(found[provider][name]) for provider in CLIENTS)] for name in names]
    return table(["sender", *CLIENTS], rows)


def _targets(far: Found, trip: float, cpu: Found, rates: Mapping[str, Found]) -> Iterator[Target]:
    trips = {provider: found[OURS] / trip for provider, found in far.items()}
    yield worst(f"one mail by an API, {_MILLISECONDS} ms", trips, "round trips", most=1.1)
    shares = {
        f"{provider}, {CLIENTS[provider]}": found[OURS] / found[KEPT]
        for provider, found in cpu.items()
    }
    yield worst("CPU of a mail by an API, Anymail", shares, "of its CPU", most=0.5)
    # On the same machine, the processor is the limit, and more connections do not help.
    quicker = {name: found[ANYMAIL] / found[FOUR] for name, found in rates["far"].items()}
    what = f"{_CALL:,} mails by an API, 4 connections, {_MILLISECONDS} ms, Anymail"
    yield worst(what, quicker, "times its mails/s", least=3)


def _imports(turns: int) -> list[Target]:
    """Measure the imports of the handlers in fresh interpreters, and print their table."""
    statements = [*_HANDLERS.values(), _REQUESTS, "import boto3"]
    seconds: dict[str, list[float]] = {statement: [] for statement in statements}
    modules: dict[str, int] = {}
    for turn in range(turns + 1):  # the first one also writes the compiled files
        for statement in statements:
            took, loaded = imports.measure(statement)
            modules[statement] = len(loaded)
            if turn:
                seconds[statement].append(took)
    least = {statement: min(found) for statement, found in seconds.items()}
    print("\nImports after `import flask`, in fresh interpreters:\n")
    rows = [[one, f"{least[one] * 1e3:.1f}", str(modules[one])] for one in statements]
    print(table(["statement", "milliseconds", "modules"], rows))
    shares = {name: least[one] / least[_REQUESTS] for name, one in _HANDLERS.items()}
    return [worst("a provider's handler, `import requests`", shares, "of its time", most=0.3)]
