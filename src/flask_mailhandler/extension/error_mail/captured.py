"""An error as text and numbers, copied where it was logged.

No frame, no traceback and no exception is kept: each would keep the variables of the request alive,
such as its database session, and none may be used in another thread. Only the first error of a kind
is captured; the others are counted.
"""

from __future__ import annotations

import dataclasses
import itertools
import linecache
import logging
import os
import reprlib
import threading
import typing as t
from collections import deque
from collections.abc import Iterator
from types import TracebackType

from .kind import error_of
from .kind import Place
from .options import Options
from .request import current_user
from .request import Pairs
from .request import request_facts
from .request import RequestFacts
from .request import text_of

# Of one exception, the frames that are kept; of a chain, the exceptions, and of all groups in it
# about as many.
_FIRST, _LAST = 20, 60
_EXCEPTIONS = 12
_TEXT = 8000
_LOCALS = 30


class Frame(t.NamedTuple):
    """A line of a traceback."""

    file: str
    line: int
    function: str
    variables: Pairs = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Raised:
    """One exception of a chain or a group.

    :param relation: How the exception before it is related: ``"cause"`` or ``"context"``; or
        ``"member"`` for an exception of a group; "" for the first.
    :param left_out: The number of frames between the first and the last ones that are kept.
    """

    kind: str
    text: str
    notes: tuple[str, ...]
    first: tuple[Frame, ...]
    last: tuple[Frame, ...]
    left_out: int
    relation: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Captured:
    """What is known of an error. Nothing is masked yet."""

    title: str
    message: str
    level: str
    logger: str
    place: Place
    created: float
    thread: str
    process: int
    raised: tuple[Raised, ...]
    stack: str
    user: str
    request: RequestFacts | None


def capture(record: logging.LogRecord, options: Options, place: Place) -> Captured:
    """Copy what is known of an error, and of the request in which it was logged.

    :param place: Where it happened.
    """
    error = error_of(record)
    message = _message(record)
    facts = request_facts()
    chain = () if error is None else tuple(_chain(error, "", set()))
    raised = tuple(_raised(one, relation, options.show_locals) for one, relation in chain)
    own = next((shown for (one, _), shown in zip(chain, raised, strict=True) if one is error), None)
    return Captured(
        title=message if own is None else _title(own),
        message=message,
        level=text_of(lambda: record.levelname, 40),
        logger=text_of(lambda: record.name, 200),
        place=place,
        created=record.created,
        thread=threading.current_thread().name,
        process=os.getpid(),
        raised=raised,
        stack=text_of(lambda: record.stack_info or "", _TEXT),
        user=current_user(options.user, facts),
        request=facts,
    )


def _message(record: logging.LogRecord) -> str:
    """Return the message with its arguments; or both, if they do not fit."""
    try:
        return text_of(record.getMessage, _TEXT, strict=True)
    except Exception as error:
        arguments = text_of(lambda: repr(record.args), 200)
        return f"{text_of(lambda: record.msg, _TEXT)} [{type(error).__name__} with {arguments}]"


def _title(raised: Raised) -> str:
    """``ZeroDivisionError: division by zero``."""
    return f"{raised.kind}: {raised.text}" if raised.text else raised.kind


def _name(kind: type) -> str:
    module = kind.__module__
    return (
        kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__qualname__}"
    )


def _chain(
    error: BaseException, relation: str, seen: set[int]
) -> Iterator[tuple[BaseException, str]]:
    """Yield the exceptions in the order in which Python prints them: the first that was raised
    comes first, and the members of a group, each with its own chain, come after it.

    :param relation: That of the first one.
    """
    related: list[tuple[BaseException, str]] = []
    step: BaseException | None = error
    link = ""
    while step is not None and id(step) not in seen and len(related) < _EXCEPTIONS:
        seen.add(id(step))
        related.append((step, link))
        if step.__cause__ is not None:
            step, link = step.__cause__, "cause"
        else:
            step = None if step.__suppress_context__ else step.__context__
            link = "context"
    # The relation is written after the earlier exception, which comes first.
    links = [relation, *reversed([link for _, link in related][1:])]
    for (one, _), link in zip(reversed(related), links, strict=True):
        yield one, link
        if isinstance(one, BaseExceptionGroup):
            for member in one.exceptions:
                if id(member) not in seen and len(seen) < 2 * _EXCEPTIONS:
                    yield from _chain(member, "member", seen)


def _raised(error: BaseException, relation: str, show_locals: bool) -> Raised:
    notes = getattr(error, "__notes__", None)
    listed = notes[:5] if isinstance(notes, list) else []
    first: list[Frame] = []
    last: deque[Frame] = deque(maxlen=_LAST)
    number = 0
    step = error.__traceback__
    while step is not None:
        if number < _FIRST:
            first.append(_frame(step, show_locals))
        else:
            last.append(_frame(step, show_locals))
        number += 1
        step = step.tb_next
    return Raised(
        kind=_name(type(error)),
        text=text_of(lambda: error, _TEXT),
        notes=tuple(text_of(lambda note=note: note) for note in listed),  # type: ignore[misc]
        first=tuple(first),
        last=tuple(last),
        left_out=number - len(first) - len(last),
        relation=relation,
    )


def _frame(step: TracebackType, show_locals: bool) -> Frame:
    frame = step.tb_frame
    code = frame.f_code
    if code.co_filename not in linecache.cache:
        # For a module in an archive, whose source only its loader can read.
        linecache.lazycache(code.co_filename, frame.f_globals)
    variables = _variables(frame.f_locals) if show_locals else ()
    return Frame(code.co_filename, step.tb_lineno or 0, code.co_name, variables)


class _Beginning(reprlib.Repr):
    """Writes the beginning of a value. The base class writes all octets before it cuts them, and
    sorts all that is in a dict or a set."""

    def repr_bytes(self, value: bytes | bytearray, level: int) -> str:
        return repr(value[: self.maxother])

    repr_bytearray = repr_bytes

    def repr_dict(self, value: dict[t.Any, t.Any], level: int) -> str:
        return super().repr_dict(dict(itertools.islice(value.items(), self.maxdict + 1)), level)

    def repr_set(self, value: set[t.Any], level: int) -> str:
        return super().repr_set({*itertools.islice(value, self.maxset + 1)}, level)

    def repr_frozenset(self, value: frozenset[t.Any], level: int) -> str:
        kept = frozenset(itertools.islice(value, self.maxfrozenset + 1))
        return super().repr_frozenset(kept, level)


def _variables(found: t.Mapping[str, object]) -> Pairs:
    short = _Beginning()
    short.maxstring = short.maxother = short.maxlong = 200
    return tuple(
        (name, text_of(lambda value=value: short.repr(value), 400))  # type: ignore[misc]
        for name, value in itertools.islice(found.items(), _LOCALS)
    )
