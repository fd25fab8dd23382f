"""Packages that send through Flask-Mail or Flask-Mailman, in an environment of their own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from environments import environment
from environments import install

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
ALONE = ("--no-deps", "invenio-mail==2.3.1")


class PackageVenv:
    """The environment.

    :param folder: Where to make it.
    """

    def __init__(self, folder: Path) -> None:
        self._python = environment(folder, *PACKAGES)
        install(["--python", self._python], *ALONE)

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
