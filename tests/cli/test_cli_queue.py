"""``flask mail queue`` and ``flask mail worker``."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import time
import typing as t

import pytest

from flask_mailhandler.cli import queue as queue_commands
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.stores.base import Pause
from queueing import shop
from queueing import url_of
from sending import letter
from sending import letters
from sending import Scripted
from servers import DROP
from terminal import Terminal

if t.TYPE_CHECKING:
    from pathlib import Path

    from queueing import Shop
    from servers import ScriptedServer
    from servers.connection import Connection

pytestmark = pytest.mark.slow

_APP = """
import sys
from pathlib import Path
from queueing import Shop
app = Shop(Path({folder!r}), None, MAIL_URL={url!r}).app
"""


def run(here: Shop, *arguments: str) -> tuple[int, str]:
    """Run ``flask mail`` in the app, and return the exit code and the output."""
    result = here.app.test_cli_runner().invoke(args=["mail", *arguments])
    return result.exit_code, result.output


def program(folder: Path, server: ScriptedServer) -> dict[str, str]:
    """An environment in which ``flask`` finds a shop."""
    url = url_of(server)
    (folder / "app.py").write_text(_APP.format(folder=str(folder), url=url), encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture
def full(tmp_path: Path, scripted: Scripted) -> t.Iterator[Shop]:
    """A shop with a message in each state."""
    server = scripted(
        on={
            "RCPT TO:<refused@example.com>": "550 5.1.1 no such user",
            "end of data": ["250 2.0.0 ok", DROP],
        }
    )
    news = {"url": url_of(server)}
    with shop(tmp_path, server, MAIL_ACCOUNTS={"news": news}) as here:
        here.mail.send_later(letter("sent@example.com"), key="order:17")
        here.mail.send_later(letter("held@example.com"))
        here.mail.send_later(letter("refused@example.com"), using="news")
        here.queue.run_once()
        here.mail.send_later(letter("a@example.com", "b@example.com", "c@example.com"), delay=60)
        yield here


def test_status(full: Shop) -> None:
    """status counts the messages in each state, and says which account is paused and why."""
    full.queue.store.alter_pause("news", lambda before: Pause(9e9, 1, "no route to host"))
    code, said = run(full, "queue", "status")

    assert code == 0
    assert re.findall(r"(\w+) +(\d+)\n", said) == [
        ("waiting", "1"),
        ("claimed", "0"),
        ("sent", "1"),
        ("failed", "1"),
        ("held", "1"),
        ("cancelled", "0"),
        ("expired", "0"),
    ]
    assert "'news' is paused" in said and "no route to host" in said
    assert "failed     1" in run(full, "queue", "status", "--using", "news")[1]
    assert "sent       0" in run(full, "queue", "status", "--using", "news")[1]


def test_status_of_many(full: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """status counts each state up to a bound and says so. With --exact it counts all, as stats()
    does, which takes a bound too."""
    for number in range(3):
        full.mail.send_later(letter(f"{number}@example.com"), delay=60)
    monkeypatch.setattr(queue_commands, "COUNTED", 3)

    assert re.search(r"waiting +3\+\n", run(full, "queue", "status")[1])
    assert re.search(r"waiting +4\n", run(full, "queue", "status", "--exact")[1])
    assert re.search(r"failed +1\n", run(full, "queue", "status")[1])
    assert full.queue.stats().counts[RowState.WAITING] == 4
    assert full.queue.stats(up_to=3).counts[RowState.WAITING] == 3


def test_list_of_a_recipient(full: Shop) -> None:
    """list --to shows the messages to one recipient, however old they are."""
    numbers = re.findall(r"^ *(\d+) ", run(full, "queue", "list", "--to", "B@example.com")[1], re.M)

    assert numbers == ["4"]
    assert (
        run(full, "queue", "list", "--to", "held@example.com", "--state", "sent")[1]
        == "No messages.\n"
    )
    assert run(full, "queue", "list", "--to", "b")[0] == 1
    assert "to must be a whole address" in run(full, "queue", "list", "--to", "b")[1]


def test_how_long_it_waits(tmp_path: Path) -> None:
    """status says how long the oldest due message is overdue."""
    with shop(tmp_path) as here:
        here.mail.send_later(letter())
        assert re.search(r"is overdue by \d+ s", run(here, "queue", "status")[1])


def test_list(full: Shop) -> None:
    """list shows one message on a line: all of them, or those that match the options."""
    code, said = run(full, "queue", "list")

    assert code == 0
    first = [line for line in said.splitlines() if line[2] != " "]
    assert sorted(line.split()[:2] for line in first) == [
        ["1", "sent"],
        ["2", "held"],
        ["3", "failed"],
        ["4", "waiting"],
    ]
    assert "a@example.com, b@example.com and 1 more" in " ".join(said.split())
    assert run(full, "queue", "list", "--state", "held")[1].startswith("  2  held")
    assert run(full, "queue", "list", "--using", "news")[1].startswith("  3  failed")
    assert len(run(full, "queue", "list", "--limit", "1")[1].split("  held")) == 1
    assert run(full, "queue", "list", "--older-than", "1h") == (0, "No messages.\n")


def test_list_as_json(full: Shop) -> None:
    """list --json prints the messages that match as a JSON array in ASCII, even if there is none
    or a row is damaged."""
    full.mail.send_later(letter(subject="Grüße"), using="news", delay=60)
    with full.queue.store.file.write() as connection:  # type: ignore[attr-defined]
        connection.execute("UPDATE mail_queue SET recipients = '{' WHERE id = 4")
    code, said = run(full, "queue", "list", "--json")
    found = json.loads(said)

    assert code == 0 and said.isascii()
    assert [(one["id"], one["state"]) for one in found] == [
        (5, "waiting"),
        (4, "waiting"),
        (3, "failed"),
        (2, "held"),
        (1, "sent"),
    ]
    assert found[0]["subject"] == "Grüße"
    assert "damaged" in found[1]["error"]
    assert found[2]["to"] == ["refused@example.com"]
    assert found[4]["key"] == "order:17"
    said = run(full, "queue", "list", "--json", "--using", "news")[1]
    assert [one["id"] for one in json.loads(said)] == [5, 3]
    assert run(full, "queue", "list", "--json", "--state", "expired") == (0, "[]\n")


def test_show(full: Shop) -> None:
    """show prints everything except the content, with the server's reply for each recipient."""
    code, said = run(full, "queue", "show", "3")
    assert code == 0
    assert re.search(r"refused +refused@example.com +550 5.1.1 no such user", said)
    assert "order:17" in run(full, "queue", "show", "1")[1]
    assert "not tried" in run(full, "queue", "show", "4")[1]

    code, said = run(full, "queue", "show", "99")
    assert (code, said) == (1, "Error: There is no message 99 in the queue.\n")


