"""Access tokens for ``MAIL_OAUTH_TOKEN``: requested, kept, and renewed in time.

::

    token() ─┬─ a valid one is kept ──────────────────────────────────────── token
             └─ none ── one thread asks, the others wait ──┬── it is kept ── token
                                                           └── LoginError
"""

from __future__ import annotations

import dataclasses
import os
import re
import threading
import time
import typing as t
import urllib.parse
from collections.abc import Callable

from ... import config
from ...errors import ConfigurationError
from ...log import logger
from ...report import LoginError
from ...secret import Secret
from ..deadline import Deadline
from .endpoint import TokenEndpoint

if t.TYPE_CHECKING:
    import ssl

# A token is renewed so many seconds before it expires, and a short-lived one at half of its life.
_MARGIN = 60.0
# Microsoft's names for more than one tenant. With client credentials, the client belongs to one.
_NO_TENANT = {"common", "organizations", "consumers"}
# Microsoft's scopes, for an app and for a user.
_SCOPES = {
    "smtp": ("https://outlook.office365.com/.default", "https://outlook.office.com/SMTP.Send"),
    "graph": ("https://graph.microsoft.com/.default", "https://graph.microsoft.com/Mail.Send"),
}


@dataclasses.dataclass(frozen=True)
class _Held:
    """A token, and the time (monotonic clock) until which it is returned."""

    token: Secret
    until: float


