"""The example for Quart, served by Hypercorn and by Uvicorn."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from code_blocks import code_blocks
from local_http import ask
from queueing import shop
from queueing import url_of
from sending import Scripted
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import ScriptedServer

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "quart"
DEPLOYMENT = ROOT / "docs" / "deployment.rst"

# The socket is a file in the current folder.
_HYPERCORN = ["hypercorn", "--bind", "unix:http", "--graceful-timeout", "60"]
SERVERS = {
    "hypercorn": [*_HYPERCORN, "shop:app"],
    "two of hypercorn": [*_HYPERCORN, "--workers", "2", "patient:app"],
    "uvicorn": ["uvicorn", "--uds", "http", "--timeout-graceful-shutdown", "60", "shop:app"],
}

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def served(folder: Path, server: ScriptedServer, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Serve the example at a socket in a folder, in which it has its queue."""
    source = (EXAMPLE / "shop.py").read_text(encoding="utf-8")
    instance = f"Quart(__name__, instance_path={str(folder)!r}, root_path={str(EXAMPLE)!r})"
    (folder / "shop.py").write_text(source.replace("Quart(__name__)", instance), encoding="utf-8")
    (patient,) = (block for block in code_blocks(DEPLOYMENT) if block.file == "patient.py")
    (folder / "patient.py").write_text(patient.code, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", *SERVERS[name]],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "QUART_MAIL_URL": url_of(server),
        },
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        until(lambda: listens_at(folder / "http"), 60, name)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(120)


def listens_at(path: Path) -> bool:
    """Whether a server listens at a socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0


def orders(folder: Path, numbers: range, path: str = "") -> list[dict[str, t.Any]]:
    """Order several times at once, and return the responses."""

    def order(number: int) -> dict[str, t.Any]:
        form = {"email": f"o{number}@example.com"}
        _, body = ask(folder / "http", "POST", f"/orders/{number}{path}", form)
        return t.cast("dict[str, t.Any]", json.loads(body))

    with ThreadPoolExecutor(len(numbers)) as pool:
        return [*pool.map(order, numbers)]


def recipients(server: ScriptedServer) -> list[str]:
    return sorted(recipient for message in server.accepted for recipient in message.recipients)


@pytest.mark.parametrize("name", ["hypercorn", "uvicorn"])
def test_fifty_at_once(name: str, tmp_path: Path, scripted: Scripted) -> None:
    """Fifty requests that send at once each send their message, once."""
    server = scripted()

    with served(tmp_path, server, name):
        answers = orders(tmp_path, range(50))

    expected = sorted(f"o{number}@example.com" for number in range(50))
    assert sorted(answer["accepted"][0] for answer in answers) == expected
    assert recipients(server) == expected
    assert all(b"https://shop.example/orders/" in message.content for message in server.accepted)


@pytest.mark.parametrize("name", SERVERS)
def test_the_end_while_the_queue_sends(name: str, tmp_path: Path, scripted: Scripted) -> None:
    """If the server stops while the queue's thread sends, no message is lost or sent twice, the row
    that is being sent is finished, and the next process sends the rest. Uvicorn ends by the
    signal that it got, so no hook of atexit runs."""
    server = scripted()

    with served(tmp_path, server, name) as process:
        tickets = orders(tmp_path, range(20), "/later")
        until(lambda: server.accepted, 60, "the first message")
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == (-signal.SIGTERM if name == "uvicorn" else 0)
    with shop(tmp_path, server) as rest:
        rest.queue.run_once()
        states = rest.states

    assert len({ticket["ticket"] for ticket in tickets}) == 20
    assert recipients(server) == sorted(f"o{number}@example.com" for number in range(20))
    assert states == ["sent"] * 20
