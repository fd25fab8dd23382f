"""The store of the mailbox: how messages are stored and found."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from flask_mailhandler import current_mail
from flask_mailhandler import FileEmailHandler
from flask_mailhandler import Mail
from flask_mailhandler import MailboxEmailHandler
from flask_mailhandler import Message
from flask_mailhandler.pages.mailbox.search import Query
from flask_mailhandler.pages.mailbox.search import read_query
from flask_mailhandler.pages.mailbox.store import Store
from mailbox_app import app_with_mailbox
from mailbox_app import handler
from mailbox_app import keep

# Many examples, which are the same on every version of Python.
pytestmark = pytest.mark.slow

HELLO = Message(subject="Hi", text="Hello", to="ann@example.com", from_addr="me@example.com")


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Tokyo"])
def zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """The time zone of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


def names(folder: Path, ending: str = "json") -> list[str]:
    return sorted(path.stem for path in folder.glob(f"*.{ending}"))


def subjects(store: Store) -> list[str]:
    return [entry.subject for entry in store.list().entries]


def test_the_newest_first(tmp_path: Path) -> None:
    """The list has the newest first. New, deleted and read messages change it at once."""
    store = Store(str(tmp_path / "mail"))
    assert store.list().entries == ()
    for subject in "01234":
        keep(tmp_path / "mail", f"Subject: {subject}\r\n\r\n".encode())
        assert subjects(store)[0] == subject

    newest, oldest = store.list().entries[0], store.list().entries[-1]
    store.mark_read(newest)
    store.delete(oldest)
    store.delete(oldest)

    assert subjects(store) == ["4", "3", "2", "1"]
    assert store.list().unread == 3


@pytest.mark.parametrize(
    ("to", "cc", "bcc", "unnamed"),
    [
        ("ann@example.com", None, None, ()),
        ("Ann <ann@example.com>", None, "boss@example.com", ("boss@example.com",)),
        # An address may be the end or the beginning of a longer one in the header.
        ("Jo <joann@example.com>", None, "ann@example.com", ("ann@example.com",)),
        ("ann@example.com.au", "b@example.com", "ann@example.com", ("ann@example.com",)),
        ('"a b"@example.com', "Grüße <b@bücher.example>", None, ()),
        ("Ann <Ann@Example.com>", "ben@example.com", "ben@example.com", ()),
    ],
)
def test_blind_copies(
    tmp_path: Path, to: str, cc: str | None, bcc: str | None, unnamed: tuple[str, ...]
) -> None:
    """The recipients that the header does not name are known."""
    handler(tmp_path).send([HELLO.replace(to=to, cc=cc, bcc=bcc)])

    assert Store(str(tmp_path)).list().entries[0].unnamed == unnamed


def test_the_plain_file_handler(tmp_path: Path) -> None:
    """Messages of FileEmailHandler are listed too, although they have fewer facts."""
    FileEmailHandler(folder=tmp_path).send([HELLO])

    (entry,) = Store(str(tmp_path)).list().entries

    assert (entry.subject, entry.to, entry.text) == ("Hi", ("ann@example.com",), "Hello")
    assert entry.origin == ()


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "null",
        "[]",
        '"summary"',
        "{",
        "[" * 200_000,
        '{"a":' * 200_000,
        "\x00",
        "9" * 5000,
        {"summary": "text"},
        {"summary": []},
        {"summary": {"subject": "x"}},
        {"envelope": None},
        {"envelope": {"sender": "x", "recipients": 1}},
        {"size": float("inf")},
        {"size": float("nan")},
        {"size": []},
        {"time": "0001-01-01T00:00:00"},
        {"time": "0001-01-01T00:00:00+00:00"},
        {"time": "9999-12-31T23:59:59+00:00"},
        {"time": "9999-12-31T23:59:59-14:00"},
        {"time": "yesterday"},
        {"time": 1},
        {"site": []},
        {"site": {"file": {}}},
        {"duration": float("nan")},
        {"duration": {}},
        {"template": []},
    ],
    ids=lambda damage: str(damage)[:30],
)
@pytest.mark.usefixtures("zone")
def test_a_damaged_file(tmp_path: Path, damage: str | dict[str, object]) -> None:
    """Attack: one unreadable .json must not hide all other messages."""
    path = tmp_path / f"{keep(tmp_path, b'Subject: damaged')}.json"
    facts = json.loads(path.read_text())
    path.write_text(damage if isinstance(damage, str) else json.dumps({**facts, **damage}))
    whole = keep(tmp_path, b"Subject: whole")
    browser = app_with_mailbox(tmp_path).test_client()

    listed = browser.get("/_mail/api/messages")

    assert "whole" in browser.get("/_mail/").text
    assert listed.get_json()["messages"][0]["id"] == whole
    for message in listed.get_json()["messages"]:
        assert browser.get(message["page"]).status_code == 200
        assert browser.get(message["url"]).status_code == 200


