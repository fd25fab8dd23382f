"""The memory to write a mail, besides what the application holds anyway.

Each library is measured in fresh processes: with :mod:`tracemalloc`, which counts what Python
allocates, to the octet, and without it, by how much the process grows.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

from .cases import attached
from .cases import SMALL
from .nodemailer import missing
from .nodemailer import Nodemailer
from .peers import OURS
from .peers import WRITERS
from .table import table
from .targets import Target

_SIZE = 10
_MIB = 1 << 20
PIECES = f"{OURS}, in pieces"


def run() -> list[Target]:
    """Measure, print the tables, and return the targets."""
    named = [*WRITERS, PIECES]
    octets = {name: (_asked("attached", name, True), _asked("attached", name)) for name in named}
    rows = [[name, *(f"{peak / (_SIZE * 10**6):.2f} x" for peak in octets[name])] for name in named]
    if not missing():
        with Nodemailer() as node:
            node.load(attached(_SIZE))
            rows.append(["Nodemailer", "", f"{node.build()[1] / (_SIZE * 10**6):.2f} x"])
    print(f"\nMemory for a {_SIZE} MB attachment from octets, as a multiple of its size:\n")
    print(table(["writer", "allocated", "process grew"], rows))

    files = {size: (_asked("file", size, True), _asked("file", size)) for size in (1, 25, 100)}
    print("\nMemory for an attachment from a path, read while it is sent, in KiB:\n")
    print(
        table(
            ["size of the file", "allocated", "process grew"],
            [[f"{size} MB", *(f"{peak / 1024:,.0f}" for peak in files[size])] for size in files],
        )
    )
    return [
        Target(f"{name}, 10 MB from octets", octets[name][0] / (_SIZE * 10**6), "sizes", most=1.5)
        for name in (OURS, PIECES)
    ] + [
        Target(f"{size} MB from a path", max(peaks) / _MIB, "MiB", most=1)
        for size, peaks in files.items()
    ]


def _asked(what: str, which: object, trace: bool = False) -> int:
    """Measure in a fresh process, and return the octets."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", what, str(which), "trace" * trace],
        stdout=subprocess.PIPE,
        check=True,
    )
    return int(json.loads(done.stdout))


def peak(act: Callable[[], object], trace: bool) -> int:
    """Return the octets that *act* uses at its peak."""
    if trace:
        tracemalloc.start()
        act()
        return tracemalloc.get_traced_memory()[1]
    Path("/proc/self/clear_refs").write_text("5")  # Reset the peak.
    before = _resident("VmRSS")
    act()
    return max(_resident("VmHWM") - before, 0)


def _resident(which: str) -> int:
    """Return the memory of this process. (``ru_maxrss`` also counts the parent process.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{which}:")[2].split()[0]) * 1024


def _attached(name: str, trace: bool) -> int:
    if name == PIECES:
        return peak(*_pieces(trace))
    build = WRITERS[name]()
    build(SMALL)
    case = attached(_SIZE)
    return peak(lambda: build(case), trace)


def _pieces(trace: bool) -> tuple[Callable[[], object], bool]:
    """Take the pieces one by one, as a handler does."""
    from flask_mailhandler import Attachment
    from flask_mailhandler import Message
    from flask_mailhandler.mime import render

    WRITERS[OURS]()(SMALL)
    case = attached(_SIZE)
    (file,) = case.files

    def act() -> None:
        attachment = Attachment(file.data, filename=file.filename, mimetype=file.mimetype)
        message = Message(
            text=case.text, from_addr=case.sender, to=case.recipients, attachments=[attachment]
        )
        _drain(iter(render(message)))

    return act, trace


def _file(megabytes: int, trace: bool) -> int:
    from flask_mailhandler import Attachment
    from flask_mailhandler import Message
    from flask_mailhandler.mime import render

    def act(path: Path) -> None:
        message = Message(
            text="It is attached.\n",
            from_addr="shop@example.com",
            to="ann@example.org",
            attachments=[Attachment.from_path(path, mimetype="application/pdf")],
        )
        _drain(iter(render(message)))

    with tempfile.TemporaryDirectory() as folder:
        # A sparse file is read as zeros, and takes no space.
        first, path = Path(folder) / "first.pdf", Path(folder) / "report.pdf"
        for one, size in ((first, 1000), (path, megabytes * 10**6)):
            with one.open("wb") as file:
                file.truncate(size)
        act(first)
        return peak(lambda: act(path), trace)


def _drain(pieces: Iterator[bytes]) -> None:
    for _ in pieces:
        pass


if __name__ == "__main__":
    what, which, trace = sys.argv[1:]
    measured = _file(int(which), bool(trace)) if what == "file" else _attached(which, bool(trace))
    print(json.dumps(measured))
