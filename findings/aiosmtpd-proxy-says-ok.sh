#!/usr/bin/env bash
# aiosmtpd has a handler Proxy, which passes each message on to another server. One guesses that its client gets the
# reply of that server, or at least that a message which nobody has taken is refused. But Proxy replies "250 OK" if the
# server refuses each recipient, and even if there is no server: the error goes to the log, and the mail is lost. Its
# client, an app or a mail server, believes that it was sent, and neither repeats it nor tells its author.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aiosmtpd==1.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import logging
import smtplib
import socket

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Proxy
from aiosmtpd.handlers import Sink

logging.disable()


class Refusing(Sink):
    async def handle_RCPT(self, server, session, envelope, address, options):
        return "550 5.1.1 no such user"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def reply(port):
    """Return the reply to the end of data."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.ehlo()
        client.mail("shop@example.com")
        client.rcpt("ann@example.com")
        code, text = client.data(b"Subject: Hi\r\n\r\nHello\r\n")
        return code, text.decode()


target = Controller(Refusing(), hostname="127.0.0.1", port=free_port())
proxy = Controller(Proxy("127.0.0.1", target.port), hostname="127.0.0.1", port=free_port())
target.start()
proxy.start()
try:
    refused = reply(proxy.port)
    direct = smtplib.SMTP("127.0.0.1", target.port, timeout=30)
    direct.ehlo()
    direct.mail("shop@example.com")
    code, _ = direct.rcpt("ann@example.com")
    direct.close()
    target.stop()
    down = reply(proxy.port)
finally:
    proxy.stop()
print("aiosmtpd", importlib.metadata.version("aiosmtpd"))
print("the next server's reply to the recipient:", code)
print("Proxy's reply to the message:            ", refused)
print("Proxy's reply while the server is down:  ", down)
assert code == 550, "the recipient is not refused"
assert refused[0] == down[0] == 250, "the behaviour has changed"
PYTHON
