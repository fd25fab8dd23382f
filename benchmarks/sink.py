"""A fast server that accepts and discards all mail, as a program: ``benchmarks.sink CERT KEY``.

It listens on three ports, without encryption, with STARTTLS and with TLS from the first octet, and
offers PIPELINING, CHUNKING and AUTH. It replies to all clients alike: at once, and in one
write to commands that arrived together. The only request is ``null``. The answer has the number of
connections and messages, and the last message.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
import sys
import threading

from .program import answer
from .program import requests

_OFFER = ("sink.example", "PIPELINING", "CHUNKING", "8BITMIME", "SMTPUTF8")
_REPLIES = {
    b"MAIL": b"250 2.1.0 ok\r\n",
    b"RCPT": b"250 2.1.5 ok\r\n",
    b"RSET": b"250 2.0.0 ok\r\n",
    b"NOOP": b"250 2.0.0 ok\r\n",
    b"HELO": b"250 sink.example\r\n",
}
_TAKEN = b"250 2.0.0 taken\r\n"


class Taken:
    """The mail that all connections have accepted."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connections = 0
        self.messages = 0
        self.last = b""

    def add(self, content: bytes) -> None:
        with self.lock:
            self.messages += 1
            self.last = content

    def summary(self) -> dict[str, object]:
        last = base64.b64encode(self.last).decode("ascii")
        return {"connections": self.connections, "messages": self.messages, "last": last}


class Conversation:
    """One connection, in its own thread."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None, taken: Taken) -> None:
        self._sock = sock
        self._context = context
        self._taken = taken
        self._read = bytearray()
        self._replies: list[bytes] = [b"220 sink.example ESMTP\r\n"]

    def run(self) -> None:
        """Reply until the client disconnects."""
        chunks = []
        try:
            while (verb := (line := self._line())[:4].upper()) != b"QUIT":
                if reply := _REPLIES.get(verb):
                    self._replies.append(reply)
                elif verb == b"DATA":
                    self._replies.append(b"354 go on\r\n")
                    self._take(self._until(b"\r\n.\r\n").replace(b"\r\n..", b"\r\n."))
                elif verb == b"BDAT":
                    chunks.append(self._exactly(int(line.split()[1])))
                    if line.upper().endswith(b" LAST"):
                        self._take(b"".join(chunks))
                        chunks.clear()
                    else:
                        self._replies.append(b"250 2.0.0 go on\r\n")
                else:
                    self._open(verb, line)
            self._sock.sendall(b"".join([*self._replies, b"221 2.0.0 bye\r\n"]))
        except (EOFError, OSError):
            pass
        finally:
            self._sock.close()

    def _open(self, verb: bytes, line: bytes) -> None:
        """Reply to the commands that open a session."""
        if verb == b"EHLO":
            encrypted = isinstance(self._sock, ssl.SSLSocket)
            extra = ["AUTH PLAIN"] if encrypted else ["STARTTLS"] * bool(self._context)
            self._replies += [f"250-{keyword}\r\n".encode() for keyword in (*_OFFER, *extra)]
            self._replies.append(b"250 SIZE 100000000\r\n")
        elif verb == b"STAR" and self._context:
            self._sock.sendall(b"220 2.0.0 go on\r\n")
            self._sock = self._context.wrap_socket(self._sock, server_side=True)
        elif re.match(rb"AUTH PLAIN [^ ]+$", line, re.I):
            self._replies.append(b"235 2.7.0 ok\r\n")
        else:
            self._replies.append(b"500 5.5.1 not here\r\n")

    def _take(self, content: bytes) -> None:
        self._taken.add(content)
        self._replies.append(_TAKEN)

    def _line(self) -> bytes:
        return self._until(b"\r\n")

    def _until(self, end: bytes) -> bytes:
        start = 0
        while (found := self._read.find(end, start)) < 0:
            start = max(len(self._read) - len(end), 0)
            self._fill()
        taken = bytes(self._read[:found])
        del self._read[: found + len(end)]
        return taken

    def _exactly(self, size: int) -> bytes:
        while len(self._read) < size:
            self._fill()
        taken = bytes(self._read[:size])
        del self._read[:size]
        return taken

    def _fill(self) -> None:
        """Send the pending replies, and read."""
        if self._replies:
            self._sock.sendall(b"".join(self._replies))
            self._replies.clear()
        if not (octets := self._sock.recv(1 << 18)):
            raise EOFError
        self._read += octets


def _serve(listener: socket.socket, context: ssl.SSLContext, security: str, taken: Taken) -> None:
    def talk(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if security == "tls":
                sock = context.wrap_socket(sock, server_side=True)
        except OSError:
            sock.close()
            return
        Conversation(sock, context if security == "starttls" else None, taken).run()

    while True:
        sock, _ = listener.accept()
        with taken.lock:
            taken.connections += 1
        threading.Thread(target=talk, args=(sock,), daemon=True).start()


def main(certificate: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    taken = Taken()
    ports = {}
    for security in ("none", "starttls", "tls"):
        listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        ports[security] = listener.getsockname()[1]
        arguments = (listener, context, security, taken)
        threading.Thread(target=_serve, args=arguments, daemon=True).start()
    for _ in requests():
        answer({"ports": ports, **taken.summary()})


if __name__ == "__main__":
    main(*sys.argv[1:])
