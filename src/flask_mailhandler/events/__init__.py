"""What is heard of a message after a server has accepted it.

::

    octets ── parts ─┬─ delivery_status   fields (RFC 3464)     ─┐
                     ├─ complaint         fields (RFC 5965)      ├─ reading ──▶ Event
                     └─ prose             sentences             ─┘  severity

    event            Event: what became of a message, for one recipient
    kinds            what can happen to a message, and why it may not be delivered
    reading          a notification, as the fields of events
    parts            the parts of a notification, within bounds
    delivery_status  delivery status notifications
    complaint        complaints
    prose            what a notification says in sentences
    severity         hard, soft or blocked
    webhooks/        what a provider says in a request to the app
"""
