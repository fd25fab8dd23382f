"""A server that stores every message."""

from __future__ import annotations

import base64
import json
import re
import smtplib
import socket
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest

from flask_mailhandler import ConfigurationError
from flask_mailhandler import Message
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler.cli.aiosmtpd_use import importing_aiosmtpd
from flask_mailhandler.cli.catcher import Catcher
from flask_mailhandler.cli.catcher import Caught
from servers.dead_ends import closed_port

PEOPLE = ("me@example.com", ["ann@example.com"])
HI = b"From: me@example.com\r\nSubject: Hi\r\nMessage-ID: <1@example.com>\r\n\r\nHello\r\n"


def client(catcher: Catcher) -> smtplib.SMTP:
    return smtplib.SMTP(catcher.host, catcher.port, local_hostname="localhost", timeout=60)


def kept(folder: Path) -> list[tuple[bytes, dict[str, t.Any]]]:
    """Return the content and the facts of each message, in order."""
    return [
        (path.with_suffix(".eml").read_bytes(), json.loads(path.read_bytes()))
        for path in sorted(folder.glob("*.json"))
    ]


def test_keeps_what_was_sent(tmp_path: Path, no_leaks: None) -> None:
    """A message is stored octet for octet with its envelope, and the callback gets it before the
    client gets its reply."""
    told: list[Caught] = []
    message = Message(
        subject="Grüße 🙂",
        text="Hello\n.\nend\n",
        from_addr="me@example.com",
        to=["Ann <ann@example.com>"],
        bcc="bob@example.com",
    )

    with Catcher(str(tmp_path), caught=told.append) as catcher:
        handler = SMTPEmailHandler(
            host=catcher.host, port=catcher.port, timeout=60, connect_timeout=60
        )
        prepared = handler.prepare(message)
        (report,) = handler.dispatch([prepared])

    assert report.ok
    ((content, facts),) = kept(tmp_path)
    assert prepared.job is not None
    assert content == bytes(prepared.job.content)
    assert content.endswith(b"\r\n.\r\nend\r\n")
    assert facts["envelope"] == {
        "sender": "me@example.com",
        "recipients": ["ann@example.com", "bob@example.com"],
    }
    assert facts["message_id"] == report.message_id
    assert facts["size"] == len(content)
    assert [outcome["state"] for outcome in facts["report"]] == ["accepted", "accepted"]
    assert [(c.subject, c.message_id, c.size) for c in told] == [
        ("Grüße 🙂", report.message_id, len(content))
    ]
    assert f"250 2.0.0 Kept as {told[0].name}" in str(report.outcomes[0])
    assert repr(catcher).endswith("1 stored>")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"no header at all\r\n",
        "Subject: Größe\r\n\r\nGröße\r\n".encode("latin-1"),
        b"\r\n" + bytes(range(256)).replace(b"\r", b"").replace(b"\n", b"") + b"\r\n",
        b"X: " + b"x" * 100_000 + b"\r\n\r\n" + b"y" * 500_000 + b"\r\n",
        b"Subject: =?utf-8?q?=FF?= =?no-such?b?x?=\r\nMessage-ID: \x00\xff\r\n\r\n",
        b"Subject: \r\n =?\x1b[31m?b?!?=\r\n\r\n",
        # Attacks: whoever decodes these in quadratic time answers nobody meanwhile.
        b"Subject: " + b"=?a?q?x" * 100_000 + b"\r\n\r\n",
        b'Content-Type: text/plain; x="' + b";" * 500_000 + b"\r\n\r\n",
        b"Subject: a\r\nSubject: b\r\nFrom: <<>>\r\n\r\n..\r\n.\r\n",
    ],
    ids=lambda content: str(content[:40]),
)
def test_any_content(tmp_path: Path, content: bytes) -> None:
    """Any content is stored, including 8-bit, overlong and broken content."""
    with Catcher(str(tmp_path)) as catcher, client(catcher) as session:
        session.ehlo()
        session.mail(PEOPLE[0])
        session.rcpt(PEOPLE[1][0])
        code, answer = session.data(content)

    assert (code, answer[:5]) == (250, b"2.0.0")
    ((found, facts),) = kept(tmp_path)
    assert found == (content if content.endswith(b"\r\n") else content + b"\r\n")
    assert facts["size"] == len(found)


