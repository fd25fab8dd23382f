#!/usr/bin/env bash
# The official Python clients of Postmark, Mailgun and Brevo repeat the request that sends a mail after "500", without
# being asked to: a server that takes each of them sends up to four mails for one call. Postmark and Mailgun have no key
# by which they recognize a repeat. Brevo has one, and its client does not set it. Those of SendGrid and Resend, and the
# clients of Postmark and Brevo when the connection closes without an answer, send one request.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    postmark-python==0.4.0 mailgun==1.10.0 brevo-python==5.1.0 sendgrid==6.12.5 resend==2.52.0
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import http.server
import importlib.metadata
import logging
import threading

import postmark.sync
import resend
from brevo import Brevo
from brevo.transactional_emails import SendTransacEmailRequestSender
from brevo.transactional_emails import SendTransacEmailRequestToItem
from mailgun.client import Client
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Mail

logging.disable()


class Server(http.server.BaseHTTPRequestHandler):
    """Reads a whole request, as if it sent the mail, and fails after that."""

    def do_POST(self):
        bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        if fails == "500":
            self.send_response(500)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def by_postmark(url):
    with postmark.sync.ServerClient("key", base_url=url) as client:
        client.outbound.send(
            {"sender": "a@example.com", "to": "b@example.com", "subject": "Hi", "text_body": "Hi"}
        )


def by_mailgun(url):
    data = {"from": "a@example.com", "to": "b@example.com", "subject": "Hi", "text": "Hi"}
    answer = Client(auth=("api", "key"), api_url=url).messages.create(data=data, domain="example.com")
    answer.raise_for_status()


def by_brevo(url):
    Brevo(api_key="key", base_url=url).transactional_emails.send_transac_email(
        sender=SendTransacEmailRequestSender(email="a@example.com"),
        to=[SendTransacEmailRequestToItem(email="b@example.com")],
        subject="Hi",
        text_content="Hi",
    )


def by_sendgrid(url):
    SendGridAPIClient("key", host=url).send(Mail("a@example.com", "b@example.com", "Hi", "Hi"))


def by_resend(url):
    resend.api_key, resend.api_url = "key", url
    resend.Emails.send(
        {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hi"}
    )


CLIENTS = {
    "postmark-python": (by_postmark, {"500": 4, "no answer": 1}),
    "mailgun": (by_mailgun, {"500": 4, "no answer": 4}),
    "brevo-python": (by_brevo, {"500": 3, "no answer": 1}),
    "sendgrid": (by_sendgrid, {"500": 1, "no answer": 1}),
    "resend": (by_resend, {"500": 1, "no answer": 1}),
}

found = {}
with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
    threading.Thread(target=server.serve_forever).start()
    for name, (send, expected) in CLIENTS.items():
        found[name] = {}
        for fails in expected:
            bodies = []
            with contextlib.suppress(Exception):
                send(f"http://127.0.0.1:{server.server_port}")
            found[name][fails] = len(bodies)
        version = importlib.metadata.version(name)
        print(f"{name} {version}: requests for one mail, by how the server fails: {found[name]}")
    server.shutdown()

assert found == {name: expected for name, (_, expected) in CLIENTS.items()}, found
PYTHON
