"""New virtual environments, with packages in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def environment(folder: Path, *packages: str | Path) -> Path:
    """Make an environment with these packages in a folder, and return its Python."""
    _run([sys.executable, "-m", "venv", "--without-pip", folder])
    python = folder / "bin" / "python"
    install(["--python", python], *packages)
    return python


def install(where: list[str | Path], *packages: str | Path) -> None:
    """Install packages. uv needs a tenth of pip's time, but it does not read pip's configuration,
    so that pip is asked where it fails.

    :param where: ``["--target", folder]``, or ``["--python", python]``.
    """
    # Otherwise uv installs what it has built of this package before.
    fresh = ["--quiet", "--refresh-package", "flask-mailhandler"]
    uv = _tried([sys.executable, "-m", "uv", "pip", "install", *fresh, *where, *packages])
    if uv.returncode:
        # pip reads --python in front of its command.
        front, behind = (where, []) if where[0] == "--python" else ([], where)
        _run([sys.executable, "-m", "pip", *front, "install", "--quiet", *behind, *packages])


def _tried(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def _run(command: list[str | Path]) -> None:
    done = _tried(command)
    assert done.returncode == 0, done.stdout + done.stderr
