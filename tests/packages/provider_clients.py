"""Sends mails by the official client of a provider: ``provider_clients.py CLIENT URL KEY``, with
the mails as a JSON list on standard input."""

from __future__ import annotations

import json
import sys


def sendgrid(url, key, mails):
    from sendgrid import SendGridAPIClient
    from sendgrid.helpers import mail as helpers

    client = SendGridAPIClient(key, host=url)
    for mail in mails:
        made = helpers.Mail(from_email=helpers.From(*mail["from"]), subject=mail["subject"])
        for address in mail["to"]:
            made.add_to(helpers.To(*address))
        for address in mail["cc"]:
            made.add_cc(helpers.Cc(*address))
        for address in mail["bcc"]:
            made.add_bcc(helpers.Bcc(*address))
        if mail["reply_to"]:
            made.reply_to_list = [helpers.ReplyTo(*address) for address in mail["reply_to"]]
        for kind in ("plain", "html"):
            if mail[kind]:
                made.add_content(helpers.Content(f"text/{kind}", mail[kind]))
        for name, value in mail["headers"].items():
            made.add_header(helpers.Header(name, value))
        for name, value in mail["metadata"].items():
            made.add_custom_arg(helpers.CustomArg(name, value, p=0))
        for tag in mail["tags"]:
            made.add_category(helpers.Category(tag))
        for file in reversed(mail["files"]):  # each is put in front of those before
            disposition = "inline" if file["cid"] else "attachment"
            made.add_attachment(
                helpers.Attachment(
                    file["content"], file["name"], file["type"], disposition, file["cid"]
                )
            )
        client.send(made)


def brevo(url, key, mails):
    from brevo import Brevo
    from brevo import transactional_emails as types

    def people(kind, addresses):
        cls = getattr(types, f"SendTransacEmailRequest{kind}")
        return [cls(**person(address)) for address in addresses] or None

    def person(address):
        return {"email": address[0], **({"name": address[1]} if address[1:] else {})}

    client = Brevo(api_key=key, base_url=f"{url}/v3", max_retries=0)
    for mail in mails:
        fields = {
            "sender": types.SendTransacEmailRequestSender(**person(mail["from"])),
            "to": people("ToItem", mail["to"]),
            "cc": people("CcItem", mail["cc"]),
            "bcc": people("BccItem", mail["bcc"]),
            "reply_to": mail["reply_to"] and people("ReplyTo", mail["reply_to"])[0],
            "subject": mail["subject"],
            "text_content": mail["plain"],
            "html_content": mail["html"],
            "headers": mail["headers"],
            "tags": mail["tags"],
            "attachment": [
                types.SendTransacEmailRequestAttachmentItem(
                    name=file["name"], content=file["content"]
                )
                for file in mail["files"]
            ],
        }
        given = {name: value for name, value in fields.items() if value}
        client.transactional_emails.send_transac_email(**given)


def postmark(url, key, mails):
    import postmark.sync

    def people(addresses):
        return ", ".join(f"{name[0]} <{one}>" if name else one for one, *name in addresses) or None

    with postmark.sync.ServerClient(key, base_url=url, retries=0) as client:
        for mail in mails:
            fields = {
                "sender": people([mail["from"]]),
                "to": people(mail["to"]),
                "cc": people(mail["cc"]),
                "bcc": people(mail["bcc"]),
                "reply_to": people(mail["reply_to"]),
                "subject": mail["subject"],
                "text_body": mail["plain"] or None,
                "html_body": mail["html"] or None,
                "tag": mail["tags"][0] if mail["tags"] else None,
                "metadata": mail["metadata"],
                "headers": [
                    {"name": name, "value": value} for name, value in mail["headers"].items()
                ],
                "attachments": [
                    {
                        "name": file["name"],
                        "content": file["content"],
                        "content_type": file["type"],
                        "content_id": file["cid"] and f"cid:{file['cid']}",
                    }
                    for file in mail["files"]
                ],
            }
            client.outbound.send(fields)


def mailgun(url, key, mails):
    import base64

    from mailgun.client import Client

    client = Client(auth=("api", key), api_url=url)
    for mail in mails:
        octets = base64.b64decode(mail["octets"])
        answer = client.mimemessage.create(
            data={
                "to": ", ".join(mail["recipients"]),
                "o:tag": mail["tags"],
                **{f"v:{name}": value for name, value in mail["metadata"].items()},
            },
            files=[("message", ("message.mime", octets, "application/octet-stream"))],
            domain="mg.example.com",
        )
        answer.raise_for_status()


if __name__ == "__main__":
    client, url, key = sys.argv[1:]
    globals()[client](url, key, json.load(sys.stdin))
