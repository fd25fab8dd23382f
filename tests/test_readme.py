"""README.rst is true: its code runs, and its links and commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from code_blocks import code_blocks
from running_pytest import run_pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.rst"


def test_the_example(tmp_path: Path) -> None:
    """The app of the README and its test run as files of a new project."""
    blocks = code_blocks(README)
    for block in blocks:
        (tmp_path / block.file).write_text(block.code, encoding="utf-8")

    output = run_pytest(tmp_path)

    assert [block.file for block in blocks] == ["app.py", "test_app.py"]
    assert "1 passed" in output


def test_the_example_is_short_enough() -> None:
    """The example stays short."""
    assert sum(block.code.count("\n") for block in code_blocks(README)) < 60


@pytest.mark.parametrize("page", ["README.rst", "CONTRIBUTING.rst"])
def test_commands(page: str) -> None:
    """Every make command in it exists."""
    named = set(re.findall(r"\bmake ([a-z]+)", (ROOT / page).read_text(encoding="utf-8")))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert named
    assert named - set(re.findall(r"^([a-z]+):", makefile, re.M)) == set()


def test_links() -> None:
    """Every file that it links to exists."""
    linked = re.findall(r"<([A-Za-z/]+\.rst)>`_", README.read_text(encoding="utf-8"))

    assert linked
    assert [path for path in linked if not (ROOT / path).is_file()] == []
