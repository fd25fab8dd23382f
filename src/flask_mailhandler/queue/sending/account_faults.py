"""Decide whether a failed message is the account's fault, so that the account pauses.

A used-up quota, an unverified From address or a server that hangs would stop each of the account's
messages. So the account pauses, and its messages wait.
"""

from __future__ import annotations

import dataclasses

from ...phase import Phase
from ...phase import State
from ...report import About
from ...report import ConnectError
from ...report import DeferredError
from ...report import LoginError
from ...report import Report
from ...report import TLSError

NO_SESSION = (ConnectError, TLSError, LoginError)
"""The errors that are never a message's fault."""
IN_A_ROW = 3
"""Refusals in a row after which an account pauses. One alone may be about one message's From."""
_OF_ACCOUNT = frozenset({About.ACCOUNT, About.SENDER})


def had_no_session(report: Report) -> bool:
    """Whether there was no session with the server.

    It could not be opened, or the server did not reply to MAIL, the first command that a server
    which hangs leaves unanswered.
    """
    error = report.error
    if isinstance(error, NO_SESSION):
        return True
    silent = all(o.state is State.DEFERRED and o.code is None for o in report.outcomes)
    return error is not None and error.phase is Phase.MAIL and silent


def must_rest(report: Report) -> bool:
    """Whether the server wants no message now: there was no session, or it asked to wait."""
    asked = isinstance(report.error, DeferredError) and report.error.retry_after is not None
    return asked or had_no_session(report)


def is_of_account(report: Report) -> bool:
    """Whether no recipient got the message, and the reason is neither the message nor a recipient.
    Recipients that the staging guard withheld do not count."""
    tried = [o for o in report.outcomes if o.code or o.about is not About.RECIPIENT]
    return bool(tried) and all(
        outcome.about in _OF_ACCOUNT and outcome.state is not State.ACCEPTED for outcome in tried
    )


@dataclasses.dataclass(slots=True)
class Faults:
    """Counts how often in a row an account was at fault.

    ::

        number == 0 ── at fault ──▶ 1 ── at fault ──▶ 2 ── at fault ──▶ 3: the account pauses
             ▲                      │                 │
             └── any other report ──┴─────────────────┘

    Without a session, if the server asked to wait, or while *probing*, the first fault is enough.
    """

    number: int = 0
    probing: bool = False
    """Whether the account has paused and the next message shows whether it must pause again."""

    def judge(self, report: Report) -> bool:
        """Count a report, and return whether the account must pause now."""
        if not is_of_account(report):
            self.number, self.probing = 0, False
            return False
        self.number += 1
        return self.probing or self.number >= IN_A_ROW or must_rest(report)
