"""An IMAP server on a loopback port that replies what a test has written."""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t
from collections.abc import Mapping
from collections.abc import Sequence

#: Wait until the client has given up.
SILENCE = b"silence"
#: Close the connection.
CLOSE = b"close"
#: Send one octet after another, until the client has given up.
TRICKLE = b"trickle"

MESSAGE = b"Subject: Hi\r\n\r\nHello\r\n"
#: A session with one message that is not seen. ``%t`` is the tag of the command.
REPLIES = {
    "greeting": b"* OK ready\r\n",
    "CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n%t OK done\r\n",
    "LOGIN": b"%t OK done\r\n",
    "AUTHENTICATE": b"+ \r\n",
    "answer": b"%t OK done\r\n",
    "SELECT": b"* 1 EXISTS\r\n%t OK [READ-WRITE] done\r\n",
    "UID SEARCH": b"* SEARCH 7\r\n%t OK done\r\n",
    "UID FETCH": b"* 1 FETCH (UID 7 FLAGS () BODY[]<0> {%d}\r\n%b)\r\n%%t OK done\r\n"
    % (len(MESSAGE), MESSAGE),
    "UID STORE": b"%t OK done\r\n",
    "LOGOUT": b"* BYE\r\n%t OK done\r\n",
}


class ScriptedIMAP:
    """Listens while its ``with`` block is open, and serves one client.

    :param answers: The replies to the answers of challenges, one after the other.
    :param on: Replies that differ from :data:`REPLIES`.
    """

    def __init__(
        self, on: Mapping[str, bytes] | None = None, *, answers: Sequence[bytes] = ()
    ) -> None:
        self._replies = {**REPLIES, **(on or {})}
        self.commands: list[bytes] = []
        """The lines of the client, without their tags."""
        self.answers: list[bytes] = []
        """The lines that answered a challenge."""
        self._to_answers = [*answers]
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> t.Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        # For a client that has not come: closing does not end an accept() in another thread.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join(60)
        self._listening.close()
        assert not self._thread.is_alive()

    def _run(self) -> None:
        client, _ = self._listening.accept()
        with client, client.makefile("rb") as lines, contextlib.suppress(OSError):
            self._converse(client, lines)

    def _converse(self, client: socket.socket, lines: t.BinaryIO) -> None:
        tag = b""
        if not self._send(client, lines, "greeting", b"*"):
            return
        for line in lines:
            first, _, rest = line.rstrip(b"\r\n").partition(b" ")
            name = "answer"
            if not rest:
                self.answers.append(first)
            else:
                tag = first
                self.commands.append(rest)
                words = rest.decode().upper().split(" ")
                name = " ".join(words[:2]) if words[0] == "UID" else words[0]
            if not self._send(client, lines, name, tag):
                return

    def _send(self, client: socket.socket, lines: t.BinaryIO, name: str, tag: bytes) -> bool:
        reply = self._replies.get(name, b"%t BAD unknown\r\n")
        if name == "answer" and self._to_answers:
            reply = self._to_answers.pop(0)
        if reply == TRICKLE:
            client.settimeout(0.02)
            while True:
                client.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    if not client.recv(1):
                        return False
        if reply == SILENCE:
            lines.read()
        if reply in (SILENCE, CLOSE):
            return False
        client.sendall(reply.replace(b"%t", tag))
        return True
