#!/usr/bin/env bash
# A webhook may tell an event twice, so Anymail gives each event an event_id, the "unique identifier for the event",
# which "can be used to avoid processing the same event twice", as its documentation says. One guesses that the two
# events of a message that bounced at two recipients have two of them. But Amazon SES tells both in one notification,
# and Anymail 15.2 uses its identifier for each of the events that it makes of it. A receiver that follows the
# documentation takes the second bounce for the first one told again: that recipient is never marked, and goes on to
# get mail. The same code makes the events of "Delivery" and "Complaint". Use the pair of event_id and recipient.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check django==5.2.19 django-anymail==15.2 boto3==1.44.8
"$folder/venv/bin/python" - <<'PYTHON'
import base64
import importlib.metadata
import json

import django
from django.conf import settings

settings.configure(ALLOWED_HOSTS=["*"], ANYMAIL={"WEBHOOK_SECRET": "name:password"}, DATABASES={})
django.setup()

from anymail.signals import tracking
from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView
from django.test import RequestFactory

# As in "Amazon SNS notification contents for Amazon SES".
GONE = ("ann@example.com", "bob@example.com")
NOTICE = {
    "notificationType": "Bounce",
    "mail": {"messageId": "0102018f3c-1", "destination": [*GONE, "eve@example.com"]},
    "bounce": {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [{"emailAddress": one, "status": "5.1.1"} for one in GONE],
    },
}
BODY = {
    "Type": "Notification",
    "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    "TopicArn": "arn:aws:sns:eu-west-1:123456789012:bounces",
    "Timestamp": "2026-11-30T10:00:00.000Z",
    "Message": json.dumps(NOTICE),
}
told, processed, marked = [], set(), []


def receiver(sender, event, **_):
    told.append((event.event_id, event.recipient))
    if event.event_id in processed:  # told twice
        return
    processed.add(event.event_id)
    marked.append(event.recipient)


tracking.connect(receiver)
view = AmazonSESTrackingWebhookView.as_view()
for _ in range(2):  # SNS repeats a notification with the same MessageId if the answer is lost
    request = RequestFactory().post(
        "/anymail/amazon_ses/tracking/",
        json.dumps(BODY),
        content_type="text/plain; charset=UTF-8",
        HTTP_AUTHORIZATION="Basic " + base64.b64encode(b"name:password").decode(),
        HTTP_X_AMZ_SNS_MESSAGE_TYPE="Notification",
        HTTP_X_AMZ_SNS_MESSAGE_ID=BODY["MessageId"],
    )
    assert view(request).status_code == 200

print("django-anymail", importlib.metadata.version("django-anymail"))
print(*told, sep="\n")
print("marked:", marked)
assert [recipient for _, recipient in told] == [*GONE, *GONE], told
assert len({event_id for event_id, _ in told}) == 1, "each event has an event_id of its own"
assert marked == ["ann@example.com"], marked
PYTHON
