"""The server's side of a login (RFC 4954)."""

from __future__ import annotations

import base64
import binascii
import re
import typing as t
from collections.abc import Generator

MECHANISMS = ("PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2")

_LOGIN = (b"Username:", b"Password:")
# The user and the token of OAUTHBEARER (RFC 7628 section 3.1) and of XOAUTH2.
_BEARER = re.compile(
    r"(?:n,a=|user=)(?P<user>[^,\x01]*).*?\x01auth=Bearer (?P<token>[^\x01]*)", re.S
)


class Credentials(t.NamedTuple):
    """The user of a login, and the password or token."""

    user: str
    proof: str


def exchange(mechanism: str, initial: str) -> Generator[bytes, str, Credentials | None]:
    """Yield challenges and receive responses, both in base64. Return the credentials, or None if
    a response cannot be read.

    :param initial: The initial response in the command itself.
    """
    if mechanism == "LOGIN":
        user = initial or (yield base64.b64encode(_LOGIN[0]))
        proof = yield base64.b64encode(_LOGIN[1])
        return _credentials(_decoded(user), _decoded(proof))
    response = _decoded(initial or (yield b""))
    if mechanism == "PLAIN":
        _, _, rest = (response or "").partition("\0")
        return _credentials(*rest.split("\0", 1)) if "\0" in rest else None
    found = _BEARER.match(response or "")
    return Credentials(found["user"], found["token"]) if found else None


def _credentials(user: str | None, proof: str | None) -> Credentials | None:
    return None if user is None or proof is None else Credentials(user, proof)


def _decoded(response: str) -> str | None:
    try:
        return base64.b64decode(response, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
