"""The tables of events and of suppressed addresses in an SQLite file."""

from __future__ import annotations

import sqlite3

from .transaction import begin

# They are added to a file of an earlier release, whose version stays: a process of that release may
# still use the file, and does not see them.
_TABLES = """
CREATE TABLE IF NOT EXISTS mail_queue_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    message TEXT NOT NULL,
    verified INTEGER NOT NULL,
    recorded REAL NOT NULL,
    untold REAL NOT NULL,
    facts TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS mail_queue_event_message ON mail_queue_event (message)
    WHERE message <> '';
CREATE INDEX IF NOT EXISTS mail_queue_event_number ON mail_queue_event (app, verified, id);
CREATE INDEX IF NOT EXISTS mail_queue_event_untold ON mail_queue_event (app, untold)
    WHERE untold <> 0;
CREATE TABLE IF NOT EXISTS mail_queue_suppressed (
    app TEXT NOT NULL,
    address_key TEXT NOT NULL,
    list_name TEXT NOT NULL,
    address TEXT NOT NULL,
    reason TEXT NOT NULL,
    since REAL NOT NULL,
    event INTEGER,
    PRIMARY KEY (app, address_key, list_name)
) WITHOUT ROWID;
"""
_LAST = "mail_queue_suppressed"


def make_tables(connection: sqlite3.Connection) -> None:
    """Create the tables that do not exist. Several processes may do it at the same time."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_LAST,)).fetchall()
    if found:
        return
    begin(connection)
    try:
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
