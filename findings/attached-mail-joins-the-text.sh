#!/usr/bin/env bash
# A program reads its mailbox: replies to tickets, or bounces. A mail has another one attached (message/rfc822): a
# colleague forwards a complaint with "Please answer". One guesses that the text of the mail is "Please answer", and
# that the attached mail is one attachment, as Python's get_body() and iter_attachments() and mailparser for Node.js
# have it. But mail-parser, imap-tools and eml-parser go on into the attached mail: its text is part of the text, and
# its attachments stand beside the attached mail as if the sender had attached them as well. So what a stranger wrote
# is taken for the words of the colleague, and the same file is stored twice.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mail-parser==4.8.0 imap-tools==1.16.0 eml-parser==4.4.0
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund mailparser@3.14.2 >/dev/null
venv/bin/python - <<'PYTHON'
import importlib.metadata
import json
import subprocess
from email.message import EmailMessage

import eml_parser
import mailparser
from imap_tools import MailMessage


def mail(sender, text):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, "shop@example.com", "Invoice"
    message["Date"] = "Mon, 30 Nov 2026 10:00:00 +0000"
    message.set_content(text)
    return message


complaint = mail("eve@example.com", "Refund me.\n")
complaint.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="receipt.pdf")
message = mail("ann@example.com", "Please answer.\n")
message.add_attachment(complaint, filename="complaint.eml")
octets = message.as_bytes()


def by_email():
    names = [part.get_filename() for part in message.iter_attachments()]
    return message.get_body().get_content(), names


def by_mail_parser():
    parsed = mailparser.parse_from_bytes(octets)
    return "".join(parsed.text_plain), [one["filename"] for one in parsed.attachments]


def by_imap_tools():
    parsed = MailMessage.from_bytes(octets)
    return parsed.text, [one.filename for one in parsed.attachments]


def by_eml_parser():
    parsed = eml_parser.EmlParser(include_raw_body=True).decode_email_bytes(octets)
    return "".join(one["content"] for one in parsed["body"]), [one["filename"] for one in parsed["attachment"]]


def by_node():
    code = """
        const { simpleParser } = require("mailparser")
        simpleParser(process.stdin).then((mail) => {
            console.log(JSON.stringify([mail.text, mail.attachments.map((one) => one.filename)]))
        })"""
    done = subprocess.run(["node", "-e", code], input=octets, capture_output=True, check=True)
    return json.loads(done.stdout)


found = {}
for name, parse in (
    ("email", by_email),
    ("mailparser", by_node),
    ("mail-parser", by_mail_parser),
    ("imap-tools", by_imap_tools),
    ("eml-parser", by_eml_parser),
):
    text, files = parse()
    found[name] = "Refund me." in text, files
    version = {"email": "of Python", "mailparser": "3.14.2 for Node.js"}.get(name)
    print(name, version or importlib.metadata.version(name), "text:", text.split("\n"), "attachments:", files)
apart, joined = (False, ["complaint.eml"]), (True, ["complaint.eml", "receipt.pdf"])
assert found["email"] == found["mailparser"] == apart, found
assert found["mail-parser"] == found["imap-tools"] == found["eml-parser"] == joined, found
PYTHON
