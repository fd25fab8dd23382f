"""Writes messages into a folder.

Each message has two files with the same random name::

    20261120T101500.123456Z-4f1c2a9b7d3e5f60.eml     the octets as SMTP would send them
    20261120T101500.123456Z-4f1c2a9b7d3e5f60.json    envelope, report, time

The ``.json`` is written last and in one step: a message is there when its ``.json`` is there. The
mailbox page adds a ``.seen`` to a message that was opened.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import re
import secrets
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from .. import config
from ..config import Option
from ..config import URL
from ..content import Content
from ..envelope import Envelope
from ..errors import MessageError
from ..phase import Phase
from ..report import DeferredError
from ..report import Job
from ..report import Observe
from ..report import Outcome
from ..report import RefusedError
from ..report import Report
from .base import accept
from .base import EmailHandler
from .failure import failed

VERSION = 1
NAME = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9a-f]{16}")
"""Matches the name of a message's files, without an ending."""


class FileEmailHandler(EmailHandler):
    """Writes every message into a folder, and sends nothing. Any number of processes may write
    into the same folder.

    .. code-block:: python

        FileEmailHandler(folder="mail").send([message])
    """

    folder: Option[str | os.PathLike[str] | None, str] = Option(config.path, "mail")
    """The folder. The first message creates it. Only the owner can read the files."""

    @classmethod
    def options_of_url(cls, url: URL) -> dict[str, object]:
        """Read ``file:///path``."""
        return {"folder": url.path or None}

    def seal(self, content: Content) -> Content:
        """Return the content unsigned, because it is not sent. So no key is needed."""
        return content

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        """Write the jobs."""
        for job in jobs:
            observe(Phase.END_OF_DATA, job)
            report = accept(job)
            try:
                self.write(job, report.outcomes)
            except OSError as error:
                reason = f"{self.folder!r} cannot be written: {error.strerror or error}"
                report = failed(job, DeferredError(f"{reason}. Check MAIL_FOLDER."))
            except MessageError as error:  # an attached file that changed
                report = failed(job, RefusedError(str(error)))
            yield report

    def write(
        self, job: Job, outcomes: Sequence[Outcome], more: Mapping[str, object] | None = None
    ) -> str:
        """Write one message, and return the path of its files, without an ending.

        :param more: Further entries of its ``.json``.
        :raises OSError: if it cannot be written.
        :raises MessageError: if an attached file has changed.
        """
        name = store(self.folder, job.envelope, job.content, outcomes, job.message_id, more)
        return os.path.join(self.folder, name)


def store(
    folder: str,
    envelope: Envelope,
    content: Content,
    outcomes: Iterable[Outcome],
    message_id: str,
    more: Mapping[str, object] | None = None,
) -> str:
    """Write one message and return its name, without an ending.

    :param more: Further entries of its ``.json``.
    :raises OSError: if it cannot be written. No part of it is left then.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    name = f"{now:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(8)}"
    path = os.path.join(folder, name)
    facts = {
        "version": VERSION,
        "time": now.isoformat(),
        "message_id": message_id,
        "envelope": {"sender": envelope.sender, "recipients": [*envelope.recipients]},
        "size": content.size,
        "report": [dataclasses.asdict(outcome) for outcome in outcomes],
        **(more or {}),
    }
    try:
        _write(path + ".eml", content)
        _write(path + ".json~", [json.dumps(facts, indent=1).encode() + b"\n"])
        os.rename(path + ".json~", path + ".json")
    except BaseException:
        for ending in (".eml", ".json~"):
            if os.path.exists(path + ending):
                os.unlink(path + ending)
        raise
    return name


def _write(path: str, pieces: Iterable[bytes]) -> None:
    # O_EXCL never overwrites a file and does not follow a link.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        for piece in pieces:
            file.write(piece)
