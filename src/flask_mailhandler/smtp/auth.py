"""The login (RFC 4954). No CRAM-MD5 and no SCRAM: under verified TLS they buy nothing.

A mechanism is a generator: it yields its initial response (None if it has none), is sent the
server's challenges and yields the answers. Secrets are wrapped wherever they stand, so that no
local variable of a traceback shows one.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import typing as t
from collections.abc import Callable
from collections.abc import Generator

from ..errors import LoginError
from ..report import Phase
from ..secret import Secret
from .reply import escape
from .reply import Reply
from .reply import unechoed
from .server import Server

Exchange: t.TypeAlias = Generator["Secret | None", bytes, None]
# https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.4: a command line with its CRLF. A
# longer initial response is given as the answer to an empty challenge.
MAX_COMMAND = 512


def _plain(server: Server, token: Secret | None) -> Exchange:
    """RFC 4616: the initial response is NUL, name, NUL, password."""
    assert server.password is not None
    yield Secret(b"\0%s\0%s" % ((server.username or "").encode(), server.password.octets()))


def _login(server: Server, token: Secret | None) -> Exchange:
    """No RFC; what Exchange speaks: name and password as answers to two challenges."""
    assert server.password is not None
    yield None
    yield Secret(server.username or "")
    yield server.password


def _oauthbearer(server: Server, token: Secret | None) -> Exchange:
    """RFC 7628 section 3.1. The server's error comes as a challenge, which ^A answers."""
    assert token is not None
    name = (server.username or "").replace("=", "=3D").replace(",", "=2C")
    yield Secret(
        b"n,a=%s,\x01host=%s\x01port=%d\x01auth=Bearer %s\x01\x01"
        % (name.encode(), server.host.encode(), server.port, token.octets())
    )
    yield Secret(b"\x01")


def _xoauth2(server: Server, token: Secret | None) -> Exchange:
    """Google's and Microsoft's older form. The server's error is answered by an empty line."""
    assert token is not None
    yield Secret(
        b"user=%s\x01auth=Bearer %s\x01\x01" % ((server.username or "").encode(), token.octets())
    )
    yield Secret(b"")


_PASSWORD = {"PLAIN": _plain, "LOGIN": _login}
_TOKEN = {"OAUTHBEARER": _oauthbearer, "XOAUTH2": _xoauth2}


def login(
    server: Server,
    offered: str,
    ask: Callable[[bytes | Secret], Reply],
    secrets: list[Secret],
    token: Secret | None = None,
) -> str:
    """Log in and return the name of the mechanism.

    :param offered: The parameters of AUTH in the last EHLO.
    :param ask: Sends a line and returns its reply.
    :param secrets: Is added to, in every form, before a secret is sent.
    :param token: What :func:`read_token` gave.
    :raises LoginError: if the server does not take it.
    """
    mechanisms = _TOKEN if server.token is not None else _PASSWORD
    names = [name for name in mechanisms if name in offered.upper().split()]
    if not names:
        raise LoginError(
            f"{server} offers {'AUTH ' + offered if offered else 'no login (AUTH)'}, and none of"
            f" {' and '.join(mechanisms)}." + _missing_hint(server),
            phase=Phase.AUTH,
            temporary=False,
        )
    reply, detail = None, ""
    secrets += [secret for secret in (server.password, token) if secret is not None]
    for name in names:
        reply, detail = _try(name, mechanisms[name](server, token), ask, secrets)
        if reply.code == 235:
            return name
        # 504 and 534 say that this mechanism will not do; 535 that the secret is wrong.
        if reply.code not in (504, 534):
            break
    assert reply is not None
    raise LoginError(
        f"{server} did not accept the login of {server.username!r}: {reply}"
        + (f" ({detail})" if detail else "")
        + provider_hint(reply),
        phase=Phase.AUTH,
        temporary=reply.code // 100 == 4,
    )