def test_a_damaged_row(full: Shop) -> None:
    """A row that cannot be read is listed and shown as damaged."""
    with full.queue.store.file.write() as connection:  # type: ignore[attr-defined]
        connection.execute("UPDATE mail_queue SET recipients = '{' WHERE id = 4")

    assert "damaged: its recipients" in run(full, "queue", "list")[1]
    assert run(full, "queue", "show", "4")[0] == 1
    with full.queue.store.file.write() as connection:  # type: ignore[attr-defined]
        connection.execute("UPDATE mail_queue SET due = 9e15, expires = -9e15 WHERE id = 4")
    assert "4  waiting  9999-12-" in run(full, "queue", "list")[1]
    assert re.search("due +9999-12-", run(full, "queue", "show", "4")[1])
    assert run(full, "queue", "retry", "4") == (0, "0 messages queued again.\n")


def test_retry(full: Shop) -> None:
    """retry takes numbers or options; a sent message is not sent again."""
    assert run(full, "queue", "retry", "--state", "held") == (0, "1 message queued again.\n")
    assert run(full, "queue", "retry", "3", "1") == (
        0,
        "1 message queued again.\nError: Message 1 is sent.\n",
    )
    assert full.states == ["sent", "waiting", "waiting", "waiting"]
    full.queue.run_once()
    assert full.states == ["sent", "sent", "failed", "waiting"]


