"""The queue as JSON, for end-to-end tests.

::

    GET  api/queue?state=&using=&older_than=&tag=&to=&created=&due=&changed=&limit=
                                                        messages, counts and the token
    GET  api/queue/<number>                             one, with its outcomes and events
    POST api/queue/<number>/retry, .../cancel           needs the token
    POST api/queue/purge?state=&using=&older_than=&tag=  needs the token
"""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Callable

from flask import abort
from flask import Blueprint
from flask import request

from ...errors import ConfigurationError
from ...errors import QueueError
from ...queue.current import current_queue
from ...queue.row import Row
from ..answers import as_json
from ..answers import check
from ..answers import number
from ..shell import Sealed
from .queued_message import find
from .queued_message import QueuedMessage
from .queued_message import read_row
from .search_terms import Criteria
from .search_terms import terms_of

_LIMIT = 100
_MOST = 1000


class QueueAPI:
    """The views of an app's queue for programs.

    :param token: Returns the token that a program needs to change anything.
    """

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def add_to(self, blueprint: Blueprint) -> None:
        """Register the views."""
        get, post = blueprint.get, blueprint.post
        get("/api/queue", endpoint="api_queue")(_or_reason(self.messages))
        get("/api/queue/<int:id>", endpoint="api_queued")(_or_reason(self.message))
        post("/api/queue/<int:id>/retry", endpoint="api_queue_retry")(_or_reason(self.retry))
        post("/api/queue/<int:id>/cancel", endpoint="api_queue_cancel")(_or_reason(self.cancel))
        post("/api/queue/purge", endpoint="api_queue_purge")(_or_reason(self.purge))

    def messages(self) -> Sealed:
        """The messages that match, in the order of the page."""
        limit = int(number("limit", _LIMIT, _MOST))
        queue = current_queue()
        stats = queue.stats()
        rows: list[Row] = []
        try:
            wanted = terms_of(request.args).search(queue.store.now())
        except ValueError as error:
            abort(as_json({"error": str(error)}, 400))
        if limit and queue.store.begun:
            rows = queue.store.search.page(wanted, limit=limit).rows
        return as_json(
            {
                "messages": [read_row(row).as_json() for row in rows],
                "counts": stats.counts,
                "lag": stats.lag,
                "paused": stats.paused,
                "down": stats.down,
                "token": self._token(),
            }
        )

    def message(self, id: int) -> Sealed:
        """One message, with the outcome of each recipient, and its events."""
        return as_json(_found(id).whole_as_json())

    def retry(self, id: int) -> Sealed:
        """Send a message again, or at once."""
        self._check()
        return as_json({"changed": current_queue().retry([_found(id).row.id])})

    def cancel(self, id: int) -> Sealed:
        """Cancel a message."""
        self._check()
        return as_json({"changed": current_queue().cancel([_found(id).row.id])})

    def purge(self) -> Sealed:
        """Delete the finished messages that match."""
        self._check()
        try:
            return as_json({"changed": current_queue().purge(**_criteria())})
        except ValueError as error:
            abort(as_json({"error": str(error)}, 400))

    def _check(self) -> None:
        check(self._token(), "api/queue")


def _or_reason(view: Callable[..., Sealed]) -> Callable[..., Sealed]:
    """Wrap a view so that it returns the reason if the queue cannot be used."""

    @functools.wraps(view)
    def answer(**arguments: t.Any) -> Sealed:
        try:
            return view(**arguments)
        except (QueueError, ConfigurationError) as error:
            return as_json({"error": str(error)}, 503)

    return answer


def _found(id: int) -> QueuedMessage:
    return find(id) or abort(404)


def _criteria() -> Criteria:
    try:
        return terms_of(request.args).criteria
    except ValueError as error:
        abort(as_json({"error": str(error)}, 400))
