"""What could make mail late, or its worker busy for nothing."""

from __future__ import annotations

import threading
import typing as t

from flask_mailhandler.queue import worker
from flask_mailhandler.queue.bell import Bell
from queueing import shop
from queueing import url_of
from sending import letter
from sending import Scripted
from servers.waiting import until

if t.TYPE_CHECKING:
    from pathlib import Path

    from servers.connection import Connection


def test_a_worker_without_a_thread_left_rests(tmp_path: Path, scripted: Scripted) -> None:
    """While all its threads wait for servers a worker looks once a second, though the mail of
    another account is due; and sends that as soon as one is free."""
    reached, go_on = threading.Event(), threading.Event()

    def hang(line: str, connection: Connection) -> str:
        reached.set()
        assert go_on.wait(60)
        return "250 2.1.0 ok"

    slow, quick = scripted(on={"MAIL": hang}), scripted()
    accounts = {"slow": {"url": url_of(slow)}}
    with shop(tmp_path, quick, MAIL_QUEUE_THREADS=1, MAIL_ACCOUNTS=accounts) as here:
        here.mail.send_later(letter(), using="slow")
        bell = Bell()
        busy = here.queue.worker(bell)
        busy._end = float("inf")  # as in run()
        busy._round(lambda: None)
        assert reached.wait(60)
        here.mail.send_later(letter())

        assert busy._round(lambda: None) == worker.POLL
        go_on.set()
        thread = threading.Thread(target=busy.run)
        thread.start()
        until(lambda: here.states == ["sent", "sent"], 60, "both to be sent")
        bell.stop()
        thread.join()
        assert (len(slow.accepted), len(quick.accepted)) == (1, 1)
