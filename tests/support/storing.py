"""Stores and plain rows, for the tests of the stores."""

from __future__ import annotations

import typing as t

from flask import Flask

from flask_mailhandler.app.queue_keys import QueueSettings
from flask_mailhandler.queue.build import store_of
from flask_mailhandler.queue.lease import Lease
from flask_mailhandler.queue.row import Row
from flask_mailhandler.queue.stores.sqlalchemy import database as sqlalchemy_database

if t.TYPE_CHECKING:
    from pathlib import Path

    from flask_mailhandler.queue.stores.base import Store
    from flask_mailhandler.queue.ticket import Ticket

NOW = 1_800_000_000.0
# A busy machine may stop the holder of a lock for many seconds.
sqlalchemy_database.LOCK_TIMEOUT = 60.0


class Place:
    """One file or database. Each store in it has its own connections.

    :param named: The value of MAIL_QUEUE.
    """

    def __init__(self, named: str, folder: Path) -> None:
        # By default, SQLite's driver waits for 5 seconds.
        self.named = f"{named}?timeout=60" if named.startswith("sqlite:///") else named
        self._folder = folder
        self._stores: list[Store] = []

    def store(self, app: str = "shop") -> Store:
        """Return a store of an app, which is closed at the end of the test."""
        flask = Flask(app, instance_path=str(self._folder))
        self._stores.append(store_of(flask, QueueSettings(queue=self.named)))
        return self._stores[-1]

    def close(self) -> None:
        """Close all stores."""
        for store in self._stores:
            store.close()


def row(**changes: t.Any) -> Row:
    """A row that is due."""
    plain: dict[str, t.Any] = {
        "app": "shop",
        "account": "default",
        "message_id": "<1@example.com>",
        "due": NOW,
        "expires": NOW + 100,
        "created": NOW,
        "changed": NOW,
        "options": "{}",
        "recipients": "[]",
        "size": 1,
    }
    return Row(**(plain | changes))


def add(store: Store, *rows: Row) -> list[Ticket]:
    """Add rows, each with one octet."""
    return store.add([(one, b"x") for one in rows])


def lease(owner: str = "me", until: float = NOW + 60) -> Lease:
    """A lease of a minute."""
    return Lease(owner, until)
