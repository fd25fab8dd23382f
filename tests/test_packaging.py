from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import typing as t
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "flask_mailhandler"

# Runs where only the wheel and its requirements are installed: every public name must exist.
USE_WHEEL = """
import importlib.metadata
import sys

import flask_mailhandler

assert flask_mailhandler.__all__
for name in flask_mailhandler.__all__:
    getattr(flask_mailhandler, name)
for optional in ("aiosmtpd", "pytest"):
    assert optional not in sys.modules, optional
print(importlib.metadata.version("Flask-MailHandler"))
"""


def project() -> dict[str, t.Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# Files that other programs create and delete in the project while the tests run.
LEFTOVERS = ("__pycache__", "_build", "node_modules")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel built from it. They are made of a copy of the project
    that has leftovers of its own."""
    folder, copy = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("copy") / "project"
    others = (".*", "build", "dist", "htmlcov")
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFTOVERS, *others))
    for place in ("src/flask_mailhandler/__pycache__", "tests/__pycache__", "docs/_build"):
        (copy / place).mkdir()
        (copy / place / "left.py").touch()
    (copy / "tests" / "node" / "node_modules").mkdir()
    (copy / "tests" / "node" / "node_modules" / "left.js").touch()
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, copy, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def test_dev_group_mirrors_extra() -> None:
    """The dependency group `dev` is the extra `dev`: old and new pips install the same."""
    extras = project()["project"]["optional-dependencies"]
    groups = project()["dependency-groups"]

    assert groups["dev"] == extras["dev"]


def test_dev_holds_every_extra() -> None:
    """One installation with `dev` is enough to work on everything, except to measure other
    libraries and to try other web servers."""
    extras: dict[str, list[str]] = project()["project"]["optional-dependencies"]
    dev = set(extras["dev"] + extras.pop("bench") + extras.pop("servers"))

    missing = {name: sorted(set(needs) - dev) for name, needs in extras.items()}

    assert not any(missing.values()), missing


def test_required_are_flask_and_idna() -> None:
    """The package requires Flask and idna, and nothing else."""
    assert project()["project"]["dependencies"] == ["flask>=3.0", "idna>=3.7"]


@pytest.mark.services
def test_wheel_files(wheel: Path) -> None:
    """The wheel has the package's files, its type marker and licence, and no other files."""
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    source = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert {name for name in packed if ".dist-info/" not in name} == source
    assert "flask_mailhandler/py.typed" in packed
    assert any(name.endswith(".dist-info/licenses/LICENSE.txt") for name in packed)


@pytest.mark.services
def test_sdist_files(built: Path) -> None:
    """The sdist is enough to run the tests and build the documentation, and has no leftovers."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}

    assert {"CHANGES.rst", "LICENSE.txt", "Makefile", "README.rst", "docs/conf.py"} <= packed
    assert "tests/test_packaging.py" in packed
    assert not [name for name in packed if {*LEFTOVERS}.intersection(name.split("/"))]


@pytest.mark.services
def test_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    """The wheel, installed with only its requirements, has every public name."""
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    version = run(python, "-I", "-W", "error", "-c", USE_WHEEL, cwd=tmp_path)

    assert version.strip() == project()["project"]["version"]
