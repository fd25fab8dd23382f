"""Failover and sharing: one account passes its messages to several others.

::

    message ── prepare ── dispatch ──▶ choose an account ──▶ its handler ──▶ report
                                          ▲    ▲                               │
                              plan, health┘    └── another account ◀── may it go on?

::

    handler     the handler of such an account: what each message needs
    sending     one call: messages in, one report for each out
    rules       when a message may go on, and when an account is down: pure functions
    plan        the accounts in their order, or by weight
    health      which accounts are down, and when each is tried again
    choice      the account that was chosen for a message
    members     the handlers of the accounts, and how their messages differ
    again       the same message, prepared for another account
    joining     one report from those of two accounts
    untried     messages that an account does not try
"""
