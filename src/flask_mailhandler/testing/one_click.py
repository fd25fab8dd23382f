"""Unsubscribe the recipient of a captured message with one click (RFC 8058)."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from ..message.headers import ONE_CLICK
from ..message.one_click import PATH

if t.TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

_URL = re.compile(r"<(https?://[^<>\s]+)>", re.I)


def unsubscribe(shown: str, headers: Mapping[str, str], client: FlaskClient) -> TestResponse:
    """Send the POST of a mailbox provider; see :meth:`.Captured.unsubscribe`.

    :param shown: The message, for the error.
    :param headers: Its header fields.
    """
    found = _URL.search(headers.get("List-Unsubscribe", ""))
    if found is None or headers.get("List-Unsubscribe-Post") != ONE_CLICK:
        raise AssertionError(
            f"{shown} cannot be unsubscribed with one click: it needs List-Unsubscribe with an"
            f" https: URL, and List-Unsubscribe-Post: {ONE_CLICK}. Write"
            " Message(unsubscribe='newsletter')."
        )
    before, path, token = found[1].rpartition(PATH)
    fresh = client.application.test_client(use_cookies=False)
    # The app may be mounted at a path, which the client does not know.
    url: dict[str, t.Any] = (
        {"path": f"/{path}{token}", "base_url": before} if path else {"path": found[1]}
    )
    response = fresh.post(
        **url, data={"List-Unsubscribe": "One-Click"}, content_type="multipart/form-data"
    )
    if not 200 <= response.status_code < 300:
        to = f" to {response.location}" if response.location else ""
        raise AssertionError(
            f"The POST to {found[1]} got {response.status}{to}. A provider needs 200, without a"
            " login, a token or a redirect."
        )
    return response
