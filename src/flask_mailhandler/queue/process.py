"""Name this process, and find out whether another process on this machine is alive.

A worker writes its process's mark into the rows that it claims. If the process is killed, any other
worker on the same machine sees that at once and need not wait for the lease to end. This works on
Linux only; elsewhere the lease decides.
"""

from __future__ import annotations

import os
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_ZOMBIE = (b"Z", b"X")


def boot_id() -> str:
    """Return the kernel's boot id, which is new each time the machine starts; "" if there is none.
    A container has the boot id of its machine."""
    try:
        # As octets, because a worker calls this in its thread: reading text as ASCII would load a
        # codec there.
        return _BOOT.read_bytes().decode().strip().replace("-", "")
    except OSError:
        return ""


def process_mark() -> str:
    """Return a name of this process that no other process has or had.

    It holds the boot id, the namespace of the process id, the process id, and the start time. It is
    "" if the system does not tell.
    """
    here = _here()
    began = _began(os.getpid())
    return f"{here}:{os.getpid()}:{began}" if here and began else ""


def is_dead(mark: str) -> bool:
    """Whether the process of a mark has ended. False if this process cannot find out."""
    machine, _, process = mark.partition(":")
    namespace, _, process = process.partition(":")
    number, _, began = process.partition(":")
    if not (began and number.isdecimal()) or f"{machine}:{namespace}" != _here():
        return False
    # A process id is used again, but not with the same start time.
    found = _began(int(number))
    return found is not None and found != began and not _is_hidden(int(number))


def _is_hidden(number: int) -> bool:
    """Whether a process of another user exists that /proc does not show.

    The option ``hidepid`` of /proc hides it.
    """
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
    """Return the place within which a process id means one process."""
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return ""
    boot = boot_id()
    return f"{boot}:{namespace}" if boot else ""


def _began(number: int) -> str | None:
    """Return when a process started, in ticks since the machine did.

    It is "" if the process has ended, even if its parent has not waited for it yet. It is None if
    it cannot be read now, because a busy server may have no file descriptor left.
    """
    try:
        # The program's name may hold anything. The first field after it is the state
        # (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html).
        with open(f"/proc/{number}/stat", "rb") as file:
            facts = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    except OSError:
        return None
    return "" if len(facts) < 20 or facts[0] in _ZOMBIE else facts[19].decode()