def test_cancel_and_purge(full: Shop) -> None:
    """cancel stops waiting and held messages; purge deletes finished ones with their keys."""
    assert run(full, "queue", "cancel", "1", "2", "4") == (
        0,
        "2 messages cancelled.\nError: Message 1 is sent.\n",
    )
    assert full.states == ["sent", "cancelled", "failed", "cancelled"]
    # With an age, it does not ask.
    assert run(full, "queue", "purge", "--older-than", "1d") == (0, "0 messages deleted.\n")
    assert run(full, "queue", "purge", "--state", "failed", "--yes") == (0, "1 message deleted.\n")
    assert run(full, "queue", "purge", "--yes") == (0, "3 messages deleted.\n")
    assert full.mail.send_later(letter(), key="order:17").created


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["retry", "1"], "Error: Message 1 is sent.\n"),
        (["retry", "99"], "Error: There is no message 99 in the queue.\n"),
        (["cancel", "3"], "Error: Message 3 is failed.\n"),
        (["cancel", "1", "99"], "There is no message 99 in the queue.\n"),
        (["purge"], "would delete 2 finished messages and their keys"),
        (["purge", "--using", "news"], "would delete 1 finished message and its key"),
        (["purge", "--state", "failed"], "would delete 1 failed message and its key"),
        (
            ["purge", "--state", "held"],
            "1 held message and its key. Messages with these keys could",
        ),
        (["purge", "--state", "sent", "--using", "default"], "Give --older-than, or --yes."),
        (["retry"], "Give the numbers of messages, or --state, --older-than, --using or --tag."),
        (["cancel"], "Give the numbers of messages, or --state, --older-than, --using or --tag."),
        (["purge", "--state", "waiting"], "waiting are not finished: cancel them first"),
        (["list", "--older-than", "soon"], "--older-than must be a time like '24h'"),
        (["list", "--state", "lost"], "'lost' is not one of"),
    ],
)
def test_what_cannot_be_done(arguments: list[str], said: str, full: Shop) -> None:
    """A wrong command says what to write, and changes nothing."""
    before = full.states
    code, output = run(full, "queue", *arguments)

    assert code in (1, 2)
    assert said in output
    assert full.states == before


def test_a_held_message_is_purged_by_name(full: Shop) -> None:
    """A held message waits for a person: purge deletes it only with --state held."""
    run(full, "queue", "purge", "--yes")
    assert full.states == ["held", "waiting"]
    run(full, "queue", "purge", "--state", "held", "--yes")

    assert full.states == ["waiting"]


@pytest.mark.parametrize(
    ("options", "question", "answer", "left"),
    [
        ("", "Delete 2 finished messages and their keys?", "y", 2),
        ("", "Delete 2 finished messages and their keys?", "n", 4),
        ("", "Delete 2 finished messages and their keys?", "", 4),
        ("--state failed", "Delete 1 failed message and its key?", "y", 3),
        ("--state held", "Delete 1 held message and its key?", "", 4),
    ],
)
def test_purge_asks(
    tmp_path: Path,
    scripted: Scripted,
    full: Shop,
    options: str,
    question: str,
    answer: str,
    left: int,
) -> None:
    """On a terminal, purge without an age asks before it deletes messages, and deletes none unless
    the answer is yes."""
    environment = program(tmp_path, scripted())
    command = ["flask", "--app", "app", "mail", "queue", "purge", *options.split()]

    with Terminal(*command, cwd=tmp_path, environment=environment) as terminal:
        terminal.answer(question, answer)
        code = terminal.end()

    assert (code, len(full.states)) == (0 if left < 4 else 1, left)


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "list",
        "list --json --older-than 7d",
        "show 1",
        "retry 1",
        "retry --state failed",
        "cancel 1 2",
        "cancel --tag news",
        "purge --yes",
        "purge --state sent",
    ],
)
@pytest.mark.parametrize("using", ["", "--using news"])
def test_no_command_creates_the_queue(tmp_path: Path, command: str, using: str) -> None:
    """In an app that never queued mail, no queue command creates the queue's file."""
    with shop(tmp_path, MAIL_ACCOUNTS={"news": {"host": "news.example"}}) as here:
        run(here, "queue", *command.split(), *using.split())
        _ = here.queue.stats()

        assert not here.queue.store.begun
        assert not [*tmp_path.rglob("*.sqlite*")]


def test_worker_once(tmp_path: Path, scripted: Scripted) -> None:
    """worker --once sends what is due, prints the outcome, and exits."""
    server = scripted(on={"RCPT TO:<r2@example.com>": "550 5.1.1 no such user"})
    with shop(tmp_path, server) as here:
        for message in letters(3):
            here.mail.send_later(message)
        here.mail.send_later(letter(), delay=60)
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "app", "mail", "worker", "--once"],
            cwd=tmp_path,
            env={**os.environ, **program(tmp_path, server)},
            capture_output=True,
            text=True,
            timeout=120,
        )

        assert done.returncode == 0, done.stderr
        assert "2 sent, 1 failed (" in done.stderr
        assert here.states == ["sent", "failed", "sent", "waiting"]


