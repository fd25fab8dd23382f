"""One connection of the test server: the server's side of SMTP."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import typing as t
from collections.abc import Iterable

from ..address import Address
from ..address import parse_envelope_sender
from ..envelope import Envelope
from ..errors import MessageError
from .login import exchange
from .login import MECHANISMS
from .script import Scripted
from .script import Step

if t.TYPE_CHECKING:
    from .certificates import Certificates
    from .login import Credentials
    from .outbox import Outbox

MAX_SIZE = 1 << 26
_MAX_LINE = 1 << 16
_READ = 1 << 16
# Seconds that a client has to close its side too.
_LINGER = 0.5
_RETRY = 0.1
_PATH = re.compile(r"(?:FROM|TO):<(?P<address>.*)>(?P<parameters>(?: .*)?)", re.IGNORECASE)


class _Over(Exception):
    """The server closes the connection."""


class Server(t.Protocol):
    """What a connection needs from its server."""

    outbox: Outbox
    commands: list[str]

    @property
    def certificates(self) -> Certificates: ...
    @property
    def requires_login(self) -> bool: ...

    def is_right(self, credentials: Credentials) -> bool:
        """Whether a client may log in with these."""
        ...

    def capture(self, envelope: Envelope, octets: bytes, smtputf8: bool) -> None:
        """Add a message to the outbox."""


class Connection:
    """A client, and the thread that replies to it.

    :param encrypted: Whether the client speaks TLS from the first octet.
    """

    def __init__(self, server: Server, sock: socket.socket, encrypted: bool) -> None:
        self._server = server
        self._sock = sock
        self._encrypted = encrypted
        self._buffer = bytearray()
        self._met: set[Scripted] = set()
        self._user = ""
        self._sender: str | None = None
        self._parameters = ""
        self._recipients: list[Address] = []
        # A daemon, so that the interpreter can exit while a client is connected.
        self.thread: threading.Thread = threading.Thread(
            target=self._run, name="smtp_server client", daemon=True
        )

    def stop(self) -> None:
        """Close the connection, and wait for the thread."""
        while self.thread.is_alive():  # it may be replacing the socket with a TLS socket
            with contextlib.suppress(OSError):
                # The TLS socket's own shutdown() would drop the encryption under the thread.
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
            self.thread.join(_RETRY)

    def _run(self) -> None:
        try:
            with contextlib.suppress(OSError, _Over):
                self._converse()
        finally:
            self._close_gently()
            self._sock.close()

    def _close_gently(self) -> None:
        """Shut down so that the last reply arrives: closing a socket with unread octets would reset
        the connection. A forked child may hold the descriptor too, so close() is not enough."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_WR)
            self._sock.settimeout(_LINGER)
            while socket.socket.recv(self._sock, _READ):
                pass
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RD)

    def _converse(self) -> None:
        if self._server.outbox.script.take("connect"):
            raise _Over
        if self._encrypted:
            self._encrypt()
        if self._answer("greeting", "220 localhost ESMTP") != 220:
            raise _Over
        while True:
            line = self._line()
            verb, _, argument = line.partition(" ")
            self._server.commands.append(_masked(line))
            match verb.upper():
                case "EHLO" | "HELO":
                    self._hello(verb.upper())
                case "STARTTLS":
                    self._starttls()
                case "AUTH":
                    self._login(argument)
                case "MAIL":
                    self._mail(argument)
                case "RCPT":
                    self._rcpt(argument)
                case "DATA":
                    self._data()
                case "RSET" | "NOOP":
                    if verb.upper() == "RSET":
                        self._reset()
                    self._say("250 2.0.0 OK")
                case "QUIT":
                    self._say("221 2.0.0 Bye")
                case _:
                    self._say("502 5.5.1 Command not implemented")

    # Replies and input

    def _answer(self, step: Step, default: str, recipients: Iterable[Address] = ()) -> int:
        """Send the script's reply to a step, or the default. Return the reply code."""
        scripted = self._server.outbox.script.take(step, recipients, self._met)
        if scripted is None:
            return self._say(default)
        if scripted.reply is None:
            raise _Over
        return self._say(scripted.reply)

    def _say(self, reply: str) -> int:
        self._sock.sendall(reply.replace("\n", "\r\n").encode() + b"\r\n")
        code = int(reply[:3])
        if code in (221, 421):
            raise _Over
        return code

    def _line(self) -> str:
        while (end := self._buffer.find(b"\n", 0, _MAX_LINE)) < 0:
            if len(self._buffer) >= _MAX_LINE:
                self._say("421 4.7.0 Line too long")
            self._receive()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.decode("utf-8", "surrogateescape").removesuffix("\r")

    def _receive(self) -> None:
        received = self._sock.recv(_READ)
        if not received:
            raise _Over
        self._buffer += received

    # Commands

    def _hello(self, verb: str) -> None:
        self._reset()
        offered = ["localhost", "PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        offered += [f"SIZE {MAX_SIZE}", f"AUTH {' '.join(MECHANISMS)}"]
        if not self._encrypted:
            offered.append("STARTTLS")
        lines = [f"250-{line}" for line in offered[:-1]] + [f"250 {offered[-1]}"]
        self._answer("EHLO", "\n".join(lines) if verb == "EHLO" else "250 localhost")

    def _starttls(self) -> None:
        if self._answer("STARTTLS", "220 2.0.0 Go ahead") == 220:
            self._encrypt()

    def _encrypt(self) -> None:
        # The server forgets all that the client has sent so far (RFC 3207 section 4.2).
        self._buffer.clear()
        self._reset()
        context = self._server.certificates.server
        encrypted = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
        self._sock = encrypted  # before the handshake, so that stop() can end it
        encrypted.do_handshake()
        self._encrypted = True

    def _login(self, argument: str) -> None:
        scripted = self._server.outbox.script.take("AUTH", (), self._met)
        mechanism, _, initial = argument.partition(" ")
        if scripted is not None and scripted.reply is None:
            raise _Over
        if scripted is not None and scripted.reply is not None:
            self._say(scripted.reply)
            return
        if mechanism.upper() not in MECHANISMS:
            self._say("504 5.5.4 Mechanism not supported")
            return
        steps = exchange(mechanism.upper(), "" if initial == "=" else initial)
        try:
            challenge = next(steps)
            while True:
                self._say(f"334 {challenge.decode()}")
                challenge = steps.send(self._line())
        except StopIteration as end:
            if end.value is None or not self._server.is_right(end.value):
                self._say("535 5.7.8 Wrong user or password")
                return
            self._user = end.value.user
        self._say("235 2.7.0 Welcome")

    def _mail(self, argument: str) -> None:
        self._met.clear()
        found = _PATH.fullmatch(argument)
        if self._server.requires_login and not self._user:
            self._say("530 5.7.0 Log in first")
        elif self._sender is not None:
            self._say("503 5.5.1 One MAIL at a time")
        elif found is None or not _is_sender(found["address"]):
            self._say("501 5.1.7 Not a valid sender address")
        elif self._answer("MAIL", "250 2.1.0 OK") // 100 == 2:
            self._sender, self._parameters = found["address"], found["parameters"].upper()

    def _rcpt(self, argument: str) -> None:
        found = _PATH.fullmatch(argument)
        if self._sender is None:
            self._say("503 5.5.1 MAIL first")
            return
        if found is None or not _is_address(found["address"]):
            self._say("501 5.1.3 Not a valid recipient address")
            return
        recipient = Address(found["address"])
        if self._answer("RCPT", "250 2.1.5 OK", [recipient]) // 100 == 2:
            self._recipients.append(recipient)

    def _data(self) -> None:
        if self._sender is None or not self._recipients:
            self._say("554 5.5.1 No valid recipients")
            return
        if self._answer("DATA", "354 Go ahead", self._recipients) != 354:
            return
        octets = self._content()
        envelope = Envelope(self._sender, self._recipients)
        smtputf8 = " SMTPUTF8" in self._parameters
        self._sender, self._recipients = None, []
        scripted = self._server.outbox.script.take("end of data", envelope.recipients, self._met)
        if scripted is not None and scripted.reply is None:
            raise _Over
        reply = scripted.reply if scripted and scripted.reply else "250 2.0.0 OK"
        if octets is None:
            reply = "552 5.3.4 Too large"
        elif reply[0] == "2":
            # Before the reply, so that the message is in the outbox when the client reads it.
            self._server.capture(envelope, octets, smtputf8)
        self._say(reply)

    def _content(self) -> bytes | None:
        """The content without dot-stuffing (RFC 5321 section 4.5.2); None if it is too large."""
        content = bytearray(b"\r\n")
        large = False
        start = 0
        while True:
            content += self._buffer
            self._buffer.clear()
            if (end := content.find(b"\r\n.\r\n", start)) >= 0:
                break
            if len(content) > MAX_SIZE:
                large = True
                del content[:-4]
            start = max(0, len(content) - 4)
            self._receive()
        self._buffer += content[end + 5 :]
        whole = bytes(content[2 : end + 2])
        return None if large else re.sub(rb"(?:\A|(?<=\r\n))\.", b"", whole)

    def _reset(self) -> None:
        self._sender, self._parameters, self._recipients = None, "", []


def _is_address(text: str) -> bool:
    try:
        return bool(Address(text))
    except MessageError:
        return False


def _is_sender(text: str) -> bool:
    """Whether it can be an envelope sender. It is empty for a notification."""
    try:
        return not text or bool(parse_envelope_sender(text))
    except MessageError:
        return False


def _masked(line: str) -> str:
    """A command without the credentials of AUTH."""
    verb, _, argument = line.partition(" ")
    if verb.upper() != "AUTH" or " " not in argument:
        return line
    return f"{verb} {argument.partition(' ')[0]} ***"
