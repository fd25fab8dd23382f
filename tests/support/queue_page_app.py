"""A shop in debug mode with messages in its queue, and requests to its pages."""

from __future__ import annotations

import typing as t

from flask_mailhandler import Attachment
from flask_mailhandler import Message
from mailbox_app import ME
from queueing import Shop
from queueing import url_of
from servers import DROP

if t.TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient

    from sending import Listener
    from sending import Scripted

PAGE = """<body style="margin: 0; padding: 40px; background: #eef3f1; font-family: sans-serif">
<div style="max-width: 440px; margin: auto; padding: 32px; background: #fff; color: #1d2526">
<h1 style="margin-top: 0; font-size: 24px">{}</h1><p>It is on its way, and arrives on Tuesday.</p>
<p><a href="https://shop.example/parcels/17" style="color: #1f6b65">Where is it now?</a></p>
</div></body>"""
REPLIES: dict[str, t.Any] = {
    "RCPT TO:<gone@example.com>": "550 5.1.1 no such user",
    "RCPT TO:<full@example.com>": "452 4.2.2 mailbox full, try later",
    "end of data": ["250 2.0.0 ok", DROP],
}


def looking(folder: Path, server: Listener | None = None, **keys: t.Any) -> Shop:
    """Return a shop with pages for its queue. Close the queue at the end."""
    return Shop(
        folder, server, DEBUG=True, MAIL_MAILBOX=True, MAIL_FOLDER=str(folder / "mail"), **keys
    )


def full(folder: Path, scripted: Scripted) -> Shop:
    """Return the same shop with messages in each state: sent, held, failed, tried and waiting."""
    server = scripted(on=REPLIES)
    news = {"url": url_of(server)}
    shop = looking(folder, server, MAIL_ACCOUNTS={"news": news})
    with shop.app.app_context():
        put(shop, "Your order", "sent@example.com", key="order:17")
        put(shop, "Backup done", "held@example.com")
        put(shop, "News of May", "gone@example.com", using="news")
        put(shop, "Your parcel", "full@example.com", "gone@example.com")
        shop.queue.run_once()
        shop.mail.send_later(
            Message(
                subject="Your invoice",
                html="<h1>Invoice</h1><p>Thank you for your order, Ann.</p>",
                to=["ann@example.com", "ben@example.com", "cleo@example.com"],
                bcc="books@example.com",
                attachments=[Attachment(b"%PDF", filename="invoice.pdf")],
            ),
            delay=7200,
            priority="high",
        )
    return shop


def put(shop: Shop, subject: str, *to: str, **options: t.Any) -> None:
    """Put a message into the queue."""
    message = Message(subject=subject, html=PAGE.format(subject), to=to, from_addr=ME)
    with shop.app.app_context():
        shop.mail.send_later(message, **options)


def token_of(browser: FlaskClient) -> str:
    """The headers that a change needs."""
    return str(browser.get("/_mail/api/queue").get_json()["token"])


def change(browser: FlaskClient, path: str) -> t.Any:
    """Request a change as the page does."""
    headers = {"X-Mail-Token": token_of(browser), "Sec-Fetch-Site": "same-origin"}
    return browser.post(f"/_mail/{path}", headers=headers)
