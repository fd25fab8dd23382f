"""Captures messages in a list, for tests."""

from __future__ import annotations

import copy
import dataclasses
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from ..attachment import Attachment
from ..attachment import Streamed
from ..content import Content
from ..errors import MessageError
from ..message.given import AnyMessage
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

if t.TYPE_CHECKING:
    from .providers.api import APIEmailHandler
    from .providers.spelling import Spelling


class MemoryEmailHandler(EmailHandler):
    """Appends every message to :attr:`outbox` and sends nothing.

    .. code-block:: python

        handler = MemoryEmailHandler()
        handler.send([message])
        assert handler.outbox[0].subject == "Hi"
    """

    outbox: Outbox = dataclasses.field(default_factory=Outbox)
    """The messages that were captured, until the list is cleared."""
    using: str = "default"
    """The account whose messages it captures."""
    session: Mapping[str, object] = dataclasses.field(default_factory=dict)
    """The options of :class:`.SMTPEmailHandler` for a send that a test makes fail."""
    queued: bool = False
    """Whether the messages come from ``send_later``."""
    key: str = ""
    """The ``key=`` of the messages."""
    provider: APIEmailHandler | None = None
    """The handler that would have sent the messages by an API."""
    spelling: Spelling | None = None
    """The provider whose SMTP server would have got the messages."""

    def queuing(self, key: str, using: str) -> MemoryEmailHandler:
        """Return the same handler, with the same list, for messages of ``send_later``."""
        return self._changed(queued=True, key=key, using=using)

    def into(self, outbox: Outbox, using: str, session: Mapping[str, object]) -> MemoryEmailHandler:
        """Return the same handler with another list, for another account."""
        return self._changed(outbox=outbox, using=using, session=session)

    def instead_of(self, provider: APIEmailHandler) -> MemoryEmailHandler:
        """Return the same handler for messages that a provider would have sent."""
        return self._changed(provider=provider)

    def at(self, spelling: Spelling | None) -> MemoryEmailHandler:
        """Return the same handler for messages that an SMTP server of a provider would have got."""
        return self._changed(spelling=spelling) if spelling else self

    def _changed(self, **changes: t.Any) -> MemoryEmailHandler:
        changed = dataclasses.replace(self, **changes)
        vars(changed)["of_account"] = self.of_account
        return changed

    def check(self, job: Job) -> None:
        """Check that the provider could send a message as it is written."""
        if self.provider is not None:
            self.provider.check(job)
        if self.spelling is not None and isinstance(job.message, Message):
            self.spelling.header_fields(job.message)

    def seal(self, content: Content) -> Content:
        """Return the content unsigned, because it is not sent. So no key is needed."""
        return content

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        """Capture the jobs, except those that a test makes fail."""
        if self.outbox.script.pending:
            from .outbox_fail import deliver

            for job, report in deliver(jobs, observe, self.outbox.script, self.session):
                yield self._captured(job, report) if report.accepted else report
            return
        for job in jobs:
            observe(Phase.END_OF_DATA, job)
            yield self._captured(job, accept(job))

    def _captured(self, job: Job, report: Report) -> Report:
        """Capture the message for the recipients that accepted it, and report on it."""
        try:
            message, content = _in_memory(job)
        except MessageError as error:  # an attached file that changed
            return failed(job, RefusedError(str(error)))
        envelope = job.envelope if report.ok else job.envelope.to(report.accepted)
        self.outbox.append(
            Captured(
                message,
                envelope,
                content,
                report,
                self.using,
                self.queued,
                self.key,
                self.provider,
            )
        )
        return report


def _in_memory(job: Job) -> tuple[AnyMessage, Content]:
    """Read the attached files, as a send does: they may be gone when a test looks.

    :raises MessageError: if one of them has changed.
    """
    read = job.content
    content = Content(bytes(read), smtputf8=read.smtputf8, eightbit=read.eightbit)
    message = job.message
    if not isinstance(message, Message):
        return message, content
    slots = (message.attachments, message.inline_attachments, message.alternatives)
    if not any(isinstance(one.source, Streamed) for slot in slots for one in slot):
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
