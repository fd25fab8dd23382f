"""Answers of the DNS from a table, without a server."""

from __future__ import annotations

import typing as t

from flask_mailhandler.cli.deliverability.answer import Answer
from flask_mailhandler.cli.deliverability.answer import Ask
from flask_mailhandler.cli.deliverability.answer import State

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence

    from flask_mailhandler.cli.deliverability.finding import Finding

Table: t.TypeAlias = "Mapping[str, Mapping[str, Sequence[str]] | State]"
"""Names to their records by type, or to what becomes of a question about them."""


def answering(table: Table, asked: list[str] | None = None) -> Ask:
    """Return a function that answers from a table. Each question is added to *asked*."""

    def ask(name: str, kind: str) -> Answer:
        if asked is not None:
            asked.append(f"{kind} {name}")
        found = table.get(name)
        if isinstance(found, State):
            detail = "" if found in (State.NO_NAME, State.NO_DATA) else "the server hangs"
            return Answer(name, kind, found, (), detail)
        if found is None:
            return Answer(name, kind, State.NO_NAME)
        values = tuple(found.get(kind, ()))
        return Answer(name, kind, State.FOUND if values else State.NO_DATA, values)

    return ask


def texts(*values: str) -> dict[str, tuple[str, ...]]:
    """Return a name that has only TXT records."""
    return {"TXT": values}


def said(findings: Sequence[Finding], level: str) -> list[str]:
    """Return the texts of the findings of a level."""
    return [finding.text for finding in findings if finding.level.value == level]
