"""Which process this is, and whether another one on this machine is alive.

A worker signs the rows that it claims. If its process is killed, any other on the same machine sees
that at once, and need not wait until the lease is over. Linux alone can tell; elsewhere the lease
decides.
"""

from __future__ import annotations

import os
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_ZOMBIE = (b"Z", b"X")


def boot_id() -> str:
    """Which life of this machine it is: the same from the start of the kernel to its end, and never
    again; "" where there is none. A container has that of its machine."""
    try:
        # A worker asks in its thread: to read as ASCII would load a codec there.
        return _BOOT.read_bytes().decode().strip().replace("-", "")
    except OSError:
        return ""


def process_mark() -> str:
    """A name of this process that no other one has or had: the life of the machine, the namespace
    of the number, the number, and when the process began. "" where that cannot be told."""
    here = _here()
    began = _began(os.getpid())
    return f"{here}:{os.getpid()}:{began}" if here and began else ""


def is_dead(mark: str) -> bool:
    """Whether the process of a mark has ended. False if nobody can tell from here."""
    machine, _, process = mark.partition(":")
    namespace, _, process = process.partition(":")
    number, _, began = process.partition(":")
    if not (began and number.isdecimal()) or f"{machine}:{namespace}" != _here():
        return False
    # A number is given again, but not with the same beginning.
    found = _began(int(number))
    return found is not None and found != began and not _is_hidden(int(number))


def _is_hidden(number: int) -> bool:
    """Whether a process of somebody else's is there and not shown, as ``hidepid`` of /proc has
    it."""
    if os.path.exists(f"/proc/{number}"):
        return False
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _here() -> str:
    """Where a number of a process means the same process."""
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return ""
    boot = boot_id()
    return f"{boot}:{namespace}" if boot else ""


def _began(number: int) -> str | None:
    """When a process began, in ticks since the machine did; "" if it has ended, though its parent
    may not have asked yet. None if that cannot be read now: a busy server may have no file left to
    open."""
    try:
        # Behind the program's name, which may hold anything, stands its state first
        # (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html).
        with open(f"/proc/{number}/stat", "rb") as file:
            facts = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    except OSError:
        return None
    return "" if len(facts) < 20 or facts[0] in _ZOMBIE else facts[19].decode()
