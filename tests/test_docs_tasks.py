"""Each page of docs/tasks/ is a whole project: its files are written, and its tests pass."""

from __future__ import annotations

import re
import shlex
import sys
import typing as t
from pathlib import Path

import pytest

from code_blocks import captioned
from code_blocks import code_blocks
from environments import environment
from running_pytest import run_pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "tasks").glob("*.rst"))
# They use packages that the tests of the project do not.
OTHERS = {"extensions", "invoice"}


def write_files(page: Path, folder: Path) -> None:
    """Write the files that the page shows, each under the name that it has there."""
    files = captioned(page)
    for block in code_blocks(page):
        assert block.file not in files, f"{page.name} shows {block.file} twice"
        files[block.file] = block.code
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def requirements(page: Path) -> list[str]:
    """Return what the page says to install. This package is taken from its source."""
    lines = re.findall(r"^    \$ pip install (.+)$", page.read_text(encoding="utf-8"), re.M)
    wanted = [word for line in lines for word in shlex.split(line)]
    return [re.sub(r"^(Flask-MailHandler.*)", rf"\1 @ {ROOT.as_uri()}", word) for word in wanted]


def constraints(page: Path) -> list[str]:
    """Return the versions that the page says it was tested with."""
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"\b(Flask(?:-[A-Za-z]+)?)\s(\d+\.\d+\.\d+)\b", text)
    return [f"{name}=={version}" for name, version in named]


@pytest.fixture(scope="session")
def python_for(tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[Path], str]:
    """Make an environment with what a page says to install, and return its Python."""

    def make(page: Path) -> str:
        folder = tmp_path_factory.mktemp(page.stem)
        listed = folder / "constraints.txt"
        listed.write_text("\n".join(constraints(page)), encoding="utf-8")
        return str(environment(folder / "venv", "-c", listed, "pytest", *requirements(page)))

    return make


def run_tests(python: str, page: Path, folder: Path) -> None:
    """Run the tests of a page with nothing but its files. A warning is an error."""
    write_files(page, folder)
    # The page's own client is used, not the one of pytest-flask.
    output = run_pytest(folder, "-p", "no:flask", python=python)

    tests = sum(block.code.count("\ndef test_") for block in code_blocks(page))
    passed = re.search(r"(\d+) passed", output)
    assert passed is not None
    assert int(passed[1]) >= tests


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_is_a_file(page: Path) -> None:
    """A reader knows where each block of Python belongs, and at least one file holds tests."""
    names = [block.file for block in code_blocks(page)]

    assert "" not in names
    assert any(name.startswith("test_") for name in names)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.stem not in OTHERS], ids=lambda page: page.stem
)
def test_page(page: Path, tmp_path: Path) -> None:
    """The tests of the page pass."""
    run_tests(sys.executable, page, tmp_path)


@pytest.mark.services
@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.stem in OTHERS], ids=lambda page: page.stem
)
def test_page_with_other_packages(
    page: Path, python_for: t.Callable[[Path], str], tmp_path: Path
) -> None:
    """The tests of the page pass with what it says to install, in the versions that it names."""
    run_tests(python_for(page), page, tmp_path)


def test_versions_are_named() -> None:
    """The page about other extensions says which versions it was tested with."""
    assert len(constraints(ROOT / "docs" / "tasks" / "extensions.rst")) == 6
