"""What Amazon SNS asks to be fetched: its certificates, and the confirmation of a subscription."""

from __future__ import annotations

from ...events.webhooks.call import WebhookError
from ...log import logger
from ...net.deadline import Deadline
from ...net.http.exchange import NoResponseError
from ...net.http.exchange import send
from ...net.http.request import Request
from ...net.http.url import split

_SECONDS = 10.0
_MOST_OCTETS = 1 << 16
_MOST_STORED = 20
_END = b"-----END CERTIFICATE-----"


def fetched(stored: dict[str, bytes], url: str) -> bytes:
    """Return what a URL has. A certificate is fetched once, and stored.

    :param url: One that :mod:`.events.webhooks.sns` has checked.
    :raises WebhookError: if there is no answer. SNS then sends the request again.
    """
    if (known := stored.get(url)) is not None:  # another thread may clear them
        return known
    found = _get(url)
    if url.endswith(".pem"):
        if _END not in found:  # an error page is not stored, and SNS sends the request again
            raise _unavailable()
        if len(stored) >= _MOST_STORED:
            stored.clear()
        stored[url] = found
    return found


def _get(url: str) -> bytes:
    request = Request(
        "GET", split(url), headers={"User-Agent": "Flask-MailHandler", "Connection": "close"}
    )
    try:
        response = send(request, Deadline(_SECONDS), max_response=_MOST_OCTETS)
    except NoResponseError as error:
        reason = str(error)
    else:
        if response.status == 200:
            return response.body
        reason = f"it answered {response.status}."
    logger.warning("%s cannot be asked: %s", request.url.hostname, reason)
    raise _unavailable()


def _unavailable() -> WebhookError:
    return WebhookError("SNS could not be asked for its certificate or its confirmation", 503)
