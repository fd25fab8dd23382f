"""``flask mail catch``."""

from __future__ import annotations

import json
import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from flask import Flask

from flask_mailhandler import Mail
from mailbox_app import keep
from servers.dead_ends import closed_port

if t.TYPE_CHECKING:
    from click.testing import Result

MESSAGE = "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_=1B[31m?=\r\n\r\nHello\r\n"


def run(*arguments: str) -> Result:
    app = Flask("catcher")
    Mail(app)
    return app.test_cli_runner().invoke(args=["mail", "catch", *arguments])


APP = """
from flask import Flask
from flask_mailhandler import Mail
app = Flask("shop", instance_path=__file__ + "-instance")
app.config.from_prefixed_env()
Mail(app)
"""
ALONE = ("flask_mailhandler",)


def start(
    folder: Path,
    *arguments: str,
    module: tuple[str, ...] = ALONE,
    keys: dict[str, str] | None = None,
) -> tuple[subprocess.Popen[str], int]:
    """Start it on a free port, and return the program and the port."""
    ports = ["--port", "0", "--page-port", "0"]
    program = subprocess.Popen(
        [sys.executable, "-m", *module, "catch", *ports, *arguments],
        cwd=folder,
        env={**os.environ, **(keys or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert program.stdout is not None
    first = program.stdout.readline()
    found = re.fullmatch(
        r"Catching mail on 127\.0\.0\.1:(\d+)\. None is relayed\. Press Ctrl-C to stop\.\n", first
    )
    assert found is not None, first
    return program, int(found[1])


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_keeps_and_tells(tmp_path: Path, number: signal.Signals) -> None:
    """Each message is stored and printed on its own line, safe for the terminal; Ctrl-C and SIGTERM
    stop the program cleanly."""
    program, port = start(tmp_path)
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost", timeout=60) as client:
        client.login("anybody", "anything")
        client.sendmail("me@example.com", [f"{name}@example.com" for name in "abcd"], MESSAGE)
    program.send_signal(number)
    assert program.stdout is not None
    with program.stdout:
        printed = program.stdout.read()

    assert program.wait(60) == 0
    (eml,) = (tmp_path / "mail").glob("*.eml")
    lines = printed.splitlines()
    assert lines[:2] == [
        f"For an app: MAIL_URL=smtp://127.0.0.1:{port}",
        f"Messages are stored in {tmp_path / 'mail'}",
    ]
    assert re.fullmatch(r"View them at http://127\.0\.0\.1:\d+/_mail/", lines[2])
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d  me@example\.com -> a@example\.com, b@example\.com and 2 more"
        r"  Grüße \\x1b\[31m  \(\d+ octets\)",
        lines[4],
    )
    assert lines[5:] == [f"          mail/{eml.name}", "Stopped; 1 message stored."]


def test_the_page(tmp_path: Path) -> None:
    """A page on this machine shows the stored messages until the program ends."""
    program, port = start(tmp_path)
    assert program.stdout is not None
    lines = [program.stdout.readline() for _ in range(4)]
    address = lines[2].rpartition(" ")[2].strip()
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost", timeout=60) as client:
        client.sendmail("me@example.com", ["ann@example.com"], MESSAGE)

    # Whatever proxy the environment names.
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with browser.open(f"{address}api/wait?to=ann", timeout=60) as found:
        message = json.load(found)
    with browser.open(address.removesuffix("_mail/"), timeout=60) as found:
        page = found.read().decode()
    stranger = urllib.request.Request(address, headers={"Host": "attacker.example"})
    with pytest.raises(urllib.error.HTTPError, match="404") as refused:
        browser.open(stranger, timeout=60)
    refused.value.close()
    program.send_signal(signal.SIGTERM)
    with program.stdout:
        program.stdout.read()

    assert program.wait(60) == 0
    assert message["subject"].startswith("Grüße")
    assert message["id"] in page


def test_the_page_of_an_app(tmp_path: Path) -> None:
    """In an app, the folder is that of the app's mailbox, so that one page shows all mail."""
    app = Flask("shop", instance_path=str(tmp_path / "instance"))
    Mail(app)
    (tmp_path / "instance").touch()

    result = app.test_cli_runner().invoke(args=["mail", "catch", "--port", "0"])

    assert f"Messages cannot be stored in '{tmp_path}/instance/mail'" in result.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "keys", "kept"),
    [
        (["--keep", "2"], None, 2),
        ([], None, 5),
        ([], {}, 5),
        ([], {"MAILBOX_MESSAGES": "3"}, 3),
        ([], {"MAILBOX_SIZE": "1", "URL": "smtp://127.0.0.1:2525"}, 1),
        (["--keep", "2"], {"MAILBOX_MESSAGES": "3"}, 2),
        # What the handler "file" writes stays, so what is beside it does.
        ([], {"HANDLER": "file", "MAILBOX_MESSAGES": "3"}, 5),
        (["--folder", "../archive"], {"HANDLER": "file", "FOLDER": ".", "MAILBOX_SIZE": "1"}, 5),
        (["--folder", "other"], {"HANDLER": "file", "FOLDER": ".", "MAILBOX_SIZE": "1"}, 1),
        (["--keep", "2"], {"HANDLER": "file"}, 2),
    ],
)
def test_no_more_than_a_mailbox(
    tmp_path: Path, arguments: list[str], keys: dict[str, str] | None, kept: int
) -> None:
    """Attack: a program that sends forever fills the disk. The oldest messages are deleted."""
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    program, port = start(
        folder,
        *arguments,
        module=ALONE if keys is None else ("flask", "--app", "app.py", "mail"),
        keys={f"FLASK_MAIL_{name}": value for name, value in (keys or {}).items()},
    )
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost", timeout=60) as client:
        for _ in range(5):
            client.sendmail("me@example.com", ["ann@example.com"], MESSAGE)
    program.send_signal(signal.SIGTERM)
    assert program.stdout is not None
    with program.stdout:
        end = "stored" if kept == 5 else f"caught, {kept} still stored"
        assert f"Stopped; 5 messages {end}.\n" in program.stdout.read()

    assert program.wait(60) == 0
    assert len([*folder.rglob("*.eml")]) == kept


