"""Whether an account is at fault for what became of a message.

A quota that is used up, a From that is not verified, a server that hangs: each of the account's
messages would meet the same. So the account rests, and its messages wait.
"""

from __future__ import annotations

import dataclasses

from ..phase import Phase
from ..phase import State
from ..report import About
from ..report import ConnectError
from ..report import LoginError
from ..report import Report
from ..report import TLSError

NO_SESSION = (ConnectError, TLSError, LoginError)
"""What no message is at fault for."""
IN_A_ROW = 3
"""Refusals in a row after which an account rests: one may be about a single message's From."""
_OF_ACCOUNT = frozenset({About.ACCOUNT, About.SENDER})


def had_no_session(report: Report) -> bool:
    """Whether the server could not be spoken to, for which no message is at fault: no session, or
    no reply to MAIL, the first command that a hanging server leaves without one."""
    error = report.error
    if isinstance(error, NO_SESSION):
        return True
    silent = all(o.state is State.DEFERRED and o.code is None for o in report.outcomes)
    return error is not None and error.phase is Phase.MAIL and silent


def is_of_account(report: Report) -> bool:
    """Whether nobody got the message for a reason that is not the message's, nor a recipient's.
    Whom the staging guard has withheld says nothing about it."""
    tried = [o for o in report.outcomes if o.code or o.about is not About.RECIPIENT]
    return bool(tried) and all(
        outcome.about in _OF_ACCOUNT and outcome.state is not State.ACCEPTED for outcome in tried
    )


@dataclasses.dataclass(slots=True)
class Faults:
    """How often in a row an account was at fault."""

    number: int = 0
    probing: bool = False
    """Whether the account has rested, and the next message shows whether it still has to."""

    def judge(self, report: Report) -> bool:
        """Count a report. Whether the account has to rest now."""
        if not is_of_account(report):
            self.number, self.probing = 0, False
            return False
        self.number += 1
        return self.probing or self.number >= IN_A_ROW or had_no_session(report)
