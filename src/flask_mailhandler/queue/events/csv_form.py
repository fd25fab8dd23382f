"""Suppressions from and to CSV."""

from __future__ import annotations

import csv
import datetime
import itertools
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from ...errors import MessageError
from ...text.checks import shorten
from .suppression import Suppression

Make: t.TypeAlias = Callable[[str, str, str, datetime.datetime | None], Suppression]
"""Makes an entry of an address, a list, a reason and a time."""

_FIELDS = ("address", "list", "reason", "since")
# The names that other services give to the fields, in lower case and with letters only.
_NAMES = {
    "address": ("address", "email", "emailaddress", "recipient", "mail"),
    "list": ("list", "listname"),
    "reason": ("reason", "suppressionreason", "error", "type"),
    "since": ("since", "created", "createdat", "date", "timestamp", "lastupdatetime", "suppressed"),
}
_SHOWN = 5


def write_csv(found: Iterable[Suppression], file: t.TextIO) -> int:
    """Write entries. Return their number."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_FIELDS)
    number = 0
    for one in found:
        since = one.since.isoformat()
        writer.writerow([str.__str__(one.address), one.list_name, one.reason, since])
        number += 1
    return number


def read_csv(file: Iterable[str], make: Make) -> list[Suppression]:
    """Read entries.

    :raises MessageError: naming the lines that cannot be read.
    """
    rows = csv.reader(_without_mark(file), strict=True)
    found: list[Suppression] = []
    wrong: list[str] = []
    columns: Mapping[str, int] | None = None
    begins = 1
    try:
        for row in rows:
            begins = rows.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            if columns is None:
                columns = _columns(row)
                if columns is not None:
                    continue
                columns = {"address": 0}  # there is no header
            try:
                found.append(_entry(row, columns, make))
            except MessageError as error:
                wrong.append(f"line {rows.line_num}: {error}")
    except csv.Error as error:
        wrong.append(
            f"line {begins}: {error}. Does a quotation mark open that is not closed? Within quotes,"
            ' write "" for one.'
        )
    if wrong:
        more = f"\n  and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        shown = "".join(f"\n  {one}" for one in wrong[:_SHOWN])
        raise MessageError(f"Nothing is imported, because of these lines:{shown}{more}")
    return found


def _without_mark(file: Iterable[str]) -> Iterator[str]:
    """Yield the lines without the byte order mark that spreadsheets write."""
    lines = iter(file)
    first = next(lines, "")
    return itertools.chain([first.removeprefix("\ufeff")], lines)


def _columns(row: Sequence[str]) -> dict[str, int] | None:
    """Return the place of each field in a header; None if the row is an address.

    :raises MessageError: if the header names no address.
    """
    if any("@" in cell for cell in row):
        return None
    names = ["".join(filter(str.isalpha, cell.lower())) for cell in row]
    found = {
        field: names.index(name)
        for field, known in _NAMES.items()
        for name in reversed(known)
        if name in names
    }
    if "address" not in found:
        raise MessageError(
            f"The header of the CSV, {shorten(','.join(row), 60)}, has no field for the address:"
            " name one of them 'address' or 'email', and put commas between the fields."
        )
    return found


def _entry(row: Sequence[str], columns: Mapping[str, int], make: Make) -> Suppression:
    def cell(field: str) -> str:
        place = columns.get(field, len(row))
        return row[place].strip() if place < len(row) else ""

    reason = " ".join(cell("reason").split())
    return make(cell("address"), cell("list"), reason, _time(cell("since")))


def _time(text: str) -> datetime.datetime | None:
    """Read a time: seconds since 1970, or a time of ISO 8601, which is in UTC if it names no zone.

    :raises MessageError: for anything else.
    """
    if not text:
        return None
    try:
        if text.replace(".", "", 1).isdecimal():
            return datetime.datetime.fromtimestamp(float(text), datetime.UTC)
        found = datetime.datetime.fromisoformat(text.removesuffix(" UTC"))
        if found.tzinfo is None:
            found = found.replace(tzinfo=datetime.UTC)
        # A time near the first or last possible one cannot be shown in every zone.
        return datetime.datetime.fromtimestamp(found.timestamp(), datetime.UTC)
    except (ValueError, OverflowError, OSError):
        raise MessageError(
            f"{shorten(text, 40)} is not a time: write one like 2026-11-29T12:00:00+00:00, or"
            " seconds since 1970."
        ) from None
