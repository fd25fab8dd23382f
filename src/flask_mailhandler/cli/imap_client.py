"""The IMAP client of the standard library, with bounds, and what it leaves to its caller."""

from __future__ import annotations

import base64
import imaplib
import io
import re
import socket
import ssl
import typing as t
from collections.abc import Iterator

from ..events.parts import MAX_OCTETS
from ..handlers.bounce_imap import IMAPMailbox
from ..net.deadline import Deadline
from ..net.received import Received

_MAX_LINE = 1 << 20
_MAX_ANSWER = MAX_OCTETS + _MAX_LINE
# Reading a short line takes as long as reading so many octets.
_LINE_COST = 200


class IMAPClient(imaplib.IMAP4):
    """A client for which each answer is bounded in size and time: the library bounds neither."""

    def __init__(self, mailbox: IMAPMailbox, context: ssl.SSLContext) -> None:
        self._mailbox = mailbox
        self._tls = context
        self._reads_from: socket.socket | None = None
        self._buffered: io.BufferedReader
        self.begin()
        super().__init__(mailbox.host, mailbox.port, mailbox.timeout)

    def begin(self) -> None:
        """Begin another command, with its own bounds."""
        self._deadline = Deadline(self._mailbox.timeout)
        self._octets_left = _MAX_ANSWER

    def _create_socket(self, timeout: float | None) -> socket.socket:
        sock = socket.create_connection((self._mailbox.host, self._mailbox.port), timeout)
        if self._mailbox.security != "tls":
            return sock
        try:
            return self._tls.wrap_socket(sock, server_hostname=self._mailbox.host.rstrip("."))
        except BaseException:
            sock.close()
            raise

    @property
    def _input(self) -> io.BufferedReader:
        # STARTTLS replaces the socket. What came before it in clear is not read.
        if self._reads_from is not self.sock:
            self._reads_from = self.sock
            self._received = Received(self.sock, self._deadline)
            self._buffered = io.BufferedReader(self._received)
        self._received.deadline = self._deadline
        return self._buffered

    def read(self, size: int) -> bytes:
        self._take(size)
        return self._input.read(size)

    def readline(self) -> bytes:
        line = self._input.readline(_MAX_LINE)
        self._take(len(line) + _LINE_COST)
        return line

    def _take(self, size: int) -> None:
        self._octets_left -= size
        if self._octets_left < 0:
            raise self.abort("it sent too much at once")


def responses(data: t.Iterable[t.Any]) -> Iterator[tuple[bytes, list[bytes]]]:
    """Yield the text of each response, and its literals."""
    text, literals = b"", list[bytes]()
    for item in data:
        # The library has a pair for a literal, of it and the text before it. What stands after the
        # literal is the next item.
        before, literal = item if isinstance(item, tuple) else (item, None)
        text += b" " + (before or b"")
        if literal is not None:
            literals.append(literal)
        else:
            yield text, literals
            text, literals = b"", []


def encoded(name: str) -> str:
    """Return the name of a mailbox as RFC 3501 section 5.1.3 writes it."""
    return re.sub(
        r"[^\x20-\x7e]+",
        lambda run: (
            "&"
            + base64.b64encode(run[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
            + "-"
        ),
        name.replace("&", "&-"),
    )


def quoted(text: str) -> str:
    """Return a text as a quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