def test_twice_within_a_tick(tmp_path: Path) -> None:
    """A message that arrives within the same tick of the folder's clock is listed."""
    now = time.time_ns()
    store = Store(str(tmp_path))
    for number in (1, 2):
        keep(tmp_path, b"Subject: x\r\n\r\n")
        os.utime(tmp_path, ns=(now, now + 3600 * 10**9))

        assert len(store.list().entries) == number


def test_another_thread_forgets(tmp_path: Path) -> None:
    """If another thread finds a message deleted, and forgets it between two steps of this one, the
    message is read again or left out."""

    class Forgetful(dict[str, t.Any]):
        def __contains__(self, key: object) -> bool:
            return self.pop(str(key), None) is not None

    store = Store(str(tmp_path))
    for subject in "ab":
        keep(tmp_path, f"Subject: {subject}\r\n\r\n".encode())
        store._known = Forgetful(store._known)

        assert subject in subjects(store)


def test_a_full_store_is_read_once(tmp_path: Path) -> None:
    """Each process reads a .json once: listing known messages opens no file."""
    for number in range(20):
        keep(tmp_path, f"Subject: {number}\r\n\r\n".encode())
    store = Store(str(tmp_path))
    first = subjects(store)
    for path in tmp_path.glob("*.json"):
        path.write_text("changed")

    assert subjects(store) == first


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"mailbox_messages": 3}, ["7", "8", "9"]),
        ({"mailbox_messages": 1}, ["9"]),
        ({"mailbox_size": 1}, ["9"]),
        ({}, [str(number) for number in range(10)]),
    ],
)
def test_the_oldest_are_dropped(tmp_path: Path, options: dict[str, int], kept: list[str]) -> None:
    """The folder never has more messages than the bounds allow, and the newest always stays."""
    (tmp_path / "notes.txt").touch()
    (tmp_path / "20000101.json").touch()

    handler(tmp_path, **options).send(HELLO.replace(subject=str(n)) for n in range(10))

    assert subjects(Store(str(tmp_path))) == [*reversed(kept)]
    assert len(names(tmp_path, "eml")) == len(kept)
    assert {"notes.txt", "20000101.json"} <= {path.name for path in tmp_path.iterdir()}


def test_the_octets_are_bounded(tmp_path: Path) -> None:
    """The oldest messages are deleted until the others fit."""
    big = HELLO.replace(text="x" * 60 + "\n" + ("y" * 70 + "\n") * 1000)

    handler(tmp_path, mailbox_size=200_000).send(big.replace(subject=str(n)) for n in range(6))

    assert subjects(Store(str(tmp_path))) == ["5", "4"]


def test_what_was_left_half_written(tmp_path: Path) -> None:
    """Files of a killed process count, and are deleted when they are old."""
    left = "20000101T000000.000000Z-0123456789abcdef"
    for ending in ("eml", "json~", "seen"):
        (tmp_path / f"{left}.{ending}").touch()

    handler(tmp_path, mailbox_messages=1).send([HELLO])

    assert len([*tmp_path.iterdir()]) == 2


def _send_many(folder: str) -> None:
    MailboxEmailHandler(folder=folder, mailbox_messages=10).send(HELLO.replace() for _ in range(30))


@pytest.mark.slow
def test_many_at_once(tmp_path: Path) -> None:
    """Several processes and threads write, drop and read one folder at once: nothing fails, and
    every listed message is complete."""
    folder = str(tmp_path / "mail")
    writers = [
        multiprocessing.get_context("spawn").Process(target=_send_many, args=(folder,))
        for _ in range(3)
    ]
    stores = [Store(folder), Store(folder)]
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        last = False
        while not last:
            last = done.is_set()  # at the end each of them reads all
            for store in stores:
                for entry in store.list().entries:
                    octets = store.octets(entry)
                    assert octets is None or len(octets) == entry.size
                    seen.append(entry.size)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    done.set()
    for reader in readers:
        reader.join()

    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert len(names(Path(folder))) == 10
    assert seen
    assert {len(store.list().entries) for store in stores} == {10}


