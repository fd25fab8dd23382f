"""Reading from a socket until a deadline."""

from __future__ import annotations

import io
import socket
import typing as t

from .deadline import Deadline


class Received(io.RawIOBase):
    """Reads from a socket until the deadline. A socket's own time-out begins anew with every
    octet.

    :param sock: Connected.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self.deadline: Deadline = deadline
        """May be replaced by the deadline of a next step."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        self._sock.settimeout(left(self.deadline))
        return self._sock.recv_into(buffer)


def left(deadline: Deadline) -> float:
    """Return the seconds left.

    :raises TimeoutError: if there are none.
    """
    found = deadline.remaining()
    if found <= 0:
        raise TimeoutError
    return found
