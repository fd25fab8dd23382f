"""The pages of the queue."""

from __future__ import annotations

import functools
import hashlib
import itertools
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
from ..access import may_change
from ..displayed import DisplayedMessage
from ..displayed import read_for_display
from ..panel import download
from ..panel import frame_of
from ..panel import Panel
from ..panel import panel_of
from ..panel import part_of
from ..shell import Sealed
from ..shell import sealed
from ..shell import Shell
from ..shell import streamed
from .api import QueueAPI
from .export import lines_of
from .listing import query_of_page
from .listing import rows_html
from .listing import terms_of_page
from .queued_message import find
from .queued_message import QueuedMessage
from .rights import of_developer
from .rights import Rights

if t.TYPE_CHECKING:
    from ..mailbox.store import Store

View: t.TypeAlias = Callable[..., t.Any]
_RECIPIENTS = 200
# Fields that the envelope does not tell. Others may have secrets, such as the link of
# List-Unsubscribe.
_SHOWN = ("from", "reply-to", "to", "cc", "date")


class QueueViews:
    """The views of an app's queue."""

    def __init__(self, shell: Shell, rights: Rights) -> None:
        self._shell = shell
        self._rights = rights

    def add_to(
        self, blueprint: Blueprint, path: str, guarded: Callable[[View], View] = lambda view: view
    ) -> None:
        """Register the views below a path.

        :param guarded: Wraps a view, so that it is called only if the user may see the pages.
        """
        one = f"{path}/<int:id>"
        gets: dict[str, tuple[str, Callable[..., Sealed]]] = {
            "queue": (f"{path}/", self.index),
            "queue_list": (f"{path}/list", self.list),
            "queue_csv": (f"{path}/messages.csv", self.csv),
            "queued": (one, self.queued),
            "queued_frame": (f"{one}/html", self.frame),
            "queued_source": (f"{one}/source", self.source),
            "queued_part": (f"{one}/parts/<number>", self.part),
        }
        posts: dict[str, tuple[str, Callable[..., Sealed]]] = {
            "queue_retry": (f"{one}/retry", self.retry),
            "queue_cancel": (f"{one}/cancel", self.cancel),
        }
        if self._rights.purges:
            posts["queue_purge"] = (f"{path}/purge", self.purge)
        for method, views in (("GET", gets), ("POST", posts)):
            for endpoint, (rule, view) in views.items():
                answer = guarded(self._or_reason(view))
                blueprint.add_url_rule(rule, endpoint, answer, methods=[method])
        self._shell.add_section("Queue", ".queue", _is_used)

    def index(self) -> Sealed:
        """The page with the list."""
        return self._page("queue.html")

    def list(self) -> Sealed:
        """The list alone, for an open page; 304 if nothing has changed."""
        rows = rows_html(self._shell, self._rights)
        state = _state(rows)
        same = request.if_none_match.contains_weak(state)
        response = sealed("", status=304) if same else sealed(rows)
        response.set_etag(state, weak=True)
        return response

    def csv(self) -> Sealed:
        """The messages of the search as CSV."""
        queue = current_queue()
        try:
            wanted = terms_of_page().search(queue.store.now())
        except ValueError as error:
            return sealed(str(error), mimetype="text/plain", status=400)
        pieces = lines_of(queue.store.search if queue.store.begun else None, wanted)
        # The first rows are read now, so that a queue that cannot be used is an error.
        begun = [*itertools.islice(pieces, 2)]
        return streamed(itertools.chain(begun, pieces), "queue.csv", "text/csv")

    def queued(self, id: int) -> Sealed:
        """One message next to the list: its outcomes, and its content while the queue has it."""
        found = _find(id)
        may_read = self._rights.may_read()
        octets = _octets(found)
        shown = read_for_display(octets) if octets else None
        checked = octets if may_read else None
        return self._page(
            "queued.html",
            queued=found,
            recipients=found.recipients[:_RECIPIENTS],
            more=max(len(found.recipients) - _RECIPIENTS, 0),
            may_change=self._rights.may_change(),
            is_hidden=bool(octets) and not may_read,
            header=_header(shown) if shown and not may_read else (),
            panel=_panel(id, shown) if shown and may_read else None,
            findings=lint(checked, placeholders=current_placeholders()) if checked else (),
            in_mailbox=self._rights.in_mailbox(found.row.message_id),
        )

    def frame(self, id: int) -> Sealed:
        """The HTML of a message, for its frame."""
        return frame_of(self._message(id))

    def source(self, id: int) -> Sealed:
        """The octets of a message, as a download."""
        return download(self._content(id), f"queued-{id}.eml")

    def part(self, id: int, number: str) -> Sealed:
        """A part of a message, as a download."""
        return part_of(self._message(id), number)

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
            current_queue().purge(**terms_of_page().criteria)
        except ValueError:
            abort(400)  # the page has no button for this
        return _redirect(".queue")

    def _page(self, template: str, **context: t.Any) -> Sealed:
        rows = rows_html(self._shell, self._rights)
        query = query_of_page()
        given: dict[str, t.Any] = {
            "rows": rows,
            "token": self._rights.token() if self._rights.may_change() else "",
            "state": _state(rows),
            "seconds": self._rights.seconds,
            "q": query.get("q", ""),
            "query": query,
        }
        return self._shell.page(template, section="Queue", **given, **context)

    def _content(self, id: int) -> bytes:
        if not self._rights.may_read():
            abort(403)
        return _octets(_find(id)) or abort(404)

    def _message(self, id: int) -> DisplayedMessage:
        return read_for_display(self._content(id))

    def _or_reason(self, view: Callable[..., Sealed]) -> Callable[..., Sealed]:
        """Wrap a view so that it shows the reason if the queue cannot be used."""

        @functools.wraps(view)
        def answer(**arguments: t.Any) -> Sealed:
            try:
                return view(**arguments)
            except (QueueError, ConfigurationError) as error:
                return self._failed(str(error))

        return answer

    def _failed(self, why: str) -> Sealed:
        """The page that shows why the queue cannot be used. It uses no queue."""
        given: dict[str, t.Any] = {"rows": Markup(), "token": "", "state": "", "q": "", "query": {}}
        seconds = self._rights.seconds
        return self._shell.page(
            "queue_failed.html", status=503, section="Queue", why=why, seconds=seconds, **given
        )

    def _check(self) -> None:
        if not (self._rights.may_change() and may_change(request, self._rights.token())):
            abort(403)


def add(blueprint: Blueprint, shell: Shell, mailbox: Store) -> None:
    """Add the pages to the blueprint."""
    QueueViews(shell, of_developer(mailbox)).add_to(blueprint, "/queue")
    QueueAPI(mailbox.token).add_to(blueprint)


def _find(id: int) -> QueuedMessage:
    return find(id) or abort(404)


def _octets(found: QueuedMessage) -> bytes | None:
    return current_queue().store.content(found.row.id)


def _header(message: DisplayedMessage) -> tuple[tuple[str, str], ...]:
    """Return the fields that a user sees who may not read the content."""
    return tuple((name, value) for name, value in message.fields if name.lower() in _SHOWN)


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
    query: dict[str, t.Any] = {**query_of_page()}
    response.location = url_for(endpoint, id=id, **query)
    return response


def _state(rows: str) -> str:
    """A text that changes when the list does."""
    return hashlib.sha256(rows.encode("utf-8", "replace")).hexdigest()[:32]
