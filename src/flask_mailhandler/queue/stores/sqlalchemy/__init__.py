"""The queue in a database, by SQLAlchemy.

::

    find            the database that MAIL_QUEUE names
    store           SQLAlchemyStore
    database        engine, connections, transactions
    session         send_later(session=...): the row in the app's own transaction
    tables, rows    the schema, and rows as SQL; postgresql what only that has
    listing         rows for people
    clock           the time of the database's server
    account_state   each account's pause and rate
"""