def test_others_are_served_while_a_message_is_kept(tmp_path: Path) -> None:
    """While a large message is read and stored, other clients get replies."""
    begun, served = threading.Event(), threading.Event()

    def slow(caught: Caught) -> None:
        begun.set()
        assert served.wait(60)

    with (
        Catcher(str(tmp_path), caught=slow) as catcher,
        client(catcher) as one,
        client(catcher) as other,
    ):
        sending = threading.Thread(target=one.sendmail, args=(*PEOPLE, HI))
        sending.start()
        assert begun.wait(60)
        answer = other.noop()
        served.set()
        sending.join()

    assert answer[0] == 250
    assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize("name", ["message-id", "MESSAGE-ID", "Message-Id"])
@pytest.mark.slow
def test_the_message_id_of_many_fields(tmp_path: Path, name: str) -> None:
    """The Message-ID is found in any case of letters, and among more fields than are normally
    read."""
    header = f"{name}: <1@example.com>\r\n".encode() + b"X: y\r\n" * 200_000

    with Catcher(str(tmp_path)) as catcher, client(catcher) as session:
        session.sendmail(*PEOPLE, header + b"\r\nHello\r\n")

    ((_, facts),) = kept(tmp_path)
    assert facts["message_id"] == "<1@example.com>"


@pytest.mark.parametrize(
    ("sender", "recipient"),
    [
        ("", "ann@example.com"),
        ("me@example.com", '"ann smith"@example.com'),
        ("me@[127.0.0.1]", "ann+tag@sub.example.com"),
        ("root@localhost", "ann@localhost"),
        ("grüße@example.com", "jürgen@example.com"),
    ],
)
def test_any_address(tmp_path: Path, sender: str, recipient: str) -> None:
    """The null reverse-path, quoted, literal and SMTPUTF8 addresses are stored as they are."""
    with (
        Catcher(str(tmp_path)) as catcher,
        socket.create_connection((catcher.host, catcher.port), timeout=60) as sock,
        sock.makefile("rwb") as stream,
    ):
        for line in (
            "EHLO localhost",
            f"MAIL FROM:<{sender}> SMTPUTF8",
            f"RCPT TO:<{recipient}>",
            "DATA",
            "Subject: Hi\r\n\r\nHello\r\n.",
            "QUIT",
        ):
            stream.write(line.encode() + b"\r\n")
        stream.flush()
        stream.read()

    ((_, facts),) = kept(tmp_path)
    assert facts["envelope"] == {"sender": sender, "recipients": [recipient]}


def test_an_address_that_is_none(tmp_path: Path) -> None:
    """An invalid address is refused, with the reason."""
    with Catcher(str(tmp_path)) as catcher, client(catcher) as session:
        session.ehlo()
        session.docmd("MAIL FROM:<me@example.com>")
        session.docmd("RCPT TO:<ann@-.example>")
        code, answer = session.data(HI)

    assert code == 553
    assert b"ann@-.example" in answer
    assert kept(tmp_path) == []


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "lines",
    [
        [f"AUTH PLAIN {b64(chr(0) + 'me' + chr(0) + 'any')}"],
        ["AUTH PLAIN", b64("\0me\0any")],
        ["AUTH LOGIN", b64("me"), b64("any")],
        [f"AUTH LOGIN {b64('me')}", b64("any")],
        [f"AUTH XOAUTH2 {b64('user=me')}"],
        ["AUTH OAUTHBEARER", b64("n,a=me,")],
    ],
)
def test_any_login(tmp_path: Path, lines: list[str], caplog: pytest.LogCaptureFixture) -> None:
    """Every login is accepted, so that an app needs no other configuration; none is logged."""
    with Catcher(str(tmp_path)) as catcher, client(catcher) as session:
        session.ehlo()
        replies = [session.docmd(line)[0] for line in lines]

    assert replies == [*[334] * (len(lines) - 1), 235]
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


def test_a_login_may_be_cancelled(tmp_path: Path) -> None:
    """A login that the client cancels does not count, and the session continues."""
    with Catcher(str(tmp_path)) as catcher, client(catcher) as session:
        session.ehlo()
        replies = [session.docmd(line)[0] for line in ("AUTH LOGIN", "*", "NOOP")]

    assert replies == [334, 501, 250]


