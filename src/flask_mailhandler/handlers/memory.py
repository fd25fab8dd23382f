"""Keeping messages in a list, for tests."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from ..attachment import Attachment
from ..attachment import File
from ..content import Content
from ..errors import MessageError
from ..message.message import Message
from ..phase import Phase
from ..report import Job
from ..report import Observe
from ..report import RefusedError
from ..report import Report
from ..testing.captured import Captured
from ..testing.outbox import Outbox
from .base import accept
from .base import EmailHandler
from .failure import failed
from .prepare import AnyMessage


class MemoryEmailHandler(EmailHandler):
    """Appends every message to :attr:`outbox` and sends nothing."""

    outbox: Outbox = dataclasses.field(default_factory=Outbox)
    """What was captured so far, until somebody clears it."""
    using: str = "default"
    """The account that it stands for."""
    session: Mapping[str, object] = dataclasses.field(default_factory=dict)
    """The options of :class:`.SMTPEmailHandler` that hold when sending is to fail."""
    queued: bool = False
    """Whether what it captures was to be sent later."""
    key: str = ""
    """The key of what it captures."""

    def queuing(self, key: str, using: str) -> MemoryEmailHandler:
        """Return the same handler, with the same list, for messages that were to be sent later."""
        return dataclasses.replace(self, queued=True, key=key, using=using)

    def into(self, outbox: Outbox, using: str, session: Mapping[str, object]) -> MemoryEmailHandler:
        """Return the same handler with another list, for another account."""
        return dataclasses.replace(self, outbox=outbox, using=using, session=session)

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        """Capture the jobs; where some are to fail, those that do not."""
        if self.outbox.script.pending:
            from .failing import deliver

            for job, report in deliver(jobs, observe, self.outbox.script, self.session):
                yield self._captured(job, report) if report.accepted else report
            return
        for job in jobs:
            observe(Phase.END_OF_DATA, job)
            yield self._captured(job, accept(job))

    def _captured(self, job: Job, report: Report) -> Report:
        """Keep the message of those who have accepted it, and report on it."""
        try:
            message, content = _in_memory(job)
        except MessageError as error:  # an attached file that changed
            return failed(job, RefusedError(str(error)))
        envelope = job.envelope if report.ok else job.envelope.to(report.accepted)
        self.outbox.append(
            Captured(message, envelope, content, report, self.using, self.queued, self.key)
        )
        return report


def _in_memory(job: Job) -> tuple[AnyMessage, Content]:
    """Read the attached files, as sending would: a test may look when they are gone.

    :raises MessageError: if one of them has changed.
    """
    read = job.content
    content = Content(bytes(read), smtputf8=read.smtputf8, eightbit=read.eightbit)
    message = job.message
    if not isinstance(message, Message):
        return message, content
    slots = (message.attachments, message.inline_attachments, message.alternatives)
    if not any(isinstance(one.source, File) for slot in slots for one in slot):
        return message, content
    attached, inline, alternatives = ([_pinned(one) for one in slot] for slot in slots)
    message = message.completed(
        attachments=attached, inline_attachments=inline, alternatives=alternatives
    )
    return message, content


def _pinned(attachment: Attachment) -> Attachment:
    copied = copy.copy(attachment)  # with its Content-ID
    object.__setattr__(copied, "source", attachment.data)
    return copied
