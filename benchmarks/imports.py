"""The time of an import after Flask's own, and the modules that come with it.

Each import is measured in fresh interpreters, and the libraries take turns.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from .fresh import environment
from .table import table
from .targets import Target

OURS = "import flask_mailhandler"
OURS_USED = "from flask_mailhandler import Mail, Message"
FLASK_MAIL = "import flask_mail"
STATEMENTS = (OURS, OURS_USED, FLASK_MAIL, "import flask_mailman", "import email_simplified")
# Modules that `import flask_mailhandler` must not load.
HEAVY = ("asyncio", "email.headerregistry", "html.parser", "smtplib", "ssl")

_MEASURE = """
import json, sys, time
import flask
before = set(sys.modules)
start = time.perf_counter()
{statement}
seconds = time.perf_counter() - start
print(json.dumps([seconds, sorted(set(sys.modules) - before)]))
"""


def run(rounds: int) -> list[Target]:
    """Measure, print the tables, and return the targets.

    :param rounds: The number of interpreters for each import.
    """
    seconds: dict[str, list[float]] = {statement: [] for statement in STATEMENTS}
    modules: dict[str, list[str]] = {}
    # The first turn also writes the compiled files, and does not count.
    for turn in range(rounds + 1):
        for statement in STATEMENTS:
            took, modules[statement] = measure(statement)
            if turn:
                seconds[statement].append(took)
    median = {statement: statistics.median(found) for statement, found in seconds.items()}
    print("\nImports after `import flask`, in fresh interpreters:\n")
    head = ["statement", "milliseconds", "modules", *HEAVY]
    rows = [
        [
            statement,
            f"{median[statement] * 1e3:.2f}",
            str(len(modules[statement])),
            *("yes" if heavy in modules[statement] else "-" for heavy in HEAVY),
        ]
        for statement in STATEMENTS
    ]
    print(table(head, rows))
    loaded = [heavy for heavy in HEAVY if heavy in modules[OURS]]
    return [
        Target(
            f"`{OURS}`, Flask-Mail's", median[OURS] / median[FLASK_MAIL], "times its time", most=1
        ),
        Target(
            f"`{OURS_USED}`, Flask-Mail's",
            median[OURS_USED] / median[FLASK_MAIL],
            "times its time",
            most=2,
        ),
        Target(f"heavy modules loaded {loaded}", len(loaded), "modules", most=0),
    ]


def measure(statement: str, source: Path | None = None) -> tuple[float, list[str]]:
    """Return the seconds of an import in a fresh interpreter, and the modules that it loads.

    :param source: A folder of modules that are found first.
    """
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE.format(statement=statement)],
        env={**environment(), **({"PYTHONPATH": str(source)} if source else {})},
        stdout=subprocess.PIPE,
        check=True,
    )
    took, modules = json.loads(done.stdout)
    return float(took), list(modules)
