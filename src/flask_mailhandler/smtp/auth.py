"""The login (RFC 4954). There is no CRAM-MD5 and no SCRAM: under verified TLS they add nothing.

A mechanism is a generator: it yields its initial response (None if it has none), is sent the
server's challenges and yields the answers. Secrets are always wrapped, so that no local variable of
a traceback shows one.
"""

from __future__ import annotations

import base64
import binascii
import json
import typing as t
from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Mapping
from collections.abc import Sequence

from ..net.masking import Echoes
from ..net.quoting import escape
from ..phase import Phase
from ..report import LoginError
from ..secret import Secret
from .endpoint import Endpoint
from .login_hints import login_hint
from .login_hints import missing_hint
from .reply import Reply
from .stream import StreamError

Exchange: t.TypeAlias = Generator["Secret | None", bytes, None]
# https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.4: a command line with its CRLF. A
# longer initial response is sent as the answer to an empty challenge.
MAX_COMMAND = 512


def _plain(server: Endpoint, token: Secret | None) -> Exchange:
    """RFC 4616: the initial response is NUL, name, NUL, password."""
    assert server.password is not None
    yield Secret(b"\0%s\0%s" % ((server.username or "").encode(), server.password.octets()))


def _login(server: Endpoint, token: Secret | None) -> Exchange:
    """Exchange's mechanism, without an RFC: name and password answer two challenges."""
    assert server.password is not None
    yield None
    yield Secret(server.username or "")
    yield server.password


def _oauthbearer(server: Endpoint, token: Secret | None) -> Exchange:
    """RFC 7628 section 3.1. The server's error is a challenge, which ^A answers."""
    assert token is not None
    name = (server.username or "").replace("=", "=3D").replace(",", "=2C")
    yield Secret(
        b"n,a=%s,\x01host=%s\x01port=%d\x01auth=Bearer %s\x01\x01"
        % (name.encode(), server.host.removesuffix(".").encode(), server.port, token.octets())
    )
    yield Secret(b"\x01")


def _xoauth2(server: Endpoint, token: Secret | None) -> Exchange:
    """Google's and Microsoft's older form. The server's error is answered with an empty line."""
    assert token is not None
    yield Secret(
        b"user=%s\x01auth=Bearer %s\x01\x01" % ((server.username or "").encode(), token.octets())
    )
    yield Secret(b"")


_PASSWORD = {"PLAIN": _plain, "LOGIN": _login}
_TOKEN = {"OAUTHBEARER": _oauthbearer, "XOAUTH2": _xoauth2}


def login(
    server: Endpoint,
    extensions: Mapping[str, str],
    ask: Callable[[bytes | Secret], Reply],
    echoes: Echoes,
    token: Secret | None = None,
) -> str:
    """Log in and return the name of the mechanism.

    If the server refuses a mechanism that it offers, the next one is tried; see
    :func:`refuses_secret`.

    :param extensions: Of the last EHLO.
    :param ask: Sends a line and returns its reply.
    :param echoes: Every secret is added to it before it is sent.
    :param token: The token that :func:`read_token` returned.
    :raises LoginError: if the server refuses the login.
    """
    mechanisms = _TOKEN if server.token is not None else _PASSWORD
    names = _names(server, extensions, mechanisms)
    for secret in (server.password, token):
        if secret is not None:
            echoes.add(secret)
    tried: dict[str, str] = {}
    replies: list[Reply] = []
    for name in names:
        try:
            reply, detail = _try(name, mechanisms[name](server, token), ask, echoes)
        except StreamError:
            if not replies:
                raise
            break  # the refusal before it says more
        if reply.code == 235:
            return name
        replies.append(reply)
        tried[name] = f"{reply}" + (f" ({detail})" if detail else "")
        if not _may_go_on(reply):
            break
    raise _refused(server, tried, replies, [name for name in names if name not in tried])


def _names(
    server: Endpoint, extensions: Mapping[str, str], mechanisms: Mapping[str, object]
) -> list[str]:
    """Return the mechanisms to try, in our order.

    :raises LoginError: if there is none.
    """
    offered = extensions.get("AUTH", "")
    wanted = [server.login_mechanism] if server.login_mechanism else [*mechanisms]
    names = [name for name in wanted if name in offered.upper().split()]
    if not names:
        raise LoginError(
            f"{server} offers {'AUTH ' + offered if offered else 'no login (AUTH)'}, and none of"
            f" {' and '.join(wanted)}." + missing_hint(server, extensions),
            phase=Phase.AUTH,
            temporary=False,
        )
    return names


def refuses_secret(reply: Reply) -> bool:
    """Return whether a reply says that name, password or token are wrong (RFC 4954 section 6), and
    not that the mechanism is unsuitable. Another try would be another failed login."""
    return reply.code == 535 or (reply.code // 100 == 5 and reply.enhanced_code == "5.7.8")


def _may_go_on(reply: Reply) -> bool:
    """Whether another mechanism may succeed. A server that requires encryption does so for each."""
    return reply.code // 100 == 5 and not refuses_secret(reply) and reply.code not in (530, 538)


def _refused(
    server: Endpoint, tried: Mapping[str, str], replies: Sequence[Reply], left: Sequence[str]
) -> LoginError:
    *before, last = tried.items()
    said = "".join(f"; by {name}: {text}" for name, text in before if text != last[1])
    hints = filter(None, (login_hint(server, reply, left) for reply in reversed(replies)))
    return LoginError(
        f"{server} did not accept the login of {server.username!r}: {last[1]}{said}"
        + next(hints, ""),
        phase=Phase.AUTH,
        temporary=replies[-1].code // 100 == 4,
    )


def read_token(server: Endpoint) -> Secret | None:
    """Return the token to log in with, or None if there is only a password.

    :raises LoginError: if the callable of MAIL_OAUTH_TOKEN returns no token.
    """
    if server.token is None:
        return None
    from ..net.oauth.current import current  # most servers take a password

    return current(server.token, f"No login at {server}")


def _try(
    name: str,
    exchange: Exchange,
    ask: Callable[[bytes | Secret], Reply],
    echoes: Echoes,
) -> tuple[Reply, str]:
    """Run one mechanism. Return the last reply, and the server's error about a token."""
    initial, detail = next(exchange), ""
    command: bytes | Secret = b"AUTH " + name.encode()
    if initial is not None:
        encoded = _encoded(initial)
        echoes.add_line(encoded)
        line = Secret(b"AUTH %s %s" % (name.encode(), encoded.octets()))
        if len(line.octets()) + 2 <= MAX_COMMAND:
            command, initial = line, None
    reply = ask(command)
    while reply.code == 334:
        answer, initial = initial, None
        if answer is None:
            challenge = _decoded(reply)
            detail = _token_error(challenge, echoes) or detail
            answer = _next(exchange, challenge)
        if answer is None:  # an unexpected challenge is cancelled (section 4)
            return ask(b"*"), detail
        encoded = _encoded(answer)
        echoes.add_line(encoded)
        reply = ask(encoded)
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


def _token_error(challenge: bytes, echoes: Echoes) -> str:
    """Read the challenge of RFC 7628 section 3.2.2: JSON with a status."""
    try:
        found = json.loads(challenge)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    # Written anew, because JSON has many ways to write a secret.
    text = json.dumps(found, ensure_ascii=False)
    (shown,) = echoes.hide([escape(text.encode(errors="backslashreplace"))])
    return shown[:200]
