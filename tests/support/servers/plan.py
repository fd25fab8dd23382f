"""A script that is set anew before each sending: the n-th time of a step fails."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
import typing as t
from collections import Counter
from pathlib import Path

from .actions import Script

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable

    from .actions import Action

# Of /proc/net/tcp: connected; being connected; closed by the other side and not yet by this one.
HELD = {"01", "02", "08"}
ESTABLISHED = {"01"}


class Fault(t.NamedTuple):
    """The action for the *number*-th *step* from now on, counted from 1."""

    step: str
    action: Action
    number: int = 1


class Plan(Script):
    """A server's script: ``server.script = plan``. Other steps get the default reply.

    :param at_greeting: called at the beginning of each connection.
    """

    def __init__(self, at_greeting: Callable[[], None]) -> None:
        super().__init__({})
        #: The faults that have happened, in order.
        self.fired: list[Fault] = []
        self._at_greeting = at_greeting
        self._planned: list[Fault] = []
        self._passed: Counter[str] = Counter()
        self._alone = threading.Lock()

    def expect(self, faults: Iterable[Fault]) -> None:
        """Replace the planned faults."""
        with self._alone:
            self._planned = list(faults)
            self._passed.clear()
            self.fired = []

    def take(self, step: str, line: str = "") -> Action | None:
        if step == "greeting":
            self._at_greeting()
        with self._alone:
            self._passed[step] += 1
            for fault in self._planned:
                if (fault.step, fault.number) == (step, self._passed[step]):
                    self._planned.remove(fault)
                    self.fired.append(fault)
                    return fault.action
        return None


def clients(port: int, states: set[str] = HELD) -> int:
    """How many sockets of this process are connected to a port of this machine and not closed yet
    (Linux, IPv4).

    This reads the kernel's table, because a server learns of a close later.
    """
    return len(_connected(port, states) - _STRANGERS.get(port, set()))


# By port: sockets of this process that were connected to another server, which had the port before.
# A library may keep a connection to a broker that has ended.
_STRANGERS: dict[int, set[str]] = {}


def note_strangers(port: int) -> None:
    """Leave out the sockets that are connected to this port before its new server starts.

    This asks the sockets, because reading the kernel's table takes 5 ms, for every server.
    """
    _STRANGERS[port] = set()
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # Closed meanwhile, not a socket, or not connected.
            if _port_of_peer(int(descriptor)) == port:
                _STRANGERS[port].add(os.readlink(f"/proc/self/fd/{descriptor}"))


def _port_of_peer(descriptor: int) -> int | None:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return None
    borrowed = socket.socket(fileno=descriptor)
    try:
        peer = borrowed.getpeername()
    finally:
        borrowed.detach()
    return peer[1] if borrowed.family == socket.AF_INET else None


def _connected(port: int, states: set[str]) -> set[str]:
    rows = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
    columns = [row.split() for row in rows]
    sockets = {
        f"socket:[{column[9]}]"
        for column in columns
        if column[3] in states and int(column[2].rpartition(":")[2], 16) == port
    }
    return sockets & _own() if sockets else sockets


def _own() -> set[str]:
    found = set()
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # Closed meanwhile.
            found.add(os.readlink(f"/proc/self/fd/{descriptor}"))
    return found
