"""Children of multiprocessing, as granian's workers are: they end in order, too."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t

import pytest

from queueing import shop
from queueing import url_of
from servers import Delay

if t.TYPE_CHECKING:
    from pathlib import Path

    from sending import Scripted

_PROGRAM = """
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from queueing import Shop
from sending import letters

folder, url, how, method = sys.argv[1:]
here = Shop(Path(folder), None, MAIL_QUEUE_ENGINE="thread", MAIL_URL=url)


def queue_mail():
    with here.app.app_context():
        assert len([*here.mail.send_later_each(letters(10))]) == 10


if __name__ == "__main__":
    context = multiprocessing.get_context(method)
    if how == "pool":
        with ProcessPoolExecutor(1, context) as pool:
            pool.submit(queue_mail).result()
    else:
        if how == "default":
            multiprocessing.set_start_method(method)
            context = multiprocessing
        child = context.Process(target=queue_mail)
        child.start()
        child.join()
        assert child.exitcode == 0
    print("ended")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "method"),
    [
        ("process", "fork"),
        ("default", "fork"),
        ("pool", "fork"),
        ("process", "forkserver"),
        ("process", "spawn"),
    ],
)
def test_the_end_of_a_child(how: str, method: str, tmp_path: Path, scripted: Scripted) -> None:
    """A child of multiprocessing sends the mail that it has queued before it ends, however it was
    started."""
    server = scripted(on={"end of data": Delay(0.02, "250 2.0.0 ok")})
    program = tmp_path / "children.py"
    program.write_text(_PROGRAM, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program, tmp_path, url_of(server), how, method],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=240,
    )

    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr
    with shop(tmp_path, server) as here:
        assert here.states == ["sent"] * 10
    assert len(server.accepted) == 10


_ONCE = """
import multiprocessing
import sys

from flask_mailhandler.queue.engines.background import Background


class Noting(Background):
    name = "noting"

    def run(self):
        self.bell.wait(60)

    def at_exit(self):
        print("at exit", flush=True)
        super().at_exit()


kept = Noting()

if __name__ == "__main__":
    child = multiprocessing.get_context(sys.argv[1]).Process(target=kept.start)
    child.start()
    child.join()
    assert child.exitcode == 0
"""


def test_a_child_ends_once(tmp_path: Path) -> None:
    """The end of a child is noticed once, by atexit or by multiprocessing's finalizers: Python 3.13
    and newer have both."""
    program = tmp_path / "once.py"
    program.write_text(_ONCE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program, "fork"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=240,
    )

    assert (done.returncode, done.stdout) == (0, "at exit\n"), done.stderr
