"""What became of queued and other mail: events that are stored before the app is told of them, and
the addresses that get no more mail.

::

    handle_events (app) ── handling ──▶ History (stores) ──▶ the app is told of what is new
                           identity          │
                           json_form         └── suppressed addresses ── screening ──▶ refused

    handling      stores events, and tells the app of those that are new
    history_of    where the events of an app are stored, if anywhere
    telling       tells the app of stored events
    identity      whether two events are the same one, and what an event says of its address
    json_form     an event as JSON
    suppression   Suppression: an address that gets no more mail
    suppressions  Suppressions: what you can do with these addresses (mail.suppressions)
    csv_form      suppressions from and to CSV
    screening     looks the recipients of messages up
    refusing      refuses those that are suppressed
"""