class OAuthToken:
    """A callable that returns a valid access token for every login. Set it as
    :data:`MAIL_OAUTH_TOKEN`::

        app.config["MAIL_OAUTH_TOKEN"] = OAuthToken(
            "https://login.example.com/oauth2/token",
            client_id="shop",
            client_secret=os.environ["OAUTH_CLIENT_SECRET"],
            scope="smtp.send",
        )

    With a refresh token it uses the refresh-token flow (`RFC 6749 section 6
    <https://www.rfc-editor.org/rfc/rfc6749#section-6>`_), without one the client's own credentials
    (`section 4.4 <https://www.rfc-editor.org/rfc/rfc6749#section-4.4>`_). A token is kept until a
    minute before it expires. If several threads need a new one, one of them asks and the others
    wait.

    :param url: The server's token endpoint; ``https``, unless it is on this machine.
    :param client_id: The name under which the app is registered there.
    :param client_secret: The app's secret. Only a public client has none.
    :param refresh_token: The token that the server issued when a user granted the app access.
    :param scope: The scopes to ask for, separated by spaces. If it is left out: those that were
        granted.
    :param on_refresh_token: Called with the new refresh token whenever the server sends one, to
        store it for the next start. This object uses the new one from then on.
    :param timeout: Seconds to get a token, including the wait for another thread. They are a part
        of :data:`MAIL_CONNECT_TIMEOUT`.
    :param tls_context: Your own ``SSLContext``, instead of one that trusts the system's
        authorities.
    :raises ConfigurationError: for a wrong value, naming the argument.
    """

    def __init__(
        self,
        url: str,
        *,
        client_id: str,
        client_secret: str | Secret | None = None,
        refresh_token: str | Secret | None = None,
        scope: str | None = None,
        on_refresh_token: Callable[[str], object] | None = None,
        timeout: float = 5.0,
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        if client_secret is None and refresh_token is None:
            raise ConfigurationError(
                "OAuthToken needs a client_secret, a refresh_token, or both. Is the environment"
                " variable set?"
            )
        if on_refresh_token is not None and not callable(on_refresh_token):
            # Later, when the only copy of a new refresh token has to be stored, is too late.
            raise ConfigurationError(
                "OAuthToken: on_refresh_token must be a function that stores the new refresh token,"
                " such as Path('refresh-token').write_text."
            )
        if tls_context is not None:
            config.instance_of("ssl", "SSLContext")(tls_context, "OAuthToken: tls_context")
        self._endpoint = TokenEndpoint(url, tls_context)
        self._client_id = _given(client_id, "client_id").reveal()
        self._client_secret = _optional(client_secret, "client_secret")
        self._refresh_token = _optional(refresh_token, "refresh_token")
        self._scope = _given(scope, "scope").reveal() if scope else None
        self._on_refresh_token = on_refresh_token
        self._timeout = config.seconds(timeout, "timeout")
        self._held: _Held | None = None
        self._failure: LoginError | None = None
        # By process: a lock that was held at the fork is never released in the child.
        self._asking: dict[int, threading.Lock] = {}

    @classmethod
    def gmail(
        cls,
        *,
        client_id: str,
        client_secret: str | Secret,
        refresh_token: str | Secret,
        timeout: float = 5.0,
    ) -> OAuthToken:
        """Return tokens for ``smtp.gmail.com``, for the user who granted access to
        ``https://mail.google.com/``. Google's refresh token does not change.

        ::

            app.config["MAIL_OAUTH_TOKEN"] = OAuthToken.gmail(
                client_id="...", client_secret="...", refresh_token="..."
            )
        """
        return cls(
            "https://oauth2.googleapis.com/token",
            client_id=client_id,
            client_secret=_given(client_secret, "client_secret"),
            refresh_token=_given(refresh_token, "refresh_token"),
            scope="https://mail.google.com/",
            timeout=timeout,
        )

    @classmethod
    def microsoft365(
        cls,
        *,
        tenant: str,
        client_id: str,
        client_secret: str | Secret | None = None,
        refresh_token: str | Secret | None = None,
        on_refresh_token: Callable[[str], object] | None = None,
        graph: bool = False,
        timeout: float = 5.0,
    ) -> OAuthToken:
        """Return tokens for ``smtp.office365.com``: for the app itself, which needs the permission
        ``SMTP.SendAsApp``, or, with a refresh token, for the user who granted ``SMTP.Send`` and
        ``offline_access``.

        ::

            app.config["MAIL_OAUTH_TOKEN"] = OAuthToken.microsoft365(
                tenant="...", client_id="...", client_secret="..."
            )

        :param tenant: The directory (tenant) ID, or a domain of the tenant.
        :param graph: Whether they are for Microsoft Graph instead, with the permission
            ``Mail.Send`` of the app or of the user.
        """
        tenant = _given(tenant, "tenant").reveal()
        if not re.fullmatch("[A-Za-z0-9.-]+", tenant):
            raise ConfigurationError(
                "OAuthToken: tenant must be the directory (tenant) ID, or a domain of the tenant."
            )
        if refresh_token is None and tenant.lower() in _NO_TENANT:
            raise ConfigurationError(
                f"OAuthToken: without a refresh_token, tenant cannot be {tenant!r}: set it to the"
                " directory (tenant) ID."
            )
        of_app, of_user = _SCOPES["graph" if graph else "smtp"]
        return cls(
            f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
            client_id=client_id,
            client_secret=client_secret,
            refresh_token=refresh_token,
            scope=of_app if refresh_token is None else f"{of_user} offline_access",
            on_refresh_token=on_refresh_token,
            timeout=timeout,
        )

    def __call__(self) -> str:
        """Return a valid token.

        :raises LoginError: if there is none. Its text says what to do.
        """
        held = self._valid() or self._wait_or_ask(Deadline(self._timeout))
        return held.token.reveal()

    def forget(self, token: str) -> None:
        """Do not return *token* again: the mail server has refused it."""
        if self._held is not None and self._held.token == Secret(token):
            self._held = None

    def _valid(self) -> _Held | None:
        held = self._held
        return held if held is not None and time.monotonic() < held.until else None

    def _wait_or_ask(self, deadline: Deadline) -> _Held:
        before = self._failure
        asking = self._asking.setdefault(os.getpid(), threading.Lock())
        if not asking.acquire(timeout=deadline.remaining()):
            raise self._endpoint.failure("another thread is still waiting for it.", temporary=True)
        try:
            if held := self._valid():
                return held
            # If it failed while this thread waited, not every thread tries once more.
            if self._failure is not None and self._failure is not before:
                raise _same(self._failure)
            return self._ask(deadline)
        finally:
            asking.release()

    def _ask(self, deadline: Deadline) -> _Held:
        began = time.monotonic()
        try:
            answer = self._endpoint.ask(self._form(), self._secrets(), deadline)
        except LoginError as error:
            self._failure = _same(error)
            raise
        assert answer.token is not None
        margin = min(_MARGIN, answer.lifetime / 2)
        held = self._held = _Held(answer.token, began + answer.lifetime - margin)
        if answer.refresh_token is not None and self._refresh_token is not None:
            self._replace(answer.refresh_token)
        return held

    def _replace(self, refresh_token: Secret) -> None:
        """Use another refresh token from now on (section 6), and have the app store it."""
        if refresh_token == self._refresh_token:
            return
        self._refresh_token = refresh_token
        if self._on_refresh_token is None:
            return
        try:
            self._on_refresh_token(refresh_token.reveal())
        except Exception as error:  # from the app's own function; the access token is still valid
            # Its text and its frames may hold the refresh token.
            logger.error(
                "on_refresh_token raised %s: the new refresh token of %s is not stored.",
                type(error).__name__,
                self._client_id,
            )

    def _form(self) -> Secret:
        """Return the form (sections 4.4.2 and 6), with the client's secret (section 2.3.1)."""
        fields: dict[str, str | Secret | None] = {
            "grant_type": "refresh_token" if self._refresh_token else "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "refresh_token": self._refresh_token,
            "scope": self._scope,
        }
        return Secret(
            urllib.parse.urlencode(
                {name: Secret(value).reveal() for name, value in fields.items() if value}
            )
        )

    def _secrets(self) -> list[Secret]:
        """Return the secrets that the server may repeat."""
        return [secret for secret in (self._client_secret, self._refresh_token) if secret]

    def __repr__(self) -> str:
        held = self._valid()
        state = f"{held.until - time.monotonic():.0f} s left" if held else "none held"
        return f"<OAuthToken of {self._client_id} from {self._endpoint.host}, {state}>"


def _given(value: object, name: str) -> Secret:
    found = Secret(value) if isinstance(value, str | Secret) else None
    if not found or re.search("[\x00-\x1f\x7f\ud800-\udfff]", found.reveal()):
        raise ConfigurationError(
            f"OAuthToken: {name} must be text, not empty, and without control characters. Is the"
            " environment variable set, and without a line end?"
        )
    return found


def _optional(value: object, name: str) -> Secret | None:
    return None if value is None else _given(value, name)


def _same(error: LoginError) -> LoginError:
    """Return the same error for another thread, without the traceback of the first."""
    return LoginError(str(error), phase=error.phase, temporary=error.temporary)
