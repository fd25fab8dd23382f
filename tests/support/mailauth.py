"""npm's mailauth, which verifies signatures, in one long-running process."""

from __future__ import annotations

import base64
import json
import subprocess
import typing as t

from npm import NODE
from signing import Verdict


class Mailauth:
    """A context manager."""

    def __enter__(self) -> t.Self:
        self._process = subprocess.Popen(
            ["node", "dkim.mjs"],
            cwd=NODE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def verified(self, octets: bytes, records: dict[str, str]) -> list[Verdict]:
        """The signatures of a message from the top down.

        :param records: The TXT records by their names.
        """
        assert self._process.stdin and self._process.stdout
        request = {"octets": base64.b64encode(octets).decode("ascii"), "records": records}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        found = json.loads(self._process.stdout.readline())
        return [Verdict(selector, domain, said == "pass") for selector, domain, said in found]