def test_debug_mode_keeps_mail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without configuration, debug mode stores mail in the instance path. The console shows the
    recipients and the URL of the page."""
    app = Flask("shop", instance_path=str(tmp_path / "instance"))
    app.debug = True
    Mail(app)

    @app.get("/")
    def view() -> str:
        current_mail.send(HELLO.replace(to=["ann@example.com", "b@example.com", "c@example.com"]))
        return ""

    app.test_client().get("/", base_url="http://localhost:5000")

    (name,) = names(tmp_path / "instance" / "mail")
    assert capsys.readouterr().err == (
        "Mail to ann@example.com, b@example.com and 1 more: Hi"
        f" -> http://localhost:5000/_mail/messages/{name}\n"
    )
    facts = json.loads((tmp_path / "instance" / "mail" / f"{name}.json").read_text())
    assert facts["site"]["function"] == "view"
    assert facts["site"]["file"] == __file__
    assert app.test_client().get(f"/_mail/messages/{name}").status_code == 200


def test_a_thread_knows_where_the_page_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For mail that a thread sends, such as the queue's, the console shows the URL at which this
    machine last requested the app. Requests from other machines and forged Hosts are ignored."""
    app = app_with_mailbox(tmp_path)
    client = app.test_client()
    client.get("/_mail/", base_url="http://localhost:5000/shop/")
    client.get("/", base_url="http://attacker.example")
    client.get("/", base_url="http://127.0.0.1:1", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    client.get("/", base_url="http://localhost:2", headers={"X-Forwarded-For": "192.0.2.7"})

    with app.app_context():
        current_mail.send(HELLO)

    (name,) = names(tmp_path)
    printed = capsys.readouterr().err
    assert printed.endswith(f" -> http://localhost:5000/shop/_mail/messages/{name}\n")


@pytest.mark.parametrize(
    ("most", "sent", "said"),
    [
        (3, 10, "newest 3 of 10 messages are kept"),
        (1, 2, "newest 1 of 2 messages are kept"),
        (10, 10, None),
    ],
)
def test_how_many_were_dropped(tmp_path: Path, most: int, sent: int, said: str | None) -> None:
    """The list says how many messages were dropped, until it is cleared."""
    app = app_with_mailbox(tmp_path, mailbox_messages=most)
    with app.app_context():
        current_mail.send([HELLO.replace(subject=str(number)) for number in range(sent)])
    client = app.test_client()

    page = client.get("/_mail/").text
    token = client.get("/_mail/api/messages").get_json()["token"]
    client.post("/_mail/api/clear", headers={"X-Mail-Token": token, "Origin": "http://localhost"})

    assert ("are kept: see" in page) is (said is not None)
    assert (said or "") in page
    assert "are kept: see" not in client.get("/_mail/").text


def test_a_long_subject_on_the_console(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line for a message stays one line, with the URL at its end."""
    app = app_with_mailbox(tmp_path)
    with app.app_context():
        current_mail.send(HELLO.replace(subject="x" * 900))

    assert f": {'x' * 97}... -> /_mail/" in capsys.readouterr().err


def test_the_console_without_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An app without a page says how to get one. Control characters are shown."""
    app = app_with_mailbox(tmp_path, debug=False, handler="mailbox")
    with app.app_context():
        current_mail.send(HELLO)

    assert capsys.readouterr().err == (
        f"Mail to ann@example.com: Hi -> {tmp_path}"
        " (to see it in a browser, set MAIL_MAILBOX to True)\n"
    )


@pytest.mark.parametrize(
    ("keys", "folder"),
    [
        ({}, "instance/mail"),
        ({"HANDLER": "mailbox"}, "instance/mail"),
        ({"URL": "smtp://127.0.0.1:2525"}, "instance/mail"),
        ({"HANDLER": "file"}, "mail"),
        ({"FOLDER": "kept"}, "kept"),
        ({"URL": "file:kept"}, "kept"),
        ({"HANDLER": "file", "FOLDER": "kept"}, "kept"),
    ],
)
def test_which_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: dict[str, str], folder: str
) -> None:
    """The page shows the folder into which the default account writes, or would write."""
    monkeypatch.chdir(tmp_path)
    app = Flask("shop", instance_path=str(tmp_path / "instance"))
    app.debug = True
    app.config.update({f"MAIL_{name}": value for name, value in keys.items()})
    Mail(app)
    keep(tmp_path / folder, b"Subject: here\r\n\r\n")

    assert "here" in app.test_client().get("/_mail/").text


def test_several_accounts(tmp_path: Path) -> None:
    """All accounts without a server store their mail in the same folder."""
    app = app_with_mailbox(tmp_path, accounts={"bulk": {"subject_prefix": "[News]"}})
    with app.app_context():
        current_mail.send(HELLO)
        current_mail.send(HELLO.replace(), using="bulk")

    assert subjects(Store(str(tmp_path))) == ["[News] Hi", "Hi"]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Query()),
        ("reset", Query(words=("reset",))),
        ("Reset PASSWORD", Query(words=("reset", "password"))),
        ("from:Shop", Query(from_addr=("shop",))),
        ('to:"Ann Lee" subject:x', Query(to=("ann lee",), subject=("x",))),
        ('"two words"', Query(words=("two words",))),
        ("has:attachment is:unread", Query(attachment=True, unread=True)),
        ("HAS:Attachment", Query(attachment=True)),
        ("has:nothing", Query(words=("has:nothing",))),
        ("https://x.example", Query(words=("https://x.example",))),
        ("words:x", Query(words=("words:x",))),
        ('to:"open', Query(to=("open",))),
        ("from: x", Query(words=("from:", "x"))),
        ("a:b:c", Query(words=("a:b:c",))),
    ],
)
def test_reading_a_search(text: str, query: Query) -> None:
    """Any text is a valid search."""
    assert read_query(text) == query


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["Receipt", "Reset"]),
        ("RESET", ["Reset"]),
        ("from:shop", ["Receipt"]),
        ("from:bounce@example.com", []),
        ("to:ann", ["Receipt", "Reset"]),
        ("to:boss", ["Receipt"]),  # a blind copy
        ("subject:re", ["Receipt", "Reset"]),
        ("subject:hello", []),
        ("hello", ["Receipt"]),
        ("has:attachment", ["Reset"]),
        ("report.pdf", ["Reset"]),
        ("is:unread", ["Receipt"]),
        ("is:unread hello from:shop", ["Receipt"]),
        ("müller", ["Reset"]),
        ("nothing", []),
    ],
)
def test_searching(tmp_path: Path, text: str, found: list[str]) -> None:
    """A message is found by sender, recipients, subject, first words and files. It must match all
    terms."""
    reset = (
        b"From: =?utf-8?q?M=C3=BCller?= <m@example.com>\r\nTo: ann@example.com\r\n"
        b"Subject: Reset\r\nContent-Disposition: attachment; filename=report.pdf\r\n\r\n"
    )
    receipt = (
        b"From: Shop <s@example.com>\r\nTo: Ann <a@b.example>\r\nSubject: Receipt\r\n\r\nHello"
    )
    keep(tmp_path, reset)
    keep(tmp_path, receipt, "boss@example.com")
    store = Store(str(tmp_path))
    store.mark_read(store.list().entries[1])

    assert [entry.subject for entry in read_query(text).within(store.list())] == found


