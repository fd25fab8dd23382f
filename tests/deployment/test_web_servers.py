"""The web servers that most apps use are stopped while they work. ``make servers`` tries others."""

from __future__ import annotations

import typing as t

import pytest

from web_servers import DRAINED
from web_servers import SERVERS
from web_storm import storm

if t.TYPE_CHECKING:
    from pathlib import Path

    from sending import Scripted


@pytest.mark.services
@pytest.mark.parametrize(
    "name", ["gunicorn, gthread", "uvicorn, serve.py", "waitress", "waitress, sys.exit"]
)
def test_the_server_is_stopped(name: str, tmp_path: Path, scripted: Scripted) -> None:
    """When a web server is stopped during 50 requests, the mail of each answered request is sent
    once: before its processes end, or by the next process at once."""
    web = SERVERS[name]
    result = storm(web, tmp_path, scripted(), drain=60.0)

    assert (result.errors, result.waiting, result.lost, result.doubled) == (0, 0, [], [])
    assert result.held <= 1  # the message that was being sent when the process was killed
    if web.promise == DRAINED:
        assert result.left == 0
