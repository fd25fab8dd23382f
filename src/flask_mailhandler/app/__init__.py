"""What belongs to one Flask app: its keys, its state, its calls.

::

    app.config ── settings ── Settings ── Account ── handler
                  flask_mail_keys, queue_keys, base_url, placeholders, unknown_keys

    registration   the state of one app: settings, handlers, who captures
                   capturing, dev_mailbox, other_mail, rate_limit
    current        the Mail of the current app

    Mail ─┬─ sender ── dispatch    send, send_each, send_async
          └─ send_later            the door to the queue
"""
