#!/usr/bin/env bash
# yagmail calls smtplib, which raises SMTPServerDisconnected if the server takes a mail and its answer is lost. One
# guesses that yagmail raises it too, or at least that it does not repeat a mail that may have been taken. But it
# connects again and sends it three times within ten seconds, and then send() returns False instead of raising an
# error. A program that looks for exceptions takes the mail for sent; one that looks at the result takes it for not
# sent, and sends it once more. So a server or a proxy that goes away after the end of data makes three mails of one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check yagmail==0.16.0
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import logging
import smtplib
import socketserver
import threading

import yagmail

logging.disable()


class Server(socketserver.StreamRequestHandler):
    """Takes a mail, and closes the connection without an answer to it."""

    def handle(self):
        self.wfile.write(b"220 mx.example\r\n")
        for line in self.rfile:
            if line.upper().startswith(b"DATA"):
                break
            self.wfile.write(b"250 OK\r\n")
        else:
            return
        self.wfile.write(b"354 Go on\r\n")
        for line in self.rfile:
            if line == b".\r\n":
                mails.append("whole")
                return


def said(send):
    mails.clear()
    try:
        result = f"returns {send()!r}"
    except smtplib.SMTPException as error:
        result = f"raises {type(error).__name__}"
    return len(mails), result


def by_smtplib():
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.sendmail("shop@example.com", ["ann@example.com"], "Subject: Hi\r\n\r\nHello\r\n")


def by_yagmail():
    options = {"smtp_ssl": False, "smtp_starttls": False, "smtp_skip_login": True}
    shop = yagmail.SMTP("shop@example.com", "password", host="127.0.0.1", port=port, **options)
    return shop.send("ann@example.com", "Hi", "Hello")


mails = []
with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Server) as server:
    server.daemon_threads = True
    port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    plain, yag = said(by_smtplib), said(by_yagmail)
    server.shutdown()
print("smtplib:", plain)
print("yagmail", importlib.metadata.version("yagmail") + ":", yag)
assert plain == (1, "raises SMTPServerDisconnected"), "the server is not as described"
assert yag == (3, "returns False"), "the behaviour has changed"
PYTHON
