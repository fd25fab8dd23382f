"""What belongs to one Flask app: its keys, its state, its calls.

::

    app.config ── settings ── Settings ── account ── handler
                  flask_mail_keys, queue_keys, base_url, placeholders, unknown_keys

    Mail ── registrations ── registration     one app: settings, handlers, captures, observers
                             capturing, dev_mailbox, other_mail, rate_limit

    current        finds the registration of the current app, for every part above
    sender         send, send_each, send_async
    send_call      one call of them: prepare, dispatch, log and signal
    other_accounts handlers that pass messages on to other accounts, never in a circle
    no_sending     stops every send while a preview is made

Nothing here knows Mail, the queue or the pages: they store what they need in the registration.
"""
