"""Programs written for Node.js, installed on first use."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

NODE = Path(__file__).parents[1] / "node"


def missing() -> str:
    """Install the programs if possible. Return why they are missing, or ""."""
    if not shutil.which("node"):
        return "node is not installed"
    # Only one of xdist's workers installs; the others wait.
    with (NODE / "package.json").open() as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if _is_installed():
            return ""
        if not shutil.which("npm"):
            return "npm is not installed"
        done = subprocess.run(
            ["npm", "ci", "--silent", "--no-audit", "--no-fund"],
            cwd=NODE,
            capture_output=True,
            text=True,
            timeout=300,
        )
        return f"npm failed: {done.stdout}{done.stderr}" if done.returncode else ""


def _is_installed() -> bool:
    """Whether the current versions are installed."""
    done = NODE / "node_modules" / ".package-lock.json"
    wanted = NODE / "package-lock.json"
    return done.exists() and done.stat().st_mtime >= wanted.stat().st_mtime
