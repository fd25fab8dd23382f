"""``make soak``: 16 processes send 5,000 mails from one database, each of them once (F-100).

The name keeps it out of the other tests, for it takes a minute.
"""

from __future__ import annotations

import collections
import typing as t

import pytest

from queueing import shop
from sending import letters
from sending import Scripted
from workers import together

if t.TYPE_CHECKING:
    from pathlib import Path

    from servers.database_server import DatabaseServer

pytestmark = pytest.mark.services

PROCESSES, MAILS = 16, 5_000


def test_a_crowd(tmp_path: Path, scripted: Scripted, database_server: DatabaseServer) -> None:
    """Each row goes to the worker that claims it first, and to no other."""
    server = scripted()
    with (
        database_server.database() as url,
        shop(tmp_path, server, MAIL_QUEUE=url) as here,
    ):
        assert len([*here.mail.send_later_each(letters(MAILS))]) == MAILS
        keys = {"MAIL_QUEUE": url, "MAIL_URL": here.app.config["MAIL_URL"]}
        taken = together(PROCESSES, tmp_path, **keys)

        assert sum(taken) == MAILS
        assert here.queue.stats().counts == {"sent": MAILS}
    came = collections.Counter(one.recipients[0] for one in server.accepted)
    assert (len(came), max(came.values())) == (MAILS, 1)
