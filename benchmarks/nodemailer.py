"""Nodemailer, in its own process."""

from __future__ import annotations

import base64
import json
import shutil
import typing as t
from collections.abc import Sequence
from pathlib import Path

from .cases import Case
from .cases import to_json
from .program import Program
from .senders import Spent
from .servers import Site

NODE = "Nodemailer"

_HERE = Path(__file__).parent


def missing() -> str:
    """Return why Nodemailer cannot be measured, or "" if it can."""
    if not shutil.which("node"):
        return "node is not installed"
    if not (_HERE / "node_modules" / "nodemailer").is_dir():
        return "run npm ci in benchmarks/ first"
    return ""


def version() -> str:
    """Return its name and version for the table's caption, or "" if it cannot be measured."""
    if missing():
        return ""
    package = json.loads((_HERE / "node_modules" / "nodemailer" / "package.json").read_text())
    return f", Nodemailer {package['version']}"


class Nodemailer(Program):
    """Builds and sends the loaded case. A context manager."""

    def __init__(self) -> None:
        super().__init__("node", "nodemailer.mjs", folder=_HERE)

    def load(self, case: Case) -> None:
        """Set the mail that is built and sent."""
        self.ask({"load": to_json(case)})

    def build(self) -> tuple[bytes, int]:
        """Build it once. Return its octets, and by how many octets the process has grown."""
        answer = self.ask({"build": True})
        return base64.b64decode(answer["octets"]), answer["grown"]

    def time(self, times: int) -> float:
        """Build it this many times, and return the seconds."""
        return float(self.ask({"times": times})["seconds"])

    def connect(self, options: dict[str, t.Any]) -> None:
        """Set the transport by its options."""
        self.ask({"connect": options})

    def send(self, times: int) -> list[float]:
        """Send it this many times, one after the other, and return the seconds of each."""
        return t.cast("list[float]", self.ask({"send": times})["seconds"])

    def send_all(self, several: Sequence[dict[str, t.Any]]) -> dict[str, float]:
        """Send it with each of these fields changed, all at once. Return ``seconds``, ``cpu`` in
        seconds, and by how many octets the process has ``grown``."""
        return t.cast("dict[str, float]", self.ask({"all": several}))


class Node:
    """Nodemailer as a sender, with a pool of one connection.

    :param ca_file: The authorities to trust.
    """

    def __init__(self, node: Nodemailer, site: Site, ca_file: str = "") -> None:
        user, password = site.login or ("", "")
        self._node = node
        self._options = {
            "host": site.host,
            "port": site.port,
            "secure": site.security == "tls",
            "requireTLS": site.security == "starttls",
            "ignoreTLS": site.security == "none",
            "auth": {"user": user, "pass": password} if user else None,
            "pool": True,
            "maxConnections": 1,
            "maxMessages": 1_000_000,
            "ca": ca_file,
        }

    def open(self) -> t.Self:
        """Open a new pool."""
        self._node.connect(self._options)
        return self

    def one(self, case: Case, times: int) -> list[float]:
        self._node.load(case)
        return self._node.send(times)

    def many(self, cases: Sequence[Case]) -> Spent:
        self.open()
        self._node.load(cases[0])
        found = self._node.send_all([{"to": case.recipients, "bcc": case.bcc} for case in cases])
        return Spent(found["seconds"], found["cpu"])
