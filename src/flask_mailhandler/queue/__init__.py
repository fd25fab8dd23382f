"""Mail that is sent later, and survives the process that accepted it.

::

    send_later ── accepting ── rows ──▶ store ──▶ worker ── handler.dispatch ── report
                  prepare      JSON     SQLite    claim     the account's       retry
                  (as send)    octets             lease     own, as send        finish
                                 └── engine: rings when there is something to send

The row is the queue. An engine only rings the bell, so every one of them is as safe.
"""