def test_worker_leaves_the_signals_as_they_were(full: Shop) -> None:
    """After a worker, SIGTERM and Ctrl-C do what they did before: its handlers would keep the
    process, and those that it forks, from being ended."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    assert run(full, "worker", "--once")[0] == 0

    assert [signal.getsignal(number) for number in numbers] == before


def test_worker_once_names_paused_accounts(full: Shop) -> None:
    """worker --once says which accounts are paused and why."""
    soon = time.time() + 60
    full.queue.store.alter_pause("news", lambda before: Pause(soon, 1, "no route to host"))

    said = "The account 'news' is paused: no route to host"
    assert said in run(full, "worker", "--once")[1]
    assert said in run(full, "worker", "--once", "--using", "news")[1]
    assert said not in run(full, "worker", "--once", "--using", "default")[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_worker_finishes_the_message_in_hand(
    number: signal.Signals, tmp_path: Path, scripted: Scripted
) -> None:
    """F-98: on SIGTERM and Ctrl-C a worker finishes its current message; the others wait."""
    started: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()

    def stop(line: str, connection: Connection) -> str:
        worker = started.get(timeout=60)
        worker.send_signal(number)
        # The signal is there when the process has handled it.
        for said in worker.stderr or ():
            if "Finishing the current messages" in said:
                break
        return "250 2.1.5 ok"

    server = scripted(on={"RCPT": stop})
    with shop(tmp_path, server) as here:
        for message in letters(4):
            here.mail.send_later(message)
        with subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "app", "mail", "worker"],
            cwd=tmp_path,
            env={**os.environ, **program(tmp_path, server)},
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            started.put(process)
            assert process.wait(120) == 0

        assert here.states == ["sent"] + ["waiting"] * 3
        assert [row.attempts for row in here.rows] == [1, 0, 0, 0]


def test_worker_on_a_terminal(tmp_path: Path, scripted: Scripted) -> None:
    """On a terminal, a worker counts the messages it sent, in one line."""
    server = scripted()
    with shop(tmp_path, server) as here:
        for message in letters(3):
            here.mail.send_later(message)
        arguments = ["flask", "--app", "app", "mail", "worker", "--once"]
        environment = program(tmp_path, server)
        with Terminal(*arguments, cwd=tmp_path, environment=environment) as terminal:
            terminal.expect("\r\x1b[K1 sent")
            terminal.expect("\r\x1b[K3 sent")
            assert terminal.end() == 0


def test_a_queue_that_cannot_be_used(tmp_path: Path) -> None:
    """A file that cannot be used is an error in one line, with exit code 1."""
    (tmp_path / "mail-queue.sqlite").write_bytes(b"Dear diary, " * 1000)
    with shop(tmp_path) as here:
        for command in (["worker", "--once"], ["queue", "status"]):
            code, said = run(here, *command)
            assert code == 1
            assert said.startswith("Error: The queue in ") and said.count("\n") == 1


def test_looking_makes_no_file(tmp_path: Path) -> None:
    """Reading a queue that was never used creates no file, which would belong to the wrong user."""
    with shop(tmp_path) as here:
        assert run(here, "queue", "status")[1].endswith("has never been used.\n")
        assert run(here, "queue", "list") == (0, "No messages.\n")
        assert run(here, "queue", "show", "1")[0] == 1
        assert here.queue.stats().lag == 0.0
        assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "command",
    [
        "check",
        "check --production",
        "suppressed list",
        "suppressed export",
        "suppressed remove ann@example.com",
    ],
)
def test_no_other_command_creates_the_queue(tmp_path: Path, command: str) -> None:
    """The same for the commands that look at the suppressed addresses next to the queue. The folder
    is not created either."""
    where = "folder/queue.sqlite"
    with shop(tmp_path, MAIL_HANDLER="console", MAIL_QUEUE=where, MAIL_SUPPRESSIONS=True) as here:
        assert here.mail.suppressions.page() == []
        _, said = run(here, *command.split())

        assert "Traceback" not in said
        assert [*tmp_path.iterdir()] == []
