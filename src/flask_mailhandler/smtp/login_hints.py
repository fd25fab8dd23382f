"""What to do if a login is refused, is missing or cannot be tried. Each hint reads the
configuration, so that none says to set a key that is set, and names the place where the user wrote
an option, such as MAIL_URL."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

from ..phase import Phase
from ..report import LoginError
from .endpoint import Endpoint
from .reply import Reply

_BY_TOKEN = {"OAUTHBEARER", "XOAUTH2"}
_BY_PASSWORD = {"PLAIN", "LOGIN"}


def missing_hint(server: Endpoint, extensions: Mapping[str, str]) -> str:
    """Return why the server offers no suitable mechanism."""
    return server.as_written(_missing_hint(server, extensions))


def _missing_hint(server: Endpoint, extensions: Mapping[str, str]) -> str:
    offered = {*extensions.get("AUTH", "").upper().split()}
    if server.login_mechanism and offered & (_BY_TOKEN if server.token else _BY_PASSWORD):
        return " Leave out MAIL_LOGIN_MECHANISM."
    if server.token is None and offered & _BY_TOKEN:
        return " Set MAIL_OAUTH_TOKEN instead of MAIL_PASSWORD."
    if server.token is not None and offered & _BY_PASSWORD:
        return " Set MAIL_PASSWORD instead of MAIL_OAUTH_TOKEN."
    if server.security == "none" and "STARTTLS" in extensions:
        return " Many servers offer it only under TLS: set MAIL_SECURITY = 'starttls'."
    if server.security == "none":
        return (
            " Many servers offer it only under TLS: set MAIL_SECURITY = 'starttls' and MAIL_PORT ="
            " 587, or 'tls' and 465, if it has these ports."
        )
    if offered:
        return " Ask its administrator to offer one of them; under TLS they are safe."
    return " Leave out MAIL_USERNAME if the server requires no login."


def login_hint(server: Endpoint, reply: Reply, left: Sequence[str] = ()) -> str:
    """Return what a refusal probably means, and what to do about it.

    :param left: Mechanisms that were not tried.
    """
    return server.as_written(_login_hint(server, reply, left))


def _login_hint(server: Endpoint, reply: Reply, left: Sequence[str]) -> str:
    text = " ".join(reply.lines).lower()
    if reply.code == 538 or (reply.code == 530 and "tls" in text):
        return _encryption_hint(server)
    hint = "" if server.token is not None else _provider_hint(reply, text)
    if hint or reply.code != 535:
        return hint
    hint = (
        ". Check MAIL_USERNAME and MAIL_PASSWORD"
        if server.token is None
        else ". Check MAIL_USERNAME and MAIL_OAUTH_TOKEN: the token must not have expired, must be"
        " for this user, and needs the permission (scope) to send by SMTP"
    )
    if server.token is not None and _is_switched_off(reply, text):
        hint += (
            ". At Microsoft 365 an administrator must also switch on 'Authenticated SMTP' for the"
            " mailbox"
        )
    elif left and server.login_mechanism is None:
        # One more try would be one more failed login.
        hint += (
            f". If they are right, set MAIL_LOGIN_MECHANISM = {left[0].lower()!r}: some servers"
            " refuse other mechanisms in this way"
        )
    return hint


def _encryption_hint(server: Endpoint) -> str:
    if server.security == "none":
        return ". The server requires encryption before a login: set MAIL_SECURITY = 'starttls'"
    return ""


def _is_switched_off(reply: Reply, text: str) -> bool:
    # 550 5.7.30 is "Basic authentication is not supported".
    return reply.enhanced_code in ("5.7.139", "5.7.30") or "smtpclientauth" in text


def _provider_hint(reply: Reply, text: str) -> str:
    """Return what a large provider means, if the reply shows which one it is."""
    if _is_switched_off(reply, text):
        return (
            ". Microsoft 365 requires OAuth instead of a password: set MAIL_OAUTH_TOKEN to"
            " OAuthToken.microsoft365(...), and let an administrator switch on 'Authenticated SMTP'"
            " for the mailbox"
        )
    if reply.code in (534, 535) and ("gsmtp" in text or "support.google.com" in text):
        return (
            ". Gmail does not accept the account password: make an app password (2-Step"
            " Verification must be on) and set MAIL_PASSWORD to it, or set MAIL_OAUTH_TOKEN to"
            " OAuthToken.gmail(...)"
        )
    return ""


def login_missing(server: Endpoint, reply: Reply) -> LoginError:
    """Return the error for a 530 to MAIL (RFC 4954 section 6)."""
    if server.security == "none" and "TLS" in reply.text.upper():
        hint = " Probably set MAIL_SECURITY = 'starttls'."
    elif server.username is None:
        hint = " Probably set MAIL_USERNAME and MAIL_PASSWORD."
    else:
        hint = " The login was accepted: ask the server's administrator what else is required."
    return LoginError(
        f"{server} accepts no mail in this session: {reply}.{server.as_written(hint)}",
        phase=Phase.MAIL,
        temporary=False,
    )
