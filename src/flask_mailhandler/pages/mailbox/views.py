"""The pages of the mailbox."""

from __future__ import annotations

import functools
import typing as t

from flask import abort
from flask import Blueprint
from flask import request
from flask import url_for
from markupsafe import Markup

from ...app.current import app_in_context
from ...app.current import current_placeholders
from ...lint import lint
from ...plaintext import plaintext
from ..access import may_change
from ..displayed import DisplayedMessage
from ..displayed import MAX_SHOWN
from ..displayed import read_for_display
from ..panel import download
from ..panel import frame_of
from ..panel import panel_of
from ..panel import part_of
from ..shell import Sealed
from ..shell import sealed
from ..shell import Shell
from ..times import today
from ..times import when
from ..unsubscribe.provider import own_link
from ..unsubscribe.provider import post_to
from .search import read_query
from .store import Entry
from .store import Listing
from .store import Store

if t.TYPE_CHECKING:
    from werkzeug.test import TestResponse

_MANY = 200


class MailboxViews:
    """The views of one mailbox.

    :param about: A text for the empty list.
    """

    def __init__(self, store: Store, shell: Shell, about: str = "") -> None:
        self._store = store
        self._shell = shell
        self._about = about
        # Rendering a list takes milliseconds, and every open page requests it again and again.
        self._rows: tuple[object, Markup] | None = None
        self._inbox: tuple[object, str] | None = None

    def add_to(self, blueprint: Blueprint) -> None:
        """Register the views."""
        get, post = blueprint.get, blueprint.post
        get("/", endpoint="inbox", strict_slashes=False)(self.inbox)
        get("/list", endpoint="list")(self.list)
        get("/messages/<id>", endpoint="message")(self.message)
        get("/messages/<id>/html", endpoint="frame")(self.frame)
        get("/messages/<id>/source", endpoint="source")(self.source)
        get("/messages/<id>/parts/<number>", endpoint="part")(self.part)
        post("/messages/<id>/read", endpoint="read")(self.read)
        post("/messages/<id>/delete", endpoint="delete")(self.delete)
        post("/messages/<id>/unsubscribe", endpoint="unsubscribe")(self.unsubscribe)
        post("/clear", endpoint="clear")(self.clear)
        self._shell.add_section("Mailbox", ".inbox")

    def inbox(self) -> Sealed:
        """The page with the list."""
        listing, token = self._store.list(), self._store.token()
        key = (self._key(listing), token, self._shell.sections)
        cached = self._inbox
        if cached is None or cached[0] != key:
            cached = self._inbox = key, self._page("inbox.html", listing, token)
        return sealed(cached[1])

    def list(self) -> Sealed:
        """The list alone, for an open page; 304 if nothing has changed."""
        listing = self._store.list()
        state = self._state(listing)
        if request.if_none_match.contains_weak(state):
            response = sealed("", status=304)
        else:
            response = sealed(self._rows_of(listing))
            response.headers["X-Mail-Unread"] = str(listing.unread)
        response.set_etag(state, weak=True)
        return response

    def message(self, id: str) -> Sealed:
        """One message next to the list."""
        listing, token, entry = self._store.list(), self._store.token(), self._store.find(id)
        if entry is None:
            # The link may be old: the console shows one for each message.
            return sealed(self._page("gone.html", listing, token), status=404)
        octets = self._octets(entry)
        message = read_for_display(octets)
        panel = panel_of(
            message,
            frame=url_for(".frame", id=id),
            source=url_for(".source", id=id),
            part=lambda part: url_for(".part", id=id, number=part.number),
        )
        findings = lint(octets, placeholders=current_placeholders())
        context = {
            "entry": entry,
            "panel": panel,
            "findings": findings,
            "can_unsubscribe": bool(_link_of(message)),
        }
        return sealed(self._page("message.html", listing, token, **context))

    def frame(self, id: str) -> Sealed:
        """The HTML of a message, for its frame."""
        return frame_of(self._open(id))

    def source(self, id: str) -> Sealed:
        """The octets of a message, as a download."""
        return download(self._octets(self._find(id)), f"{id}.eml")

    def part(self, id: str, number: str) -> Sealed:
        """A part of a message, as a download."""
        return part_of(self._open(id), number)

    def read(self, id: str) -> Sealed:
        """Mark a message as read."""
        self._check()
        self._store.mark_read(self._find(id))
        return sealed("", status=204)

    def delete(self, id: str) -> Sealed:
        """Delete a message."""
        self._check()
        self._store.delete(self._find(id))
        return self._back()

    def unsubscribe(self, id: str) -> Sealed:
        """Send the POST that a mailbox provider would send, and show the response."""
        self._check()
        entry = self._find(id)
        url = _link_of(self._open(id)) or abort(404)
        response = t.cast("TestResponse", post_to(app_in_context(), url))
        context = {
            "entry": entry,
            "url": url,
            "status": response.status,
            "location": response.location,
            "text": plaintext(response.get_data(as_text=True)[:MAX_SHOWN]),
        }
        listing, token = self._store.list(), self._store.token()
        return sealed(self._page("unsubscribed.html", listing, token, **context))

    def clear(self) -> Sealed:
        """Delete all messages."""
        self._check()
        self._store.clear()
        return self._back()

    def _back(self) -> Sealed:
        response = sealed("", status=303)
        response.location = url_for(".inbox", q=request.args.get("q"))
        return response

    def _page(self, template: str, listing: Listing, token: str, **context: t.Any) -> str:
        return self._shell.render_page(
            template,
            section="Mailbox",
            rows=self._rows_of(listing),
            state=self._state(listing),
            unread=listing.unread,
            q=request.args.get("q", ""),
            query=_query(),
            token=token,
            **context,
        )

    def _key(self, listing: Listing) -> tuple[object, ...]:
        """Everything on which the HTML of the list depends."""
        query = request.args.get("q", "")
        return listing.version, self._store.dropped, query, request.script_root, today()

    def _rows_of(self, listing: Listing) -> Markup:
        """The list as HTML, cached for the next request."""
        key, cached = self._key(listing), self._rows
        if cached is None or cached[0] != key:
            found = [*read_query(request.args.get("q", "")).within(listing)]
            rows = self._shell.render(
                "rows.html",
                entries=found[:_MANY],
                more=max(len(found) - _MANY, 0),
                seen=listing.seen,
                dropped=self._store.dropped,
                total=len(listing.entries),
                searched=bool(request.args.get("q")),
                when=functools.partial(when, today()),
                query=_query(),
                about=self._about,
            )
            cached = self._rows = key, Markup(rows)
        return cached[1]

    def _state(self, listing: Listing) -> str:
        """A text that changes when the list does."""
        return f"{listing.version}-{today():%d}"

    def _find(self, id: str) -> Entry:
        return self._store.find(id) or abort(404)

    def _octets(self, entry: Entry) -> bytes:
        octets = self._store.octets(entry)
        return abort(404) if octets is None else octets

    def _open(self, id: str) -> DisplayedMessage:
        return read_for_display(self._octets(self._find(id)))

    def _check(self) -> None:
        if not may_change(request, self._store.token()):
            abort(403, "The page is too old to change anything. Reload it and try again.")


def _link_of(message: DisplayedMessage) -> str:
    """The link of this app with which a mailbox provider can unsubscribe the recipient."""
    fields = message.field("list-unsubscribe"), message.field("list-unsubscribe-post")
    return own_link(app_in_context(), *fields)


def _query() -> dict[str, str]:
    """The search as arguments of a URL."""
    return {"q": q} if (q := request.args.get("q")) else {}
