"""When a message may go on to another account, and when an account counts as down.

=====================================  =======================  ==================================
what the first account reports         the recipients           why
=====================================  =======================  ==================================
accepted                               stay                     they have the message
unknown, of any recipient              all stay                 the message may have been taken
deferred, a repeat is recognized       all stay                 so may this one, by this provider
refused or deferred: a recipient,      stay                     another account would get the same
or the content                                                  reply, or the reply is right
deferred or refused: the account       go on                    no session, a refused login, a
                                                                quota, a connection that broke
                                                                before the end of data
deferred or refused: the sender        go on                    another account may send as it
4yz to MAIL                            go on                    the server takes no message now
not offered: the size, 8 bits, UTF-8   go on                    the server was not asked
=====================================  =======================  ==================================
"""

from __future__ import annotations

from ...address import Addresses
from ...address import NOBODY
from ...phase import Phase
from ...phase import State
from ...report import About
from ...report import DeferredError
from ...report import LoginError
from ...report import Outcome
from ...report import Report

_OF_ACCOUNT = frozenset({About.ACCOUNT, About.SENDER})
_NOT_TAKEN = frozenset({State.DEFERRED, State.REFUSED})
PAUSE = 5.0
"""Seconds for which an account rests that is down; twice as long each time it is down again."""
LONGEST_PAUSE = 300.0
_SHOWN = 200


def may_go_on(report: Report) -> Addresses:
    """Return the recipients for whom another account may send the message: nothing can have been
    taken for them, and the reason is not a recipient or the content."""
    if report.error is None or report.safe_until is not None or report.unknown:
        return NOBODY
    at_mail = report.error.phase is Phase.MAIL
    return Addresses([one.recipient for one in report.outcomes if _may_go_on(one, at_mail=at_mail)])


def _may_go_on(one: Outcome, *, at_mail: bool) -> bool:
    if one.about in _OF_ACCOUNT:
        return one.state in _NOT_TAKEN
    of_server = one.state is State.DEFERRED or is_unable(one)
    return at_mail and of_server and one.about is not About.RECIPIENT


def is_unable(one: Outcome) -> bool:
    """Whether a recipient was refused, and another account may send the message all the same: this
    account may not, or its server does not offer what the message needs, and was not asked."""
    return one.state is State.REFUSED and (one.about in _OF_ACCOUNT or one.code is None)


def is_down(report: Report) -> bool:
    """Whether the account would most likely fail with the next message, too.

    A server that does not reply to the end of data counts as well, although its message stays.
    """
    if report.accepted:
        return False
    if isinstance(report.error, DeferredError) and report.error.retry_after is not None:
        return True
    tried = [one for one in report.outcomes if one.code or one.about is not About.RECIPIENT]
    return bool(tried) and all(one.about is About.ACCOUNT for one in tried)


def takes_nothing(report: Report) -> bool:
    """Whether the next message would fail as well: the server did not reply, refuses the login, or
    asked to wait. What it replied to a message may be true of that message alone."""
    error = report.error
    silent = all(one.code is None for one in report.outcomes)
    if isinstance(error, LoginError) or (silent and report.deferred):
        return True
    return isinstance(error, DeferredError) and error.retry_after is not None


def has_replied(report: Report) -> bool:
    """Whether the server has replied. A message that cannot be signed does not get so far."""
    return any(one.code or one.state is State.ACCEPTED for one in report.outcomes)


def pause(times: int) -> float:
    """Return the seconds for which an account rests that was down so many times in a row."""
    return float(min(PAUSE * 2.0 ** min(max(times - 1, 0), 30), LONGEST_PAUSE))


def retry_after(report: Report) -> float:
    """Return the seconds for which the server wants no message."""
    error = report.error
    return (error.retry_after or 0.0) if isinstance(error, DeferredError) else 0.0


def reason(report: Report) -> str:
    """Return why an account is down, in a few words."""
    return str(report.error or "")[:_SHOWN]
