"""Eight threads send and queue with one ``Mail``: each message arrives exactly once.

It is meant for a free-threaded Python, and runs on every other one. See *Other Pythons* in
CONTRIBUTING.rst.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import typing as t
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# `python tests/tools/free_threads.py` knows its own folder only.
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from flask_mailhandler import Message
from queueing import Shop
from queueing import shop
from servers import ScriptedServer

THREADS = 8


def sent(here: Shop, thread: int, each: int) -> None:
    """Send *each* messages, with HTML, to two recipients."""
    with here.app.app_context():
        for number in range(each):
            to = [f"{name}+sent-{thread}-{number}@example.com" for name in ("ann", "bob")]
            here.mail.send("Hello", subject="Hi", html="<p>Hello</p>", to=to)


def queued(here: Shop, thread: int, each: int) -> None:
    """Queue *each* messages, every tenth of them twice with one key."""
    with here.app.app_context():
        for number in range(each):
            name = f"queued-{thread}-{number}"
            message = Message(subject="Hi", text="Hello", to=f"ann+{name}@example.com")
            for _ in range(2 if number % 10 == 0 else 1):
                here.mail.send_later(message, key=name)


def run(each: int, folder: Path) -> dict[str, int]:
    """Return the numbers of the recipients that got their message once, twice and never."""
    wanted = THREADS // 2 * each * 3
    with (
        ScriptedServer() as server,
        shop(folder, server, MAIL_QUEUE_ENGINE="thread") as here,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        works = [sent, queued] * (THREADS // 2)
        doing = [pool.submit(work, here, thread, each) for thread, work in enumerate(works)]
        for done in doing:
            done.result()
        _wait(lambda: sum(len(one.recipients) for one in server.accepted) >= wanted)
    assert server.breaches == []
    came = Counter(recipient for one in server.accepted for recipient in one.recipients)
    once = sum(number == 1 for number in came.values())
    return {"once": once, "twice": len(came) - once, "never": wanted - len(came)}


def _wait(ready: t.Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not ready() and time.monotonic() < end:
        time.sleep(0.01)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=400, help="messages of a thread")
    each = parser.parse_args().each
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = run(each, Path(folder))
    lock = getattr(sys, "_is_gil_enabled", lambda: True)()
    print(f"Python {sys.version.split()[0]}, its lock is {'on' if lock else 'off'}: {found}")
    print(f"{time.perf_counter() - begun:.1f} seconds")
    return 1 if found["twice"] or found["never"] else 0


if __name__ == "__main__":
    sys.exit(main())
