"""What can go wrong, as a tree::

    MailError
    ├── ConfigurationError          a MAIL_* key or a handler's argument is wrong
    ├── MessageError (ValueError)   a message, an address or an attachment is wrong
    ├── DeliveryError               nobody got the message; carries its report
    │   ├── DeferredError           not taken now: sending it again later is safe
    │   │   ├── ConnectError        ─┐
    │   │   ├── TLSError             ├ no session could be had, the message is not at fault
    │   │   └── LoginError          ─┘
    │   ├── RefusedError            will never be taken as it is
    │   └── UnknownOutcomeError     it may have been taken: sending it again may double it
    ├── BatchError                  some messages of a list failed; carries all reports
    └── QueueError                  the queue could not be used; nothing was put into it

    MailWarning (UserWarning)
    └── ConfigurationWarning        a MAIL_* key that looks like a slip of the pen, or is missing

Handlers return reports and never raise a :class:`DeliveryError`; :meth:`.Mail.send` raises.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .report import Phase
    from .report import Report


class MailError(Exception):
    """The root of every error of this package."""


class ConfigurationError(MailError):
    """A ``MAIL_*`` key or a handler's argument cannot be used. The text names the key and
    says what may be written."""


class MessageError(MailError, ValueError):
    """A message, an address or an attachment cannot be sent as it is. Raised where the value
    is written, before any connection. The text names the field and says what may be written."""


class DeliveryError(MailError):
    """Nobody accepted the message.

    :param text: What happened, and what can be done about it. Text of a server in it is
        escaped and cut.
    :param phase: How far the session had come.
    :param temporary: Whether the same attempt may succeed later without anybody changing
        anything.
    """

    report: Report | None = None
    """The message's report, with the outcome of each recipient."""

    def __init__(self, text: str, *, phase: Phase | None = None, temporary: bool = True) -> None:
        super().__init__(text)
        self.phase = phase
        self.temporary = temporary

    # An exception is pickled as its class and ``args``; what is keyword-only follows as state.
    def __reduce__(self) -> tuple[t.Any, ...]:
        return type(self), self.args, self.__dict__


class DeferredError(DeliveryError):
    """Not taken now. Sending again later is safe."""


class ConnectError(DeferredError):
    """No connection, no greeting, or no EHLO: the server could not be spoken to."""


class TLSError(DeferredError):
    """The connection could not be encrypted, or the server could not prove who it is.
    Nothing was sent."""


class LoginError(DeferredError):
    """The server did not accept the login, or wants one."""


class RefusedError(DeliveryError):
    """The message will not be taken as it is (5yz). Sending it again is useless."""

    def __init__(self, text: str, *, phase: Phase | None = None, temporary: bool = False) -> None:
        super().__init__(text, phase=phase, temporary=temporary)


class UnknownOutcomeError(DeliveryError):
    """The whole message was given to the server and no valid reply came: it may have been
    accepted. It is never sent again by itself; whoever sends it again sends the same
    Message-ID."""

    def __init__(self, text: str, *, phase: Phase | None = None, temporary: bool = False) -> None:
        super().__init__(text, phase=phase, temporary=temporary)


class BatchError(MailError):
    """Of a list of messages at least one was accepted by nobody.

    :param reports: One report for each message of the list, in its order.
    """

    def __init__(self, reports: Sequence[Report]) -> None:
        self.reports: tuple[Report, ...] = tuple(reports)
        failed = [report for report in self.reports if report.failed]
        first = failed[0].error if failed else None
        super().__init__(
            f"{len(failed)} of {len(self.reports)} messages were accepted by nobody;"
            f" the first: {str(first).rstrip('.')}. See .reports for each of them."
        )

    def __reduce__(self) -> tuple[t.Any, ...]:
        return type(self), (self.reports,)


class QueueError(MailError):
    """The queue's file or database could not be used. A message that was to be sent later is not
    in the queue."""


class MailWarning(UserWarning):
    """The root of every warning of this package."""


class ConfigurationWarning(MailWarning):
    """A ``MAIL_*`` key is unknown and very like a known one, or should be set for safety's sake."""
