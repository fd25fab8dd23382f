"""The POST of a mailbox provider, within this process."""

from __future__ import annotations

import re
import typing as t

from ...app.framework import framework_of
from ...app.unsubscribing import read_token
from ...message.headers import ONE_CLICK
from ...message.one_click import PATH

if t.TYPE_CHECKING:
    from flask.sansio.app import App
    from werkzeug.sansio.response import Response

_URL = re.compile(rf"(https?://[^\s<>]+/){PATH}([\w.~-]+)")


def own_link(app: App, uris: str, post: str) -> str:
    """Return the link of this app in List-Unsubscribe; "" if there is none.

    No other URL may be tried: the author of a message in the mailbox could make the app send a POST
    to any of its views.

    :param post: List-Unsubscribe-Post.
    """
    if post.strip() != ONE_CLICK:
        return ""
    for uri in re.findall("<([^<>]*)>", uris):
        found = _URL.fullmatch(uri)
        if found and read_token(app, found[2]):
            return found[0]
    return ""


def post_to(app: App, url: str) -> Response:
    """Send the POST of a mailbox provider to a link of the app, without cookies (RFC 8058)."""
    found = _URL.fullmatch(url)
    assert found is not None
    return framework_of(app).post(app, found[1], f"{PATH}{found[2]}")
