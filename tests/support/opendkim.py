"""Debian's ``opendkim``, which verifies signatures of messages in files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from signing import Verdict

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
_SIGNATURE = re.compile(
    r"dkim=(\w+)[^;]*? header\.d=(\S+) header\.i=\S+ header\.a=\S+ header\.s=(\S+)"
)


def missing() -> str:
    """Why it cannot be used here, or ""."""
    return "" if shutil.which("opendkim", path=PATH) else "no opendkim; apt-get install opendkim"


def verified(octets: bytes, records: dict[str, str]) -> list[Verdict]:
    """The signatures of a message from the top down.

    :param records: The TXT records by their names.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "message.eml").write_bytes(octets)
        lines = [f"{record} {text}\n" for record, text in records.items()]
        (folder / "records").write_text("".join(lines))
        (folder / "opendkim.conf").write_text(
            f"Mode v\nTestDNSData file:{folder}/records\nSocket local:{folder}/socket\n"
        )
        done = subprocess.run(
            ["opendkim", "-x", folder / "opendkim.conf", "-t", folder / "message.eml", "-vv"],
            capture_output=True,
            text=True,
            env={"PATH": PATH},
            timeout=60,
        )
    found = _SIGNATURE.findall(done.stdout)
    assert found, done.stdout + done.stderr
    return [Verdict(selector, domain, said == "pass") for said, domain, selector in found]
