"""Packages that send through Flask-Mail or Flask-Mailman, in an environment of their own."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "argon2-cffi>=23",
    "celery>=5.4",
    "flask-appbuilder==5.3.0",
    "flask-mail==0.10.0",
    "flask-mailman==1.1.1",
    "flask-praetorian==1.6.2",
    "flask-security==5.9.2",
    "flask-user==1.0.2.2",
)
# It wants Flask-Mail < 0.10, whose names it gets from us.
ALONE = ("invenio-mail==2.3.1",)


class PackageVenv:
    """The environment, which all of xdist's workers share.

    :param folder: Where it is made, by the first of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._python = folder / "bin" / "python"

    def missing(self) -> str:
        """Make the environment if it is not there. Return why it is missing, or ""."""
        self._folder.mkdir(exist_ok=True)
        with (self._folder / "lock").open("w") as alone:
            fcntl.flock(alone, fcntl.LOCK_EX)
            if (self._folder / "ready").exists():
                return ""
            install = [str(self._python), "-m", "pip", "install", "--quiet"]
            for command in (
                [sys.executable, "-m", "venv", str(self._folder)],
                [*install, *PACKAGES],
                [*install, "--no-deps", *ALONE],
            ):
                done = subprocess.run(command, capture_output=True, text=True, timeout=600)
                if done.returncode:
                    return f"pip failed: {done.stdout}{done.stderr}"
            (self._folder / "ready").touch()
        return ""

    def run(self, program: Path, *arguments: str) -> list[str]:
        """Run a program with the packages, and return the lines that it printed."""
        done = subprocess.run(
            [str(self._python), str(program), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()
