"""The POST of a mailbox provider, within this process."""

from __future__ import annotations

import re
import typing as t

from flask import Flask
from flask.testing import FlaskClient

from ...app.unsubscribing import read_token
from ...message.headers import ONE_CLICK
from ...message.one_click import PATH

if t.TYPE_CHECKING:
    from werkzeug.test import TestResponse

_URL = re.compile(rf"(https?://[^\s<>]+/){PATH}([\w.~-]+)")


def own_link(app: Flask, uris: str, post: str) -> str:
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


def post_to(app: Flask, url: str) -> TestResponse:
    """Send the POST of a mailbox provider to a link of the app, without cookies (RFC 8058)."""
    found = _URL.fullmatch(url)
    assert found is not None
    client = FlaskClient(app, app.response_class, use_cookies=False)
    return client.post(
        f"/{PATH}{found[2]}",
        base_url=found[1],
        data={"List-Unsubscribe": "One-Click"},
        content_type="multipart/form-data",
    )
