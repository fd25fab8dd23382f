"""Printing messages, for people who develop."""

from __future__ import annotations

import dataclasses
import sys
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator

from .. import config
from ..config import Option
from ..report import Job
from ..report import Observe
from ..report import Phase
from ..report import Report
from .base import accept
from .base import EmailHandler

_WIDTH = 78


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ConsoleEmailHandler(EmailHandler):
    """Prints every message as a block that a person can read, and sends nothing."""

    stream: Option[t.TextIO | None, t.TextIO | None] = Option(config.anything, None)
    """Where to print: standard output as it is at that time, if it is left out."""

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        """Print the jobs."""
        for job in jobs:
            observe(Phase.END_OF_DATA, job)
            stream = self.stream or sys.stdout
            # One write, so that the lines of two threads do not mix.
            stream.write(block(job))
            stream.flush()
            yield accept(job)


def block(job: Job) -> str:
    """A message as text: the envelope with all recipients, the header, the text, and what is
    attached. Control characters are shown, not obeyed by the terminal."""
    import email.policy  # 10 ms, and most processes print no mail

    parsed = email.message_from_bytes(bytes(job.content), policy=email.policy.default)
    body = t.cast(t.Any, parsed).get_body(("plain", "html"))
    lines = [
        " mail ".center(_WIDTH, "="),
        f"Envelope from: {job.envelope.sender or '<>'}",
        f"Envelope to:   {', '.join(job.envelope.recipients)}",
        "-" * _WIDTH,
        *(f"{name}: {value}" for name, value in parsed.items()),
        "",
        *(str(body.get_content()) if body else "").rstrip().splitlines(),
        *_attached(parsed),
        "=" * _WIDTH,
    ]
    return "\n".join(visible(line) for line in lines) + "\n"


def _attached(parsed: t.Any) -> Iterator[str]:
    parts = [
        part for part in parsed.walk() if part.get_filename() or part.get_content_disposition()
    ]
    if parts:
        yield ""
    for part in parts:
        size = len(part.get_payload(decode=True) or b"")
        name = part.get_filename() or part.get("Content-ID") or "no name"
        kind = f"{part.get_content_disposition()}: {name}, {part.get_content_type()}"
        yield f"[{kind}, {size} octets]"


def visible(text: str) -> str:
    """Make control characters visible: an escape sequence in a mail must not reach a terminal
    (TAB stays)."""
    return "".join(c if c == "\t" or c.isprintable() else ascii(c)[1:-1] for c in text)
