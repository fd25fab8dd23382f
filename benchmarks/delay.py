"""A proxy that adds delay, as a program: ``benchmarks.delay MILLISECONDS PORT...``.

For each port, it listens on another port and delays all data by half of the milliseconds in each
direction. Connecting is delayed too: the client's data leaves only after a SYN and its answer would
have made the round trip. No data is lost, and the bandwidth is not limited. The only request is
``null``; the answer is the list of ports.
"""

from __future__ import annotations

import queue
import socket
import sys
import threading
import time
from collections.abc import Callable

from .program import answer
from .program import requests

# The data on its way, and when it arrives. b"" is the last item.
_Line = queue.SimpleQueue[tuple[float, bytes]]


def _listen(source: socket.socket, line: _Line, half: float, opened: float) -> None:
    """Put all received data on the line, until the end of the data."""
    said = b"-"
    while said:
        try:
            said = source.recv(1 << 18)
        except OSError:
            said = b""
        line.put((max(time.monotonic(), opened) + half, said))


def _repeat(line: _Line, target: socket.socket) -> None:
    """Send on the data that arrives."""
    said = b"-"
    while said:
        due, said = line.get()
        time.sleep(max(due - time.monotonic(), 0))
        try:
            target.sendall(said) if said else target.shutdown(socket.SHUT_WR)
        except OSError:
            return


def _carry(client: socket.socket, port: int, half: float) -> None:
    """Carry octets between the client and the server until both have sent everything."""
    opened = time.monotonic() + 2 * half
    there: _Line = queue.SimpleQueue()
    back: _Line = queue.SimpleQueue()
    threads = [_started(_listen, client, there, half, opened)]
    # The server learns of the client when the client's ACK arrives.
    time.sleep(max(opened + half - time.monotonic(), 0))
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threads += [_started(_repeat, there, server), _started(_listen, server, back, half, opened)]
        _repeat(back, client)
        for thread in threads:
            thread.join()


def _started(act: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=act, args=arguments, daemon=True)
    thread.start()
    return thread


def _serve(listener: socket.socket, port: int, half: float) -> None:
    while True:
        client, _ = listener.accept()
        _started(_carry, client, port, half)


def main(milliseconds: str, *ports: str) -> None:
    half = float(milliseconds) / 2000
    listeners = [socket.create_server(("127.0.0.1", 0), backlog=100) for _ in ports]
    for listener, port in zip(listeners, ports, strict=True):
        _started(_serve, listener, int(port), half)
    for _ in requests():
        answer([listener.getsockname()[1] for listener in listeners])


if __name__ == "__main__":
    main(*sys.argv[1:])
