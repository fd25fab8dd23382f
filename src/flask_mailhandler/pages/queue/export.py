"""The messages of a search as CSV, for a spreadsheet."""

from __future__ import annotations

import csv
import io
import typing as t
from collections.abc import Iterator

from ...queue import outcomes
from ...queue.row import Row
from ...queue.stores.search import Place
from ...queue.stores.search import Search
from .queued_message import QueuedMessage
from .queued_message import read_row

if t.TYPE_CHECKING:
    from ...queue.stores.search import Searcher

MOST = 100_000
"""How many messages are in one file."""
_RECIPIENTS = 50
_AT_ONCE = 500
# The first characters by which a spreadsheet takes a cell for a formula
# (https://owasp.org/www-community/attacks/CSV_Injection), in full width too.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")

COLUMNS = (
    *("number", "state", "account", "priority", "created", "due", "expires", "changed", "attempts"),
    *("sender", "recipients", "recipient_count", "accepted_count", "subject", "tags", "key"),
    *("message_id", "size", "error"),
)
"""The header. A release may add names at its end."""


def lines_of(searcher: Searcher, wanted: Search) -> Iterator[str]:
    """Yield the file piece by piece, with the rows of one statement in memory at a time."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    place: Place | None = None
    left = MOST
    while True:
        found = searcher.page(wanted, place, limit=min(_AT_ONCE, left))
        writer.writerows(_cells(read_row(row)) for row in found.rows)
        # A lone surrogate cannot be encoded.
        yield text.getvalue().encode("utf-8", "replace").decode()
        text.seek(0)
        text.truncate()
        place, left = found.following, left - len(found.rows)
        if place is None or not left:
            return


def _cells(message: QueuedMessage) -> list[str | int]:
    row: Row = message.row
    names = [str.__str__(item.recipient) for item in message.recipients]
    times = {name: time.isoformat(timespec="seconds") for name, time in message.times.items()}
    cells: list[str | int] = [row.id, str(row.state), row.account, message.priority]
    cells += [*(times[name] for name in ("created", "due", "expires", "changed")), row.attempts]
    cells += [message.sender, " ".join(names[:_RECIPIENTS]), len(names)]
    cells += [outcomes.accepted(message.recipients), message.subject, " ".join(message.tags)]
    cells += [row.key or "", row.message_id, row.size, row.error or message.damaged]
    return [_safe(cell) if isinstance(cell, str) else cell for cell in cells]


def _safe(cell: str) -> str:
    """Return a text that no spreadsheet takes for a formula: as a text, it begins with a quotation
    mark."""
    cell = cell.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return f"'{cell}" if cell.lstrip().startswith(_FORMULA) or cell[:1].isspace() else cell
