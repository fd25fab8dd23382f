#!/usr/bin/env bash
# An app receives a webhook and writes "event = Webhook(secret).verify(body, headers)", as the guides of Svix and of many
# providers that sign with it show. One guesses that the event is returned, as standardwebhooks does, which has the same
# name, arguments and errors. But svix 2.9.1 verifies the signature and returns None: "event['type']" is a TypeError at the
# first real webhook, and "if not event: return 400" refuses each one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'svix==2.9.1' 'standardwebhooks==1.1.0'
venv/bin/python - <<'PYTHON'
import datetime
import importlib
import importlib.metadata

SECRET, BODY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", '{"type": "email.sent"}'
now = datetime.datetime.now(datetime.timezone.utc)
found = {}
for name in ("svix", "standardwebhooks"):
    webhook = importlib.import_module(name).Webhook(SECRET)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign("msg_1", now, BODY),
    }
    found[name] = webhook.verify(BODY, headers)
    print(f"{name} {importlib.metadata.version(name)}: verify() returned {found[name]!r}")
assert found == {"svix": None, "standardwebhooks": {"type": "email.sent"}}
PYTHON
