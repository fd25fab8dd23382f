#!/usr/bin/env bash
# With Anymail, message.send() to Amazon SES opens a connection for each message, as Django's SMTP does. But it makes a
# boto3 session for it, too, and a new session parses all of botocore's description of SES and of the world's endpoints
# again: a megabyte of JSON for each mail, which takes much more time than the connection. A loop over message.send()
# pays for it each time; one get_connection() that is kept open pays once.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    django==5.2.19 django-anymail==15.2 boto3==1.44.8 botocore==1.44.8
"$folder/venv/bin/python" - <<'PYTHON'
import gzip
import http.server
import importlib.metadata
import json
import threading

import botocore.loaders
import django
from django.conf import settings


class Server(http.server.BaseHTTPRequestHandler):
    """Takes each mail."""

    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        counts["connections"] += 1

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"MessageId": "0102018f3c-1"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


counts = {"connections": 0, "files": 0, "octets": 0}
load = botocore.loaders.JSONFileLoader._load_file


def counted(self, full_path, open_method):
    if found := load(self, full_path, open_method):
        with (gzip.open if open_method is gzip.open else open)(full_path) as file:
            counts["octets"] += len(file.read())
        counts["files"] += 1
    return found


botocore.loaders.JSONFileLoader._load_file = counted
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
settings.configure(
    EMAIL_BACKEND="anymail.backends.amazon_ses.EmailBackend",
    ANYMAIL={
        "AMAZON_SES_CLIENT_PARAMS": {
            "aws_access_key_id": "key",
            "aws_secret_access_key": "secret",
            "region_name": "eu-west-1",
            "endpoint_url": f"http://127.0.0.1:{server.server_port}",
        }
    },
)
django.setup()

from django.core.mail import EmailMessage
from django.core.mail import get_connection


def mail(connection=None):
    return EmailMessage("Hi", "Hello", "a@example.com", ["b@example.com"], connection=connection)


def alone():
    for _ in range(5):
        mail().send()


def kept():
    with get_connection() as connection:
        for _ in range(5):
            mail(connection).send()


def counted_by(send):
    counts.update(connections=0, files=0, octets=0)
    send()
    return dict(counts)


for name in ("django", "django-anymail", "boto3", "botocore"):
    print(name, importlib.metadata.version(name))
found = {"five times message.send()": counted_by(alone), "the same, connection kept": counted_by(kept)}
for what, each in found.items():
    print(f"{what}: {each['connections']} connections, {each['files']} JSON files parsed, {each['octets']:,} octets")
one, other = found.values()
assert (one["connections"], other["connections"]) == (5, 1), found
assert one["files"] == 5 * other["files"] > 0, found
assert one["octets"] > 5_000_000, found
print("Each message.send() parses botocore's description of SES again.")
PYTHON
