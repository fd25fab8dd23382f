"""``flask mail check --production``: the checklist of the page *In production*, ticked off.

::

    options ── command ── checklist ─┬─ settings   the app's own keys
                                     ├─ accounts   what sends, how it connects, what comes back
                                     ├─ domain     SPF, DKIM and DMARC, if the DNS may be asked
                                     ├─ waiting    the queue and its worker
                                     └─ operating  errors, pages, the log

    verdict     a result: its status, and what to write
    deployment  what the items are told of the app

Each item is a function of a :class:`.Deployment` that returns a :class:`.Verdict`.
"""
