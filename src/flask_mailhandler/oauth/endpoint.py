"""One request to an OAuth token endpoint, over the standard library's HTTP.

What the library raises is not passed on: its frames hold what was sent and received. Secrets are
wrapped in ours.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import io
import json
import re
import socket
import ssl
import typing as t
import urllib.parse
from collections.abc import Iterable
from collections.abc import Iterator

from ..errors import ConfigurationError
from ..net.deadline import Deadline
from ..net.echo import Echoes
from ..net.echo import escape
from ..phase import Phase
from ..report import LoginError
from ..secret import Secret
from ..smtp.endpoint import is_loopback

# How long a token lives whose end the server does not tell.
_UNTOLD = 300.0
# An answer holds a few tokens of some kB.
_MAX_ANSWER = 1 << 16
_SHOWN = 300
_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
    "User-Agent": "Flask-MailHandler",
    "Connection": "close",
}
# https://www.rfc-editor.org/rfc/rfc6749#section-5.2, and what Microsoft adds to it.
_HINTS = {
    "invalid_grant": "The refresh token has expired, was revoked, or is another client's: grant"
    " access once more and set the new refresh token.",
    "invalid_client": "Check client_id and client_secret. If the secret has expired, make a new"
    " one.",
    "unauthorized_client": "The client may not do this: check client_id and tenant, and what it"
    " is allowed where it is registered.",
    "invalid_scope": "Check scope, and the permissions of the client.",
    "unsupported_grant_type": "The server knows no such flow: with refresh_token it is the"
    " refresh-token flow, without it client credentials.",
    "invalid_request": "Check the URL or tenant, and client_id.",
    "interaction_required": "The user must sign in again: set the new refresh token.",
    "consent_required": "The user or an administrator must consent to the client's permissions.",
}
_LATER = {"temporarily_unavailable", "server_error"}


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the server said (RFC 6749 sections 5.1 and 5.2)."""

    status: int
    token: Secret | None = None
    refresh_token: Secret | None = None
    lifetime: float = _UNTOLD
    """Seconds."""
    error: str = ""
    text: str = ""


