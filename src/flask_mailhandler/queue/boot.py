"""Which life of this machine it is: what was not yet on the disk is gone with the last one."""

from __future__ import annotations

from pathlib import Path

_LINUX = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """The same from the start of the kernel to its end, and never again; "" where there is none.
    A container has that of its machine."""
    try:
        # A worker asks in its thread: to read as ASCII would load a codec there.
        return _LINUX.read_bytes().decode().strip().replace("-", "")
    except OSError:
        return ""
