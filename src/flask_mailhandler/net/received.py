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
    :param early: Octets that have been received already.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline, early: bytes = b"") -> None:
        self._sock = sock
        self.deadline: Deadline = deadline
        """May be replaced by the deadline of a next step."""
        self._early = early
        self.ended: bool = False
        """Whether the other side has closed."""

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the file to read from. A response asks its socket for it."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        if self._early:
            taken, self._early = self._early[: len(buffer)], self._early[len(buffer) :]
            buffer[: len(taken)] = taken
            return len(taken)
        self._sock.settimeout(left(self.deadline))
        received = self._sock.recv_into(buffer)
        self.ended = not received
        return received


def left(deadline: Deadline) -> float:
    """Return the seconds left.

    :raises TimeoutError: if there are none.
    """
    found = deadline.remaining()
    if found <= 0:
        raise TimeoutError
    return found
