"""The list of messages next to a message: one page of the search, and links to the others."""

from __future__ import annotations

import dataclasses
import functools
import math
import typing as t
from collections.abc import Mapping
from collections.abc import Sequence

from flask import request
from markupsafe import Markup

from ...queue.current import current_queue
from ...queue.row import RowState
from ...queue.stores.search import COUNTED
from ...queue.stores.search import Found
from ...queue.stores.search import Place
from ...queue.stores.search import SEARCHED
from ..shell import Shell
from ..times import today
from ..times import when
from .queued_message import read_row
from .rights import Rights
from .search_terms import read_terms
from .search_terms import SearchTerms

if t.TYPE_CHECKING:
    from ...queue.mail_queue import MailQueue
    from ...queue.row import Row
    from ...queue.stats import QueueStats

_MANY = 100
_LATE = 60.0
"""From how many seconds on the page says that mail is late."""
_WAYS = ("older", "newer")
"""The arguments of a URL that say where a page of the list begins."""
_LARGEST = 2**63 - 2
"""The largest number of a place, so that the next number fits into a column."""


def query_of_page() -> dict[str, str]:
    """Return the search and the page of the list, as arguments of a URL."""
    return {name: request.args[name] for name in ("q", *_WAYS) if name in request.args}


def terms_of_page() -> SearchTerms:
    """Return the terms of the search field."""
    return read_terms(request.args.get("q", ""))


def rows_html(shell: Shell, rights: Rights) -> Markup:
    """Return the list as HTML."""
    queue, terms = current_queue(), terms_of_page()
    page, wrong = Page(Found([])), ""
    try:
        page = _page(queue, terms)
    except ValueError as error:
        wrong = str(error)
    stats = queue.stats(up_to=COUNTED)
    counts = _counts(queue, stats, terms)
    may_purge = rights.purges and rights.may_change() and not wrong
    if counts is None:
        may_purge = may_purge and bool(page.found.rows and terms.deletes)
    else:
        may_purge = may_purge and any(counts.get(state) for state in terms.deletes)
    return Markup(
        shell.render(
            "queue_rows.html",
            entries=[*map(read_row, page.found.rows)],
            links=page.links,
            searched=SEARCHED if page.found.stopped else 0,
            wrong=wrong,
            terms=terms,
            states=[state for state in RowState if stats.counts.get(state)],
            all_states=[*stats.counts],
            count=functools.partial(_count, counts or {}),
            counted=counts is not None,
            accounts=[*queue.accounts],
            may_purge=may_purge,
            paused=stats.paused,
            down=stats.down,
            late=int(stats.lag // 60) if stats.lag >= _LATE else 0,
            when=functools.partial(when, today()),
            q=request.args.get("q", ""),
            query=query_of_page(),
            token=rights.token() if may_purge else "",
        )
    )


def _count(counts: Mapping[RowState, int], *states: RowState) -> str:
    """Return the number of messages in some states as a text."""
    numbers = [counts.get(state, 0) for state in states]
    return f"{sum(numbers)}{'+' if max(numbers) >= COUNTED else ''}"


def _counts(
    queue: MailQueue, stats: QueueStats, terms: SearchTerms
) -> Mapping[RowState, int] | None:
    """Return the number of messages in each state that the search has without a state; None if
    counting them would read too many."""
    if terms.is_narrow:
        return None
    if not stats.counts or not (terms.using or terms.tag):
        return stats.counts
    if max(stats.counts.values()) >= COUNTED:
        return None
    return queue.store.counts(terms.using or None, terms.tag or None)


# The pages of the list


@dataclasses.dataclass(frozen=True)
class Page:
    """A page of the list.

    :param links: The argument of the URL for each page that it links to, by the text of the link.
    """

    found: Found
    links: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)


def _page(queue: MailQueue, terms: SearchTerms) -> Page:
    """Return the page of the list that the URL asks for.

    :raises ValueError: if its search or its place is not valid.
    """
    if not queue.store.begun:
        terms.search(0.0)
        return Page(Found([]))
    wanted = terms.search(queue.store.now())
    place, back = _place()
    found = queue.store.search.page(wanted, place, back=back, limit=_MANY)
    if back and place and found.following is None:
        # The newest page is always a full one.
        place, back = None, False
        found = queue.store.search.page(wanted, limit=_MANY)
    return Page(found, _links(found, place, back))


def _links(found: Found, place: Place | None, back: bool) -> dict[str, dict[str, str]]:
    """Return the links of a page that begins at a place, and precedes it if *back* is true."""
    links: dict[str, dict[str, str]] = {}
    newer, older = _ends(found.rows, place)
    if back:
        newer = found.following
    else:
        older = found.following
    if place or back:
        links["Newest"] = {}
    if newer:
        links["Search newer" if back and found.stopped else "Newer"] = {"newer": _text(newer)}
    if older:
        links["Search older" if not back and found.stopped else "Older"] = {"older": _text(older)}
        links["Oldest"] = {"newer": ""}
    return links


def _ends(rows: Sequence[Row], place: Place | None) -> tuple[Place | None, Place | None]:
    """Return the places of the first row of a page and of its last one; None for a page that
    begins at an end of the list. A page without rows ends where it begins, with the row there."""
    if place is None:
        return None, None
    if rows:
        return Place.of(rows[0]), Place.of(rows[-1])
    return Place(place.row_id - 1, place.changed), Place(place.row_id + 1, place.changed)


def _text(place: Place) -> str:
    return f"{place.row_id}~{place.changed!r}"


def _place() -> tuple[Place | None, bool]:
    """Return the place in the URL, and whether the page precedes it."""
    for way in _WAYS:
        if given := request.args.get(way):
            return _read_place(given, way), way == "newer"
    return None, "newer" in request.args


def _read_place(given: str, way: str) -> Place:
    try:
        number, _, changed = given[:60].partition("~")
        found = Place(int(number), float(changed))
        if -1 <= found.row_id <= _LARGEST and math.isfinite(found.changed):
            return found
    except ValueError:
        pass
    raise ValueError(f"{way}= must come from a link of this page: remove it from the URL.")
