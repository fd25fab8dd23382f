"""The tables of the rows in an SQLite file, and their version."""

from __future__ import annotations

import sqlite3

from ..base import TablesError

VERSION = 2
"""The version of the tables, which is stored in the file."""

# The octets have a table of their own, because SQLite writes rows as a whole and the other columns
# change often. Each state has its own index, so a new row is written into one of them once, and a
# sent row into another. AUTOINCREMENT, because a number must not be used again after a purge.
_TABLES = """
CREATE TABLE mail_queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL,
    account TEXT NOT NULL,
    key TEXT,
    message_id TEXT NOT NULL,
    priority INTEGER NOT NULL,
    due REAL NOT NULL,
    expires REAL NOT NULL,
    created REAL NOT NULL,
    origin TEXT NOT NULL,
    changed REAL NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    lease_owner TEXT,
    lease_until REAL,
    ended TEXT,
    options TEXT NOT NULL,
    recipients TEXT NOT NULL,
    size INTEGER NOT NULL,
    error TEXT NOT NULL
);
CREATE UNIQUE INDEX mail_queue_key ON mail_queue (app, account, key) WHERE key IS NOT NULL;
CREATE INDEX mail_queue_due ON mail_queue (app, account, priority, due)
    WHERE state = 'waiting';
CREATE INDEX mail_queue_origin ON mail_queue (app, account, priority, origin, due)
    WHERE state = 'waiting' AND origin <> '';
CREATE INDEX mail_queue_lease ON mail_queue (lease_until) WHERE state = 'claimed';
CREATE INDEX mail_queue_finished ON mail_queue (app, state, changed)
    WHERE state NOT IN ('waiting', 'claimed');
CREATE TABLE mail_queue_content (id INTEGER PRIMARY KEY, octets BLOB NOT NULL);
CREATE TABLE mail_queue_account (
    app TEXT NOT NULL,
    account TEXT NOT NULL,
    paused_until REAL NOT NULL DEFAULT 0,
    pauses INTEGER NOT NULL DEFAULT 0,
    why TEXT NOT NULL DEFAULT '',
    rate TEXT NOT NULL DEFAULT '{}',
    rung_until REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (app, account)
) WITHOUT ROWID;
"""


def make_row_tables(connection: sqlite3.Connection, path: str) -> None:
    """Create the tables if there are none, and check their version.

    :raises TablesError: if the file has another version.
    """
    if version_of(connection) == 0:
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have created them meanwhile.
        if version_of(connection) == 0:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    check_version(version_of(connection), path)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the tables; 0 if there are none."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    return int(found)


def check_version(found: int, path: str) -> None:
    """Check the version of the tables.

    :raises TablesError: if this release uses another one.
    """
    if found != VERSION:
        raise TablesError(
            f"The queue in {path} has version {found}, and this release of Flask-MailHandler uses"
            f" version {VERSION}. Send the mail that waits there with the release that created it,"
            " or name another file in MAIL_QUEUE."
        )
