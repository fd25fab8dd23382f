"""A fast server that takes what providers' APIs take, as a program: ``benchmarks.http_sink CERT
KEY``.

It speaks HTTP/1.1 on one port, with TLS, and keeps connections. It answers each request at once,
with what the provider of that path answers, and checks nothing. The only request is ``null``. The
answer has the port, the number of requests and of connections, and the last body.
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

_BODIES = {
    b"/emails": b'{"id":"49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}',
    b"/email": b'{"To":"ann@example.org","SubmittedAt":"2026-11-30T01:00:00.0000000Z",'
    b'"MessageID":"b7bc2f4a-e38e-4336-af7d-e6c392c2f817","ErrorCode":0,"Message":"OK"}',
    b"/v2/email/outbound-emails": b'{"MessageId":"0102018f3c-49a3999c-000000"}',
}
_ANSWERS = {
    path: b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    % (len(body), body)
    for path, body in _BODIES.items()
}
_OTHER = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.I)


class Taken:
    """What all connections have taken."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connections = 0
        self.requests = 0
        self.last = b""

    def summary(self) -> dict[str, object]:
        last = base64.b64encode(self.last).decode("ascii")
        return {"connections": self.connections, "requests": self.requests, "last": last}


def _talk(sock: socket.socket, taken: Taken) -> None:
    """Answer the requests of one connection."""
    read = bytearray()

    def fill() -> None:
        if not (octets := sock.recv(1 << 18)):
            raise EOFError
        read.extend(octets)

    while True:
        while (end := read.find(b"\r\n\r\n")) < 0:
            fill()
        head = bytes(read[:end])
        found = _LENGTH.search(head)
        whole = end + 4 + int(found[1] if found else 0)
        while len(read) < whole:
            fill()
        with taken.lock:
            taken.requests += 1
            taken.last = bytes(read[end + 4 : whole])
        del read[:whole]
        sock.sendall(_ANSWERS.get(head.split(b" ", 2)[1], _OTHER))


def _serve(listener: socket.socket, context: ssl.SSLContext, taken: Taken) -> None:
    def talk(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with context.wrap_socket(sock, server_side=True) as encrypted:
                _talk(encrypted, taken)
        except (EOFError, OSError):
            sock.close()

    while True:
        sock, _ = listener.accept()
        with taken.lock:
            taken.connections += 1
        threading.Thread(target=talk, args=(sock,), daemon=True).start()


def main(certificate: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    taken = Taken()
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    threading.Thread(target=_serve, args=(listener, context, taken), daemon=True).start()
    for _ in requests():
        answer({"port": listener.getsockname()[1], **taken.summary()})


if __name__ == "__main__":
    main(*sys.argv[1:])