class TokenEndpoint:
    """Where tokens are asked for.

    :param url: ``https``, unless it is on this machine.
    :param tls_context: Or None for one that trusts the system's authorities.
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
        """Post the form, and return the answer if there is a token in it. No redirection is
        followed.

        :param form: URL-encoded.
        :param secrets: What nobody is to see though the server may repeat it.
        :raises LoginError: if there is no token.
        """
        try:
            answer = self._post(form, secrets, deadline)
        except (OSError, http.client.HTTPException) as error:
            reason, temporary = _reason(error), not hasattr(error, "verify_message")
        except BaseException as error:
            raise error.with_traceback(None) from None
        else:
            if answer.status == 200 and answer.token is not None:
                return answer
            reason, temporary = _refusal(answer), _is_temporary(answer)
        # Out of the handlers: else the error would hold on to the frames behind the other one.
        raise self.failure(reason, temporary=temporary)

    def failure(self, what: str, *, temporary: bool) -> LoginError:
        """There is no token, and therefore no login."""
        return LoginError(
            f"No OAuth token from {self.host}: {what}", phase=Phase.AUTH, temporary=temporary
        )

    def _post(self, form: Secret, secrets: Iterable[Secret], deadline: Deadline) -> Answer:
        with self._connected(deadline) as sock:
            connection = http.client.HTTPConnection(self.host, self._url.port or 0)
            connection.set_debuglevel(0)  # an app may have set it for all: it prints what is sent
            connection.sock = sock
            target = urllib.parse.urlunsplit(("", "", self._url.path or "/", self._url.query, ""))
            headers = {**_HEADERS, "Host": self._url.netloc}
            connection.request("POST", target, form.octets(), headers)
            received = t.cast(socket.socket, _Received(sock, deadline))
            response = http.client.HTTPResponse(received, method="POST")
            response.begin()
            return _read(response, secrets)

    @contextlib.contextmanager
    def _connected(self, deadline: Deadline) -> Iterator[socket.socket]:
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        with contextlib.closing(_connect(self.host, port, deadline)) as plain:
            if self._url.scheme == "http":
                yield plain
                return
            context = self._tls_context or _default_context()
            plain.settimeout(_left(deadline))
            # A dot at the end is no part of the name in a certificate (RFC 6066 section 3).
            name = self.host.removesuffix(".")
            with context.wrap_socket(plain, server_hostname=name) as encrypted:
                encrypted.settimeout(_left(deadline))
                yield encrypted


def _default_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    # https://www.rfc-editor.org/rfc/rfc9525#section-6.3: only a subjectAltName counts
    context.hostname_checks_common_name = False
    return context


def _checked(url: object) -> urllib.parse.SplitResult:
    """Take the URL apart. It is not shown in an error: there may be a secret in it."""
    wrong = ConfigurationError(
        "OAuthToken: the URL of the token endpoint must be like"
        " 'https://login.example.com/oauth2/token', without user name and fragment."
    )
    if not isinstance(url, str):  # as of an environment variable that is not set
        raise wrong
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        host.encode("idna")  # as connecting does
        usable = bool(host) and parts.port != 0
    except ValueError:
        raise wrong from None
    if not usable or not re.fullmatch("[!-~]+", url) or re.search("[@#]", url):
        raise wrong
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ConfigurationError(
            f"OAuthToken: the token endpoint at {host} must have an https URL, for secrets are"
            " sent there."
        )
    return parts


# HTTP


class _Received(io.RawIOBase):
    """What a socket receives until the deadline; a socket's own time-out begins anew with every
    octet.

    :param sock: Connected.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        """What a response asks its socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)


def _left(deadline: Deadline) -> float:
    left = deadline.remaining()
    if left <= 0:
        raise TimeoutError
    return left


def _connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers. Each has its share of the time, so that one that
    is silent leaves some to the others."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failed: OSError = TimeoutError()
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        try:
            with contextlib.ExitStack() as undone:
                sock = undone.enter_context(socket.socket(family, kind, protocol))
                sock.settimeout(_left(deadline) / (len(addresses) - number))
                sock.connect(address)
                # The header and the form are two writes.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(_left(deadline))
                undone.pop_all()
                return sock
        except OSError as error:  # of a family that this machine has not, among others
            failed = error
    raise failed


def _read(response: http.client.HTTPResponse, secrets: Iterable[Secret]) -> Answer:
    body = response.read(_MAX_ANSWER + 1)
    if len(body) > _MAX_ANSWER:
        raise OSError(f"its answer is longer than {_MAX_ANSWER} octets; check the URL")
    if response.length:
        raise ConnectionError("its answer broke off")
    try:
        found = json.loads(body)
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
    """RFC 6749 appendix A.12: visible characters; those beyond ASCII cannot be in a token."""
    return Secret(value) if isinstance(value, str) and re.fullmatch("[!-~]+", value) else None


def _seconds(value: object) -> float:
    """A number; some servers write it as a text."""
    try:
        found = float(t.cast(str, value))
    except (TypeError, ValueError, OverflowError):
        return _UNTOLD
    return found if 0 <= found < 1e9 else _UNTOLD


def _shown(value: object, secrets: Iterable[Secret]) -> str:
    """Text of the server, safe to show and in one line."""
    if not isinstance(value, str):
        return ""
    line = " ".join(value.split())
    (shown,) = Echoes(secrets).hide([escape(line.encode(errors="backslashreplace"))])
    return shown[:_SHOWN]


# What went wrong


def _reason(error: Exception) -> str:
    """In a few words, of which the server has chosen none."""
    if isinstance(error, TimeoutError):
        return "no answer within the time allowed."
    if not isinstance(error, OSError):
        return f"its answer is no HTTP, or broke off ({type(error).__name__})."
    if verify := getattr(error, "verify_message", ""):
        return f"its certificate was not accepted: {verify.rstrip('.')}."
    said = getattr(error, "reason", "") or error.strerror or str(error)
    return f"{str(said).rstrip('.')}."


def _refusal(answer: Answer) -> str:
    """What the server said, and what to do about it."""
    hint = _HINTS.get(answer.error, "")
    if answer.status // 100 == 3:
        hint = "It sends elsewhere, and no secret is sent there: set the URL of the endpoint."
    elif answer.status == 200:
        hint = "There is no bearer token in that: check the URL."
    said = " ".join(filter(None, (str(answer.status), answer.error)))
    detail = f" ({answer.text.rstrip('.')})" if answer.text else ""
    return f"it answered {said}{detail}. {hint}".rstrip()


def _is_temporary(answer: Answer) -> bool:
    return answer.status >= 500 or answer.status in (408, 429) or answer.error in _LATER
