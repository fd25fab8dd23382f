"""Envelope, content and report: the recipients, the octets, and the results."""

from __future__ import annotations

import pickle
import typing as t
from collections.abc import Iterator

import pytest

from flask_mailhandler import Address
from flask_mailhandler import BatchError
from flask_mailhandler import DeferredError
from flask_mailhandler import DeliveryError
from flask_mailhandler import LoginError
from flask_mailhandler import MailError
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler import RefusedError
from flask_mailhandler import UnknownOutcomeError
from flask_mailhandler.content import Content
from flask_mailhandler.envelope import Envelope
from flask_mailhandler.phase import Phase
from flask_mailhandler.phase import State
from flask_mailhandler.report import conclude
from flask_mailhandler.report import Job
from flask_mailhandler.report import Outcome

A, B, C = (Address(f"{letter}@example.com") for letter in "abc")


def test_envelope() -> None:
    """The recipients stay in order, each once; strings become addresses."""
    envelope = Envelope("s@example.com", ["a@example.com", B, "a@EXAMPLE.com"])

    assert envelope.sender == "s@example.com"
    assert envelope.recipients == [A, B]
    assert envelope == Envelope(Address("s@example.com"), (A, B))
    assert envelope.to([C]) == Envelope("s@example.com", [C])
    assert pickle.loads(pickle.dumps(envelope)) == envelope


@pytest.mark.parametrize(("sender", "recipients"), [("x", [A]), ("s@example.com", []), ("", ["x"])])
def test_wrong_envelopes(sender: str, recipients: list[str]) -> None:
    """An envelope is checked when it is created."""
    with pytest.raises(MessageError):
        Envelope(sender, recipients)


@pytest.mark.parametrize(
    ("size", "expect"), [(None, [3]), (1, [1, 1, 1]), (2, [2, 1]), (3, [3]), (4, [3])]
)
def test_batches(size: int | None, expect: list[int]) -> None:
    """C-18: each batch has at most that many recipients, in order, and together they have all."""
    envelope = Envelope("", [A, B, C])

    batches = list(envelope.batches(size))

    assert [len(batch.recipients) for batch in batches] == expect
    assert [one for batch in batches for one in batch.recipients] == [A, B, C]
    assert all(batch.sender == "" for batch in batches)


class Repeated:
    """A piece that is produced while it is read."""

    size = 6

    def __iter__(self) -> Iterator[bytes]:
        yield b"abc"
        yield b"def"


def test_content() -> None:
    """C-67: a content knows its size, and gives the same octets again and again."""
    content = Content([b"x\r\n", Repeated(), b"\r\n"])

    assert content.size == 11
    assert list(content) == list(content) == [b"x\r\n", b"abc", b"def", b"\r\n"]
    assert bytes(content) == b"x\r\nabcdef\r\n"
    assert content == Content(b"x\r\nabcdef\r\n")
    assert content != Content(b"x\r\n")
    assert content != b"x\r\nabcdef\r\n"
    assert bytes(Content([])) == b""


def test_content_repr() -> None:
    """The repr shows which extensions a server must offer."""
    assert repr(Content(b"x\r\n")) == "<Content 3 octets>"
    assert repr(Content(b"", smtputf8=True, eightbit=True)) == "<Content 0 octets smtputf8 8bit>"


def job() -> Job:
    message = Message(from_addr=A, to=[A, B, C], text="x", message_id="<1@example.com>")
    return Job(message, "<1@example.com>", message.envelope(), Content(b"x\r\n"))


def outcomes(*states: State) -> list[Outcome]:
    return [
        Outcome(address, state, 550, "5.1.1", "no")
        for address, state in zip((A, B, C), states, strict=False)
    ]


ACCEPTED, DEFERRED, REFUSED, UNKNOWN = State


