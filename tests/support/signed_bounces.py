"""Bounces, and one that came to a signed address."""

from __future__ import annotations

from flask import Flask

from flask_mailhandler import Mail

#: The app whose SECRET_KEY is ``secret`` and whose MAIL_BOUNCE_ADDRESS is this verifies SIGNED.
BOUNCES = "bounces@example.com"


def bounce_to(recipient: str, header: str = "") -> bytes:
    """A bounce for a recipient, whose header has these fields too."""
    return (
        f"{header}From: MAILER-DAEMON@mx.example.net\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: message/delivery-status\n\n"
        f"Final-Recipient: rfc822; {recipient}\nAction: failed\nStatus: 5.1.1\n"
        "Diagnostic-Code: smtp; 550 5.1.1 No such user\n\n--b--\n"
    ).encode()


def signed_address(recipient: str) -> str:
    """The envelope sender of a message to this recipient."""
    app = Flask("signing")
    app.config.update(TESTING=True, SECRET_KEY="secret", MAIL_BOUNCE_ADDRESS=BOUNCES)
    mail = Mail(app, cli=None)
    with app.app_context(), mail.capture() as outbox:
        mail.send("Hello", subject="Hi", to=recipient, from_addr="shop@example.com")
    return str(outbox[0].envelope.sender)


SIGNED = bounce_to("signed@example.org", f"Delivered-To: {signed_address('signed@example.org')}\n")
