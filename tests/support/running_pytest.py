"""Running the tests that a page or a command has written into a folder."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t

if t.TYPE_CHECKING:
    from pathlib import Path

ALONE = ["-p", "no:hypothesispytest", "-p", "no:xdist", "-p", "no:xdist.looponfail"]
"""pytest without plugins that only our own tests use. Loading them takes as long as the rest."""


def unmeasured() -> dict[str, str]:
    """Return the environment without what measures coverage in child processes: other tests run the
    same lines, and pytest takes twice as long with it."""
    left_out = "COVERAGE_PROCESS_CONFIG"
    return {name: value for name, value in os.environ.items() if name != left_out}


def run_pytest(folder: Path, *options: str, python: str = sys.executable) -> str:
    """Run the tests in a folder as a user does, and return the output. A test that fails and a
    warning are errors."""
    done = subprocess.run(
        [python, "-m", "pytest", *ALONE, "-q", "-W", "error", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env={**unmeasured(), "no_proxy": "*"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
