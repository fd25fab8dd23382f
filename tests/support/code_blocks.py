"""The code blocks in the documentation, for the tests that run them.

A block is run unless a comment above it says why not::

    .. not run: Flask-Mail

    .. code-block:: python

        ...

A block that begins with a file's name, ``# conftest.py``, is that file. A block of another language
with a caption is the file that the caption names.
"""

from __future__ import annotations

import dataclasses
import re
import textwrap
import typing as t
from pathlib import Path

_DIRECTIVE = re.compile(r"( *)\.\. code-block:: python\n")
_CAPTION = re.compile(r"\.\. code-block:: \S+\n    :caption: (\S+)\n\n")
_NOT_RUN = re.compile(r" *\.\. not run: (.+)")
_FILE = re.compile(r"# ([a-z_/]+\.py)\n")


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of Python code."""

    page: Path
    line: int
    """The line on which it begins."""
    code: str
    not_run: str
    """Why it is not run, or ""."""

    @property
    def file(self) -> str:
        """The name of the file that it is written to, or ""."""
        found = _FILE.match(self.code)
        return found[1] if found else ""

    def run(self, namespace: dict[str, t.Any]) -> None:
        """Run the block. A traceback shows the page and the line."""
        source = "\n" * (self.line - 1) + self.code
        # Not under this file's own "from __future__ import annotations".
        exec(compile(source, str(self.page), "exec", dont_inherit=True), namespace)


def code_blocks(page: Path) -> list[Block]:
    """Return the blocks of Python code of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    found = []
    for number, line in enumerate(lines):
        directive = _DIRECTIVE.match(line)
        if not directive:
            continue
        body = _indented(lines[number + 1 :], len(directive[1]))
        reason = _NOT_RUN.match(lines[number - 2]) if number > 1 else None
        skipped = len(body) - len(body.lstrip("\n"))
        code = textwrap.dedent(body.strip("\n")) + "\n"
        found.append(Block(page, number + 2 + skipped, code, reason[1] if reason else ""))
    return found


def captioned(page: Path) -> dict[str, str]:
    """Return the files named in captions, each with its text."""
    text = page.read_text(encoding="utf-8")
    return {
        found[1]: textwrap.dedent(_indented(text[found.end() :].splitlines(keepends=True), 0))
        for found in _CAPTION.finditer(text)
    }


def _indented(lines: list[str], indent: int) -> str:
    """The lines of a directive with this indentation."""
    body = []
    for line in lines:
        if line.strip() and not line.startswith(" " * (indent + 1)):
            break
        body.append(line if line.strip() else "\n")
    return "".join(body)
