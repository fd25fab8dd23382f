"""Change the package at random, one place at a time, and see whether a test notices.

`make mutants`. Drawn with a seed over the files that keep mail from going astray. A change that no
test notices is printed as a diff: it is a hole in the tests, or changes nothing that anybody could
see.
"""

from __future__ import annotations

import argparse
import ast
import concurrent.futures
import dataclasses
import difflib
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = Path("src/flask_mailhandler")
# Where changes are made, and the tests that are to notice them.
TARGETS: dict[str, tuple[str, ...]] = {
    "mime/header_block.py": ("mime", "mime_headers", "mime_stdlib", "headers"),
    "handlers/prepare.py": ("extension", "handlers", "mime_stdlib", "outbox"),
    "pages/access.py": ("access", "mailbox_extensions", "mailbox_store"),
    "app/no_sending.py": ("previews",),
    "app/settings.py": ("config", "config_secrets", "queue_config", "cli_check", "access"),
    "app/flask_mail_keys.py": ("config", "config_secrets", "cli_check"),
    "app/base_url.py": ("config", "templating_links"),
    "config/*.py": ("config", "config_secrets", "cli_check"),
    "app/queue_keys.py": ("queue_config", "queue_sqlalchemy"),
    "smtp/*.py": ("smtp_*", "stream"),
    "queue/**/*.py": ("queue*", "cli_queue"),
}
SECONDS = 300.0
"""After which a change has made the tests hang, and is noticed."""
_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Break: ast.Continue,
    ast.Continue: ast.Break,
}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A change: of the node of that number, when the tree is walked, in one of its ways."""

    path: Path
    number: int
    way: int
    tests: tuple[str, ...]

    source: str = dataclasses.field(repr=False, compare=False)

    def code(self) -> tuple[str, str]:
        """The file as it is, and changed, both in the form in which a tree is written."""
        tree = ast.parse(self.source)
        before = ast.unparse(tree)
        for node, (number, way, changed) in _changes(tree):
            if (number, way) == (self.number, self.way):
                _replace(tree, node, changed)
                break
        return before, ast.unparse(ast.fix_missing_locations(tree))

    def diff(self) -> str:
        before, after = (text.splitlines() for text in self.code())
        return "\n".join([*difflib.unified_diff(before, after, lineterm="", n=2)][2:])


def _changes(tree: ast.AST) -> Iterator[tuple[ast.AST, tuple[int, int, ast.AST]]]:
    """Each node that may be changed, and what it may become."""
    skipped = _skipped(tree)
    for number, node in enumerate(ast.walk(tree)):
        if node not in skipped:
            for way, changed in enumerate(_ways(node)):
                yield node, (number, way, changed)


def _skipped(tree: ast.AST) -> set[ast.AST]:
    """What is only read by people and type checkers: annotations, docstrings, error texts."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.arg | ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            parts = [node.returns, *node.decorator_list]
        elif isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom) or (
            (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
            or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        ):
            parts = [node]
        for part in parts:
            found.update(ast.walk(part) if part is not None else ())
    return found


def _ways(node: ast.AST) -> Iterator[ast.AST]:
    if swap := _SWAPS.get(type(node)):
        yield swap()
    match node:
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str() | bytes() as value) if value:
            yield ast.Constant(value[:0])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.If() | ast.While() | ast.IfExp():
            yield _with_test(node, ast.UnaryOp(ast.Not(), node.test))
        case ast.Return(value=ast.expr()):
            yield ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call()):
            yield ast.Pass()


def _with_test(node: ast.If | ast.While | ast.IfExp, test: ast.expr) -> ast.AST:
    changed = type(node)(**dict(ast.iter_fields(node)))
    changed.test = test
    return changed


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
                return
            if isinstance(value, list) and any(item is old for item in value):
                setattr(parent, name, [new if item is old else item for item in value])
                return


def mutants(only: Sequence[str]) -> list[Mutant]:
    """Return all changes of the files whose path holds one of *only*; without, of all."""
    found = []
    for pattern, tests in TARGETS.items():
        for path in sorted((ROOT / PACKAGE).glob(pattern)):
            short = path.relative_to(ROOT / PACKAGE)
            if any(part in str(short) for part in only or [""]):
                source = path.read_text(encoding="utf-8")
                places = [place[:2] for _, place in _changes(ast.parse(source))]
                found += [Mutant(short, number, way, tests, source) for number, way in places]
    return found


def run_tests(copy: Path, tests: tuple[str, ...]) -> bool:
    """Run the tests in a copy of the project; say whether they pass."""
    files = sorted({path for name in tests for path in (copy / "tests").rglob(f"test_{name}.py")})
    arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m"]
    arguments += ["not services and not slow", *map(str, files)]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def survives(mutant: Mutant, copies: queue.Queue[Path]) -> bool:
    """Say whether the tests pass though the package was changed."""
    copy = copies.get()
    place = copy / PACKAGE / mutant.path
    whole = place.read_bytes()
    try:
        place.write_text(mutant.code()[1], encoding="utf-8")
        return run_tests(copy, mutant.tests)
    finally:
        place.write_bytes(whole)
        copies.put(copy)


def main() -> int:
    """Draw, try, and print what was not noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--number", type=int, default=50, help="how many are drawn")
    parser.add_argument("--only", nargs="*", default=[], help="parts of paths, such as smtp/")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--minutes", type=float, default=1e9, help="none is begun after so many")
    given = parser.parse_args()
    every = mutants(given.only)
    drawn = random.Random(given.seed).sample(every, min(given.number, len(every)))
    print(f"{len(drawn)} of {len(every)} changes, --seed {given.seed}", flush=True)
    copies: queue.Queue[Path] = queue.Queue()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.jobs):
            copy = Path(folder, str(number))
            ignored = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "_build")
            shutil.copytree(ROOT, copy, ignore=ignored)
            copies.put(copy)
        wanted = {mutant.tests for mutant in drawn}
        if broken := [tests for tests in wanted if not run_tests(copy, tests)]:
            print(f"Without a change these tests fail: {broken}", file=sys.stderr)
            return 2

        end = time.monotonic() + 60 * given.minutes

        def tried(mutant: Mutant) -> bool | None:
            return survives(mutant, copies) if time.monotonic() < end else None

        with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
            outcomes = dict(zip(drawn, pool.map(tried, drawn), strict=True))
    left = [mutant for mutant, outcome in outcomes.items() if outcome]
    for mutant in left:
        print(f"\n--- {mutant.path} (not noticed)\n{mutant.diff()}")
    done = sum(outcome is not None for outcome in outcomes.values())
    print(f"\n{done - len(left)} of {done} changes were noticed, {len(left)} were not.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
