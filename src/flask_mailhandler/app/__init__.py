"""What belongs to one app of Flask or Quart: its keys, its state, its calls.

::

    app.config ── settings ── Settings ── account ── handler
                  flask_mail_keys, queue_keys, base_url, placeholders, unknown_keys
                  groups                          failover and spread: an account of accounts

    Mail ── registrations ── registration     one app: settings, handlers, captures, observers
                             capturing, dev_mailbox, other_accounts, other_extension,
                             rate_limit

    sender ── send_call     send, send_each, send_async; what each call does
              wrong_arguments
    current                 finds the registration of the current app, for every part above
    signing                 gives options that sign the secret key of the app
    framework               Flask or Quart: which of the two, and what is current
    flask_framework, quart_framework  what they do differently: contexts, signals, commands
    unsubscribing           links to leave a list, and what they become
    webhooks                the URLs to which providers post, and what proves their requests
    webhook_trial           the webhook of a provider about a captured message, in a test
    verifying               which events are proven, by the address that a bounce came to
    listeners, listener     what an app does with an event: log, signals, on_event
    people                  what mail.address_of adds to a class, such as User
    telemetry/              traces and metrics (MAIL_TELEMETRY)
    no_sending              stops every send while a preview is rendered

Nothing here knows Mail, the queue or the pages: they store what they need in the registration.
"""
