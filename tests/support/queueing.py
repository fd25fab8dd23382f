"""An app with its own queue in a folder, for the tests of the queue."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from flask import Flask

from flask_mailhandler import Mail
from flask_mailhandler.queue.engines import background
from flask_mailhandler.queue.engines import thread
from flask_mailhandler.queue.lease import Lease
from flask_mailhandler.queue.outcomes import from_json
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.stores.base import Filter
from flask_mailhandler.queue.stores.base import Pause
from flask_mailhandler.queue.stores.sqlite import file as sqlite_file

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from pathlib import Path

    from flask_mailhandler import MailQueue
    from flask_mailhandler.queue.row import Row
    from flask_mailhandler.queue.stores.base import Store
    from sending import Listener

# A busy machine may stop a thread, or a process that uses the file, for many seconds.
sqlite_file.LOCK_TIMEOUT = background._LAST = thread.DRAIN = 60.0


def url_of(server: Listener) -> str:
    """The MAIL_URL of a server that may be slow to answer."""
    return f"smtp://{server.host}:{server.port}?connect_timeout=60"


class Shop:
    """An app that sends through *server*. No worker runs by itself, unless MAIL_QUEUE_ENGINE is
    given."""

    def __init__(self, folder: Path, server: Listener | None = None, **keys: t.Any) -> None:
        self.app = Flask("shop", instance_path=str(folder))
        self.app.config["MAIL_DEFAULT_FROM"] = "shop@example.com"
        self.app.config["MAIL_QUEUE_ENGINE"] = "none"
        if server is not None:
            self.app.config["MAIL_URL"] = url_of(server)
        self.app.config.update(keys)
        self.mail = Mail(self.app)

    @property
    def queue(self) -> MailQueue:
        """The queue of the app."""
        with self.app.app_context():
            return self.mail.queue

    @property
    def rows(self) -> list[Row]:
        """All rows, in the order of their numbers."""
        return sorted(self.queue.rows(limit=10_000), key=lambda row: row.id)

    @property
    def states(self) -> list[str]:
        """The state of each row, in the order of their numbers."""
        return [str(row.state) for row in self.rows]

    def later(self, row: Row) -> None:
        """Make a waiting row due, as if time had passed."""
        now = self.queue.store.now()
        alter(self.queue.store, row, [RowState.WAITING], due=now - 1)

    def all_later(self) -> None:
        """Make all waiting rows due, and end every pause."""
        for account in self.queue.accounts:
            self.queue.store.alter_pause(account, lambda before: Pause())
        for row in self.rows:
            self.later(row)

    def forget_workers(self) -> None:
        """End the leases of all workers, as if none had renewed its lease in time."""
        for row in self.queue.store.rows(Filter([RowState.CLAIMED]), 10_000):
            assert row.lease_owner is not None
            self.queue.store.renew(Lease(row.lease_owner, self.queue.store.now() - 1))


@contextlib.contextmanager
def shop(folder: Path, server: Listener | None = None, **keys: t.Any) -> Iterator[Shop]:
    """Return a shop in a context of its app, and close its queue at the end."""
    made = Shop(folder, server, **keys)
    with made.app.app_context():
        try:
            yield made
        finally:
            made.queue.close()


def alter(store: Store, row: Row, was: Iterable[RowState], **changes: t.Any) -> None:
    """Change a stored row."""
    store.alter([row.id], [*was], lambda found: dataclasses.replace(found, **changes))


def who(row: Row) -> dict[str, str]:
    """Return the state of each recipient of a row."""
    return {
        str(item.recipient): str(item.state or "not tried") for item in from_json(row.recipients)
    }
