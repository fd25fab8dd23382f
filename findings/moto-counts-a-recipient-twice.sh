#!/usr/bin/env bash
# Tests of an app that sends by Amazon SES use moto. SES takes up to 50 recipients for a message. A raw message names
# them in its header, and the request names them as its destinations, Bcc recipients included, as Anymail and others
# write it. One guesses that moto counts each recipient once, as it does if the content is "Simple". But moto 5.2.5 adds
# the addresses of To, Cc and Bcc in the header to those of the request, and keeps the duplicates. So one mail to one
# person takes two from the quota, and a test that sends to 26 people is told "Too many recipients".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check moto==5.2.5 boto3==1.44.8
export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=eu-west-1
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata

import boto3
import moto
from botocore.exceptions import ClientError

SENDER = "shop@example.com"
TEXT = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}}


def raw(recipients):
    head = f"From: {SENDER}\r\nTo: " + ",\r\n ".join(recipients) + "\r\nSubject: Hi\r\n"
    return {"Raw": {"Data": f"{head}\r\nHello\r\n".encode()}}


def counted(content, recipients):
    """Return what one message takes from the quota, or the error."""
    before = quota()
    destination = {"ToAddresses": recipients}
    try:
        client.send_email(Content=content, Destination=destination, FromEmailAddress=SENDER)
    except ClientError as error:
        return error.response["Error"]["Message"]
    return quota() - before


def quota():
    return int(old.get_send_quota()["SentLast24Hours"])


with moto.mock_aws():
    old, client = boto3.client("ses"), boto3.client("sesv2")
    old.verify_email_identity(EmailAddress=SENDER)
    people = [f"{number}@example.com" for number in range(50)]
    found = {}
    for size in (1, 25, 26, 50):
        some = people[:size]
        found[size] = counted(TEXT, some), counted(raw(some), some)
        print(f"{size} recipients. Simple: {found[size][0]}. Raw: {found[size][1]}")

print("moto", importlib.metadata.version("moto"))
many = "Too many recipients."
assert found == {1: (1, 2), 25: (25, 50), 26: (26, many), 50: (50, many)}, found
PYTHON
