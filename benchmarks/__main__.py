"""Measure, and print the tables: ``python -m benchmarks [rendering] [memory] [imports]``."""

from __future__ import annotations

import argparse
import os
import platform
import sys

from . import imports
from . import memory
from . import rendering
from .peers import versions

PARTS = {
    "rendering": lambda rounds: rendering.run(rounds),
    "memory": lambda rounds: memory.run(),
    "imports": lambda rounds: imports.run(max(rounds // 4, 5)),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS) + "; all")
    parser.add_argument("--rounds", type=int, default=50, help="turns of each library (50)")
    parser.add_argument("--check", action="store_true", help="fail if a promise is not kept")
    given = parser.parse_args()
    if unknown := set(given.parts) - PARTS.keys():
        parser.error(f"there is no part {', '.join(unknown)}: take {', '.join(PARTS)}")

    print(f"{os.cpu_count()} cores, {platform.python_implementation()} {platform.python_version()}")
    print(versions(), flush=True)
    targets = [target for part in given.parts or PARTS for target in PARTS[part](given.rounds)]
    print("\nPromises\n")
    print(*targets, sep="\n")
    return int(given.check and not all(target.is_kept for target in targets))


if __name__ == "__main__":
    sys.exit(main())
