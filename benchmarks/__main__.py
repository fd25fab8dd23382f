"""Measure, and print the tables: ``python -m benchmarks [part ...]``."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import platform
import sys
from pathlib import Path

from . import imports
from . import memory
from . import nodemailer
from . import queue_stores
from . import queueing
from . import rendering
from .peers import versions
from .targets import Target

PARTS = {
    "rendering": lambda rounds: rendering.run(rounds),
    "memory": lambda rounds: memory.run(),
    "queue": lambda rounds: queueing.run(rounds),
    "queue_stores": lambda rounds: queue_stores.run(rounds),
    "imports": lambda rounds: imports.run(max(rounds // 4, 5)),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS) + "; all")
    parser.add_argument("--rounds", type=int, default=50, help="turns of each library (50)")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write the tables there, too")
    parser.add_argument("--check", action="store_true", help="fail if a promise is not kept")
    given = parser.parse_args()
    if unknown := set(given.parts) - PARTS.keys():
        parser.error(f"there is no part {', '.join(unknown)}: take {', '.join(PARTS)}")

    python = f"{platform.python_implementation()} {platform.python_version()}"
    about = f"{os.cpu_count()} cores, {python}; {versions()}{nodemailer.version()}."
    print(about, flush=True)
    targets: list[Target] = []
    for part in given.parts or PARTS:
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            targets += PARTS[part](given.rounds)
        print(shown.getvalue(), flush=True)
        if given.write:
            page = f"{about}\n{shown.getvalue()}"
            (given.write / f"{part}.txt").write_text(page, encoding="utf-8")
    print("Promises:\n", *targets, sep="\n")
    return int(given.check and not all(target.is_kept for target in targets))


if __name__ == "__main__":
    sys.exit(main())
