"""What is done with a request, in an app of Flask or of Quart.

::

    bound ── secret ── signature ── parsed ── stored ── told ── 200
     413      401         401        400       503
"""

from __future__ import annotations

import dataclasses
import functools
import hmac
import time
import typing as t
from collections.abc import Mapping

from ...app.listeners import handle_events
from ...app.webhooks import Endpoint
from ...app.webhooks import endpoint_of
from ...app.webhooks import TRUSTED
from ...errors import QueueError
from ...events.webhooks.call import Call
from ...events.webhooks.call import MAX_OCTETS as MAX_OCTETS
from ...events.webhooks.call import WebhookError
from ...log import logger
from ...secret import Secret
from .fetching import fetched

if t.TYPE_CHECKING:
    from ...app.registration import Registration

Answer: t.TypeAlias = tuple[str, int, dict[str, str]]
"""A text, its status, and the header fields."""

HEADERS = {
    "Content-Type": "text/plain; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


def about() -> Answer:
    """Answer a GET, which some providers send to try a URL, in the same way for every secret."""
    return "Providers post what becomes of mail to this URL.\n", 200, HEADERS


def too_large() -> Answer:
    """Answer a request that is not read."""
    return _refused(WebhookError(f"it has more than {MAX_OCTETS} octets", 413))


def knows(mine: Registration, account: str, secret: str) -> Endpoint | None:
    """Return the endpoint of an account; None if there is none, or if the secret is another."""
    found = mine.settings.accounts.get(account)
    endpoint = None if found is None else endpoint_of(found)
    # Compared in any case, so that the time does not tell which accounts there are.
    wanted = Secret("no account") if endpoint is None else endpoint.secret
    same = hmac.compare_digest(secret.encode(errors="replace"), wanted.octets())
    return endpoint if same else None


def answer_to(
    mine: Registration,
    account: str,
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
) -> Answer:
    """Read a request, store its events, and tell the app of those that are new."""
    endpoint = knows(mine, account, secret)
    if endpoint is None:
        # No part of the URL is logged: the secret may stand in the place of the account.
        logger.info("A webhook was refused: the account or the secret in its URL is wrong.")
        return _refused(WebhookError("the account or the secret in its URL is wrong"))
    call = _call(mine, account, endpoint, headers, body)
    try:
        events = endpoint.format.read(call) if _has_body(call) else []
    except WebhookError as error:
        logger.warning("A webhook for the account %r was refused: %s.", account, error)
        return _refused(error)
    try:
        handle_events(mine, [dataclasses.replace(event, account=account) for event in events])
    except QueueError as error:
        logger.error("Events for the account %r are not stored: %s", account, error)
        return "The events cannot be stored now.\n", 503, {**HEADERS, "Retry-After": "60"}
    return _done()


def _has_body(call: Call) -> bool:
    """Return whether there is a body. Without one, a provider or flask mail check tries the URL.

    :raises WebhookError: if it is announced, and missing. The provider sends it again then.
    """
    announced = (
        call.headers.get("content-length", "0") != "0" or "transfer-encoding" in call.headers
    )
    if announced and not call.body:
        raise WebhookError(
            "its body is missing: a function of the app has read it, or the app's server passes on"
            " no body without Content-Length",
            503,
        )
    return bool(call.body)


def _call(
    mine: Registration,
    account: str,
    endpoint: Endpoint,
    headers: Mapping[str, str],
    body: bytes,
) -> Call:
    trusted: dict[str, t.Any] = mine.scope.setdefault(TRUSTED, {})
    return Call(
        headers={name.lower(): value for name, value in headers.items()},
        body=body,
        now=time.time(),
        key=trusted.get(account, endpoint.key),
        topics=endpoint.topics,
        kept=mine.settings.queue.queue_keep,
        fetch=functools.partial(fetched, trusted),
    )


def _done() -> Answer:
    return "OK\n", 200, HEADERS


def _refused(error: WebhookError) -> Answer:
    return f"Refused: {error}.\n", error.status, {**HEADERS, **error.headers}
