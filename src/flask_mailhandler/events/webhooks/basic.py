"""Basic authentication (RFC 7617), for a provider that signs nothing."""

from __future__ import annotations

import base64
import hmac

from ...secret import Secret
from .call import Call
from .call import WebhookError

# Some clients send a login only if they are asked for it (RFC 9110 section 11.6.1).
_CHALLENGE = 'Basic realm="webhooks", charset="UTF-8"'


def missing_login(key: Secret | None) -> str:
    """Return what the configuration lacks. The secret in the URL is enough."""
    if key is not None and b":" not in key.octets():
        return (
            "must be like 'user:password', for basic authentication: this provider signs nothing."
            " Or leave it out; then the secret in the URL is the only proof"
        )
    return ""


def check_login(call: Call) -> None:
    """Check the login of a request, if the app has set one.

    :raises WebhookError: if it is another.
    """
    if call.key is None:
        return
    scheme, _, given = call.headers.get("authorization", "").partition(" ")
    wanted = base64.b64encode(call.key.octets())
    same = hmac.compare_digest(given.strip().encode(errors="replace"), wanted)
    if scheme.lower() != "basic" or not same:
        raise WebhookError(
            "its login is not MAIL_WEBHOOK_KEY: write the URL at the provider with user:password@",
            headers={"WWW-Authenticate": _CHALLENGE},
        )
