"""Measure, and print the tables: ``python -m benchmarks [part ...]``."""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import os
import platform
import sys
from pathlib import Path

from . import against
from . import dkim
from . import error_mail
from . import first_mail
from . import imports
from . import mailbox
from . import memory
from . import nodemailer
from . import providers
from . import queue_listing
from . import queue_stores
from . import queueing
from . import rendering
from . import sending_large
from . import sending_many
from . import sending_one
from . import sending_wide
from . import telemetry
from . import templates
from .peers import versions
from .servers import Missing
from .targets import promises
from .targets import Target

PARTS = {
    "rendering": lambda rounds: rendering.run(rounds),
    "memory": lambda rounds: memory.run(),
    "dkim": lambda rounds: dkim.run(rounds),
    "error_mail": lambda rounds: error_mail.run(rounds),
    "mailbox": lambda rounds: mailbox.run(rounds),
    "templates": lambda rounds: templates.run(rounds),
    "queue": lambda rounds: queueing.run(rounds),
    "queue_listing": lambda rounds: queue_listing.run(rounds),
    "queue_stores": lambda rounds: queue_stores.run(rounds),
    "imports": lambda rounds: imports.run(max(rounds // 4, 5)),
    "first_mail": lambda rounds: first_mail.run(max(rounds // 4, 5)),
    "sending_one": lambda rounds: sending_one.run(rounds),
    "sending_many": lambda rounds: sending_many.run(rounds),
    "sending_wide": lambda rounds: sending_wide.run(rounds),
    "sending_large": lambda rounds: sending_large.run(rounds),
    "providers": lambda rounds: providers.run(rounds),
    "telemetry": lambda rounds: telemetry.run(rounds),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=", ".join(PARTS) + "; or a prefix; default: all"
    )
    parser.add_argument(
        "--rounds", type=int, default=50, help="turns of each library (default: 50)"
    )
    parser.add_argument(
        "--write", type=Path, metavar="FOLDER", help="also write the tables into this folder"
    )
    parser.add_argument("--check", action="store_true", help="fail if a promise is not kept")
    parser.add_argument(
        "--against",
        metavar="REVISION",
        help="compare with an earlier build instead of other libraries: "
        + ", ".join(against.PARTS),
    )
    given = parser.parse_args()
    # A prefix selects several parts: "sending" stands for all of sending_*.
    named = {part: [one for one in PARTS if one.startswith(part)] for part in given.parts}
    if unknown := [part for part, found in named.items() if not found]:
        parser.error(f"unknown part {', '.join(unknown)}: choose from {', '.join(PARTS)}")

    python = f"{platform.python_implementation()} {platform.python_version()}"
    about = f"{os.cpu_count()} cores, {python}; {versions()}{nodemailer.version()}."
    print(about, flush=True)
    chosen = [*itertools.chain(*named.values())] if named else [*PARTS]
    if given.against:
        comparable = [part for part in chosen if part in against.PARTS]
        targets = against.run(given.against, comparable, given.rounds)
    else:
        targets = _all(chosen, given, about)
    print("\nPromises:\n", promises(targets), sep="\n")
    return int(given.check and not all(target.is_kept for target in targets))


def _all(parts: list[str], given: argparse.Namespace, about: str) -> list[Target]:
    """Measure these parts, print and write their tables, and return the promises."""
    targets: list[Target] = []
    for part in parts:
        shown = io.StringIO()
        try:
            with contextlib.redirect_stdout(shown):
                targets += PARTS[part](given.rounds)
        except Missing as why:
            print(f"\n{part} is not measured: there is {why}.", flush=True)
            continue
        print(shown.getvalue(), flush=True)
        if given.write:
            page = f"{about}\n{shown.getvalue()}"
            (given.write / f"{part}.txt").write_text(page, encoding="utf-8")
    return targets


if __name__ == "__main__":
    sys.exit(main())
