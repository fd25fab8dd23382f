"""What a queued message asks servers to tell about it."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest

from flask_mailhandler.queue.stored_message import job_of
from flask_mailhandler.queue.unreadable import DamagedRowError
from queueing import shop
from sending import letter
from sending import Scripted
from servers.scripted import DEFAULT_EXTENSIONS

if t.TYPE_CHECKING:
    from pathlib import Path


def test_each_attempt_asks(tmp_path: Path, scripted: Scripted) -> None:
    """Each attempt asks for what the message asked for when it was queued."""
    server = scripted(
        extensions=(*DEFAULT_EXTENSIONS, "DSN"), on={"end of data": ["451 4.3.0 Later"]}
    )
    with shop(tmp_path, server, MAIL_DSN_RETURN="full") as here:
        here.mail.send_later(letter().replace(dsn_notify=["failure", "delay"]))
        for _ in range(2):
            here.queue.run_once()
            here.all_later()

    mails = [line for line in server.commands if line.startswith("MAIL")]
    assert [line for line in server.commands if line.startswith("RCPT")] == [
        "RCPT TO:<b@example.com> NOTIFY=FAILURE,DELAY ORCPT=rfc822;b@example.com"
    ] * 2
    assert mails == [mails[0]] * 2
    assert " RET=FULL ENVID=" in mails[0]
    assert len(server.accepted) == 1


def test_each_attempt_has_the_same_sender(tmp_path: Path, scripted: Scripted) -> None:
    """Each attempt has the signed envelope sender that the message got when it was queued."""
    server = scripted(on={"end of data": ["451 4.3.0 Later"]})
    keys = {"SECRET_KEY": "secret", "MAIL_BOUNCE_ADDRESS": "bounces@example.com"}
    with shop(tmp_path, server, **keys) as here:
        here.mail.send_later(letter())
        here.queue.run_once()
        here.app.config["SECRET_KEY"] = "another"
        here.all_later()
        here.queue.run_once()

    first, second = [found.sender for found in server.received]
    assert first == second
    assert first.startswith("bounces+")


def test_a_row_without(tmp_path: Path) -> None:
    """The row of a message that asks for nothing does not mention notifications."""
    with shop(tmp_path) as here:
        here.mail.send_later(letter())

        assert "dsn" not in json.loads(here.rows[0].options)


@pytest.mark.parametrize("stored", [1, ["failure"], [["soon"], None], [["failure"], "half"], "x"])
def test_a_damaged_row(stored: object, tmp_path: Path) -> None:
    """A row whose notifications cannot be read is damaged."""
    with shop(tmp_path) as here:
        here.mail.send_later(letter())
        (row,) = here.rows
    options = json.dumps({**json.loads(row.options), "dsn": stored})

    with pytest.raises(DamagedRowError):
        job_of(dataclasses.replace(row, options=options), b"x" * row.size, (), 1.0)
