"""This build compared with an earlier one of the same package.

The earlier build is taken from a git revision into a temporary folder. Each build runs in a process
of its own, and the two take turns.
"""

from __future__ import annotations

import base64
import compileall
import contextlib
import io
import subprocess
import tarfile
import tempfile
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from . import imports
from .agreement import check
from .cases import BOTH
from .cases import Case
from .cases import to_json
from .corpus import KINDS
from .program import Program
from .program import python
from .senders import Spent
from .servers import certificates
from .servers import Missing
from .servers import Sink
from .servers import smtp_sink
from .table import microseconds
from .table import table
from .targets import Target

# What is promised is promised compared with this revision.
REVISION = "2cc3c60"
HERE = Path(__file__).parents[1]
_TURN = 0.02

# Does something once, and returns what it took.
Act = Callable[[], Spent]


class Pair(t.NamedTuple):
    """The same measurement, of both builds."""

    before: Act
    now: Act


class Row(t.NamedTuple):
    what: str
    before: Spent
    now: Spent

    def cells(self) -> list[str]:
        return [
            self.what,
            microseconds(self.before.seconds),
            microseconds(self.now.seconds),
            f"{self.now.seconds / self.before.seconds:.2f}",
            f"{self.now.cpu / self.before.cpu:.2f}" if self.before.cpu else "",
        ]


def run(revision: str, parts: list[str], rounds: int) -> list[Target]:
    """Measure, print the tables, and return the promises.

    :param parts: The parts to compare, which are keys of :data:`PARTS`.
    :param rounds: The number of turns of each build; a tenth of it for what takes long.
    """
    rows: dict[str, list[Row]] = {}
    with earlier(revision) as source, build(source) as before, build(HERE / "src") as now:
        for part in parts:
            rows[part] = [*PARTS[part](Builds(source, before, now), rounds)]
            print(f"\nMicroseconds, compared with {revision}: {part}\n")
            head = ["what", "before", "now", "time", "CPU"]
            print(table(head, [row.cells() for row in rows[part]]), flush=True)
    return [*_targets(rows)] if _commit(revision) == _commit(REVISION) else []


class Builds(t.NamedTuple):
    """
    :param source: The folder of the earlier build.
    """

    source: Path
    before: Program
    now: Program

    def ask(self, request: str, argument: object) -> None:
        for program in (self.before, self.now):
            program.ask([request, argument])

    def pair(self, request: str, number: int) -> Pair:
        """Return the measurement of this request, for each of the number."""

        def act(program: Program) -> Act:
            def ask() -> Spent:
                seconds, cpu = program.ask([request, number])
                return Spent(seconds / number, cpu / number)

            return ask

        return Pair(act(self.before), act(self.now))


def _row(what: str, pair: Pair, rounds: int) -> Row:
    found: tuple[list[Spent], list[Spent]] = ([], [])
    for turn in range(rounds + 1):
        for act, spent in zip(pair, found, strict=True):
            took = act()
            # In the first turn, caches fill.
            if turn:
                spent.append(took)
    before, now = (Spent(*map(median, zip(*spent, strict=True))) for spent in found)
    return Row(what, before, now)


# The builds


@contextlib.contextmanager
def earlier(revision: str) -> Iterator[Path]:
    """Yield the folder of the package's modules as of a git revision.

    :raises Missing: if git does not know the revision.
    """
    if not _commit(revision):
        raise Missing(f"no commit {revision}")
    archive = subprocess.run(
        ["git", "archive", revision, "src"], cwd=HERE, stdout=subprocess.PIPE, check=True
    )
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")
        source = Path(folder) / "src"
        for each in (source, HERE / "src"):
            compileall.compile_dir(each, quiet=1)
        yield source


def _commit(revision: str) -> str:
    """Return the commit that a revision names, or "" if there is none."""
    command = ["git", "rev-parse", "--quiet", "--verify", f"{revision}^{{commit}}"]
    done = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def build(source: Path) -> Program:
    return python("build", environment={"PYTHONPATH": str(source)})


# The parts


def _rendering(builds: Builds, rounds: int) -> Iterator[Row]:
    for kind in KINDS:
        _load(builds, kind.case)
        seconds = builds.now.ask(["render", 20])[0] / 20
        pair = builds.pair("render", max(1, round(_TURN / seconds)))
        yield _row(kind.name, pair, rounds)


def _load(builds: Builds, case: Case) -> None:
    builds.ask("load", to_json(case))
    for name, program in (("The earlier build", builds.before), ("This build", builds.now)):
        check(name, case, base64.b64decode(program.ask(["octets", 1])))


def _imports(builds: Builds, rounds: int) -> Iterator[Row]:
    def act(statement: str, source: Path) -> Act:
        return lambda: Spent(imports.measure(statement, source)[0], 0)

    for statement in (imports.OURS, imports.OURS_USED):
        pair = Pair(act(statement, builds.source), act(statement, HERE / "src"))
        yield _row(statement, pair, max(rounds // 4, 2))


def _sending_one(builds: Builds, rounds: int) -> Iterator[Row]:
    with certificates() as made, Sink(made) as sink:
        builds.ask("load", to_json(BOTH))
        builds.ask("connect", sink.sites["none"].port)
        yield _row(_WARM, builds.pair("one", 20), rounds)


def _sending_many(builds: Builds, rounds: int) -> Iterator[Row]:
    yield from _to_smtp_sink(builds, _LIST, "many", 2_000, rounds)


def _sending_wide(builds: Builds, rounds: int) -> Iterator[Row]:
    yield from _to_smtp_sink(builds, "a recipient of 10,000", "wide", 10_000, rounds)


def _to_smtp_sink(
    builds: Builds, what: str, request: str, number: int, rounds: int
) -> Iterator[Row]:
    with smtp_sink() as site:
        builds.ask("load", to_json(BOTH))
        builds.ask("connect", site.port)
        yield _row(what, builds.pair(request, number), max(rounds // 10, 2))


def _queue(builds: Builds, rounds: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        for name, program in (("before", builds.before), ("now", builds.now)):
            program.ask(["queue", str(Path(folder) / name)])
        yield _row("send_later, 10 kB, SQLite file", builds.pair("later", 20), rounds)
        yield _row("the worker, 10 kB, SQLite file", builds.pair("drain", 20), rounds)


_WARM = "a warm mail.send, plain, same machine"
_LIST = "a mail of 2,000 to smtp-sink"
PARTS: dict[str, Callable[[Builds, int], Iterator[Row]]] = {
    "rendering": _rendering,
    "imports": _imports,
    "sending_one": _sending_one,
    "sending_many": _sending_many,
    "sending_wide": _sending_wide,
    "queue": _queue,
}


def _targets(rows: dict[str, list[Row]]) -> Iterator[Target]:
    for row in [row for part in rows.values() for row in part]:
        if row.what == _WARM:
            ratio = row.now.cpu / row.before.cpu
            yield Target(f"{_WARM}, {REVISION}", ratio, "of its CPU", most=0.6)
        elif row.what == _LIST:
            ratio = row.before.seconds / row.now.seconds
            yield Target(f"{_LIST}, {REVISION}", ratio, "times its mails/s", least=1.4)
