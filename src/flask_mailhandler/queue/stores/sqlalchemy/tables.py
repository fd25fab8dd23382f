"""The tables of the queue in the app's own database."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from sqlalchemy import Column
    from sqlalchemy import Index
    from sqlalchemy import MetaData
    from sqlalchemy import Table


def mail_queue_tables(metadata: MetaData) -> tuple[Table, ...]:
    """Add the tables of the queue to the metadata of an app.

    ``create_all`` then creates them, and Flask-Migrate sees them. Call it next to your models::

        mail_queue_tables(db.metadata)

    :return: ``mail_queue``, ``mail_queue_content``, ``mail_queue_account``, ``mail_queue_event``
        and ``mail_queue_suppressed``, the same objects in every call.
    """
    import sqlalchemy as sa

    def table(name: str, *columns: Column[t.Any] | Index, **options: t.Any) -> Table:
        known = f"{metadata.schema}.{name}" if metadata.schema else name
        if known in metadata.tables:
            return metadata.tables[known]
        return sa.Table(name, metadata, *columns, **{**options, **_MYSQL_OPTIONS})

    def column(name: str, kind: t.Any, **options: t.Any) -> Column[t.Any]:
        return sa.Column(name, kind, **{"nullable": False, **options})

    text, word, state, origin, octets = _types()
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    rows = table(
        "mail_queue",
        column("id", number, primary_key=True, autoincrement=True),
        column("app", word),
        column("account", word),
        column("key", word, nullable=True),
        column("message_id", text),
        column("priority", sa.Integer),
        column("due", sa.Double),
        column("expires", sa.Double),
        column("created", sa.Double),
        column("origin", origin, server_default=""),
        column("changed", sa.Double),
        column("state", state),
        column("attempts", sa.Integer),
        column("lease_owner", word, nullable=True),
        column("lease_until", sa.Double, nullable=True),
        column("ended", text, nullable=True),
        column("options", text),
        column("recipients", text),
        column("size", sa.Integer),
        column("error", text),
        *_indexes(),
        # A number must not be used again when its row is purged.
        sqlite_autoincrement=True,
    )
    # The octets have a table of their own, because the other columns change often.
    content = table(
        "mail_queue_content",
        column("id", number, primary_key=True, autoincrement=False),
        column("octets", octets),
    )
    accounts = table(
        "mail_queue_account",
        column("app", word, primary_key=True),
        column("account", word, primary_key=True),
        column("paused_until", sa.Double, server_default="0"),
        column("pauses", sa.Integer, server_default="0"),
        column("why", text),
        column("rate", text),
        column("rung_until", sa.Double, server_default="0"),
    )
    # String(n) in keys and indexes, so that they fit into those of other databases too.
    events = table(
        "mail_queue_event",
        column("id", number, primary_key=True, autoincrement=True),
        column("app", sa.String(255)),
        column("digest", sa.String(64), unique=True),
        column("message", sa.String(64)),
        column("verified", sa.Integer),
        column("recorded", sa.Double),
        column("untold", sa.Double),
        column("facts", text),
        *_indexes_of_events(),
        sqlite_autoincrement=True,
    )
    suppressed = table(
        "mail_queue_suppressed",
        column("app", sa.String(255), primary_key=True),
        column("address_key", sa.String(320), primary_key=True),
        column("list_name", sa.String(190), primary_key=True),
        column("address", text),
        column("reason", text),
        column("since", sa.Double),
        column("event", number, nullable=True),
    )
    return rows, content, accounts, events, suppressed


_OPTIONS = {
    "engine": "InnoDB",  # it has transactions
    "charset": "utf8mb4",
    # "A" and "a" are two keys.
    "collate": "utf8mb4_bin",
    # An index may have 3072 octets, four for each character of a text.
    "row_format": "DYNAMIC",
}
_MYSQL = ("mysql", "mariadb")
_MYSQL_OPTIONS = {f"{name}_{key}": value for name in _MYSQL for key, value in _OPTIONS.items()}


def _types() -> tuple[t.Any, ...]:
    """Return the types of a text, a name, a state, an origin, and octets.

    In MySQL a text in an index needs a length, and the plain types hold 64 KiB.
    """
    import sqlalchemy as sa
    from sqlalchemy.dialects import mysql

    name, state, origin = (
        sa.Text().with_variant(sa.String(length), *_MYSQL) for length in (255, 16, 190)
    )
    text = sa.Text().with_variant(mysql.LONGTEXT(), *_MYSQL)
    octets = sa.LargeBinary().with_variant(mysql.LONGBLOB(), *_MYSQL)
    return text, name, state, origin, octets


def _indexes() -> list[Index]:
    """Return the indexes.

    Each state has its own, so a new row is written into one of them once, and a sent row into
    another. MySQL has no such indexes: there each row is in all of them, and the state is one of
    their columns.
    """
    return [
        _index("mail_queue_key", "app account key", "key IS NOT NULL", unique=True),
        _index("mail_queue_due", "app account state priority due id", "state = 'waiting'"),
        _index(
            "mail_queue_origin",
            "app account state priority origin due id",
            "state = 'waiting' AND origin <> ''",
        ),
        _index("mail_queue_lease", "lease_until", "state = 'claimed'"),
        _index("mail_queue_finished", "app state changed", "state NOT IN ('waiting', 'claimed')"),
    ]


def _indexes_of_events() -> list[Index]:
    import sqlalchemy as sa

    return [
        _index("mail_queue_event_message", "message", "message <> ''"),
        sa.Index("mail_queue_event_number", "app", "verified", "id"),
        _index("mail_queue_event_untold", "app untold", "untold <> 0"),
    ]


def _index(name: str, columns: str, where: str, *, unique: bool = False) -> Index:
    import sqlalchemy as sa

    condition = sa.text(where)
    return sa.Index(
        name,
        *columns.split(),
        unique=unique,
        postgresql_where=condition,
        sqlite_where=condition,
    )
