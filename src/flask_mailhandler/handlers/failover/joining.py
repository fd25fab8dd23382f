"""One report from those of two accounts, each of which has sent a message to some recipients."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from ...address import Address
from ...phase import State
from ...report import Outcome
from ...report import Report
from ...report import report_on
from . import rules


def joined(first: Report, second: Report, went_on: Collection[Address]) -> Report:
    """Return the report on all recipients.

    :param first: The report of the account that was tried first.
    :param second: The report of the account to which some of its recipients went on.
    :param went_on: These recipients.
    """
    second = not_final(second, first.deferred)
    kept = [one for one in first.outcomes if one.recipient not in went_on]
    if not kept:
        return second
    later = {one.recipient: one for one in _certain(second, kept).outcomes}
    outcomes = [later.get(one.recipient) or _of(first.account, one) for one in first.outcomes]
    until = None if any(one.state is State.UNKNOWN for one in outcomes) else second.safe_until
    return report_on(
        second.message,
        second.message_id,
        outcomes,
        safe_until=until,
        account=second.account,
    )


def _of(account: str, outcome: Outcome) -> Outcome:
    return outcome if outcome.account else dataclasses.replace(outcome, account=account)


def _certain(second: Report, kept: Collection[Outcome]) -> Report:
    """Return the report without a repeat that its provider would not recognize.

    A provider recognizes a repeat to the same recipients only. If others are deferred too, a retry
    would go to all of them, so the message counts as unknown for those that may have it.
    """
    if second.safe_until is None or all(one.state is not State.DEFERRED for one in kept):
        return second
    return unrecognized(second)


def not_final(report: Report, deferred: Collection[Address]) -> Report:
    """Return the report of an account that cannot send a message, if another one may do so later.

    :param deferred: The recipients for whom it may. They are deferred instead of refused.
    """
    if not any(rules.is_unable(one) and one.recipient in deferred for one in report.outcomes):
        return report
    outcomes = [
        dataclasses.replace(one, state=State.DEFERRED)
        if rules.is_unable(one) and one.recipient in deferred
        else one
        for one in report.outcomes
    ]
    until = report.safe_until
    return report_on(
        report.message, report.message_id, outcomes, safe_until=until, account=report.account
    )


def unrecognized(report: Report) -> Report:
    """Return the report of a message that its provider may not get again, but another account: the
    recipients that may have it are unknown."""
    outcomes = [
        dataclasses.replace(one, state=State.UNKNOWN) if one.state is State.DEFERRED else one
        for one in report.outcomes
    ]
    return report_on(report.message, report.message_id, outcomes, account=report.account)
