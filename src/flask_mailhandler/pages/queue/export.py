"""The messages of a search as CSV, for a spreadsheet."""

from __future__ import annotations

import csv
import io
import itertools
import re
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from ...errors import QueueError
from ...queue import outcomes
from ...queue.row import Row
from ...queue.stores.search import Search
from ...queue.stores.search import walk
from .queued_message import QueuedMessage
from .queued_message import read_row

if t.TYPE_CHECKING:
    from ...queue.stores.search import Searcher

MOST = 100_000
"""How many messages are in one file."""
_RECIPIENTS = 50
_AT_ONCE = 500
# Where a spreadsheet would begin a formula (https://owasp.org/www-community/attacks/CSV_Injection):
# in some countries, Excel takes semicolons for the ends of cells, and not commas.
# A quotation mark after one is doubled, so that it ends the cell that it begins.
_FORMULA = re.compile(r'^(?=\s*[=+\-@＝＋－＠\t\r])|(?<=[;\t\r\n])(?=["\s]*[=+\-@＝＋－＠])')

COLUMNS = (
    *("number", "state", "account", "priority", "created", "due", "expires", "changed", "attempts"),
    *("sender", "recipients", "recipient_count", "accepted_count", "subject", "tags", "key"),
    *("message_id", "size", "error"),
)
"""The header. A release may add names at its end."""


def lines_of(searcher: Searcher | None, wanted: Search) -> Iterator[str]:
    """Yield the file piece by piece, with the rows of one statement in memory at a time.

    If the queue cannot be read any more, the last line says so: by HTTP/1.0, which proxies use, a
    response that ends too early looks like a whole one.

    :param searcher: None for a queue that was never used.
    :raises QueueError: after that line.
    """
    yield _lines([COLUMNS])
    if searcher is None:
        return
    begun = False
    try:
        for rows in walk(searcher, wanted, MOST, _AT_ONCE):
            yield _lines(_cells(read_row(row)) for row in rows)
            begun = True
    except QueueError as error:
        if begun:
            note = f"This file is not complete. {error}"
            yield _lines([[*itertools.repeat("", len(COLUMNS) - 1), _safe(note)]])
        raise


def _lines(rows: Iterable[Sequence[str | int]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace").decode()  # without lone surrogates


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
    """Return a text that no spreadsheet takes for a formula: an apostrophe begins a text."""
    return _FORMULA.sub("'", cell.replace("\0", "\N{REPLACEMENT CHARACTER}"))
