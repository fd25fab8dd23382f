"""The pages of the queue."""

from __future__ import annotations

import functools
import hashlib
import typing as t
from collections.abc import Callable

from flask import abort
from flask import Blueprint
from flask import request
from flask import url_for
from markupsafe import Markup

from ...app.current import current_placeholders
from ...errors import ConfigurationError
from ...errors import QueueError
from ...lint import lint
from ...queue.current import current_queue
from ...queue.row import RowState
from ..access import may_change
from ..displayed import DisplayedMessage
from ..displayed import read_for_display
from ..mailbox.store import Store
from ..panel import download
from ..panel import frame_of
from ..panel import Panel
from ..panel import panel_of
from ..panel import part_of
from ..shell import Sealed
from ..shell import sealed
from ..shell import Shell
from ..times import today
from ..times import when
from .api import QueueAPI
from .queued_message import find
from .queued_message import QueuedMessage
from .queued_message import read_row
from .search_terms import read_terms
from .search_terms import SearchTerms

_MANY = 100
_RECIPIENTS = 200
_LATE = 60.0
"""From how many seconds on the page says that mail is late."""


class QueueViews:
    """The views of an app's queue.

    :param mailbox: The messages of the mailbox. A page needs its token to change anything.
    """

    def __init__(self, shell: Shell, mailbox: Store) -> None:
        self._shell = shell
        self._mailbox = mailbox
        self._token = mailbox.token

    def add_to(self, blueprint: Blueprint) -> None:
        """Register the views."""
        one = "/queue/<int:id>"
        gets: dict[str, tuple[str, Callable[..., Sealed]]] = {
            "queue": ("/queue/", self.index),
            "queue_list": ("/queue/list", self.list),
            "queued": (one, self.queued),
            "queued_frame": (f"{one}/html", self.frame),
            "queued_source": (f"{one}/source", self.source),
            "queued_part": (f"{one}/parts/<number>", self.part),
        }
        posts: dict[str, tuple[str, Callable[..., Sealed]]] = {
            "queue_retry": (f"{one}/retry", self.retry),
            "queue_cancel": (f"{one}/cancel", self.cancel),
            "queue_purge": ("/queue/purge", self.purge),
        }
        for method, views in (("GET", gets), ("POST", posts)):
            for endpoint, (path, view) in views.items():
                blueprint.add_url_rule(path, endpoint, self._or_reason(view), methods=[method])
        self._shell.add_section("Queue", ".queue", _is_used)

    def index(self) -> Sealed:
        """The page with the list."""
        return self._page("queue.html")

    def list(self) -> Sealed:
        """The list alone, for an open page; 304 if nothing has changed."""
        rows = self._rows()
        state = _state(rows)
        same = request.if_none_match.contains_weak(state)
        response = sealed("", status=304) if same else sealed(rows)
        response.set_etag(state, weak=True)
        return response

    def queued(self, id: int) -> Sealed:
        """One message next to the list: its outcomes, and its content while the queue has it."""
        found = _find(id)
        octets = _octets(found)
        return self._page(
            "queued.html",
            queued=found,
            recipients=found.recipients[:_RECIPIENTS],
            more=max(len(found.recipients) - _RECIPIENTS, 0),
            panel=_panel(id, read_for_display(octets)) if octets else None,
            findings=lint(octets, placeholders=current_placeholders()) if octets else (),
            in_mailbox=self._mailbox.of_message(found.row.message_id),
        )

    def frame(self, id: int) -> Sealed:
        """The HTML of a message, for its frame."""
        return frame_of(_message(id))

    def source(self, id: int) -> Sealed:
        """The octets of a message, as a download."""
        return download(_octets(_find(id)) or abort(404), f"queued-{id}.eml")

    def part(self, id: int, number: str) -> Sealed:
        """A part of a message, as a download."""
        return part_of(_message(id), number)

    def retry(self, id: int) -> Sealed:
        """Send a message again, or at once."""
        self._check()
        current_queue().retry([_find(id).row.id])
        return _redirect(".queued", id)

    def cancel(self, id: int) -> Sealed:
        """Cancel a message."""
        self._check()
        current_queue().cancel([_find(id).row.id])
        return _redirect(".queued", id)

    def purge(self) -> Sealed:
        """Delete the finished messages that match the search."""
        self._check()
        try:
            current_queue().purge(**_terms().criteria)
        except ValueError:
            abort(400)  # the page has no button for this
        return _redirect(".queue")

    def _page(self, template: str, *, status: int = 200, **context: t.Any) -> Sealed:
        rows = context.pop("rows", None)
        rows = self._rows() if rows is None else rows
        given = {"queued": None, "token": self._token(), "state": _state(rows), **context}
        return self._shell.page(
            template, status=status, section="Queue", rows=rows, q=_q(), query=_query(), **given
        )

    def _rows(self) -> Markup:
        """The list as HTML."""
        queue, terms = current_queue(), _terms()
        try:
            criteria, wrong = terms.criteria, ""
        except ValueError as error:
            criteria, wrong = None, str(error)
        found = queue.rows(**criteria, limit=_MANY + 1) if criteria else []
        stats = queue.stats()
        counts = stats.counts
        if counts and (terms.using or terms.tag):
            counts = queue.store.counts(terms.using or None, terms.tag or None)
        return Markup(
            self._shell.render(
                "queue_rows.html",
                entries=[*map(read_row, found[:_MANY])],
                more=len(found) > _MANY,
                wrong=wrong,
                terms=terms,
                states=[state for state in RowState if stats.counts.get(state)],
                counts={state: counts.get(state, 0) for state in RowState},
                accounts=[*queue.accounts],
                deletable=0 if wrong else sum(counts.get(state, 0) for state in terms.deletes),
                paused=stats.paused,
                down=stats.down,
                late=int(stats.lag // 60) if stats.lag >= _LATE else 0,
                when=functools.partial(when, today()),
                query=_query(),
                token=self._token(),
            )
        )

    def _or_reason(self, view: Callable[..., Sealed]) -> Callable[..., Sealed]:
        """Wrap a view so that it shows the reason if the queue cannot be used."""

        @functools.wraps(view)
        def answer(**arguments: t.Any) -> Sealed:
            try:
                return view(**arguments)
            except (QueueError, ConfigurationError) as error:
                return self._page("queue_failed.html", status=503, rows=Markup(), why=str(error))

        return answer

    def _check(self) -> None:
        if not may_change(request, self._token()):
            abort(403)


def add(blueprint: Blueprint, shell: Shell, mailbox: Store) -> None:
    """Add the pages to the blueprint."""
    QueueViews(shell, mailbox).add_to(blueprint)
    QueueAPI(mailbox.token).add_to(blueprint)


def _find(id: int) -> QueuedMessage:
    return find(id) or abort(404)


def _octets(found: QueuedMessage) -> bytes | None:
    return current_queue().store.content(found.row.id)


def _message(id: int) -> DisplayedMessage:
    return read_for_display(_octets(_find(id)) or abort(404))


def _panel(id: int, message: DisplayedMessage) -> Panel:
    return panel_of(
        message,
        frame=url_for(".queued_frame", id=id),
        source=url_for(".queued_source", id=id),
        part=lambda part: url_for(".queued_part", id=id, number=part.number),
    )


def _is_used() -> bool:
    """Whether the queue has been used. The check opens no database and creates nothing."""
    try:
        return current_queue().store.begun
    except (QueueError, ConfigurationError):
        return True  # the page shows the error


def _redirect(endpoint: str, id: int | None = None) -> Sealed:
    response = sealed("", status=303)
    response.location = url_for(endpoint, id=id, q=_q() or None)
    return response


def _q() -> str:
    return request.args.get("q", "")


def _query() -> dict[str, str]:
    """The search as arguments of a URL."""
    return {"q": q} if (q := _q()) else {}


def _terms() -> SearchTerms:
    return read_terms(_q())


def _state(rows: str) -> str:
    """A text that changes when the list does."""
    return hashlib.sha256(rows.encode("utf-8", "replace")).hexdigest()[:32]
