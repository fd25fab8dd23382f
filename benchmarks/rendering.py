"""The time from a mail's fields to its octets.

All libraries take turns, in many rounds, so that other load on the machine affects all of them.
The result is the median of each library. The garbage collector runs as it does in an application.
"""

from __future__ import annotations

import binascii
import contextlib
import statistics
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence

from .agreement import check
from .cases import attached
from .cases import Case
from .cases import SMALL
from .corpus import Kind
from .corpus import KINDS
from .corpus import PROMISED
from .nodemailer import missing
from .nodemailer import NODE
from .nodemailer import Nodemailer
from .peers import OURS
from .peers import PEERS
from .peers import WRITERS
from .table import microseconds
from .table import table
from .table import times
from .targets import Target
from .targets import worst

# Builds a number of times, and returns the seconds.
Timed = Callable[[int], float]

BASE64 = "b2a_base64"
# The approximate seconds of a turn, and of the run before the first.
_TURN, _WARM = 0.02, 0.2
_COLUMNS = 6


def run(rounds: int) -> list[Target]:
    """Measure, print the tables, and return the targets.

    :param rounds: The number of turns of each library in each case.
    """
    with _writers() as (load, timed, octets):
        short = {kind: _measure(kind.case, load, timed, rounds) for kind in KINDS}
        long = {
            megabytes: _measure(attached(megabytes), load, timed, max(rounds // 10, 5))
            for megabytes in (1, 10)
        }
    print("\nTime of the other libraries, as a multiple of Flask-MailHandler's:\n")
    head = ["mail", "octets", "quickest in Python", "", NODE]
    print(table(head, [_ratios(kind, octets(kind.case), found) for kind, found in short.items()]))
    print("\nMicroseconds from the fields to the octets:\n")
    # All in one table would be too wide for a page.
    tables = [KINDS[start : start + _COLUMNS] for start in range(0, len(KINDS), _COLUMNS)]
    print("\n\n".join(_microseconds(short, kinds) for kinds in tables))
    print("\nMB/s of an attachment from octets:\n")
    print(table(["writer", "1 MB", "10 MB"], _throughput(long)))
    return [*_short_targets(short), *_long_targets(long[10])]


@contextlib.contextmanager
def _writers() -> Iterator[tuple[Callable[[Case], None], dict[str, Timed], Callable[[Case], int]]]:
    """Yield a function that sets the case of all writers and checks their output, a function for
    each writer that times it, and one that returns the size of a rendered case."""
    built = {name: make() for name, make in WRITERS.items()}
    now: list[Case] = [SMALL]

    def timed(name: str) -> Timed:
        build = built[name]

        def measure(number: int) -> float:
            case = now[0]
            start = time.perf_counter()
            for _ in range(number):
                build(case)
            return time.perf_counter() - start

        return measure

    measured = {name: timed(name) for name in built}
    measured[BASE64] = lambda number: _base64_alone(now[0], number)
    with contextlib.ExitStack() as stack:
        node = None
        if why := missing():
            print(f"Without Nodemailer: {why}.")
        else:
            node = stack.enter_context(Nodemailer())
            measured[NODE] = node.time

        def load(case: Case) -> None:
            now[0] = case
            for name, build in built.items():
                check(name, case, build(case))
            if node:
                node.load(case)
                check(NODE, case, node.build()[0])

        yield load, measured, lambda case: len(built[OURS](case))


def _base64_alone(case: Case, number: int) -> float:
    start = time.perf_counter()
    for _ in range(number):
        for file in case.files:
            binascii.b2a_base64(file.data)
    return time.perf_counter() - start


def _measure(
    case: Case, load: Callable[[Case], None], timed: dict[str, Timed], rounds: int
) -> dict[str, float]:
    """Return the median seconds of each writer to build the case once."""
    load(case)
    is_long = sum(len(file.data) for file in case.files) > 10**5
    running = {name: measure for name, measure in timed.items() if is_long or name != BASE64}
    numbers = {name: 1 if is_long else _number(measure) for name, measure in running.items()}
    found: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(rounds):
        for name, measure in running.items():
            found[name].append(measure(numbers[name]) / numbers[name])
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def _number(measure: Timed) -> int:
    """Run a writer until caches are filled and Node has compiled; return the number of a turn."""
    measure(1)
    once = measure(2) / 2
    number = max(1, min(200, round(_WARM / once)))
    return max(1, round(_TURN / (measure(number) / number)))


def quickest(found: dict[str, float]) -> str:
    """Return the quickest other library in Python."""
    return min(PEERS, key=found.__getitem__)


def _microseconds(short: dict[Kind, dict[str, float]], kinds: Sequence[Kind]) -> str:
    shown = [short[kind] for kind in kinds]
    writers = sorted(shown[0], key=lambda name: sum(found[name] for found in shown))
    rows = [[name, *(microseconds(found[name]) for found in shown)] for name in writers]
    return table(["writer", *(kind.name for kind in kinds)], rows)


def _ratios(kind: Kind, octets: int, found: dict[str, float]) -> list[str]:
    peer = quickest(found)
    node = times(found[NODE] / found[OURS]) if NODE in found else "-"
    return [kind.name, f"{octets:,}", times(found[peer] / found[OURS]), peer, node]


def _throughput(long: dict[int, dict[str, float]]) -> list[list[str]]:
    return [
        [name, *(f"{megabytes / found[name]:,.0f}" for megabytes, found in long.items())]
        for name in sorted(long[10], key=long[10].__getitem__)
    ]


def _short_targets(short: dict[Kind, dict[str, float]]) -> Iterator[Target]:
    for promise, least in PROMISED.items():
        ratios = {
            f"{kind.name}, {(peer := quickest(found))}": found[peer] / found[OURS]
            for kind, found in short.items()
            if kind.promise == promise
        }
        what = f"rendering, {promise}, the quickest in Python"
        yield worst(what, ratios, "times its time", least=least)


def _long_targets(found: dict[str, float]) -> Iterator[Target]:
    peer = quickest(found)
    yield Target(f"10 MB attachment, {peer}", found[peer] / found[OURS], "times its time", 8)
    if NODE in found:
        yield Target("10 MB attachment, Nodemailer", found[NODE] / found[OURS], "times its time", 1)
    yield Target("10 MB attachment, b2a_base64 alone", found[BASE64] / found[OURS], "of it", 0.5)
