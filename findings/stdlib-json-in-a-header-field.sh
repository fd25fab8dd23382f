#!/usr/bin/env bash
# SendGrid and Mailgun take tags and variables by SMTP as JSON in a header field: X-SMTPAPI and
# X-Mailgun-Variables. The EmailMessage of the standard library writes JSON that is pure ASCII, and shorter
# than the 998 octets of a line, in encoded words (RFC 2047) as soon as one word of it is longer than a line
# of 78. Its own parser reads it back, but a program that unfolds the field and reads JSON cannot. The same
# JSON in a message of the older classes is sent as it is.
set -euo pipefail
python3 - <<'PYTHON'
import email
import email.message
import email.policy
import json
import sys
from email.mime.text import MIMEText


def field(octets: bytes) -> str:
    """The value of the field, unfolded as RFC 5322 says."""
    header = octets.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("ascii")
    lines = header.replace("\n ", " ").split("\n")
    return next(line.partition(": ")[2] for line in lines if line.startswith("X-SMTPAPI"))


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


failed = False
print(f"Python {sys.version.split()[0]}")
for letters, wanted in ((20, True), (90, False)):
    value = json.dumps({"unique_args": {"token": "x" * letters}})
    for policy in (email.policy.default, email.policy.SMTP):
        message = email.message.EmailMessage(policy=policy)
        message["X-SMTPAPI"] = value
        message.set_content("Hello")
        octets = bytes(message)
        found = is_json(field(octets))
        print(f"\nEmailMessage, a word of {letters} letters: JSON is {'kept' if found else 'lost'}")
        print(octets.partition(b"Content-")[0].decode().strip())
        again = email.message_from_bytes(octets, policy=email.policy.default)
        print("its own parser reads JSON:", is_json(again["X-SMTPAPI"]))
        failed |= found is not wanted
    older = MIMEText("Hello")
    older["X-SMTPAPI"] = value
    kept = is_json(field(older.as_bytes()))
    print(f"\nMIMEText, a word of {letters} letters: JSON is {'kept' if kept else 'lost'}")
    failed |= not kept
sys.exit("It behaves differently now." if failed else 0)
PYTHON
