#!/usr/bin/env bash
# An asynchronous app keeps a connection of aiosmtplib open, and a send call is cancelled while a slow server has yet to
# answer: a client has gone away, or asyncio.timeout() has ended it. One guesses that the connection is closed then, as
# other clients for asyncio do it, or that the next call connects again. But it stays open, and is_connected is True. If
# the next mail begins before the late reply is there, it takes it for its own, and each reply of the server for the
# reply to the command before. It sees "250" where DATA is answered with "354", and waits until its timeout, which is a
# minute by default and two seconds here. So it is the mail after the cancelled one that is lost, and the cancelled one
# is stored. Close the client when a send call is cancelled.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aiosmtplib==5.1.3 aiosmtpd==1.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import importlib.metadata
import socket

import aiosmtplib
from aiosmtpd.controller import Controller


class Slow:
    """Stores each message. The first one takes a second."""

    def __init__(self):
        self.begun = 0
        self.stored = []

    async def handle_DATA(self, server, session, envelope):
        self.begun += 1
        if self.begun == 1:
            await asyncio.sleep(1)
        self.stored.extend(envelope.rcpt_tos)
        return "250 2.0.0 stored"


async def send(client, name):
    await client.sendmail("shop@example.com", [f"{name}@example.com"], f"Subject: {name}\r\n\r\nHi\r\n")


async def two_mails(port, close):
    """Cancel the first mail, and return what happens to the second one."""
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False, timeout=2)
    await client.connect()
    try:
        await asyncio.wait_for(send(client, "ann"), 0.5)
        raise AssertionError("the first mail was not cancelled")
    except asyncio.TimeoutError:
        connected = client.is_connected
    if close:
        client.close()
        await client.connect()
    try:
        await send(client, "bob")
        second = "is sent"
    except aiosmtplib.SMTPException as error:
        second = f"raises {type(error).__name__}: {error}"
    finally:
        client.close()
        await asyncio.sleep(1)  # the server has stored the first one now
    return connected, second


def tried(close):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Controller(Slow(), hostname="127.0.0.1", port=port)
    server.start()
    try:
        connected, second = asyncio.run(two_mails(port, close))
    finally:
        server.stop()
    print(f"closed after the cancelled mail: {close}; is_connected before: {connected}")
    print(f"    the second mail {second}; stored: {server.handler.stored}")
    return connected, second, server.handler.stored


print("aiosmtplib", importlib.metadata.version("aiosmtplib"), "aiosmtpd", importlib.metadata.version("aiosmtpd"))
_, second, stored = tried(close=True)
assert second == "is sent" and "bob@example.com" in stored, "closing does not help"
connected, second, stored = tried(close=False)
assert connected, "the connection is closed now"
assert second.startswith("raises") and stored == ["ann@example.com"], "the behaviour has changed"
PYTHON
