"""The time to send one mail to many Bcc recipients, in batches.

Flask-MailHandler and email-simplified split the recipients of one message themselves. With the
other libraries, the application makes a mail for each batch. All use one connection.

With delay, the other libraries are timed with one batch and with three, and the time of all batches
is extrapolated. Waiting for all of them would take a quarter of an hour.
"""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
from collections.abc import Iterator

from .cases import BOTH
from .cases import Case
from .nodemailer import missing
from .nodemailer import NODE
from .nodemailer import Node
from .nodemailer import Nodemailer
from .peers import OURS
from .senders import BATCH
from .senders import email_simplified
from .senders import flask_mail
from .senders import flask_mailhandler
from .senders import flask_mailman
from .senders import Many
from .servers import delayed
from .servers import Site
from .servers import smtp_sink
from .table import table
from .table import times
from .targets import Target
from .targets import worst

FLASK_PEERS = ("Flask-Mail", "Flask-Mailman")
SPLITS = (OURS, "email-simplified")
_RECIPIENTS = 10_000
_MILLISECONDS = 20


def run(rounds: int) -> list[Target]:
    """Measure, print the tables, and return the targets.

    :param rounds: Sixteen times the number of turns of each library without delay.
    """
    with contextlib.ExitStack() as stack:
        node = None if missing() else stack.enter_context(Nodemailer())
        sink = stack.enter_context(smtp_sink())
        near = _near(_senders(sink, node), max(rounds // 16, 1))
        with delayed(sink, _MILLISECONDS) as line:
            far = _far(_senders(line, node))
    print(f"\nSeconds to send one mail to {_RECIPIENTS:,} recipients in batches of {BATCH}:\n")
    head = ["sender", "same machine", "", f"at {_MILLISECONDS} ms", ""]
    rows = [
        [
            name,
            f"{near[name]:.2f}",
            times(near[name] / near[OURS]),
            f"{far[name]:.1f}",
            times(far[name] / far[OURS]),
        ]
        for name in sorted(near, key=near.__getitem__)
    ]
    print(table(head, rows))
    return [*_targets(near, far)]


def _senders(site: Site, node: Nodemailer | None) -> dict[str, Many]:
    options = {
        "MAIL_RECIPIENTS_PER_MESSAGE": BATCH,
        "MAIL_MESSAGES_PER_CONNECTION": 10_000,
        "MAIL_POOL_IDLE": 0.001,
    }
    senders: dict[str, Many] = {
        OURS: flask_mailhandler(site, options).many,
        "Flask-Mail": flask_mail(site).many,
        "Flask-Mailman": flask_mailman(site).many,
        "email-simplified": email_simplified(site).many,
    }
    if node:
        senders[NODE] = Node(node, site).many
    return senders


def _cases(name: str, recipients: int) -> list[Case]:
    """Return the mails that a user of this library makes."""
    bcc = [f"member{n}@example.org" for n in range(recipients)]
    size = recipients if name in SPLITS else BATCH
    groups = [tuple(bcc[start : start + size]) for start in range(0, recipients, size)]
    return [dataclasses.replace(BOTH, recipients=(), bcc=group) for group in groups]


def _near(senders: dict[str, Many], turns: int) -> dict[str, float]:
    cases = {name: _cases(name, _RECIPIENTS) for name in senders}
    found: dict[str, list[float]] = {name: [] for name in senders}
    for _ in range(turns):
        for name, send in senders.items():
            found[name].append(send(cases[name]).seconds)
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def _far(senders: dict[str, Many]) -> dict[str, float]:
    found = {}
    for name, send in senders.items():
        if name == OURS:
            found[name] = send(_cases(name, _RECIPIENTS)).seconds
        else:
            one, three = (send(_cases(name, batches * BATCH)).seconds for batches in (1, 3))
            found[name] = one + (three - one) / 2 * (_RECIPIENTS / BATCH - 1)
    return found


def _targets(near: dict[str, float], far: dict[str, float]) -> Iterator[Target]:
    what = f"One mail to {_RECIPIENTS:,}"
    for where, found, least in (("same machine", near, 30), (f"{_MILLISECONDS} ms", far, 60)):
        ratios = {peer: found[peer] / found[OURS] for peer in FLASK_PEERS}
        yield worst(f"{what}, {where}, Flask's", ratios, "times as quick", least=least)
    if NODE in far:
        ratio = far[NODE] / far[OURS]
        yield Target(f"{what}, {_MILLISECONDS} ms, {NODE}", ratio, "times as quick", 1)
