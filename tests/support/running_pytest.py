"""Running the tests that a page or a command has written into a folder."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t

if t.TYPE_CHECKING:
    from pathlib import Path


def run_pytest(folder: Path, *options: str, python: str = sys.executable) -> str:
    """Run the tests in a folder as a user does, and return the output. A test that fails and a
    warning are errors."""
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env={**os.environ, "no_proxy": "*"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
