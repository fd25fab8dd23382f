"""The environment of processes that are measured from their first import."""

from __future__ import annotations

import os


def environment() -> dict[str, str]:
    """Return this process's environment, in which Python keeps the modules that it compiles.

    Without ``PYTHONDONTWRITEBYTECODE``, because no app compiles its modules at each start.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
