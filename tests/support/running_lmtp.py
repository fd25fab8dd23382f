"""``flask mail bounce --lmtp`` in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import smtplib
import subprocess
import sys
import typing as t
from pathlib import Path

from signed_bounces import BOUNCES

APP = f"""\
import os
from flask import Flask
from flask_mailhandler import Mail
from flask_mailhandler.cli import lmtp

lmtp.MAX_SIZE = 6_000_000
app = Flask(__name__)
app.config.update(SECRET_KEY=os.environ.get("KEY"))
app.config.update(MAIL_BOUNCE_ADDRESS=os.environ.get("BOUNCES", "{BOUNCES}"))
mail = Mail(app)

@mail.on_event()
def note(event):
    print("told", event.recipient, event.verified, flush=True)
    if event.recipient == "slow@example.org":
        with open("gate", "w") as gate:  # a FIFO: until the test reads it
            gate.write("told")
"""


class Running:
    """The command, and what it prints."""

    def __init__(self, folder: Path, place: str, **env: str) -> None:
        (folder / "shop.py").write_text(APP)
        command = [sys.executable, "-m", "flask", "--app", "shop", "mail", "bounce"]
        with (folder / "errors").open("wb") as errors:
            self.process = subprocess.Popen(
                [*command, "--lmtp", place],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=folder,
                env={**os.environ, "FLASK_DEBUG": "0", "PYTHONUNBUFFERED": "1", **env},
            )
        self.folder = folder
        found = re.match("Waiting for bounces on (.*)[.] Press", self.line())
        assert found, (folder / "errors").read_text()
        self.place: str = found[1]

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def client(self) -> smtplib.LMTP:
        """A client after LHLO."""
        host, _, port = self.place.rpartition(":")
        client = smtplib.LMTP(host, int(port)) if host else smtplib.LMTP(self.place)
        client.ehlo("mx.example.com")
        return client

    def deliver(self, octets: bytes, *recipients: str, mail: t.Sequence[str] = ()) -> list[bytes]:
        """Deliver a message, and return the reply for each recipient."""
        with self.client() as client:
            client.mail("", [*mail])
            for recipient in recipients:
                assert client.rcpt(recipient)[0] == 250
            client.putcmd("DATA")
            assert client.getreply()[0] == 354
            client.send(octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"\r\n.\r\n")
            return [b"%d %b" % client.getreply() for _ in recipients]

    def stop(self) -> tuple[int, str]:
        """Stop it. Return the exit code, and what else it has printed."""
        self.process.send_signal(signal.SIGTERM)
        rest, _ = self.process.communicate(timeout=60)
        return self.process.returncode, rest