@pytest.mark.parametrize(
    ("states", "ok", "failed", "error"),
    [
        ((ACCEPTED, ACCEPTED, ACCEPTED), True, False, None),
        ((ACCEPTED, REFUSED, ACCEPTED), False, False, RefusedError),
        ((REFUSED, REFUSED, REFUSED), False, True, RefusedError),
        ((DEFERRED, REFUSED, REFUSED), False, True, DeferredError),
        ((DEFERRED, UNKNOWN, REFUSED), False, True, UnknownOutcomeError),
        ((), False, False, None),
    ],
)
def test_report(
    states: tuple[State, ...], ok: bool, failed: bool, error: type[DeliveryError] | None
) -> None:
    """The error is the gravest: unknown before deferred before refused. A report has failed if no
    recipient was accepted."""
    report = conclude(job(), outcomes(*states))

    assert (report.ok, report.failed) == (ok, failed)
    assert (type(report.error) if report.error else None) is error
    if report.error is not None:
        assert report.error.report is report
        with pytest.raises(DeliveryError, match="recipients"):
            report.raise_for_failures()
    else:
        report.raise_for_failures()


def test_report_sorts_recipients() -> None:
    """Each recipient is in exactly one of the four lists."""
    report = conclude(job(), outcomes(ACCEPTED, DEFERRED, UNKNOWN))

    assert report.accepted == [A]
    assert report.deferred == [B]
    assert report.refused == []
    assert report.unknown == [C]
    assert repr(report) == "<Report <1@example.com> accepted=1 deferred=1 unknown=1>"
    assert repr(conclude(job(), [])) == "<Report <1@example.com> stopped>"


def test_report_with_a_known_error() -> None:
    """An error passed to conclude() is the error of the report."""
    error = LoginError("535", phase=Phase.AUTH, temporary=False)

    report = conclude(job(), outcomes(DEFERRED, DEFERRED, DEFERRED), error)

    assert report.error is error
    assert error.report is report


def test_outcome() -> None:
    """The text of an outcome fits into a line of a log."""
    assert str(Outcome(A, REFUSED, 550, "5.1.1", "no such user")) == (
        "a@example.com refused: 550 5.1.1 no such user"
    )
    assert str(Outcome(A, ACCEPTED)) == "a@example.com accepted"


def test_phases() -> None:
    """Phases are ordered, and their texts are words."""
    assert Phase.CONTENT < Phase.END_OF_DATA < Phase.DONE
    assert str(Phase.END_OF_DATA) == "end of data"


@pytest.mark.parametrize(
    "error",
    [
        MailError("x"),
        MessageError("x"),
        DeferredError("x", phase=Phase.MAIL),
        LoginError("x", phase=Phase.AUTH, temporary=False),
        RefusedError("x"),
        UnknownOutcomeError("x", phase=Phase.END_OF_DATA),
        BatchError([conclude(job(), outcomes(REFUSED))]),
    ],
)
def test_errors_survive_pickle(error: MailError) -> None:
    """A pickled error keeps its class, its text and its attributes."""
    found = pickle.loads(pickle.dumps(error))

    assert type(found) is type(error)
    assert str(found) == str(error)
    if isinstance(error, DeliveryError) and isinstance(found, DeliveryError):
        assert (found.phase, found.temporary) == (error.phase, error.temporary)


def test_an_error_with_its_report_survives_pickle() -> None:
    """A pickled error keeps its report."""
    error = t.cast(DeliveryError, conclude(job(), outcomes(REFUSED, REFUSED, REFUSED)).error)

    found = pickle.loads(pickle.dumps(error))

    assert found.report.refused == [A, B, C]


def test_batch_error() -> None:
    """The text has the number of failures and the first error."""
    reports = [conclude(job(), outcomes(state)) for state in (ACCEPTED, REFUSED, DEFERRED)]

    error = BatchError(reports)

    assert error.reports == tuple(reports)
    assert str(error).startswith(
        "2 of 3 messages were accepted for no recipient. The first error: 1 of 1"
    )
