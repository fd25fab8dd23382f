"""Writes messages into the folder that the mailbox page shows, and deletes the oldest."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
import typing as t
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

from .. import config
from ..address import AddressesInput
from ..address import AddressInput
from ..config import Option
from ..message.given import AnyMessage
from ..message.given import Before
from ..message.given import for_provider
from ..message.message import Message
from ..report import Job
from ..report import Outcome
from .file import FileEmailHandler
from .file import NAME
from .prepare import Prepared
from .traced import call_site
from .traced import TracedJob

DROPPED = ".dropped"
"""A file in the folder. Its size is the number of messages that were deleted."""
_OURS = ("eml", "json", "json~", "seen")


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """A message that was written.

    :param name: The name of its files, without an ending.
    """

    folder: str
    name: str
    subject: str
    recipients: Sequence[str]


def _no_template(message: AnyMessage) -> str | None:
    return None


def _unheard(kept: Kept) -> None:
    """Do nothing."""


class MailboxEmailHandler(FileEmailHandler):
    """Writes every message into a folder as :class:`.FileEmailHandler` does, with what the mailbox
    page shows of it, and deletes the oldest messages when there are too many. In an app, the
    folder is ``mail`` in the instance path if it is left out.

    .. code-block:: python

        MailboxEmailHandler(folder="mail", mailbox_messages=50).send([message])
    """

    mailbox_messages: Option[int | None, int] = Option(config.integer(1, 100_000), 200)
    """The most messages in the folder."""
    mailbox_size: Option[int | None, int] = Option(config.integer(1, 999_999_999), 64 << 20)
    """The most octets of all messages together. The newest message is kept, whatever its size."""
    template_of: Callable[[t.Any], str | None] = dataclasses.field(default=_no_template)
    """Returns the template that a message was rendered from."""
    kept: Callable[[Kept], None] = dataclasses.field(default=_unheard)
    """Called with each message that was written."""

    def prepare(
        self,
        message: AnyMessage,
        *,
        recipients: AddressesInput = None,
        envelope_sender: AddressInput | None = None,
        timeout: float | None = None,
        before: Sequence[Before] = (),
    ) -> Prepared:
        """Do what :meth:`.EmailHandler.prepare` does, and note the time and the line of code."""
        started, site = time.perf_counter(), call_site()
        prepared = FileEmailHandler.prepare(
            self,
            message,
            recipients=recipients,
            envelope_sender=envelope_sender,
            timeout=timeout,
            before=before,
        )
        if (job := prepared.job) is None:
            return prepared
        traced = TracedJob(
            job.message,
            job.message_id,
            job.envelope,
            job.content,
            job.timeout,
            job.dsn,
            job.repeats,
            job.account,
            started,
            site,
        )
        return prepared._replace(job=traced)

    def write(
        self, job: Job, outcomes: Sequence[Outcome], more: Mapping[str, object] | None = None
    ) -> str:
        """Write one message, and delete the oldest ones."""
        from ..mime.reading.summary import summary  # it loads email

        told = summary(bytes(job.content))
        facts: dict[str, object] = {"summary": told, **(more or {})}
        if isinstance(job, TracedJob):
            facts["template"] = self.template_of(job.message)
            if isinstance(job.message, Message):
                facts["tags"] = job.message.tags
                if given := for_provider(job.message):
                    facts["for_provider"] = json.dumps(given, ensure_ascii=False)
            facts["site"] = job.site
            facts["duration"] = round(time.perf_counter() - job.started, 6)
        path = FileEmailHandler.write(self, job, outcomes, facts)
        folder, name = os.path.split(path)
        # The message is written, whether or not the others can be deleted.
        with contextlib.suppress(OSError):
            drop_oldest(folder, self.mailbox_messages, self.mailbox_size)
        self.kept(Kept(folder, name, told["subject"], job.envelope.recipients))
        return path


def drop_oldest(folder: str, most: int, size: int) -> None:
    """Delete the oldest messages until at most *most* are left, with at most *size* octets. The
    newest one stays. Other processes may do the same at the same time."""
    names: dict[str, list[str]] = {}
    for file in sorted(os.listdir(folder), reverse=True):
        name, _, ending = file.rpartition(".")
        if ending in _OURS and NAME.fullmatch(name):  # the folder may hold anything
            names.setdefault(name, []).append(file)
    total = 0
    for place, (name, files) in enumerate(names.items()):
        with contextlib.suppress(OSError):
            total += os.path.getsize(os.path.join(folder, f"{name}.eml"))
        if place and (place >= most or total > size):
            # The .json first: a message is there as long as that is there.
            for file in sorted(files, key=lambda file: not file.endswith(".json")):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(folder, file))
                    if file.endswith(".json"):
                        _count_dropped(folder)


def _count_dropped(folder: str) -> None:
    """Add an octet to :data:`DROPPED`. Any number of processes may do so at once."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    handle = os.open(os.path.join(folder, DROPPED), flags, 0o600)
    try:
        os.write(handle, b".")
    finally:
        os.close(handle)
