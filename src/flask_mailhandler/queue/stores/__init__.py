"""Where the rows of the queue are kept.

::

    base          Store: what every store does. It keeps rows, and decides nothing
    search        what a search of the rows asks for and finds, in a queue of any length
    row_search    RowSearch: its SQL, the same for every database
    state_counts  how many rows are in each state, counted up to a number
    history       History: events, and suppressed addresses, in tables next to the rows
    health_facts  HealthFacts: what a store tells a health check
    sqlite/       in a file, with the standard library's sqlite3
    sqlalchemy/   in tables of the app's database

Both folders use the same file names for the same concerns.
"""
