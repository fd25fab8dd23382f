"""Nodemailer, in a process of its own that is asked over pipes."""

from __future__ import annotations

import base64
import dataclasses
import json
import shutil
import subprocess
import typing as t
from pathlib import Path

from .cases import Case

_HERE = Path(__file__).parent


def missing() -> str:
    """Say why Nodemailer cannot be measured; "" if it can."""
    if not shutil.which("node"):
        return "there is no node"
    if not (_HERE / "node_modules" / "nodemailer").is_dir():
        return "npm has not installed it in benchmarks/"
    return ""


def version() -> str:
    """Name it with its version, for the table's caption; "" if it cannot be measured."""
    if missing():
        return ""
    package = json.loads((_HERE / "node_modules" / "nodemailer" / "package.json").read_text())
    return f", Nodemailer {package['version']}"


class Nodemailer:
    """Builds the case it was given, as often as it is asked to. A context manager."""

    def __enter__(self) -> t.Self:
        self._process = subprocess.Popen(
            ["node", "nodemailer.mjs"],
            cwd=_HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def load(self, case: Case) -> None:
        """Take the mail that is built from now on."""
        fields = dataclasses.asdict(case)
        for file in fields["files"]:
            file["data"] = base64.b64encode(file["data"]).decode("ascii")
        self._ask({"load": fields})

    def build(self) -> tuple[bytes, int]:
        """Build it once; the octets, and by how many the process has grown."""
        answer = self._ask({"build": True})
        return base64.b64decode(answer["octets"]), answer["grown"]

    def time(self, times: int) -> float:
        """Build it that often; the seconds it took."""
        return float(self._ask({"times": times})["seconds"])

    def _ask(self, request: dict[str, t.Any]) -> dict[str, t.Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, t.Any] = json.loads(self._process.stdout.readline())
        return answer
