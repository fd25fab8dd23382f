"""Queued mail of an account that passes its messages to others."""

from __future__ import annotations

import datetime
import email
import typing as t

import pytest

from failing_over import health_of
from failing_over import url_of
from flask_mailhandler import Message
from flask_mailhandler import Outcome
from flask_mailhandler import State
from flask_mailhandler.queue import outcomes
from flask_mailhandler.queue.begun import Begun
from flask_mailhandler.queue.outcomes import Settled
from flask_mailhandler.queue.stores.base import Pause
from queueing import shop
from queueing import who
from sending import job
from sending import letter
from sending import Scripted
from servers.actions import DROP
from servers.actions import Taken
from servers.http_server import page
from servers.providers.fake import LOST
from servers.providers.fake import not_taken_and
from servers.providers.resend import FakeResend

if t.TYPE_CHECKING:
    from pathlib import Path

    from queueing import Shop
    from sending import Listener

DOWN = {"greeting": "421 4.3.2 no"}


def keys_of(first: str, second: Listener, **keys: t.Any) -> dict[str, t.Any]:
    """The configuration of an app with a server and a reserve."""
    backup = {"url": url_of(second), **keys.pop("backup", {})}
    failover = {"MAIL_FAILOVER": ["default", "backup"]}
    return {"MAIL_URL": first, "MAIL_ACCOUNTS": {"backup": backup}, **failover, **keys}


def account_of(here: Shop, number: int = 0) -> str:
    """The account by which a row was sent, as its report says."""
    return here.queue.report(here.rows[number]).account


def test_a_row_is_sent_by_the_reserve(scripted: Scripted, tmp_path: Path) -> None:
    """A row stays with the account that queued it; its report names the account that sent it, whose
    From and prefix it has."""
    first, second = scripted(on=DOWN), scripted()
    backup = {"default_from": "backup@example.org", "subject_prefix": "[b]"}
    with shop(tmp_path, **keys_of(url_of(first), second, backup=backup)) as here:
        here.mail.send_later(Message(subject="Hi", text="x\n", to="ann@example.com"))
        here.mail.send_later(letter())
        here.queue.run_once()

        assert here.states == ["sent"] * 2
        assert [row.account for row in here.rows] == ["default"] * 2
        assert [account_of(here, number) for number in (0, 1)] == ["backup"] * 2
        ids = [row.message_id for row in here.rows]
        assert here.queue.stats().paused == {}
        assert list(here.queue.stats().down) == ["default"]

    found = [email.message_from_bytes(one.content) for one in second.accepted]
    assert [one["From"] for one in found] == ["backup@example.org", "a@example.com"]
    assert [one["Subject"] for one in found] == ["[b] Hi"] * 2
    assert [one["Message-ID"] for one in found] == ids
    assert found[0].get_payload().strip() == "x"
    assert second.accepted[0].sender == "backup@example.org"
    assert len(first.connections) == 1


def test_the_workers_share_what_is_down(scripted: Scripted, tmp_path: Path) -> None:
    """A worker that begins knows what another one has found out, also that it is over."""
    first, second = scripted(on={"greeting": ["421 4.3.2 no"]}), scripted()
    keys = keys_of(url_of(first), second)
    with shop(tmp_path, **keys) as one, shop(tmp_path, **keys) as other:
        one.mail.send_later(letter())
        one.queue.run_once()
        with other.app.app_context():
            other.mail.send_later(letter())
            other.queue.run_once()
            assert account_of(other, 1) == "backup"
            assert list(health_of(other.mail).states()) == ["default"]
        assert len(first.connections) == 1

        # The pause is over: the first to try it finds it up.
        state = health_of(one.mail).states()["default"]
        health_of(one.mail).learn("default", t.cast("t.Any", state)._replace_until(0.0))
