"""The way of one message: how many functions and files a send passes through."""

from __future__ import annotations

import contextlib
import os
import sys
import typing as t

import pytest
from flask import Flask

import flask_mailhandler
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import message_failed
from flask_mailhandler import message_sent
from sending import PATIENT

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from types import CodeType
    from types import FrameType

    from sending import Scripted


ROOT = os.path.dirname(flask_mailhandler.__file__) + os.sep
# The whole way. Lower these figures when you can; raising one needs a reason.
MOST_FUNCTIONS = 138
MOST_FILES = 34
# From Mail.send to the write to the socket.
DEEPEST_FUNCTIONS = 12
DEEPEST_FILES = 8
WRITES = ("send", "sendall", "sendmsg")


class Way:
    """The calls within the package while :meth:`recorded` is open. Expressions that Python runs
    as functions, such as comprehensions, count too, where the release has them."""

    def __init__(self) -> None:
        self.functions: set[tuple[str, str]] = set()
        """The file and the name of each."""
        self.calls: set[tuple[str, str]] = set()
        """From one file to another."""
        self.deepest: list[CodeType] = []
        """What stands above the write to the socket."""

    @property
    def files(self) -> set[str]:
        return {file for file, _ in self.functions}

    @property
    def both_ways(self) -> set[tuple[str, str]]:
        return {
            (one, other) for one, other in self.calls if one < other and (other, one) in self.calls
        }

    @contextlib.contextmanager
    def recorded(self) -> Iterator[None]:
        before = sys.getprofile()
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(before)

    def _note(self, frame: FrameType, event: str, argument: t.Any) -> None:
        if event == "c_call" and getattr(argument, "__name__", "") in WRITES:
            self.deepest = max(self.deepest, [*_ours(frame)], key=len)
        elif event == "call" and _is_ours(frame):
            self.functions.add((_file(frame.f_code), frame.f_code.co_qualname))
            callers = _ours(frame.f_back)
            caller = next(callers, frame.f_code)
            if caller.co_filename != frame.f_code.co_filename:
                self.calls.add((_file(caller), _file(frame.f_code)))


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(ROOT)


def _ours(frame: FrameType | None) -> Iterator[CodeType]:
    """The functions of the package on the stack, the innermost first."""
    while frame is not None:
        if _is_ours(frame):
            yield frame.f_code
        frame = frame.f_back


def _file(code: CodeType) -> str:
    return code.co_filename[len(ROOT) :].replace(os.sep, "/")


def way_of(send: Callable[[], object]) -> Way:
    """The way of the fourth call, which finds an open connection."""
    way = Way()
    for _ in range(3):
        send()
    with way.recorded():
        send()
    return way


def test_the_way_of_one_message(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message passes through few functions and files, and no two files call each other."""
    # Those that other tests have connected for their apps.
    for signal in (message_sent, message_failed):
        monkeypatch.setattr(signal, "receivers", {})
    server = scripted()
    app = Flask("sender")
    app.config.update({f"MAIL_{name.upper()}": value for name, value in PATIENT.items()})
    app.config.update(
        MAIL_DEFAULT_FROM="The App <app@example.com>", MAIL_HOST=server.host, MAIL_PORT=server.port
    )
    mail = Mail(app, cli=None)

    with app.app_context():
        way = way_of(
            lambda: mail.send(Message(subject="Hi", text="Hello Ann", to="ann@example.com"))
        )

    assert len(server.accepted) == 4
    assert len(server.connections) == 1
    assert len(way.functions) <= MOST_FUNCTIONS
    assert len(way.files) <= MOST_FILES
    assert way.deepest[0].co_qualname == "Stream.write"
    assert way.deepest[-1].co_qualname == "Sender.send"
    assert len(way.deepest) <= DEEPEST_FUNCTIONS
    assert len({code.co_filename for code in way.deepest}) <= DEEPEST_FILES
    assert way.both_ways == set()


def test_what_the_way_counts() -> None:
    """Each function of the package that is called is counted, with its file."""
    message = Message(subject="Hi", from_addr="app@example.com", to="ann@example.com")

    way = way_of(lambda: message.envelope().to(["bob@example.com"]))

    assert ("message/message.py", "Message.envelope") in way.functions
    assert {("envelope.py", "Envelope.__init__"), ("envelope.py", "Envelope.to")} <= way.functions
    assert ("message/message.py", "envelope.py") in way.calls
    assert ("envelope.py", "address.py") in way.calls
    assert way.both_ways == set()
    assert way.deepest == []
