#!/usr/bin/env bash
# In Flask-Mailman, send(fail_silently=True) makes a message silent for good: the message keeps the connection
# of its first send(), with that option. A second send(), without the option, returns 0 and raises nothing,
# though the server is down. A program that tries quietly first, and then loudly, loses the mail without an error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Flask-Mailman==1.1.1 Flask==3.1.3
"$folder/venv/bin/python" - <<'PYTHON'
import socket
from importlib.metadata import version

from flask import Flask
from flask_mailman import EmailMessage, Mail

with socket.socket() as unused:  # bound, and not listening: connecting is refused
    unused.bind(("127.0.0.1", 0))
    app = Flask("app")
    app.config.update(MAIL_SERVER="127.0.0.1", MAIL_PORT=unused.getsockname()[1])
    Mail(app)

    def said(message, **options):
        try:
            return f"returns {message.send(**options)}"
        except OSError as error:
            return f"raises {type(error).__name__}"

    with app.app_context():
        letter = ("Hi", "Hello", "shop@example.com", ["ann@example.com"])
        quiet = EmailMessage(*letter)
        first, second = said(quiet, fail_silently=True), said(quiet)
        fresh = said(EmailMessage(*letter))

print("Flask-Mailman", version("Flask-Mailman"))
print("message.send(fail_silently=True):", first)
print("message.send() of the same one:  ", second)
print("message.send() of a new one:     ", fresh)
assert (first, fresh) == ("returns 0", "raises ConnectionRefusedError"), "the server is not down"
assert second == "returns 0", "the second send() raises now"
PYTHON
