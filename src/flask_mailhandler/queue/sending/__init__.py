"""What a worker does with mail that is due.

::

    worker ── due_accounts ──▶ account_threads ── account_sender ── attempt ──▶ results
              which, and when  a thread for each  claims, pauses    sends       stored

    allowance              how many messages a worker may still begin
    due_accounts           which accounts are due, and how long the others must wait
    account_threads        the threads of a worker, one for each account
    account_sender         claims the rows of one account, pauses it, keeps its rate limit
    resting                what one worker knows about an account
    attempt                sends the claimed rows
    begun                  a row that a handler has, and has not reported on yet
    results                stores each result, and announces the end of data
    account_faults         when an account is paused
    store_retry            trying again while the database is away

    senders, group_senders the account that sends a row, or the accounts of its group
    shared_health          which accounts of a group are down
    written_again          a queued message as the other accounts of a group send it

    upkeep, recovery       old rows, the clock; the rows of dead workers
"""
