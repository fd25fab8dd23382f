"""Workers in processes of their own that share one queue."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t

if t.TYPE_CHECKING:
    from pathlib import Path

_PROGRAM = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from pathlib import Path
from queueing import Shop
here = Shop(Path(sys.argv[2]), None, **json.loads(sys.argv[3]))
print("ready", flush=True)
sys.stdin.readline()
with here.app.app_context():
    print(here.queue.run_once(), flush=True)
    here.queue.close()
"""


def start(folder: Path, **keys: t.Any) -> subprocess.Popen[str]:
    """Start a worker, which begins when it reads a line, and prints how many messages it has
    claimed."""
    arguments = [json.dumps(sys.path), str(folder), json.dumps(keys)]
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def begin(process: subprocess.Popen[str]) -> None:
    """Let a worker begin."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def together(number: int, folder: Path, **keys: t.Any) -> list[int]:
    """Let workers begin together. Return how many messages each has claimed."""
    processes = [start(folder, **keys) for _ in range(number)]
    for process in processes:
        begin(process)
    return [int(process.communicate()[0]) for process in processes]
