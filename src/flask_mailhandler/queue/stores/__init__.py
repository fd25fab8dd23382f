"""Where the rows of the queue are kept.

::

    base          Store: what every store does; it keeps rows, and decides nothing
    sqlite/       a file, written by the standard library's sqlite3
    sqlalchemy/   tables in a database of the app
"""
