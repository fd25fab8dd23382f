"""A worker for some accounts, for some messages, or for some time."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t

import pytest

from flask_mailhandler import ConfigurationError
from flask_mailhandler.queue.bell import Bell
from queueing import shop
from queueing import url_of
from sending import letter
from sending import letters

if t.TYPE_CHECKING:
    from pathlib import Path

    from queueing import Shop
    from sending import Scripted

_APP = """
from pathlib import Path
from queueing import Shop
news = {{"news": {{"url": {url!r}}}}}
app = Shop(Path({folder!r}), None, MAIL_URL={url!r}, MAIL_ACCOUNTS=news).app
"""


@pytest.fixture
def here(tmp_path: Path, scripted: Scripted) -> t.Iterator[Shop]:
    """A shop with three accounts."""
    server = scripted()
    account = {"url": url_of(server)}
    (tmp_path / "app.py").write_text(
        _APP.format(folder=str(tmp_path), url=account["url"]), encoding="utf-8"
    )
    with shop(tmp_path, server, MAIL_ACCOUNTS={"news": account, "bulk": account}) as made:
        yield made


def worker(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``flask mail worker`` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", "mail", "worker", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("using", "sent"),
    [
        (["news"], ["news"]),
        (["bulk", "news", "bulk"], ["bulk", "news"]),
        (["default"], ["default"]),
        ([], ["bulk", "default", "news"]),
    ],
)
def test_accounts(here: Shop, using: list[str], sent: list[str]) -> None:
    """A worker with using= sends the mail of these accounts, and leaves all other mail."""
    for account in ("default", "news", "bulk"):
        here.mail.send_later(letter(), using=account)
    bell = Bell()
    bell.finish()
    here.queue.worker(bell, using=using).run()

    assert sorted(row.account for row in here.queue.rows(state="sent")) == sent
    assert len(here.queue.rows(state="waiting")) == 3 - len(sent)
    assert here.queue.worker(using=using).run_once() == 0


def test_an_unknown_account(here: Shop, tmp_path: Path) -> None:
    """An account that the app does not have is an error that names those it has."""
    with pytest.raises(
        ConfigurationError, match=r"no account 'nwes'.*'default', 'news' and 'bulk'"
    ):
        here.queue.worker(using=["news", "nwes"])
    done = worker(tmp_path, "--once", "--using", "nwes")

    assert done.returncode == 1
    assert "There is no account 'nwes' in MAIL_ACCOUNTS" in done.stderr


@pytest.mark.parametrize("most", [1, 7, 20, 33])
def test_a_number_of_messages(here: Shop, most: int) -> None:
    """A worker with max_messages= ends after exactly so many messages, whatever their accounts."""
    for account in ("default", "news", "bulk"):
        for _ in here.mail.send_later_each(letters(15), using=account, priority="normal"):
            pass
    here.queue.worker(max_messages=most).run()

    assert len(here.queue.rows(state="sent", limit=100)) == most
    assert len(here.queue.rows(state="waiting", limit=100)) == 45 - most
    assert sum(row.attempts for row in here.rows) == most


def test_messages_that_are_not_accepted_count(tmp_path: Path, scripted: Scripted) -> None:
    """A refused or deferred message counts for max_messages=."""
    server = scripted(
        on={
            "RCPT TO:<r1@example.com>": "550 5.1.1 no such user",
            "RCPT TO:<r2@example.com>": "450 4.2.1 try later",
        }
    )
    with shop(tmp_path, server) as here:
        for message in letters(5):
            here.mail.send_later(message)
        here.queue.worker(max_messages=3).run()

        assert here.states == ["failed", "waiting", "sent", "waiting", "waiting"]
        assert [row.attempts for row in here.rows] == [1, 1, 1, 0, 0]


def test_the_command(here: Shop, tmp_path: Path) -> None:
    """flask mail worker --using --max-messages sends that mail and exits."""
    for account in ("default", "news", "bulk"):
        for message in letters(3):
            here.mail.send_later(message, using=account)
    done = worker(tmp_path, "--using", "default", "--using", "news", "--max-messages", "5")

    assert done.returncode == 0, done.stderr
    assert "5 sent (" in done.stderr
    assert len(here.queue.rows(state="sent", using="bulk")) == 0


def test_a_time(here: Shop, tmp_path: Path) -> None:
    """flask mail worker --max-seconds exits when the time is over."""
    here.mail.send_later(letter(), delay=3600)
    done = worker(tmp_path, "--max-seconds", "1")

    assert done.returncode == 0, done.stderr
    assert "Finishing the current messages.\nNothing sent." in done.stderr
    assert here.states == ["waiting"]
