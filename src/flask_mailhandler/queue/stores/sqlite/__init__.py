"""The queue in an SQLite file.

::

    store           SqliteStore: leases, results, and the lists that people see
    insert          adds rows; a key= that is there already
    claim           which rows are due, and how one worker claims them
    account_state   the pause and the rate limit of each account
    file            the connection, the tables, and forks
    transaction     waiting for other writers, and when a commit is on the disk
"""