def test_as_many_as_a_mailbox(tmp_path: Path) -> None:
    """Messages that were in the folder before count too, and are deleted first: 200 remain."""
    for _ in range(201):
        keep(tmp_path / "mail", b"Subject: old\r\n\r\n")
    program, port = start(tmp_path)
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost", timeout=60) as client:
        client.sendmail("me@example.com", ["ann@example.com"], MESSAGE)
    program.send_signal(signal.SIGTERM)
    assert program.stdout is not None
    with program.stdout:
        program.stdout.read()

    assert program.wait(60) == 0
    assert len([*tmp_path.rglob("*.eml")]) == 200


def test_a_page_port_that_is_taken(tmp_path: Path) -> None:
    """A port of the page that is in use is an error in one line."""
    with closed_port() as port:
        result = run("--port", "0", "--page-port", str(port), "--folder", str(tmp_path))

    assert result.exit_code == 1
    assert result.output.startswith(f"Error: The page cannot listen on 127.0.0.1:{port}: ")
    assert result.output.count("\n") == 1


def test_what_clients_say_does_not_reach_the_terminal(tmp_path: Path) -> None:
    """No control character of a client is printed, not even on standard error."""
    program, port = start(tmp_path)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        for line in (b"\x1b]0;owned\x07 x", b"EHLO \x1b[2J", b"MAIL \x1b[2J", b"QUIT"):
            client.sendall(line + b"\r\n")
        while client.recv(1000):
            pass
    program.send_signal(signal.SIGTERM)
    assert program.stdout is not None
    with program.stdout:
        printed = program.stdout.read()

    assert program.wait(60) == 0
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", printed)


def test_a_folder_that_cannot_be_had(tmp_path: Path) -> None:
    """A folder that can never be written is an error in one line, before any client connects."""
    (tmp_path / "file").touch()

    result = run("--port", "0", "--folder", str(tmp_path / "file" / "mail"))

    assert result.exit_code == 1
    assert result.output == (
        f"Error: Messages cannot be stored in '{tmp_path}/file/mail': Not a directory. Choose"
        " another folder.\n"
    )


def test_a_host_that_is_none() -> None:
    """The error asks about another program only if the port is in use."""
    result = run("--host", "nohost.invalid", "--dangerously-listen-on-network")

    assert result.exit_code == 1
    assert result.output.startswith("Error: Cannot listen on nohost.invalid:2525: ")
    assert "another program" not in result.output


def test_a_port_that_is_taken() -> None:
    """A port in use is an error in one line."""
    with closed_port() as port:
        result = run("--port", str(port))

    assert result.exit_code == 1
    assert result.output.startswith(f"Error: Cannot listen on 127.0.0.1:{port}: ")
    assert "Is another program listening there? Choose another port." in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "mail.example.com", ""])
def test_not_on_the_network(host: str) -> None:
    """Only a loopback address is accepted, unless the dangerous option is given."""
    result = run("--host", host)

    assert result.exit_code == 1
    assert "--dangerously-listen-on-network" in result.output


def test_on_the_network_if_it_must_be() -> None:
    """With the option, any other host is used as it is."""
    result = run("--host", "192.0.2.1", "--dangerously-listen-on-network")

    assert result.exit_code == 1
    assert "Error: Cannot listen on 192.0.2.1:2525" in result.output
