"""Reads lines and runs actions on one connection, and records both."""

from __future__ import annotations

import threading
import typing as t

from .actions import After
from .actions import Close
from .actions import Delay
from .actions import Drip
from .actions import DROP
from .actions import Flood
from .actions import Held
from .actions import Silence
from .actions import spoken
from .actions import Taken
from .actions import Then
from .dialogue import Command
from .dialogue import Dialogue
from .oracle import Oracle
from .silence import is_silent_to
from .silence import silent_to
from .waiting import until
from .wire import Over
from .wire import Wire

if t.TYPE_CHECKING:
    import socket

    from .actions import Action
    from .connection import Connection
    from .scripted import ScriptedServer

GREETING = Command("GREETING")
END_OF_DATA = Command("END OF DATA")
#: A client that sends more than this without a line end does not speak SMTP.
LONGEST_LINE = 65536


class Speaker:
    """The input and output of a :class:`Connection`, without any step of SMTP."""

    def __init__(self, server: ScriptedServer, sock: socket.socket, number: int) -> None:
        self.number = number
        #: Command lines as sent, without CRLF, in latin-1, and responses to AUTH challenges.
        self.commands: list[str] = []
        #: "QUIT", "client", "client, by reset", "client, in the handshake: ...", "server",
        #: "stop"; None while it is open.
        self.closed_by: str | None = None
        self.dialogue = Dialogue()
        self._server = server
        self._wire = Wire(sock)
        self._oracle = Oracle(self.dialogue, server.breaches, server.require_tls)
        self._unanswered: Command | None = None
        self._pipelined = False
        #: Replies that are sent with the next one.
        self._held = b""

    @property
    def tls(self) -> bool:
        return self.dialogue.tls

    @property
    def logged_in(self) -> bool:
        return self.dialogue.logged_in

    @property
    def over(self) -> bool:
        """Whether the connection is closed."""
        return self.closed_by is not None and self._wire.closed

    def is_silent(self) -> bool:
        """Whether the client waits for a silent or delayed server."""
        return is_silent_to(self._wire.client)

    @property
    def left(self) -> bool:
        """Whether the client closed without QUIT, by FIN or by a reset."""
        return self.closed_by in {"client", "client, by reset"}

    @property
    def flights(self) -> int:
        """How often the client sent after receiving something: the round trips it took.

        Round trips of a TLS handshake do not count. The last QUIT does, although the client does
        not wait for the reply.
        """
        return self._wire.flights

    def __repr__(self) -> str:
        state = f"closed by {self.closed_by}" if self.closed_by else "open"
        tls = ", TLS" if self.tls else ""
        return f"<Connection {self.number}: {state}{tls}, {self.commands}>"

    # From other threads

    def do(self, action: Action) -> bool:
        """Run an action now, out of turn, while the client is idle: ``connection.do(DROP)``.

        Returns False if the connection is closed already. Otherwise it returns when the effect has
        reached the client, which can see it without waiting.
        """
        done = threading.Event()

        def work() -> None:
            try:
                if spoken(action):
                    self.dialogue.doomed = (
                        f"F-77: the server said, unasked, {spoken(action)[:40]!r}"
                    )
                self._perform(action)
            finally:
                done.set()

        if not (self._wire.order(work) and done.wait(60)):
            return False
        until(self._wire.reached, 60, f"what was done to reach the client of {self!r}")
        return True

    def stop(self) -> None:
        """End the conversation as soon as there is nothing left to read."""

        def work() -> None:
            raise Over("stop")

        self._wire.order(work)

    # In the connection's own thread

    def _read_line(self, response: bool = False) -> str:
        buffer = self._wire.buffer
        while (end := buffer.find(b"\n")) < 0:
            if len(buffer) > LONGEST_LINE:
                self._oracle.blame(f"C-6: a line of more than {LONGEST_LINE} octets")
                self._perform(DROP)
            self._wire.fill()
        octets = bytes(buffer[: end + 1])
        del buffer[: end + 1]
        line = octets.decode("latin-1").rstrip("\r\n")
        self.commands.append(line)
        self._server.commands.append(line)
        if not response:
            self._oracle.line(octets)
        return line

    def _resolve(self, action: Action, line: str) -> Action:
        while callable(action):
            action = action(line, t.cast("Connection", self))
        return action

    def _answer(self, command: Command, step: str, default: str) -> int | None:
        line = "" if command in (GREETING, END_OF_DATA) else command.line
        return self._say(command, self._server.script.take(step, line) or default)

    def _say(
        self, command: Command, action: Action, settle: t.Callable[[int | None], None] | None = None
    ) -> int | None:
        """Record the reply to a command, then send it. Return its code.

        It is recorded first, because a test may read the server's lists after the reply.
        """
        action = self._resolve(action, command.line)
        code = self.dialogue.replied(command, spoken(action))
        if settle:
            settle(code)
        self._unanswered = command
        self._pipelined = False
        self._perform(action)
        return code

    def _perform(self, action: Action) -> None:
        match action:
            case str() | bytes():
                self._write(spoken(action))
            case Then():
                self._perform(action.first)
                self._perform(action.second)
            case Delay():
                with silent_to(self._wire.client):
                    self._wire.pause(action.seconds)
                self._perform(action.action)
            case Held():
                self._held += spoken(action.action)
                self._pipelined = True
            case Drip():
                for octet in action.octets:
                    if not self._write(bytes([octet])):
                        break
                    self._wire.pause(action.every)
            case Flood():
                while self._wire.write(action.line):
                    self._wire.attend()
                raise Over("client")
            case Silence():
                with silent_to(self._wire.client):
                    self._wire.hold()
            case Close():
                self.closed_by = self.closed_by or "server"
                self._wire.close(action.how)
                raise Over("server")
            case After() | Taken():
                self._perform(action.action)
            case _:
                self._perform(self._resolve(action, ""))

    def _write(self, octets: bytes) -> bool:
        """Send octets. Before the first octet of a reply, check whether the client waited. Return
        False if it has closed."""
        if self._unanswered is not None:
            self._wire.drain()
            if self._wire.buffer:
                self._pipelined = True
                self._oracle.too_early(self._unanswered, bytes(self._wire.buffer))
            self._unanswered = None
        octets, self._held = self._held + octets, b""
        return self._wire.write(octets)
