"""Captured mail, for the eyes of a test."""

from __future__ import annotations

import threading
import typing as t

from .captured import Captured as Captured
from .criteria import criteria
from .criteria import Criterion
from .criteria import meets
from .criteria import miss
from .script import Kind
from .script import Script
from .script import Scripted


class Outbox(list[Captured]):
    """A list of captured messages, first to last, that can be asked, and that can let sending
    fail."""

    def __init__(self, captured: t.Iterable[Captured] = ()) -> None:
        super().__init__(captured)
        self.script: Script = Script()
        """What is to go wrong."""
        self._changed = threading.Condition()

    def append(self, captured: Captured) -> None:
        """Add a message, and tell who waits for it."""
        with self._changed:
            super().append(captured)
            self._changed.notify_all()

    def find(
        self,
        *,
        to: Criterion = None,
        subject: Criterion = None,
        text: Criterion = None,
        html: Criterion = None,
    ) -> list[Captured]:
        """Return the messages that meet every criterion.

        A string must be one of the recipients, whatever its name and the spelling of its domain,
        be the subject, or stand in the text or HTML; a pattern must be found; a predicate must
        return something true.

        :param to: Any recipient of the envelope, Cc and Bcc included.
        """
        wanted = criteria(to, subject, text, html)
        return [c for c in [*self] if all(meets(c, *criterion) for criterion in wanted)]

    def one(
        self,
        *,
        to: Criterion = None,
        subject: Criterion = None,
        text: Criterion = None,
        html: Criterion = None,
    ) -> Captured:
        """Return the only message that meets every criterion, as :meth:`find` does.

        :raises AssertionError: that shows every captured message and the criterion it fails.
        """
        found = self.find(to=to, subject=subject, text=text, html=html)
        if len(found) == 1:
            return found[0]
        raise AssertionError(miss([*self], criteria(to, subject, text, html)))

    def wait_for(
        self,
        *,
        to: Criterion = None,
        subject: Criterion = None,
        text: Criterion = None,
        html: Criterion = None,
        timeout: float = 5.0,
    ) -> Captured:
        """Return the only message that meets every criterion as soon as it is there: for mail that
        a thread or a worker sends.

        :param timeout: Seconds to wait at most.
        :raises AssertionError: as :meth:`one`, if it has not come, or another one has too.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self.find(to=to, subject=subject, text=text, html=html), timeout
            )
            found = self.find(to=to, subject=subject, text=text, html=html)
        if len(found) == 1:
            return found[0]
        waited = None if found else timeout
        raise AssertionError(miss([*self], criteria(to, subject, text, html), waited))

    def fail(
        self,
        kind: Kind,
        *,
        to: Criterion = None,
        code: int | None = None,
        times: int | None = None,
    ) -> Scripted:
        """Let sending fail, as it would at a server that answers so: the reports, errors, signals
        and log lines are those of SMTP. Nothing that failed is captured.

        Until the test ends, or, as a context manager, to the end of its block::

            with outbox.fail("refused", to="ann@example.com"):
                ...

        Several may hold at once: one that names recipients goes before one that does not, and
        else the one that was there first.

        :param kind: ``"refused"`` and ``"deferred"`` answer recipients so; ``"unknown"`` takes the
            whole message and hangs up; at ``"connect"`` nobody answers.
        :param to: The recipients it is for, as :meth:`find` takes them. With ``"unknown"`` all
            recipients of the message share their fate.
        :param code: The reply code, such as 552, instead of 550 and 451. With ``"connect"`` the
            server greets with it.
        :param times: How many messages it is for (batches of a message are counted one by one),
            or connections. If it is left out, any number.
        :raises ValueError: for what no server does, saying what to write.
        """
        return self.script.fail(kind, to=to, code=code, times=times)
