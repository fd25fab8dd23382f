"""The web servers that most apps use are stopped while they work. ``make servers`` tries others."""

from __future__ import annotations

import re
import shlex
import typing as t

import pytest

from web_servers import DRAINED
from web_servers import PAGE
from web_servers import SERVERS
from web_storm import storm

if t.TYPE_CHECKING:
    from pathlib import Path

    from sending import Scripted


@pytest.mark.services
@pytest.mark.parametrize(
    "name", ["gunicorn, gthread", "uvicorn, serve.py", "waitress", "waitress, wsgi.py"]
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


def test_the_commands_of_the_page() -> None:
    """Each command of the page, with its options, is one of those that are tried. Only where the
    server listens differs."""
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    commands = [shlex.split(line) for line in re.findall(r"^    \$ (.+)$", text, re.M)]
    tried = [{word for part in web.command for word in part.split("=")} for web in SERVERS.values()]

    assert commands
    for program, *rest in commands:
        name = {"waitress-serve": "waitress"}.get(program, program)
        words = {*rest} - {"--http-socket", ":8000"} | ({name} - {"python", "uwsgi"})
        assert any(words <= command for command in tried), (program, words)
