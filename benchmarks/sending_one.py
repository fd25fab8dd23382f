"""The time that a view waits for one mail.

All libraries take turns. The first mail of each turn is not counted. After it, a library with a
pool has an open connection, and the others open a new one for each mail. The server is our own
sink, on the same machine as the client or behind a proxy that adds delay.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable
from collections.abc import Iterator

from .agreement import check
from .cases import BOTH
from .nodemailer import missing
from .nodemailer import NODE
from .nodemailer import Node
from .nodemailer import Nodemailer
from .peers import OURS
from .senders import flask_mailhandler
from .senders import One
from .senders import SENDERS
from .servers import certificates
from .servers import delayed
from .servers import round_trip
from .servers import Sink
from .servers import Site
from .table import table
from .targets import Target
from .targets import worst

FLIGHT = f"{OURS}, one flight"
COLD = f"{OURS}, cold"
MODES = {"none": "plain", "starttls": "STARTTLS, login", "tls": "TLS, login"}
_MILLISECONDS = 20
# Turns, and the mails that count in each.
_NEAR, _FAR = 10, (5, 2)

# The median seconds of each sender, by the server's security.
Found = dict[str, dict[str, float]]


def run(rounds: int) -> list[Target]:
    """Measure, print the tables, and return the targets.

    :param rounds: Ten times the number of turns of each library without delay.
    """
    near: Found = {}
    far: Found = {}
    with certificates() as made, Sink(made) as sink, contextlib.ExitStack() as stack:
        node = None if missing() else stack.enter_context(Nodemailer())
        ca_file = str(made.ca_file)
        if node:
            # Node compiles code after it has run often enough.
            Node(node, sink.sites["none"]).open().one(BOTH, 500)
        for security, site in sink.sites.items():
            senders = _senders(site, node, ca_file)
            _check(sink, senders)
            near[security] = _measure(senders, max(rounds // 10, 2), _NEAR)
            with delayed(site, _MILLISECONDS) as line:
                far[security] = _measure(_senders(line, node, ca_file), *_FAR)
        with delayed(sink.sites["none"], _MILLISECONDS) as line:
            trip = round_trip(line) - round_trip(sink.sites["none"])
    trips = {
        security: {name: (far[security][name] - near[security][name]) / trip for name in found}
        for security, found in far.items()
    }
    print(f"\nMilliseconds to send one mail with a round trip of {trip * 1e3:.1f} ms:\n")
    print(_table(far, lambda value: f"{value * 1e3:.1f}"))
    print("\nThe same in round trips:\n")
    print(_table(trips, lambda value: f"{value:.1f}"))
    print("\nMilliseconds to send one mail to a server on the same machine:\n")
    print(_table(near, lambda value: f"{value * 1e3:.2f}"))
    return [*_far_targets(far), *_near_targets(near), *_cold_targets(trips)]


def _senders(site: Site, node: Nodemailer | None, ca_file: str) -> dict[str, One]:
    senders: dict[str, One] = {
        OURS: flask_mailhandler(site).one,
        FLIGHT: flask_mailhandler(site, {"MAIL_ONE_FLIGHT": True}).one,
        # Keep no connection.
        COLD: flask_mailhandler(site, {"MAIL_MESSAGES_PER_CONNECTION": 1}).one,
        **{name: make(site).one for name, make in SENDERS.items()},
    }
    if node:
        senders[NODE] = Node(node, site, ca_file).open().one
    return senders


def _check(sink: Sink, senders: dict[str, One]) -> None:
    """Check that the mail that arrives matches the case."""
    for name, send in senders.items():
        before, _ = sink.taken()
        send(BOTH, 2)
        if sink.taken()[0] != before + 2:
            raise ValueError(f"{name} reported success, but nothing arrived.")
        check(name, BOTH, sink.last())


def _measure(senders: dict[str, One], turns: int, mails: int) -> dict[str, float]:
    found: dict[str, list[float]] = {name: [] for name in senders}
    for _ in range(turns):
        for name, send in senders.items():
            found[name] += send(BOTH, 1 + mails)[1:]
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def _table(found: Found, shown: Callable[[float], str]) -> str:
    names = sorted(found["none"], key=found["none"].__getitem__)
    head = ["sender", *MODES.values()]
    return table(head, [[name, *(shown(found[mode][name]) for mode in MODES)] for name in names])


def _quickest(found: dict[str, float]) -> str:
    return min(SENDERS, key=found.__getitem__)


def _far_targets(far: Found) -> Iterator[Target]:
    promised = {
        OURS: ({"none": 0.27, "starttls": 0.18, "tls": 0.22}, 1.02),
        FLIGHT: ({"none": 0.15, "starttls": 0.10, "tls": 0.12}, 0.55),
    }
    for name, (most, most_node) in promised.items():
        what = f"{name}, {_MILLISECONDS} ms"
        for mode, found in far.items():
            peer = _quickest(found)
            ratio = found[name] / found[peer]
            yield Target(f"{what}, {MODES[mode]}, {peer}", ratio, "of its time", most=most[mode])
        if NODE in far["none"]:
            ratios = {MODES[mode]: found[name] / found[NODE] for mode, found in far.items()}
            yield worst(f"{what}, {NODE}", ratios, "of its time", most=most_node)


def _near_targets(near: Found) -> Iterator[Target]:
    what = f"{OURS}, same machine"
    plain = near["none"]
    for peer, most in ((NODE, 0.20), ("Django", 0.25)):
        if peer in plain:
            ratio = plain[OURS] / plain[peer]
            yield Target(f"{what}, plain, {peer}", ratio, "of its time", most=most)
    for peers in ((NODE,), SENDERS):
        ratios = {
            f"{MODES[mode]}, {peer}": found[OURS] / found[peer]
            for mode, found in near.items()
            for peer in peers
            if peer in found
        }
        if ratios:
            name = NODE if NODE in peers else "the quickest in Python"
            yield worst(f"{what}, {name}", ratios, "of its time", most=0.25)


def _cold_targets(trips: Found) -> Iterator[Target]:
    for mode, most in (("none", 6), ("starttls", 10), ("tls", 8)):
        yield Target(f"{COLD}, {MODES[mode]}", trips[mode][COLD], "round trips", most=most)