def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    """A folder that is not writable defers the message, and the error names the key."""
    (tmp_path / "file").touch()

    (report,) = handler(tmp_path / "file" / "mail").send([HELLO])

    assert report.deferred == ["ann@example.com"]
    assert "Check MAIL_FOLDER" in str(report.error)
    assert os.listdir(tmp_path) == ["file"]


def test_nobody_to_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message is stored even if the console is closed."""
    app = app_with_mailbox(tmp_path)
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stderr", closed)

    with app.app_context():
        report = current_mail.send(HELLO)

    assert report.ok
    assert len(names(tmp_path)) == 1


def test_a_background_process(tmp_path: Path) -> None:
    """Outside a request, the URL of the server is unknown, so the console shows the path of the
    page."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BACKGROUND],
        env={**os.environ, "FLASK_MAIL_FOLDER": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    (name,) = names(tmp_path)
    assert done.stderr == f"Mail to ann@example.com: Hi -> /_mail/messages/{name}\n"
    facts = json.loads((tmp_path / f"{name}.json").read_text())
    assert facts["site"] == {"file": "<string>", "line": 9, "function": "<module>"}


BACKGROUND = """
from flask import Flask
from flask_mailhandler import Mail
app = Flask("worker")
app.debug = True
app.config.from_prefixed_env()
mail = Mail(app)
with app.app_context():
    mail.send("Hello", subject="Hi", to="ann@example.com", from_addr="me@example.com")
"""
