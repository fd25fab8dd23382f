"""The legal steps of a transaction."""

from __future__ import annotations

import inspect
import re

import pytest

from flask_mailhandler import Address
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler.phase import Phase
from flask_mailhandler.smtp.delivery import Delivery
from flask_mailhandler.smtp.states import LEGAL_STEPS
from flask_mailhandler.smtp.states import SessionState
from flask_mailhandler.smtp.states import TransactionState
from flask_mailhandler.smtp.transaction import Transaction
from sending import job

ANN = "ann@example.com"


def transaction(before: SessionState = SessionState.FRESH) -> Transaction:
    """A transaction that has not begun."""
    return Transaction(
        None,  # type: ignore[arg-type]
        SMTPEmailHandler().server,
        Delivery(job(to=[ANN]), 5),
        [Address(ANN)],
        lambda phase, job: None,
        before=before,
    )


def test_table() -> None:
    """The table of the docstring is the one that is enforced."""
    lines = (inspect.getdoc(TransactionState) or "").splitlines()
    first, second, last = [number for number, line in enumerate(lines) if line.startswith("===")]
    columns = [slice(*ruler.span()) for ruler in re.finditer("=+", lines[first])]
    written: dict[str, set[str]] = {}
    state = ""
    for row in lines[second + 1 : last]:
        state = row[columns[0]].strip() or state
        written.setdefault(state, set()).update(re.findall("[A-Z_]{5,}", row[columns[3]]))

    names = {one.name: {other.name for other in others} for one, others in LEGAL_STEPS.items()}
    assert written == names


def test_no_end_without_a_content() -> None:
    """A transaction cannot end before the server may have its content."""
    with pytest.raises(AssertionError, match=r"ENVELOPE to .*ENDED"):
        transaction().enter(Phase.DONE)


def test_ended_is_the_end() -> None:
    """A transaction that a reply has ended takes no further step."""
    ended = transaction()
    ended.accepted.append(Address(ANN))
    for phase in (Phase.CONTENT, Phase.END_OF_DATA, Phase.DONE):
        ended.enter(phase)

    for phase in (Phase.CONTENT, Phase.END_OF_DATA):
        with pytest.raises(AssertionError, match="ENDED to"):
            ended.enter(phase)


@pytest.mark.parametrize("before", [SessionState.BUSY, SessionState.AHEAD])
def test_one_at_a_time(before: SessionState) -> None:
    """No transaction begins in the middle of another one."""
    with pytest.raises(AssertionError):
        transaction(before)


@pytest.mark.parametrize(
    ("before", "first"),
    [
        (SessionState.FRESH, "MAIL"),
        (SessionState.READY, "MAIL"),
        (SessionState.LEFT_OPEN, "RSET"),
    ],
)
def test_reset(before: SessionState, first: str) -> None:
    """RSET comes first only if the last transaction was left open."""
    assert transaction(before).commands[0].startswith(first)