def test_the_size_is_limited(tmp_path: Path) -> None:
    """A message over the limit is refused, whether SIZE announced it or not."""
    with Catcher(str(tmp_path), size=1000) as catcher, client(catcher) as session:
        session.ehlo()
        announced, _ = session.docmd("MAIL FROM:<me@example.com> SIZE=1001")
        session.mail(PEOPLE[0])
        session.rcpt(PEOPLE[1][0])
        too_much, _ = session.data(b"x" * 500 + b"\r\n" + b"y" * 600)
        session.sendmail(*PEOPLE, HI)

    assert session.esmtp_features["size"] == "1000"
    assert (announced, too_much) == (552, 552)
    assert len(kept(tmp_path)) == 1


def test_a_folder_that_cannot_be_had(tmp_path: Path, no_leaks: None) -> None:
    """A folder that can never be written is an error at the start, not for each client."""
    (tmp_path / "file").touch()

    for folder in (tmp_path / "file", tmp_path / "file" / "mail"):
        with pytest.raises(ConfigurationError, match=re.escape(f"cannot be stored in '{folder}'")):
            Catcher(str(folder)).start()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The client is told to try later, and no half-written file is left."""
    folder = tmp_path / "mail"

    with Catcher(str(folder)) as catcher, client(catcher) as session:
        folder.rmdir()
        folder.touch()
        with pytest.raises(smtplib.SMTPDataError) as caught:
            session.sendmail(*PEOPLE, HI)

    assert caught.value.smtp_code == 452


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """A port in use is an error on the caller's line, and no folder is created."""
    folder = tmp_path / "mail"

    with (
        closed_port() as port,
        pytest.raises(ConfigurationError, match=f"Cannot listen on 127.0.0.1:{port}"),
    ):
        Catcher(str(folder), port=port).start()

    assert not folder.exists()


def test_what_a_client_says_is_logged_visibly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No control character of a client gets into the log, and so none gets to a terminal."""
    with Catcher(str(tmp_path)) as catcher, client(catcher) as session:
        code, _ = session.docmd("\x1b]0;owned\x07", "x")
        session.ehlo()
        session.docmd("MAIL FROM:<me@example.com> \x1b[2J=\x07")

    assert code == 500
    assert r"\x1b]0;OWNED\x07" in caplog.text
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", caplog.text)


def test_a_failure_is_logged_visibly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An error in the callback is logged in one line, without control characters."""

    def fail(caught: Caught) -> None:
        raise RuntimeError(f"{caught.subject}\x1b[2J")

    with Catcher(str(tmp_path), caught=fail) as catcher, client(catcher) as session:
        session.ehlo()
        session.mail(PEOPLE[0])
        session.rcpt(PEOPLE[1][0])
        code, _ = session.data(HI)

    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert code == 500
    assert record.getMessage().endswith(r"RuntimeError('Hi\x1b[2J')")
    assert record.exc_info is None


def test_stop_closes_connections(tmp_path: Path, no_leaks: None) -> None:
    """stop() does not wait for connected clients."""
    catcher = Catcher(str(tmp_path)).start()
    with socket.create_connection((catcher.host, catcher.port), timeout=60) as sock:
        assert sock.recv(100).startswith(b"220 ")
        catcher.stop()
        catcher.stop()

        assert sock.recv(100) == b""


def test_without_aiosmtpd() -> None:
    """If aiosmtpd is missing, the error says what to install."""
    code = (
        "import sys; sys.modules['aiosmtpd'] = None\n"
        "from flask_mailhandler.cli import alone\n"
        "alone()(['catch'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr == (
        "Error: Catching mail needs aiosmtpd: pip install 'Flask-MailHandler[catch]'\n"
    )


@pytest.mark.parametrize(
    ("library", "name"), [("typing", "NoSuchName"), ("collections.abc", "Gone"), ("email", "Old")]
)
def test_an_aiosmtpd_that_does_not_run(library: str, name: str) -> None:
    """If this Python lacks what aiosmtpd imports, the error says that another version is needed,
    because installing aiosmtpd again changes nothing."""
    with pytest.raises(ConfigurationError) as caught, importing_aiosmtpd("Catching mail"):
        exec(f"from {library} import {name}")

    said = str(caught.value)
    assert said.startswith("Catching mail needs an aiosmtpd that runs on Python 3.")
    assert f"cannot import name '{name}' from '{library}'" in said
    assert said.endswith(": install a newer aiosmtpd, or use an older Python.")
