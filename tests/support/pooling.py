"""Helpers for tests of the pool: a server that keeps connections busy, threads that wait for one,
and a clock."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
import types
import typing as t

import pytest
from flask import Flask

from flask_mailhandler import Mail
from sending import letter
from sending import PATIENT
from servers import SILENCE
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

    from flask_mailhandler import Message
    from flask_mailhandler import Report
    from flask_mailhandler.handlers.smtp import SMTPEmailHandler
    from servers import ScriptedServer
    from servers.actions import Action
    from servers.connection import Connection

T = t.TypeVar("T")


class Hold:
    """A server action that delays a reply until :meth:`let_go`, so that the connection stays
    busy."""

    def __init__(self, reply: str = "250 2.0.0 ok") -> None:
        self._reply = reply
        self._reached = threading.Semaphore(0)
        self._over = threading.Event()

    def __call__(self, line: str, connection: Connection) -> Action:
        self._reached.release()
        return self._reply if self._over.wait(60) else SILENCE

    def reached(self) -> None:
        """Wait until a connection has arrived. Call it once for each."""
        assert self._reached.acquire(timeout=60)

    def let_go(self) -> None:
        self._over.set()


class Clock:
    """A clock that stands still until a test or a server advances it."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.passed = 0.0
        """Seconds since the test began."""

    def monotonic(self) -> float:
        return self._began + self.passed


class Interrupt:
    """Interrupts the main thread, as Ctrl-C does, once it waits in a function.

    :param where: The function. It must not return before.
    """

    def __init__(self, where: Callable[..., object]) -> None:
        self._where = where.__code__
        # Not an Event: another signal could interrupt this thread while it holds the lock of one.
        self._raised = False
        self._done = threading.Event()

    def __call__(self) -> None:
        main = threading.main_thread().ident
        assert main is not None
        until(lambda: self._is_there(main), 60, "the main thread to wait")
        # Repeatedly, since a signal that comes just before the wait does not end it.
        while not self._raised:
            signal.pthread_kill(main, signal.SIGALRM)
            self._done.wait(0.02)
        self._done.set()

    def _is_there(self, thread: int) -> bool:
        frame: types.FrameType | None = sys._current_frames()[thread]
        while frame is not None and frame.f_code is not self._where:
            frame = frame.f_back
        return frame is not None

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Interrupt the main thread once in this block."""
        if threading.current_thread() is not threading.main_thread():
            pytest.skip("Only the main thread can handle signals.")
        before = signal.signal(signal.SIGALRM, self._raise)
        try:
            yield
            assert self._done.wait(60)
        finally:
            self._raised = True
            signal.signal(signal.SIGALRM, before)

    def _raise(self, number: int, frame: object) -> None:
        if not self._raised:
            self._raised = True
            raise KeyboardInterrupt


class Call(t.Generic[T]):
    """A call in a thread. If it hangs, the tests do not."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._result: T | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:
            self._error = error

    def result(self, timeout: float = 100) -> T:
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "It hangs."
        if self._error is not None:
            raise self._error
        return t.cast("T", self._result)


def one(handler: SMTPEmailHandler, message: Message | None = None, **options: t.Any) -> Report:
    """Send one message, and return its report."""
    (report,) = handler.send([message or letter()], **options)
    return report


def used(server: ScriptedServer) -> list[int]:
    """The connection over which each accepted message arrived."""
    return [accepted.connection for accepted in server.accepted]


def state(handler: SMTPEmailHandler) -> str:
    """The pool's repr."""
    return repr(handler.pool).partition(": ")[2].removesuffix(">")


def wait_for(handler: SMTPEmailHandler, said: str) -> None:
    """Wait until the pool's repr contains this."""
    until(lambda: said in state(handler), 60, f"{said} and not {state(handler)}")


def two_idle(handler: SMTPEmailHandler, hold: Hold) -> None:
    """Open two connections. The first one, which is held, is returned last."""
    first = Call(lambda: one(handler))
    hold.reached()
    assert one(handler).ok
    hold.let_go()
    assert first.result().ok
    assert state(handler) == "2 idle, 0 in use, 0 waiting"


def app_for(server: ScriptedServer | None, **keys: object) -> tuple[Flask, Mail]:
    """Return an app that sends to this server."""
    app = Flask("pool")
    given: dict[str, object] = {"default_from": "a@example.com", **PATIENT}
    if server is not None:
        given |= {"host": server.host, "port": server.port}
    app.config.update({f"MAIL_{name.upper()}": value for name, value in (given | keys).items()})
    mail = Mail(app, cli=None)
    if server is not None:
        with app.app_context():
            server.clients.append(mail.handler)
    return app, mail
