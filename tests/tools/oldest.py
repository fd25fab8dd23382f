"""Print the oldest versions that pyproject.toml allows, as constraints for pip: `make oldest`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What judges the code and builds the documentation: no test needs it in an old version.
OTHERS = {"build", "mypy", "pallets-sphinx-themes", "playwright", "pyinstaller", "pyright", "ruff"}
OTHERS |= {"sphinx", "types-pymysql", "types-tinycss2"}


def oldest() -> list[str]:
    """Return ``name==version`` for all that the package and its tests need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    found = []
    for requirement in wanted:
        match = re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)(?:,<[\d.]+)?", requirement)
        assert match is not None, f"{requirement} names no oldest version"
        if match[1] not in OTHERS:
            found.append(f"{match[1]}=={match[2]}")
    return found


if __name__ == "__main__":
    print(*oldest(), sep="\n")
