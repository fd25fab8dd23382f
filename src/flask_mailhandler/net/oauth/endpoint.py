"""One request to an OAuth token endpoint: a form is posted, and JSON is returned."""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t
from collections.abc import Iterable

from ...errors import ConfigurationError
from ...phase import Phase
from ...report import LoginError
from ...secret import Secret
from ..deadline import Deadline
from ..http.exchange import NoResponseError
from ..http.exchange import send
from ..http.request import Request
from ..http.response import Response
from ..http.url import is_private
from ..http.url import split
from ..masking import Echoes
from ..quoting import escape

if t.TYPE_CHECKING:
    import ssl
    import urllib.parse

# Seconds that a token is used for if the server does not say when it expires.
_DEFAULT_LIFETIME = 300.0
# Octets: an answer holds a few tokens of some kB.
_MAX_RESPONSE = 1 << 16
# The most characters of the server's text in an error.
_SHOWN = 300
_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
    "User-Agent": "Flask-MailHandler",
    "Connection": "close",
}
# https://www.rfc-editor.org/rfc/rfc6749#section-5.2, and Microsoft's additions.
_HINTS = {
    "invalid_grant": "The refresh token has expired, was revoked, or belongs to another client:"
    " grant access again and set the new refresh token.",
    "invalid_client": "Check client_id and client_secret. If the secret has expired, make a new"
    " one.",
    "unauthorized_client": "The client may not do this: check client_id and tenant, and what it"
    " is allowed to do where it is registered.",
    "invalid_scope": "Check scope, and the permissions of the client.",
    "unsupported_grant_type": "The server does not support this flow. With refresh_token it is the"
    " refresh-token flow, without it client credentials.",
    "invalid_request": "Check the URL or tenant, and client_id.",
    "interaction_required": "The user must sign in again: set the new refresh token.",
    "consent_required": "The user or an administrator must consent to the client's permissions.",
}
_LATER = {"temporarily_unavailable", "server_error"}


@dataclasses.dataclass(frozen=True)
class Answer:
    """The server's answer (RFC 6749 sections 5.1 and 5.2)."""

    status: int
    token: Secret | None = None
    refresh_token: Secret | None = None
    lifetime: float = _DEFAULT_LIFETIME
    """Seconds."""
    error: str = ""
    text: str = ""


class TokenEndpoint:
    """A server's token endpoint.

    :param url: ``https``, unless it is on this machine.
    :param tls_context: If it is None, one that trusts the system's authorities is used.
    :raises ConfigurationError: if the URL cannot be used.
    """

    def __init__(self, url: str, tls_context: ssl.SSLContext | None) -> None:
        self._url = _checked(url)
        self._tls_context = tls_context

    @property
    def host(self) -> str:
        """The server's name."""
        return self._url.hostname or ""

    def ask(self, form: Secret, secrets: Iterable[Secret], deadline: Deadline) -> Answer:
        """Post the form, and return the answer if it holds a token. No redirection is followed.

        :param form: URL-encoded.
        :param secrets: Masked in the server's texts, which may repeat them.
        :raises LoginError: if there is no token.
        """
        try:
            answer = self._post(form, secrets, deadline)
        except NoResponseError as error:
            reason, temporary = str(error), error.temporary
        except BaseException as error:
            # Its frames may hold the answer, with the token.
            raise error.with_traceback(None) from None
        else:
            if answer.status == 200 and answer.token is not None:
                return answer
            reason, temporary = _refusal(answer), _is_temporary(answer)
        # Not in the handler: the error would keep the frames of the other one as its context.
        raise self.failure(reason, temporary=temporary)

    def _post(self, form: Secret, secrets: Iterable[Secret], deadline: Deadline) -> Answer:
        response = send(
            Request("POST", self._url, headers=_HEADERS, body=form),
            deadline,
            tls_context=self._tls_context,
            max_response=_MAX_RESPONSE,
        )
        return _read(response, secrets)

    def failure(self, what: str, *, temporary: bool) -> LoginError:
        """Return the error for a login that is not possible without a token."""
        return LoginError(
            f"No OAuth token from {self.host}: {what}", phase=Phase.AUTH, temporary=temporary
        )


def _checked(url: object) -> urllib.parse.SplitResult:
    """Parse the URL. It is not shown in an error, because it may hold a secret."""
    wrong = ConfigurationError(
        "OAuthToken: the URL of the token endpoint must be like"
        " 'https://login.example.com/oauth2/token', without a user name and a fragment."
    )
    if not isinstance(url, str):  # such as an environment variable that is not set
        raise wrong
    try:
        parts = split(url)
    except ValueError:
        raise wrong from None
    if not is_private(parts):
        raise ConfigurationError(
            f"OAuthToken: the token endpoint at {parts.hostname} must have an https URL, because"
            " secrets are sent there."
        )
    return parts


def _read(response: Response, secrets: Iterable[Secret]) -> Answer:
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return Answer(response.status)
    bearer = str(found.get("token_type", "bearer")).lower() == "bearer"
    return Answer(
        response.status,
        token=_token(found.get("access_token")) if bearer else None,
        refresh_token=_token(found.get("refresh_token")),
        lifetime=_seconds(found.get("expires_in")),
        error=_shown(found.get("error"), secrets),
        text=_shown(found.get("error_description"), secrets),
    )


def _token(value: object) -> Secret | None:
    """Return the token. It has only visible ASCII characters (RFC 6749 appendix A.12)."""
    return Secret(value) if isinstance(value, str) and re.fullmatch("[!-~]+", value) else None


def _seconds(value: object) -> float:
    """Return a number, which some servers write as text."""
    try:
        found = float(t.cast(str, value))
    except (TypeError, ValueError, OverflowError):
        return _DEFAULT_LIFETIME
    return found if 0 <= found < 1e9 else _DEFAULT_LIFETIME


def _shown(value: object, secrets: Iterable[Secret]) -> str:
    """Return a text of the server in one line that is safe to show."""
    if not isinstance(value, str):
        return ""
    line = " ".join(value.split())
    (shown,) = Echoes(secrets).hide([escape(line.encode(errors="backslashreplace"))])
    return shown[:_SHOWN]


# Errors


def _refusal(answer: Answer) -> str:
    """Return the server's answer in words, and what to do about it."""
    hint = _HINTS.get(answer.error, "")
    if answer.status // 100 == 3:
        hint = (
            "It redirects to another URL, to which no secret is sent: set the URL of the endpoint."
        )
    elif answer.status == 200:
        hint = "There is no bearer token in the answer: check the URL."
    said = " ".join(filter(None, (str(answer.status), answer.error)))
    detail = f" ({answer.text.rstrip('.')})" if answer.text else ""
    return f"it answered {said}{detail}. {hint}".rstrip()


def _is_temporary(answer: Answer) -> bool:
    return answer.status >= 500 or answer.status in (408, 429) or answer.error in _LATER
