"""Values that do not change are dataclasses, though none of their methods is generated."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import typing as t

import pytest

from flask_mailhandler import About
from flask_mailhandler import Address
from flask_mailhandler import Attachment
from flask_mailhandler import Content
from flask_mailhandler import Envelope
from flask_mailhandler import Job
from flask_mailhandler import Message
from flask_mailhandler import Outcome
from flask_mailhandler import Report
from flask_mailhandler import State
from flask_mailhandler.attachment import File
from flask_mailhandler.frozen import Frozen

ANN = Address("Ann <ann@example.com>")
MESSAGE = Message(subject="Hi", text="Hello", from_addr="shop@example.com", to=ANN)
OUTCOME = Outcome(ANN, State.REFUSED, 550, "5.1.1", "No such user")
ENVELOPE = Envelope("shop@example.com", [ANN])
REPORT = Report(MESSAGE, "<a@b.example>", (OUTCOME,))
JOB = Job(MESSAGE, "<a@b.example>", ENVELOPE, Content(b"Hi\r\n"), 2.5)
FILE = File("/tmp/bill.pdf", 7, 1, 2)
VALUES: list[Frozen] = [
    OUTCOME,
    ENVELOPE,
    REPORT,
    JOB,
    FILE,
    Attachment("Hi", filename="a.txt", cid="a@b"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_equal_values(value: Frozen) -> None:
    """A copy and an unpickled value are equal to the original, and have its hash if it has one."""
    copies = [copy.copy(value), copy.deepcopy(value)]
    if value is not JOB:  # a Content is not pickled
        copies.append(pickle.loads(pickle.dumps(value)))

    assert all(one == value and type(one) is type(value) for one in copies)
    assert value != object()
    if value is not JOB:
        assert {*copies} == {value}


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_do_not_change(value: Frozen) -> None:
    """No field can be set or deleted."""
    name = dataclasses.fields(value)[0].name

    with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot assign to field '{name}'"):
        setattr(value, name, None)
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot delete field '{name}'"):
        delattr(value, name)


def test_dataclass_functions() -> None:
    """``replace``, ``asdict`` and ``fields`` work, and fields have their defaults."""
    other = dataclasses.replace(OUTCOME, text="Mailbox full", about=About.SENDER)

    assert other == Outcome(ANN, State.REFUSED, 550, "5.1.1", "Mailbox full", About.SENDER)
    assert dataclasses.asdict(OUTCOME)["code"] == 550
    assert repr(FILE) == "File(path='/tmp/bill.pdf', size=7, inode=1, mtime_ns=2)"
    defaults = {field.name: field.default for field in dataclasses.fields(Outcome)}
    parameters = inspect.signature(Outcome).parameters
    assert [*parameters] == [*defaults]
    assert all(
        default is dataclasses.MISSING
        if parameters[name].default is inspect.Parameter.empty
        else default == parameters[name].default
        for name, default in defaults.items()
    )


def test_a_dataclass_of_your_own() -> None:
    """A frozen dataclass may derive from a job or an outcome, and inherits its defaults."""

    class Plain(Job):
        __slots__ = ()

    @dataclasses.dataclass(frozen=True)
    class Scored(Outcome):
        score: float = 0.5

    @dataclasses.dataclass(frozen=True, slots=True)
    class Slotted(Outcome):
        score: float = 0.5

    for kind in (Scored, Slotted):
        scored = kind(ANN, State.ACCEPTED, score=1.0)
        assert (scored.score, scored.text, scored.state) == (1.0, "", State.ACCEPTED)
        assert dataclasses.replace(scored, code=250).code == 250
    assert Plain(MESSAGE, "<a@b.example>", ENVELOPE, JOB.content).timeout is None


class Place(Frozen):
    """A value with the constructor of its base."""

    host: str
    port: int = 25
    marks: list[str] = dataclasses.field(default_factory=list)


def test_the_general_constructor() -> None:
    """Fields are passed by position or name, and those left out have their default."""
    assert Place("mx") == Place(host="mx", port=25, marks=[])
    assert Place("mx", 587) != Place("mx")


@pytest.mark.parametrize(
    ("given", "named", "error"),
    [
        ((), {}, "Place() needs host=."),
        (("mx", 25, [], 4), {}, "Place() takes each of its fields once."),
        (("mx",), {"host": "mx"}, "Place() takes each of its fields once."),
        (("mx",), {"post": 25}, "Place() has no field 'post'."),
    ],
)
def test_wrong_arguments(given: tuple[t.Any, ...], named: dict[str, t.Any], error: str) -> None:
    """The general constructor refuses what the class does not take."""
    with pytest.raises(TypeError) as raised:
        Place(*given, **named)

    assert str(raised.value) == error
