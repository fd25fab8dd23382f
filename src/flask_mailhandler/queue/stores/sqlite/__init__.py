"""The queue in an SQLite file.

::

    store           SqliteStore: leases, results, and the lists that people see
    insert          adds rows; a key= that is there already
    claim           which rows are due, and how one worker claims them
    account_state   the pause and the rate limit of each account
    health_facts    what the file tells a health check
    file            the connection, and forks
    opened_file     whether the open file is still there
    row_tables      the tables of the rows, and their version
    history         SqliteHistory: events, and suppressed addresses
    history_tables  their tables
    memory          the same tables in memory, for a test
    transaction     waiting for other writers, and when a commit is on the disk
"""
