"""One connection of a scripted server: the steps of SMTP, each with its declared reply."""

from __future__ import annotations

import base64
import binascii
import threading
import typing as t

from .actions import After
from .actions import CLOSE_NOTIFY
from .actions import DROP
from .actions import spoken
from .actions import Taken
from .dialogue import Command
from .dialogue import Transaction
from .speaker import END_OF_DATA
from .speaker import GREETING
from .speaker import Speaker
from .syntax import BDAT
from .syntax import unstuffed
from .wire import Over

if t.TYPE_CHECKING:
    import socket

    from .scripted import ScriptedServer


class Connection(Speaker):
    """The record of a connection, and the thread that serves it."""

    def __init__(self, server: ScriptedServer, sock: socket.socket, number: int) -> None:
        super().__init__(server, sock, number)
        self.thread = threading.Thread(target=self._run, name=f"scripted-{server.port}-{number}")

    # The conversation

    def _run(self) -> None:
        try:
            self._converse()
        except Over as over:
            self.closed_by = self.closed_by or str(over)
        except BaseException as error:
            self.closed_by = repr(error)
            raise
        finally:
            self._wire.close()
            self._server.ended()

    def _converse(self) -> None:
        if self._server.tls:
            self._encrypt()
        self._answer(GREETING, "greeting", "220 scripted.example ESMTP")
        while True:
            line = self._read_line()
            command = Command(line, self._pipelined)
            self._oracle.command(command)
            match command.verb:
                case "DATA":
                    self._data(command)
                case "BDAT":
                    self._bdat(command)
                case "AUTH":
                    self._auth(command)
                case "STARTTLS":
                    if self._answer(command, "STARTTLS", self._default(command)) == 220:
                        self._encrypt()
                case "QUIT":
                    self._answer(command, "QUIT", "221 2.0.0 bye")
                    self.closed_by = "QUIT"
                    self._perform(CLOSE_NOTIFY if self.tls else DROP)
                case _:
                    self._answer(command, command.verb, self._default(command))

    def _encrypt(self) -> None:
        # Octets that the client sent after STARTTLS were recorded as too early, and are dropped.
        self._wire.buffer.clear()
        action = self._server.script.take("handshake")
        if isinstance(action, After):
            while (left := action.octets - len(self._wire.buffer)) > 0:
                self._wire.fill(left)
            action = action.action
        if action is not None:
            self._perform(self._resolve(action, "handshake"))
        context = self._server.tls or self._server.starttls
        if context is None:
            raise Over("server, which has no TLS context")
        self._wire.start_tls(context)
        self.dialogue.encrypted()

    def _default(self, command: Command) -> str:
        """The reply of a server without faults."""
        match command.verb:
            case "EHLO":
                lines = ["scripted.example", *self._server.offers(self.tls)]
                return "\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])
            case "HELO":
                return "250 scripted.example"
            case "STARTTLS" if self._server.starttls and not self.tls:
                return "220 2.0.0 go ahead"
            case "RSET" | "NOOP":
                return "250 2.0.0 ok"
            case "MAIL" | "RCPT" | "DATA" | "BDAT":
                return self._default_in_transaction(command.verb)
        return "500 5.5.2 unknown command"

    def _default_in_transaction(self, verb: str) -> str:
        opened = self.dialogue.transaction
        if opened is None or not opened.accepted:
            return "250 2.1.0 sender ok" if verb == "MAIL" else "503 5.5.1 need MAIL"
        if verb == "MAIL":
            return "503 5.5.1 nested MAIL"
        if verb == "RCPT":
            return "250 2.1.5 recipient ok"
        if not opened.recipients:
            return "554 5.5.1 no valid recipients"
        return "354 go ahead" if verb == "DATA" else "250 2.0.0 ok"

    # AUTH

    def _auth(self, command: Command) -> None:
        mechanism, _, initial = command.argument.partition(" ")
        declared = self._server.script.take("AUTH", command.line)
        if declared is not None:
            code = self._say(command, declared)
            while code == 334:
                code = self._respond(command, "535 5.7.8 not understood")
            return
        first = None if not initial else b"" if initial == "=" else _decoded(initial)
        exchange = self._server.accounts.begin(mechanism.upper(), first, self._oracle.blame)
        if exchange is None:
            self._say(command, "504 5.5.4 mechanism not known here")
            return
        try:
            challenge = next(exchange)
            while True:
                self._say(command, f"334 {base64.b64encode(challenge).decode()}")
                response = self._read_response()
                if response == "*":
                    self._say(command, "501 5.7.0 cancelled")
                    return
                challenge = exchange.send(_decoded(response))
        except StopIteration as verdict:
            self._say(command, verdict.value)

    def _respond(self, command: Command, otherwise: str) -> int | None:
        line = self._read_response()
        default = "501 5.7.0 cancelled" if line == "*" else otherwise
        return self._say(command, self._server.script.take("response") or default)

    def _read_response(self) -> str:
        line = self._read_line(response=True)
        self._oracle.response(line)
        return line

    # Content

    def _data(self, command: Command) -> None:
        if self._answer(command, "DATA", self._default(command)) != 354:
            return
        opened = self.dialogue.transaction or Transaction("", {}, accepted=False)
        opened.verb = "DATA"
        answered = self._content_action()
        start = 0
        while not (end := _end_of_data(self._wire.buffer, start)):
            start = max(0, len(self._wire.buffer) - 4)
            try:
                self._wire.fill()
            except Over:
                self._oracle.stuffed(bytes(self._wire.buffer), whole=False)
                raise
        raw = bytes(self._wire.buffer[: end - 3])
        del self._wire.buffer[:end]
        self._oracle.stuffed(raw, whole=True)
        self._finish(opened, unstuffed(raw), None if answered else END_OF_DATA)

    def _bdat(self, command: Command) -> None:
        found = BDAT.fullmatch(command.line)
        if not found:
            self._answer(command, "BDAT", "501 5.5.4 BDAT size [LAST]")
            return
        answered = self._content_action()
        octets = int(found[1])
        while len(self._wire.buffer) < octets:
            self._wire.fill()
        opened = self.dialogue.transaction
        chunk = bytes(self._wire.buffer[:octets])
        del self._wire.buffer[:octets]
        if opened:
            opened.verb = "BDAT"
            opened.chunks += chunk
        default = self._default(command)
        if not found[2]:
            code = None if answered else self._answer(command, "BDAT", default)
            if opened and code != 250:
                opened.broken = True
        elif opened and opened.recipients:
            self._oracle.content(bytes(opened.chunks), opened)
            self._finish(opened, bytes(opened.chunks), None if answered else command)
        else:
            self._answer(command, "BDAT", default)

    def _content_action(self) -> bool:
        """Run the declared action for the content. Return whether it was a reply already."""
        action = self._server.script.take("content")
        if action is None:
            return False
        if isinstance(action, After):
            while (left := action.octets - len(self._wire.buffer)) > 0:
                self._wire.fill(left)
            action = action.action
        self._unanswered = None
        action = self._resolve(action, "content")
        self._perform(action)
        return bool(spoken(action))

    def _finish(self, opened: Transaction, content: bytes, command: Command | None) -> None:
        """The reply to end of data: to the final dot, or to BDAT LAST."""
        refused = not opened.recipients or opened.broken
        default = "554 5.5.1 no valid recipients" if refused else "250 2.0.0 accepted"
        record = self._server.received_whole(opened, content, self.number)
        if command is None:
            self.dialogue.transaction = None
            return
        script = self._server.script
        action = script.take("BDAT", command.line) if command is not END_OF_DATA else None
        action = action or script.take("end of data") or default

        def accept(code: int | None) -> None:
            taken = isinstance(action, Taken) or (code is not None and code < 300)
            if taken and opened.recipients:
                self._server.accepted.append(record)
            self.dialogue.transaction = None

        self._say(command, action, accept)


def _end_of_data(buffer: bytearray, start: int) -> int:
    """The position after end of data, or 0. Only CRLF counts (RFC 5321 4.1.1.4)."""
    if buffer.startswith(b".\r\n"):
        return 3
    found = buffer.find(b"\r\n.\r\n", start)
    return found + 5 if found >= 0 else 0


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("latin-1"), validate=True)
    except binascii.Error:
        return b""
