"""The queue in a file of SQLite.

::

    store           SqliteStore
    file            the connection, its locks, and forks
    writing         rows as SQL
    account_state   each account's pause and rate
"""
