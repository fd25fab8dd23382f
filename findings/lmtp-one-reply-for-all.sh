#!/usr/bin/env bash
# LMTP (RFC 2033 section 4.2) has one reply for each accepted recipient after the end of data. In Python
# neither side does that. aiosmtpd's LMTP server sends one reply for two recipients, so a client of the RFC
# waits for the second. The standard library's smtplib.LMTP reads one reply, so with a server of the RFC it
# reports that all went well, and takes the refusal of the second recipient for the reply to the next
# message's MAIL. They agree with each other only.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aiosmtpd==1.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import platform
import smtplib
import socket
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP

TWO = ["ann@example.com", "bob@example.com"]
MAIL = "Subject: Hello\r\n\r\nHello.\r\n"


class Handler:
    async def handle_DATA(self, server, session, envelope):
        self.recipients = envelope.rcpt_tos
        return "250 2.0.0 stored"


class Server(Controller):
    def factory(self):
        return LMTP(self.handler)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def replies_of_aiosmtpd():
    """Return the replies of the server to the end of data. After QUIT it closes the connection."""
    server = Server(Handler(), hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
            lines = client.makefile("rwb")

            def reply():
                while (line := lines.readline().decode().rstrip())[3:4] == "-":
                    pass
                return line

            def command(text):
                lines.write(f"{text}\r\n".encode())
                lines.flush()
                return reply()

            reply()
            for text in ["LHLO me", "MAIL FROM:<shop@example.com>", *(f"RCPT TO:<{to}>" for to in TWO)]:
                assert command(text).startswith("250")
            assert command("DATA").startswith("354")
            lines.write(f"{MAIL}.\r\nQUIT\r\n".encode())
            lines.flush()
            *stored, _ = lines.read().decode().splitlines()
            assert server.handler.recipients == TWO
            return stored
    finally:
        server.stop()


def strict(listener):
    """Answer as RFC 2033 says. The second recipient's mailbox is full."""
    client, _ = listener.accept()
    with client, client.makefile("rwb") as lines:

        def say(text):
            lines.write(f"{text}\r\n".encode())
            lines.flush()

        say("220 mx.example LMTP")
        for line in lines:
            if line.upper() == b"DATA\r\n":
                say("354 go on")
                while lines.readline() != b".\r\n":
                    pass
                say("250 2.1.5 stored for ann")
                say("552 5.2.2 the mailbox of bob is full")
            elif line.upper() == b"QUIT\r\n":
                return
            else:
                say("250 2.0.0 ok")


def smtplib_says():
    """Send to two recipients, then to one, as a client of the standard library does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=strict, args=(listener,), daemon=True).start()
        client = smtplib.LMTP("127.0.0.1", listener.getsockname()[1], timeout=30)
        refused = client.sendmail("shop@example.com", TWO, MAIL)
        try:
            client.sendmail("shop@example.com", ["ann@example.com"], MAIL)
        except smtplib.SMTPSenderRefused as error:
            return refused, error.smtp_code, error.smtp_error.decode()
        finally:
            client.close()
    return refused, None, ""


replies = replies_of_aiosmtpd()
refused, code, text = smtplib_says()
print("aiosmtpd", importlib.metadata.version("aiosmtpd"), "Python", platform.python_version())
print("aiosmtpd's replies to the end of data for two recipients:", replies)
print("recipients that smtplib.LMTP reports as refused:", refused)
print("smtplib.LMTP's reply to MAIL of the next message:", code, text)
expected = len(replies) == 1 and refused == {} and code == 552 and "bob" in text
sys.exit(0 if expected else "the behaviour has changed")
PYTHON