def read_token(server: Server) -> Secret | None:
    """The token to log in with, if it is to be one.

    :raises LoginError: if the callable that is to give it does not.
    """
    if server.token is None or isinstance(server.token, Secret):
        return server.token
    try:
        token = Secret(server.token())
        if not re.fullmatch(rb"[!-~]+", token.octets()):
            raise ValueError("this is no token")
    except LoginError:
        raise  # it says what to do
    except Exception as error:  # the user's code: whatever it is, there is no login
        raise LoginError(
            f"No login at {server}: the callable of MAIL_OAUTH_TOKEN gave no token"
            f" ({type(error).__name__}).",
            phase=Phase.AUTH,
        ) from error
    return token


def _try(
    name: str,
    exchange: Exchange,
    ask: Callable[[bytes | Secret], Reply],
    secrets: list[Secret],
) -> tuple[Reply, str]:
    """Run one mechanism; return the last reply and what a token's error says."""
    initial, detail = next(exchange), ""
    command: bytes | Secret = b"AUTH " + name.encode()
    if initial is not None:
        secrets.append(_encoded(initial))
        line = Secret(b"AUTH %s %s" % (name.encode(), secrets[-1].octets()))
        if len(line.octets()) + 2 <= MAX_COMMAND:
            command, initial = line, None
    reply = ask(command)
    while reply.code == 334:
        answer, initial = initial, None
        if answer is None:
            challenge = _decoded(reply)
            detail = _token_error(challenge, secrets) or detail
            answer = _next(exchange, challenge)
        if answer is None:  # an unexpected challenge is cancelled (section 4)
            return ask(b"*"), detail
        secrets.append(_encoded(answer))
        reply = ask(secrets[-1])
    return reply, detail


def _encoded(response: Secret) -> Secret:
    return Secret(base64.b64encode(response.octets()))


def _next(exchange: Exchange, challenge: bytes) -> Secret | None:
    try:
        return exchange.send(challenge)
    except StopIteration:
        return None


def _decoded(reply: Reply) -> bytes:
    try:
        return base64.b64decode("".join(reply.lines))
    except (binascii.Error, ValueError):
        return b""


def _token_error(challenge: bytes, secrets: list[Secret]) -> str:
    """What RFC 7628 section 3.2.2 puts into the challenge: JSON with a status."""
    try:
        found = json.loads(challenge)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    # Written anew, for JSON has many ways to write a secret.
    quoted = [Secret(_json(secret.reveal())[1:-1]) for secret in secrets]
    return unechoed(escape(_json(found).encode(errors="backslashreplace")), quoted)[:200]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _missing_hint(server: Server) -> str:
    if server.security == "none":
        return " Many servers offer it only under TLS: set MAIL_SECURITY = 'starttls'."
    return " Leave out MAIL_USERNAME if the server wants no login."


def provider_hint(reply: Reply) -> str:
    """What the large providers mean, where their reply shows who they are."""
    text = " ".join(reply.lines).lower()
    # 550 5.7.30 is "Basic authentication is not supported".
    if reply.enhanced_code in ("5.7.139", "5.7.30") or "smtpclientauth" in text:
        return (
            ". Microsoft 365 wants OAuth instead of a password: set MAIL_OAUTH_TOKEN to"
            " OAuthToken.microsoft365(...), and let an administrator switch on 'Authenticated SMTP'"
            " for the mailbox"
        )
    if reply.code in (534, 535) and ("gsmtp" in text or "support.google.com" in text):
        return (
            ". Gmail takes no account password here: make an app password (2-Step Verification"
            " must be on) and set MAIL_PASSWORD to it, or set MAIL_OAUTH_TOKEN to"
            " OAuthToken.gmail(...)"
        )
    if reply.code == 535:
        return ". Check MAIL_USERNAME and MAIL_PASSWORD"
    if reply.code == 538 or (reply.code == 530 and "tls" in text):
        return ". The server wants encryption before a login: set MAIL_SECURITY = 'starttls'"
    return ""


def login_missing(server: Server, reply: Reply) -> LoginError:
    """What a 530 to MAIL means (RFC 4954 section 6)."""
    what = "set MAIL_USERNAME and MAIL_PASSWORD"
    if server.security == "none" and "TLS" in reply.text.upper():
        what = "set MAIL_SECURITY = 'starttls'"
    return LoginError(
        f"{server} takes no mail from this session: {reply}. Probably {what}.",
        phase=Phase.MAIL,
        temporary=False,
    )
