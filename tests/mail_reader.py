"""A reader of mail that is not Python: npm's mailparser, in one long-running process."""

from __future__ import annotations

import base64
import fcntl
import json
import shutil
import struct
import subprocess
import typing as t
from pathlib import Path

NODE = Path(__file__).parent / "node"


class ReadFile(t.NamedTuple):
    filename: str | None
    mimetype: str
    disposition: str
    cid: str | None
    octets: bytes


class ReadMail(t.NamedTuple):
    """What the reader found. Addresses are (name, mailbox) pairs."""

    subject: str
    from_: list[tuple[str, str]]
    to: list[tuple[str, str]]
    cc: list[tuple[str, str]]
    text: str
    html: str
    headers: dict[str, t.Any]
    attachments: list[ReadFile]


def missing() -> str:
    """Say why there is no reader, having installed it if it can be; "" if there is one."""
    if not shutil.which("node"):
        return "node is not installed"
    # Only one of xdist's workers installs; the others wait.
    with (NODE / "package.json").open() as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if (NODE / "node_modules" / ".package-lock.json").exists():
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


class MailReader:
    """Reads octets. A context manager."""

    def __enter__(self) -> t.Self:
        self._process = subprocess.Popen(
            ["node", "read.mjs"], cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    def read(self, octets: bytes) -> ReadMail:
        assert self._process.stdin
        self._process.stdin.write(struct.pack(">I", len(octets)) + octets)
        self._process.stdin.flush()
        (size,) = struct.unpack(">I", self._take(4))
        found = json.loads(self._take(size))
        pairs = {
            field: [(name, mailbox) for name, mailbox in found[field]]
            for field in ("from", "to", "cc")
        }
        return ReadMail(
            found["subject"],
            pairs["from"],
            pairs["to"],
            pairs["cc"],
            found["text"],
            found["html"],
            found["headers"],
            [
                ReadFile(
                    part["filename"],
                    part["contentType"],
                    part["disposition"],
                    part["cid"],
                    base64.b64decode(part["octets"]),
                )
                for part in found["attachments"]
            ],
        )

    def _take(self, size: int) -> bytes:
        assert self._process.stdout
        taken = self._process.stdout.read(size)
        assert len(taken) == size, "The reader has ended."
        return taken
