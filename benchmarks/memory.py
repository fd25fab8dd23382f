"""The memory to write a mail, besides what the application holds anyway.

Each library is measured in fresh processes: with :mod:`tracemalloc`, which counts what Python
allocates, to the octet, and without it, by how much the process grows.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

from . import compose
from .cases import attached
from .cases import Case
from .cases import File
from .cases import SMALL
from .corpus import KINDS
from .nodemailer import missing
from .nodemailer import Nodemailer
from .peers import OURS
from .peers import WRITERS
from .table import table
from .targets import Target
from .targets import worst

_SIZE = 10
_MIB = 1 << 20
PIECES = f"{OURS}, in pieces"
_FIRST = dataclasses.replace(SMALL, files=(File("first.pdf", "application/pdf", b"%PDF"),))


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

    parts = _small_parts(named)
    print("\nAllocated for small parts, as a multiple of the size of the rendered message:\n")
    rows = [[name, *(f"{found[name]:.2f} x" for found in parts.values())] for name in named]
    print(table(["writer", *parts], rows))

    files = {size: (_asked("file", size, True), _asked("file", size)) for size in (1, 25, 100)}
    print("\nMemory for an attachment from a path, read while it is sent, in KiB:\n")
    print(
        table(
            ["size of the file", "allocated", "process grew"],
            [[f"{size} MB", *(f"{peak / 1024:,.0f}" for peak in files[size])] for size in files],
        )
    )
    return [
        *(
            Target(f"memory, 10 MB from octets, {name}", found / (_SIZE * 10**6), "sizes", most=1.5)
            for name, (found, _) in octets.items()
            if name in (OURS, PIECES)
        ),
        worst(
            "memory, small parts",
            {kind: found[OURS] for kind, found in parts.items()},
            "sizes",
            most=1.5,
        ),
        worst(
            "memory, a file from a path",
            {f"{size} MB": max(peaks) / _MIB for size, peaks in files.items()},
            "MiB",
            most=1,
        ),
    ]


def _small_parts(named: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return what each writer allocates, by the kind of mail."""
    build = WRITERS[OURS]()
    found = {}
    for kind in KINDS:
        if kind.case.files or kind.case.images:
            size = len(build(kind.case))
            found[kind.name] = {name: _asked(kind.name, name, True) / size for name in named}
    return found


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


def _written(what: str, name: str, trace: bool) -> int:
    """Measure one writer with a kind of mail, or with the large attachment."""
    case = next((kind.case for kind in KINDS if kind.name == what), None) or attached(_SIZE)
    act = _pieces() if name == PIECES else WRITERS[name]()
    # What is loaded when it is first needed does not count. Where the growth of the process is
    # measured, the first mail is small, because memory that it gives back is taken again.
    act(case if trace else _FIRST)
    return peak(lambda: act(case), trace)


def _pieces() -> Callable[[Case], None]:
    """Take the pieces one by one, as a handler does."""
    from flask_mailhandler.mime import render

    message = compose.flask_mailhandler()
    return lambda case: _drain(iter(render(message(case))))


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
    if what == "file":
        measured = _file(int(which), bool(trace))
    else:
        measured = _written(what, which, bool(trace))
    print(json.dumps(measured))
