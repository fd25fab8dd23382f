"""What PyInstaller is told about this package: it asks the entry point ``pyinstaller40``."""

from __future__ import annotations

import os


def hook_dirs() -> list[str]:
    """Where the hook is."""
    return [os.path.dirname(__file__)]
