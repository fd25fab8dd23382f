"""The mailbox as JSON, for end-to-end tests.

::

    GET  api/messages?to=&from=&subject=&q=&after=&limit=    newest first
    GET  api/messages/<id>                                   one, with its text, HTML and header
    GET  api/wait?to=&from=&subject=&q=&after=&timeout=      the next one that matches
    POST api/clear, api/messages/<id>/delete                 needs the token
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

from flask import abort
from flask import Blueprint
from flask import request
from flask import url_for

from ...mime.links import html_links
from ...mime.links import Link
from ...mime.links import text_links
from ..answers import as_json
from ..answers import check
from ..answers import number
from ..displayed import DisplayedMessage
from ..displayed import read_for_display
from ..shell import Sealed
from ..shell import sealed
from .search import Query
from .search import read_query
from .store import Entry
from .store import Listing
from .store import Store

MAX_WAIT = 25.0
"""How many seconds one request waits at most: less than the timeouts of proxies and workers."""
_INTERVAL = 0.05
_FIELDS = ("from", "to", "subject", "tag")
_LIMIT = 100
_MOST = 1000


class MailboxAPI:
    """The views of one mailbox for programs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add_to(self, blueprint: Blueprint) -> None:
        """Register the views."""
        get, post = blueprint.get, blueprint.post
        get("/api/messages", endpoint="api_messages")(self.messages)
        get("/api/messages/<id>", endpoint="api_message")(self.message)
        get("/api/wait", endpoint="api_wait")(self.wait)
        post("/api/clear", endpoint="api_clear")(self.clear)
        post("/api/messages/<id>/delete", endpoint="api_delete")(self.delete)

    def messages(self) -> Sealed:
        """The messages that match, newest first."""
        limit = int(number("limit", _LIMIT, _MOST))
        listing = self._store.list()
        found = [_listed(entry, listing) for entry in itertools.islice(_matching(listing), limit)]
        return as_json({"messages": found, "token": self._token})

    def message(self, id: str) -> Sealed:
        """All of one message, with URLs for its files."""
        entry = self._store.find(id) or abort(404)
        octets = self._store.octets(entry)
        if octets is None:
            abort(404)
        message = read_for_display(octets)
        return as_json(
            {
                **_listed(entry, self._store.list()),
                "text": message.text,
                "html": message.html,
                "headers": [[name, value] for name, value in message.fields],
                "links": [link._asdict() for link in _links(message)],
                "files": [
                    {
                        "filename": part.filename,
                        "mimetype": part.kind,
                        "size": part.size,
                        "url": url_for(".part", id=id, number=part.number),
                    }
                    for part in message.files
                ],
                "envelope": {"sender": entry.sender, "recipients": entry.recipients},
                "message_id": entry.facts.get("message_id"),
                "template": entry.facts.get("template"),
                "site": entry.facts.get("site"),
                "duration": entry.facts.get("duration"),
            }
        )

    def wait(self) -> Sealed:
        """The message that matches: the first after ``after``, or without it the newest. It is a
        404 if none arrives in time."""
        # A server with a single thread could not handle the request that sends the message.
        single = not (request.environ["wsgi.multithread"] or request.environ["wsgi.multiprocess"])
        timeout = number("timeout", 10, MAX_WAIT)
        end = time.monotonic() + (0 if single else timeout)
        while True:
            listing = self._store.list()
            if found := [*_matching(listing)]:
                return as_json(_listed(found[-1 if request.args.get("after") else 0], listing))
            if time.monotonic() >= end:
                return as_json({"error": "No matching message has arrived."}, 404)
            time.sleep(_INTERVAL)  # other processes may write to the folder

    def clear(self) -> Sealed:
        """Delete all messages."""
        self._check()
        self._store.clear()
        return sealed("", status=204)

    def delete(self, id: str) -> Sealed:
        """Delete a message."""
        self._check()
        self._store.delete(self._store.find(id) or abort(404))
        return sealed("", status=204)

    @property
    def _token(self) -> str:
        return self._store.token()

    def _check(self) -> None:
        check(self._token, "api/messages")


def _matching(listing: Listing) -> Iterator[Entry]:
    after = request.args.get("after", "")
    for entry in _query().within(listing):
        if entry.id <= after:
            return
        yield entry


def _listed(entry: Entry, listing: Listing) -> dict[str, object]:
    return {
        "id": entry.id,
        "time": entry.time.isoformat(),
        "subject": entry.subject,
        "from": entry.from_addr,
        "to": entry.to,
        "cc": entry.cc,
        "beginning": entry.text,
        "attachments": entry.attachments,
        "tags": entry.tags,
        "size": entry.size,
        "unread": entry.id not in listing.seen,
        "url": url_for(".api_message", id=entry.id),
        "page": url_for(".message", id=entry.id),
    }


def _links(message: DisplayedMessage) -> Iterator[Link]:
    """The links of the HTML, and those that are only in the text."""
    found = {link.url: link for link in text_links(message.text)}
    found |= {link.url: link for link in html_links(message.html)}
    return iter(found.values())


def _query() -> Query:
    """The search of ``q``, as on the page, and of each field."""
    found = read_query(request.args.get("q", ""))
    given = {name: [v.casefold() for v in request.args.getlist(name)] for name in _FIELDS}
    return Query(
        words=found.words,
        from_addr=(*found.from_addr, *given["from"]),
        to=(*found.to, *given["to"]),
        subject=(*found.subject, *given["subject"]),
        tags=(*found.tags, *given["tag"]),
        attachment=found.attachment,
        unread=found.unread,
    )
