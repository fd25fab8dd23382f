"""The time and the CPU time to send a list of mails, in one call and over one connection.

Each library makes, writes and sends the same number of mails of 2.5 kB, each to a different
recipient. All take turns.
"""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import typing as t
from collections.abc import Callable
from collections.abc import Iterator

from .cases import BOTH
from .nodemailer import missing
from .nodemailer import NODE
from .nodemailer import Node
from .nodemailer import Nodemailer
from .peers import OURS
from .peers import WRITERS
from .senders import flask_mailhandler
from .senders import Many
from .senders import SENDERS
from .senders import smtp_source
from .senders import SOURCE
from .senders import Spent
from .servers import certificates
from .servers import delayed
from .servers import Missing
from .servers import postfix
from .servers import round_trip
from .servers import Site
from .servers import smtp_sink
from .table import table
from .targets import Target

if t.TYPE_CHECKING:
    from servers.certificates import Certificates

FOUR = f"{OURS}, 4 connections"
FLASK_MAIL = "Flask-Mail"
_MILLISECONDS = 20
# Mails in one call: to smtp-sink, to Postfix, and with delay.
_SINK, _POSTFIX, _FAR = 2000, 300, 100

# With delay, the libraries based on smtplib are alike.
_FAR_PEERS = (FLASK_MAIL, "Django", "aiosmtplib")

# Over one connection, a new one each time.
_ONE = {"MAIL_MESSAGES_PER_CONNECTION": 10_000, "MAIL_POOL_IDLE": 0.001}

# The time per mail of each sender.
Found = dict[str, Spent]


def run(rounds: int) -> list[Target]:
    """Measure, print the tables, and return the targets.

    :param rounds: Sixteen times the number of turns of each library.
    """
    turns = max(rounds // 16, 1)
    with contextlib.ExitStack() as stack:
        node = None if missing() else stack.enter_context(Nodemailer())
        made = stack.enter_context(certificates())
        sink = stack.enter_context(smtp_sink())
        near = _measure(_senders(sink, node), _SINK, turns)
        queued = _queued(made, node, turns)
        with delayed(sink, _MILLISECONDS) as line:
            trip = round_trip(line)
            four = flask_mailhandler(line, {**_ONE, "MAIL_POOL_SIZE": 4}, 4).many
            senders = _senders(line, node)
            named = {name: senders[name] for name in (OURS, *_FAR_PEERS, NODE) if name in senders}
            far = _measure({FOUR: four, **named}, _FAR, 1)
    print(f"\n{_SINK:,} mails to smtp-sink, and {_POSTFIX} to Postfix, over one connection:\n")
    print(_near_table(near, queued))
    print(f"\n{_FAR} mails to smtp-sink with a round trip of {trip * 1e3:.1f} ms:\n")
    print(_far_table(far, trip))
    return [*_near_targets(near, queued), *_far_targets(far, trip)]


def _queued(made: Certificates, node: Nodemailer | None, turns: int) -> Found:
    """Measure with Postfix; return nothing if there is no Postfix."""
    try:
        with postfix(made) as (site, wait):
            return _measure(_senders(site, node), _POSTFIX, turns, wait)
    except Missing as why:
        print(f"Without Postfix: {why}.")
        return {}


def _senders(site: Site, node: Nodemailer | None) -> dict[str, Many]:
    senders: dict[str, Many] = {
        OURS: flask_mailhandler(site, _ONE).many,
        **{name: make(site).many for name, make in SENDERS.items()},
        SOURCE: smtp_source(site, len(WRITERS[OURS]()(BOTH))),
    }
    if node:
        senders[NODE] = Node(node, site).many
    return senders


def _measure(
    senders: dict[str, Many], mails: int, turns: int, wait: Callable[[], object] = lambda: None
) -> Found:
    """:param wait: Called after each turn."""
    people = (f"Ann Archer <ann{n}@example.org>" for n in range(mails))
    cases = [dataclasses.replace(BOTH, recipients=(person,)) for person in people]
    found: dict[str, list[Spent]] = {name: [] for name in senders}
    for _ in range(turns):
        for name, send in senders.items():
            found[name].append(send(cases))
            wait()
    return {
        name: Spent(*(statistics.median(some) / mails for some in zip(*spent, strict=True)))
        for name, spent in found.items()
    }


def _near_table(near: Found, queued: Found) -> str:
    head = ["sender", "mails/s", "CPU per mail, µs", "mails/s to Postfix"]
    rows = [
        [
            name,
            f"{1 / near[name].seconds:,.0f}",
            f"{near[name].cpu * 1e6:,.0f}",
            f"{1 / queued[name].seconds:,.0f}" if queued else "-",
        ]
        for name in sorted(near, key=lambda name: near[name].seconds)
    ]
    return table(head, rows)


def _far_table(far: Found, trip: float) -> str:
    rows = [
        [name, f"{1 / far[name].seconds:,.1f}", f"{far[name].seconds / trip:.2f}"]
        for name in sorted(far, key=lambda name: far[name].seconds)
    ]
    return table(["sender", "mails/s", "round trips per mail"], rows)


def _quicker(found: Found, name: str, than: str) -> float:
    return found[than].seconds / found[name].seconds


def _near_targets(near: Found, queued: Found) -> Iterator[Target]:
    least = {FLASK_MAIL: 10, "Django": 5, "Flask-Mailman": 5, NODE: 5, SOURCE: 1}
    for peer, bound in least.items():
        if peer in near:
            what = f"{_SINK:,} mails, {peer}"
            yield Target(what, _quicker(near, OURS, peer), "times its mails/s", bound)
    thrifty = min((name for name in near if name not in (OURS, SOURCE)), key=_cpu(near))
    ratio = near[OURS].cpu / near[thrifty].cpu
    yield Target(f"CPU of a mail, {thrifty}", ratio, "of its CPU", most=0.2)
    if queued:
        ratio = _quicker(queued, OURS, FLASK_MAIL)
        yield Target(f"{_POSTFIX} mails to Postfix, {FLASK_MAIL}", ratio, "times its mails/s", 3)


def _cpu(found: Found) -> Callable[[str], float]:
    return lambda name: found[name].cpu


def _far_targets(far: Found, trip: float) -> Iterator[Target]:
    what = f"{_FAR} mails, {_MILLISECONDS} ms"
    peer = min(_FAR_PEERS, key=lambda name: far[name].seconds)
    unit = "times its mails/s"
    yield Target(f"{what}", far[OURS].seconds / trip, "round trips per mail", most=1.1)
    yield Target(f"{what}, {peer}", _quicker(far, OURS, peer), unit, 3.5)
    yield Target(f"{what}, 4 connections, {peer}", _quicker(far, FOUR, peer), unit, 12)
    if NODE in far:
        yield Target(f"{what}, {NODE}", _quicker(far, OURS, NODE), unit, 1.8)
