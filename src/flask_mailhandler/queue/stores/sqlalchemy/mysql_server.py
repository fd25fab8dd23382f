"""The requirements for a server of MariaDB or MySQL, and the largest message that it takes."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Sequence

import sqlalchemy as sa

from ....log import logger

OLDEST_MARIADB, OLDEST_MYSQL = (10, 11), (8, 4)
_VARIABLES = (
    *("character_set_connection", "sql_mode", "max_allowed_packet", "log_bin", "binlog_format"),
    *("sync_binlog", "innodb_flush_log_at_trx_commit"),
)
# What a packet holds besides the content: the statement, and the other values of a row.
_REST = 1024


@dataclasses.dataclass(frozen=True)
class Server:
    """The settings of a server that the queue depends on.

    :param mariadb: Whether it is MariaDB.
    :param version: Its version.
    :param variables: The values of some system variables.
    :param tables: The engine and the collation of each table of the queue.
    :param octets: The type of the column of the octets.
    """

    mariadb: bool
    version: tuple[int, ...]
    variables: dict[str, str]
    tables: dict[str, tuple[str, str]]
    octets: str

    @classmethod
    def of(cls, connection: sa.Connection, tables: Sequence[sa.Table]) -> Server:
        """Ask a server."""
        dialect: t.Any = connection.dialect
        names = [table.name for table in tables]
        there = {"schema": tables[0].schema, "names": names, "variables": _VARIABLES}

        def found(text: str, *expanding: str) -> list[t.Any]:
            statement = sa.text(text)
            for name in expanding:
                statement = statement.bindparams(sa.bindparam(name, expanding=True))
            wanted = {name: there[name] for name in (*expanding, "schema") if f":{name}" in text}
            return [tuple(row) for row in connection.execute(statement, wanted)]

        where = "WHERE table_schema = COALESCE(:schema, DATABASE())"
        engines = found(
            "SELECT table_name, engine, table_collation FROM information_schema.tables"
            f" {where} AND table_name IN :names",
            "names",
        )
        octets = found(
            "SELECT data_type FROM information_schema.columns"
            f" {where} AND table_name = 'mail_queue_content' AND column_name = 'octets'"
        )
        variables = found("SHOW VARIABLES WHERE Variable_name IN :variables", "variables")
        return cls(
            mariadb=bool(dialect.is_mariadb),
            version=tuple(dialect.server_version_info),
            variables=dict(variables),
            tables={name: (str(engine), str(collation)) for name, engine, collation in engines},
            octets=str(octets[0][0]) if octets else "",
        )

    @property
    def largest(self) -> int:
        """The most octets of a content. A driver may send each as two: PyMySQL as digits, and
        mysqlclient with a backslash."""
        return (int(self.variables["max_allowed_packet"]) - _REST) // 2

    def fault(self) -> str:
        """Return why the queue cannot use it, and what to write instead; "" if it can."""
        kind, oldest = ("MariaDB", OLDEST_MARIADB) if self.mariadb else ("MySQL", OLDEST_MYSQL)
        if self.version < oldest:
            version, least = (".".join(map(str, one)) for one in (self.version, oldest))
            return f"the server is {kind} {version}. Use {kind} {least} or newer"
        if "STRICT" not in self.variables["sql_mode"]:
            return (
                "its sql_mode is not strict, so the server would cut off what does not fit. Add"
                " STRICT_TRANS_TABLES to sql_mode"
            )
        if (charset := self.variables["character_set_connection"]) != "utf8mb4":
            return (
                f"its connections use the character set {charset}. Add ?charset=utf8mb4 to the URL"
                " of the database"
            )
        if self._writes("STATEMENT"):
            return (
                "its binlog_format is STATEMENT, which does not log READ COMMITTED. Set"
                " binlog_format to ROW or MIXED"
            )
        return self._fault_of_tables()

    def _fault_of_tables(self) -> str:
        for name, (engine, collation) in self.tables.items():
            if engine != "InnoDB":
                return (
                    f"the table {name} is of {engine}, which has no transactions: ALTER TABLE"
                    f" {name} ENGINE = InnoDB"
                )
            if not (collation.startswith("utf8mb4") and collation.endswith("bin")):
                return (
                    f"the table {name} has the collation {collation}, for which 'A' and 'a' are one"
                    f" key: ALTER TABLE {name} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
                )
        if self.octets not in ("", "longblob"):
            return (
                f"the column octets is a {self.octets}, which is too short for mail: ALTER TABLE"
                " mail_queue_content MODIFY octets LONGBLOB NOT NULL"
            )
        return ""

    def warn(self, name: str) -> None:
        """Log a warning if a crash of the server's machine may lose what is committed.

        :param name: The name of the database.
        """
        late = {
            setting: self.variables[setting]
            for setting, matters in (
                ("innodb_flush_log_at_trx_commit", True),
                ("sync_binlog", self._writes(self.variables.get("binlog_format", ""))),
            )
            if matters and self.variables.get(setting, "1") != "1"
        }
        for setting, value in late.items():
            logger.warning(
                "%s has %s = %s: if its machine crashes, queued mail may be lost, and sent mail may"
                " be sent again. Set it to 1.",
                *(name, setting, value),
            )

    def _writes(self, binlog_format: str) -> bool:
        """Whether it has a binary log in this format."""
        log = self.variables.get("log_bin") == "ON"
        return log and self.variables.get("binlog_format", "") == binlog_format
