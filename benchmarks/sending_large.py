"""The time and the memory to send a large attachment, from the fields to the server's reply.

Each library is measured in fresh processes that take turns: by the clock, and by how much the
process grows besides the attachment. One more run with :mod:`tracemalloc` counts what Python
allocates.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
import typing as t
from collections.abc import Iterator
from pathlib import Path

from .cases import attached
from .cases import Case
from .cases import SMALL
from .memory import peak
from .nodemailer import missing
from .nodemailer import NODE
from .nodemailer import Node
from .nodemailer import Nodemailer
from .peers import OURS
from .senders import flask_mailhandler
from .senders import Library
from .senders import SENDERS
from .servers import Site
from .servers import smtp_sink
from .table import table
from .targets import Target
from .targets import worst

if t.TYPE_CHECKING:
    from flask_mailhandler import Message

_SIZE = 25
_OCTETS = _SIZE * 10**6
_MIB = 1 << 20
PATH = f"{OURS}, from a path"


class Took(t.NamedTuple):
    """Seconds and octets."""

    seconds: float
    grown: float


def run(rounds: int) -> list[Target]:
    """Measure, print the table, and return the targets.

    :param rounds: Sixteen times the number of turns of each library.
    """
    turns = max(rounds // 16, 1)
    with smtp_sink() as site:
        found: dict[str, list[Took]] = {name: [] for name in MADE}
        if not missing():
            found[NODE] = []
        for _ in range(turns):
            for name, some in found.items():
                some.append(_nodemailer(site) if name == NODE else Took(*_asked(name, site)))
        # This is slow, and the result is the same each time.
        asked = {name: _asked(name, site, "trace")[1] for name in (OURS, PATH, "Flask-Mail")}
    took = {
        name: Took(*(statistics.median(values) for values in zip(*some, strict=True)))
        for name, some in found.items()
    }
    print(f"\nA mail with a {_SIZE} MB attachment to smtp-sink:\n")
    print(_table(took, asked))
    return [*_targets(took, asked)]


def _table(took: dict[str, Took], asked: dict[str, float]) -> str:
    head = ["sender", "seconds", "process grew", "allocated"]
    rows = [
        [
            name,
            f"{took[name].seconds:.2f}",
            _sizes(took[name].grown),
            _sizes(asked[name]) if name in asked else "",
        ]
        for name in sorted(took, key=lambda name: took[name].seconds)
    ]
    return table(head, rows)


def _sizes(octets: float) -> str:
    return f"{octets / _OCTETS:.2f} x"


def _targets(took: dict[str, Took], asked: dict[str, float]) -> Iterator[Target]:
    what = f"{_SIZE} MB attachment"
    peaks = {
        "allocated": asked,
        "process grew": {name: took[name].grown for name in (OURS, PATH)},
    }
    for name, where, size, unit, most in (
        (OURS, "from octets", _OCTETS, "sizes", 1.5),
        (PATH, "from a path", _MIB, "MiB", 4),
    ):
        values = {how: found[name] / size for how, found in peaks.items()}
        yield worst(f"{what}, memory, {where}", values, unit, most=most)
    for peer, most in (("Flask-Mail", 0.25), (NODE, 1.0)):
        if peer in took:
            ratio = took[OURS].seconds / took[peer].seconds
            yield Target(f"{what}, {peer}", ratio, "of its time", most=most)


def _nodemailer(site: Site) -> Took:
    with Nodemailer() as node:
        sender = Node(node, site).open()
        sender.one(SMALL, 1)
        node.load(attached(_SIZE))
        found = node.send_all([{}])
        return Took(found["seconds"], found["grown"])


def _asked(name: str, site: Site, trace: str = "") -> tuple[float, float]:
    """Measure in a fresh process, and return the seconds and octets."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sending_large", name, str(site.port), trace],
        stdout=subprocess.PIPE,
        check=True,
    )
    seconds, octets = json.loads(done.stdout)
    return float(seconds), float(octets)


def _from_path(site: Site) -> Library:
    from flask_mailhandler import Attachment
    from flask_mailhandler import Message

    def message(case: Case) -> Message:
        return Message(
            subject=case.subject,
            text=case.text,
            from_addr=case.sender,
            to=case.recipients,
            # Here, the file's name is its path.
            attachments=[Attachment.from_path(file.filename) for file in case.files],
        )

    return flask_mailhandler(site, message=message)


MADE = {OURS: flask_mailhandler, PATH: _from_path, **SENDERS}


@contextlib.contextmanager
def _in_a_file(case: Case) -> Iterator[Case]:
    """Yield the same mail with its attachment in a file, named by its path."""
    (file,) = case.files
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file.filename
        path.write_bytes(file.data)
        yield dataclasses.replace(
            case, files=(dataclasses.replace(file, filename=str(path), data=b""),)
        )


def _measure(name: str, site: Site, trace: bool) -> tuple[float, int]:
    library = MADE[name](site)
    library.one(SMALL, 1)
    seconds: list[float] = []
    with contextlib.ExitStack() as stack:
        case = attached(_SIZE)
        if name == PATH:
            case = stack.enter_context(_in_a_file(case))
        octets = peak(lambda: seconds.extend(library.one(case, 1)), trace)
    return seconds[0], octets


if __name__ == "__main__":
    name, port, trace = sys.argv[1:]
    print(json.dumps(_measure(name, Site(int(port)), bool(trace))))
