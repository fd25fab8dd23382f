"""Unsubscribe the recipient of a captured message with one click (RFC 8058)."""

from __future__ import annotations

import inspect
import re
import typing as t
from collections.abc import Coroutine
from collections.abc import Mapping

from ..message.headers import ONE_CLICK
from ..message.one_click import PATH

if t.TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

_URL = re.compile(r"<(https?://[^<>\s]+)>", re.I)
_SITE = re.compile(r"(\w+://[^/]+/?)(.*)")

R = t.TypeVar("R", covariant=True)


class AsyncClient(t.Protocol[R]):
    """A test client of Quart."""

    @property
    def app(self) -> t.Any:
        """Its app."""
        ...

    def post(self, *args: t.Any, **kwargs: t.Any) -> Coroutine[t.Any, t.Any, R]:
        """Send a POST."""
        ...


@t.overload
def unsubscribe(shown: str, headers: Mapping[str, str], client: FlaskClient) -> TestResponse: ...
@t.overload
def unsubscribe(
    shown: str, headers: Mapping[str, str], client: AsyncClient[R]
) -> Coroutine[t.Any, t.Any, R]: ...
def unsubscribe(shown: str, headers: Mapping[str, str], client: t.Any) -> t.Any:
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
    url = found[1]
    if inspect.iscoroutinefunction(client.post):
        return _unsubscribe_async(url, client.app.test_client(use_cookies=False))
    fresh = client.application.test_client(use_cookies=False)
    before, path, token = url.rpartition(PATH)
    sent = {"data": {"List-Unsubscribe": "One-Click"}, "content_type": "multipart/form-data"}
    # The app may be mounted at a path, which the client does not know.
    response = (
        post_below(fresh, before, f"{path}{token}", **sent) if path else fresh.post(url, **sent)
    )
    _check(response, url)
    return response


def post_below(client: FlaskClient, base_url: str, path: str, **sent: t.Any) -> TestResponse:
    """Send a POST to an app of Flask.

    The path that the app is mounted at is taken off by the server, or by a middleware in the
    ``wsgi_app`` of the app. Such a middleware does not know a request without it, so after a 404
    the whole path is tried too.

    :param base_url: The scheme, the host and the path that the app is mounted at.
    :param sent: The other arguments of the client.
    """
    response = client.post(f"/{path}", base_url=base_url, **sent)
    site, root = _SITE.findall(base_url)[0]
    if response.status_code != 404 or not root:
        return response
    whole = client.post(f"/{root}{path}", base_url=site, **sent)
    return response if whole.status_code == 404 else whole


async def _unsubscribe_async(url: str, client: AsyncClient[R]) -> R:
    before, path, token = url.rpartition(PATH)
    if not path:  # a page of the app itself
        before, token = _SITE.findall(url)[0]
    response = await post_one_click(client, before, f"{path}{token}")
    _check(response, url)
    return response


async def post_one_click(client: AsyncClient[R], base_url: str, path: str) -> R:
    """Send the POST of a mailbox provider to an app of Quart.

    :param base_url: The scheme, the host and the path that the app is mounted at.
    """
    return await _post(client, base_url, path, {}, form={"List-Unsubscribe": "One-Click"})


async def post_octets(
    client: AsyncClient[R], base_url: str, path: str, octets: bytes, headers: Mapping[str, str]
) -> R:
    """Send the POST of a provider's webhook to an app of Quart."""
    return await _post(client, base_url, path, headers, data=octets)


async def _post(
    client: AsyncClient[R], base_url: str, path: str, headers: Mapping[str, str], **sent: t.Any
) -> R:
    scheme, _, place = base_url.partition("://")
    host, _, root = place.partition("/")
    root = f"/{root}".rstrip("/")
    return await client.post(
        f"{root}/{path}",
        root_path=root,
        scheme=scheme,
        headers={**headers, "Host": host},
        **sent,
    )


def _check(response: t.Any, url: str) -> None:
    if not 200 <= response.status_code < 300:
        to = f" to {response.location}" if response.location else ""
        raise AssertionError(
            f"The POST to {url} got {response.status}{to}. A provider needs 200, without a"
            " login, a token or a redirect."
        )
