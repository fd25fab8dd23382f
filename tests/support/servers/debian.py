"""Debian's packages that cannot be installed next to others, unpacked into a folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path


def unpack(packages: t.Sequence[str], folder: Path) -> str:
    """Download packages and unpack them. Return why that is not possible here, or "".

    It needs the package lists of Debian 12, and root to start what is in them.
    """
    if os.geteuid() != 0:
        return "only root can start it"
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return "its package can only be unpacked on Debian"
    folder.mkdir()
    done = run(*("apt-get", "-q", "-o", "Acquire::Retries=5", "download"), *packages, cwd=folder)
    if done.returncode:
        return f"apt-get download failed: {done.stdout}{done.stderr}"
    for package in folder.glob("*.deb"):
        if (done := run("dpkg", "-x", str(package), str(folder))).returncode:
            return f"{package.name} cannot be unpacked: {done.stderr}"
        package.unlink()
    return ""


def copy_libraries(program: Path, root: Path) -> None:
    """Copy the libraries of a program into a folder to which it will be confined."""
    own = ":".join(str(path) for path in (root / "usr" / "lib").glob("*-linux-gnu*"))
    listed = run("ldd", str(program), env={"LD_LIBRARY_PATH": own, "PATH": "/usr/bin:/bin"}).stdout
    for name in re.findall(r"(/\S+) \(0x", listed):
        if not name.startswith(f"{root}/"):
            copy = root / name.lstrip("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, copy)


def run(*command: str, **options: t.Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, **options
    )
