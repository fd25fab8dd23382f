"""The tool that is run on a free-threaded Python."""

from __future__ import annotations

import typing as t

import free_threads

if t.TYPE_CHECKING:
    from pathlib import Path


def test_exactly_once(tmp_path: Path, no_leaks: None) -> None:
    """Eight threads send and queue with one Mail, and each recipient gets one message."""
    assert free_threads.run(10, tmp_path) == {"once": 120, "twice": 0, "never": 0}
