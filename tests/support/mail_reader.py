"""A mail parser that is not written in Python: npm's mailparser, in one long-running process."""

from __future__ import annotations

import base64
import json
import struct
import subprocess
import typing as t

from npm import NODE


class ReadFile(t.NamedTuple):
    filename: str | None
    mimetype: str
    disposition: str
    cid: str | None
    octets: bytes


class ReadMail(t.NamedTuple):
    """A message as the parser reads it. Addresses are pairs of a name and an address."""

    subject: str
    from_: list[tuple[str, str]]
    to: list[tuple[str, str]]
    cc: list[tuple[str, str]]
    text: str
    html: str
    headers: dict[str, t.Any]
    attachments: list[ReadFile]


class MailReader:
    """Parses octets. A context manager."""

    def __enter__(self) -> t.Self:
        self._process = subprocess.Popen(
            ["node", "read.mjs"], cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

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
