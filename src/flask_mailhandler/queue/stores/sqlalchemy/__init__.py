"""The queue in a database, with SQLAlchemy.

::

    store           SqlalchemyStore: leases and results
    insert          adds rows; a key= that is there already
    claim           which rows are due, and how one worker claims them
    listing         the lists that people see, and purging
    health_facts    what the database tells a health check
    account_state   the pause and the rate limit of each account
    history         SqlalchemyHistory: events
    suppressed      suppressed addresses
    app_session     send_later(session=...): the row in the app's own transaction
    database_url    the database that MAIL_QUEUE names
    prepared        statements that the server prepares, unless a pooler stands before it
    database        connections, transactions, and forks
    schema          the tables, found or created
    mysql_server    what a server of MariaDB or MySQL must be
    queue_errors    errors of the database, and what to do about them
    tables          the tables
    lending         connections of the driver for these statements
    statement       statements that are compiled once, and run by the driver
    repeat          calls that run again after a deadlock
    kinds           what each kind of database can do
    postgresql      statements that only PostgreSQL has
    mysql           statements and errors that only MariaDB and MySQL have
    clock           the time of the database's server
"""
