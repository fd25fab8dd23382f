"""Values that do not change are dataclasses, though none of their methods is generated."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import threading
import typing as t
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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
from flask_mailhandler.mime import render

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


def test_the_content_id_of_a_copy() -> None:
    """A copy of an attachment has its Content-ID, even if that was not needed before. So a copy of
    a message has the same octets."""
    images = [Attachment(b"GIF89a", filename=name) for name in ("a.gif", "b.gif", "c.gif")]
    message = MESSAGE.replace(html="<p>Hi</p>", inline_attachments=images[:2])
    copies = [copy.copy(images[0]), copy.deepcopy(images[1])]
    copies.append(pickle.loads(pickle.dumps(images[2])))
    others = [copy.deepcopy(message), pickle.loads(pickle.dumps(message))]

    assert [one.cid for one in copies] == [one.cid for one in images]
    assert len({one.cid for one in images}) == 3
    assert all(bytes(render(one)) == bytes(render(message)) for one in others)


def test_threads_that_ask_for_a_content_id() -> None:
    """All threads get the same one."""
    for _ in range(50):
        image, together = Attachment(b"GIF89a", mimetype="image/gif"), threading.Barrier(8)

        def ask(image: Attachment = image, together: threading.Barrier = together) -> str:
            together.wait()
            return image.cid

        with ThreadPoolExecutor(8) as pool:
            found = [pool.submit(ask) for _ in range(8)]
        assert {one.result() for one in found} == {image.cid}


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


def test_a_copy_before_any_other_use() -> None:
    """copy.replace(), which Python 3.13 has, works with a class that nothing has described yet."""

    class Fresh(Frozen):
        number: int
        text: str = ""

    replace: t.Any = getattr(copy, "replace", Fresh.__replace__)

    assert replace(Fresh(1), text="Hi") == Fresh(1, "Hi")


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


def test_fields_of_your_own() -> None:
    """A derived dataclass keeps what ``field()`` says. Annotations of a class without the decorator
    are no fields."""

    @dataclasses.dataclass(frozen=True)
    class Noted(Outcome):
        notes: list[str] = dataclasses.field(default_factory=list)
        trace: str = dataclasses.field(default="", compare=False, repr=False)

    class Bare(Outcome):
        note: str = "by hand"

    noted, bare = Noted(ANN, State.ACCEPTED, trace="a"), Bare(ANN, State.ACCEPTED)
    assert noted == Noted(ANN, State.ACCEPTED, trace="b")
    assert (noted.notes, "trace" in repr(noted)) == ([], False)
    assert bare == Bare(ANN, State.ACCEPTED) == copy.copy(bare)
    assert [field.name for field in dataclasses.fields(bare)] == [*Outcome.__slots__]


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


def _derived(kind: t.Any) -> t.Any:
    return dataclasses.dataclass(frozen=True)(type("Own", (kind,), {}))


ASKS: dict[str, Callable[[t.Any], object]] = {
    "is_dataclass": dataclasses.is_dataclass,
    "fields": dataclasses.fields,
    "constructor": lambda kind: kind("mx", 587) == kind("mx", port=587),
    "match": lambda kind: kind.__match_args__ == ("host", "port"),
    "replace": lambda kind: dataclasses.replace(kind("mx"), port=587).port == 587,
    "derived": lambda kind: _derived(kind)("mx"),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_fields_are_described_when_asked_for(ask: Callable[[t.Any], object]) -> None:
    """A class with plain defaults becomes a dataclass when something asks, and also if several
    threads ask at once."""

    class Late(Frozen):
        host: str
        port: int = 25

    together = threading.Barrier(4)

    def wait() -> object:
        together.wait()
        return ask(Late)

    assert "__dataclass_fields__" not in vars(Late)
    with ThreadPoolExecutor(4) as pool:
        assert all(one.result() for one in [pool.submit(wait) for _ in range(4)])
    assert [field.default for field in dataclasses.fields(Late)] == [dataclasses.MISSING, 25]


def test_the_base_has_no_fields() -> None:
    """``Frozen`` itself is not a dataclass."""
    base: t.Any = Frozen

    assert not dataclasses.is_dataclass(base)
    assert not hasattr(base, "__match_args__")
