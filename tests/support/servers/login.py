"""The server's side of SASL: PLAIN, LOGIN, OAUTHBEARER and XOAUTH2."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass
from dataclasses import field

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Generator
    from collections.abc import Mapping

#: Yields challenges, receives responses, returns the reply.
Exchange: t.TypeAlias = "Generator[bytes, bytes, str]"
Blame: t.TypeAlias = "Callable[[str], None]"

WELCOME = "235 2.7.0 Authentication successful"
WRONG = "535 5.7.8 Authentication credentials invalid"
OAUTH_ERROR = json.dumps({"status": "401", "schemes": "bearer", "scope": "mail"}).encode()


@dataclass(frozen=True)
class Accounts:
    """The accounts of a server: names with passwords, and names with tokens."""

    users: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)

    @property
    def mechanisms(self) -> list[str]:
        passwords = ["PLAIN", "LOGIN"] if self.users else []
        return passwords + (["OAUTHBEARER", "XOAUTH2"] if self.tokens else [])

    def begin(self, mechanism: str, initial: bytes | None, blame: Blame) -> Exchange | None:
        """An exchange for this mechanism; None if the server does not support it."""
        if mechanism not in self.mechanisms:
            return None
        match mechanism:
            case "PLAIN":
                return self._plain(initial, blame)
            case "LOGIN":
                return self._login(initial)
            case "OAUTHBEARER":
                return self._oauthbearer(initial, blame)
        return self._xoauth2(initial, blame)

    def _plain(self, initial: bytes | None, blame: Blame) -> Exchange:
        """https://www.rfc-editor.org/rfc/rfc4616#section-2"""
        response = initial if initial is not None else (yield b"")
        found = re.fullmatch(rb"[^\0]*\0([^\0]+)\0([^\0]+)", response)
        if not found:
            blame("C-90: the response of PLAIN is not NUL user NUL password")
            return WRONG
        return self._by_password(found[1], found[2])

    def _login(self, initial: bytes | None) -> Exchange:
        user = initial if initial is not None else (yield b"Username:")
        return self._by_password(user, (yield b"Password:"))

    def _oauthbearer(self, initial: bytes | None, blame: Blame) -> Exchange:
        """https://www.rfc-editor.org/rfc/rfc7628#section-3.1"""
        response = initial if initial is not None else (yield b"")
        found = re.fullmatch(
            rb"n,a=([^,]+),\x01host=[^\x01]+\x01port=[0-9]+\x01auth=Bearer ([^\x01]+)\x01\x01",
            response,
        )
        if not found:
            blame("C-93: not the form of OAUTHBEARER")
            return WRONG
        user = found[1].replace(b"=2C", b",").replace(b"=3D", b"=")
        if self._is_token(user, found[2]):
            return WELCOME
        if (yield OAUTH_ERROR) != b"\x01":
            blame("C-93: the error of OAUTHBEARER was not answered with ^A")
        return WRONG

    def _xoauth2(self, initial: bytes | None, blame: Blame) -> Exchange:
        response = initial if initial is not None else (yield b"")
        found = re.fullmatch(rb"user=([^\x01]+)\x01auth=Bearer ([^\x01]+)\x01\x01", response)
        if not found:
            blame("C-94: not the form of XOAUTH2")
            return WRONG
        if self._is_token(found[1], found[2]):
            return WELCOME
        if (yield OAUTH_ERROR) != b"":
            blame("C-94: the error of XOAUTH2 was not answered with an empty line")
        return WRONG

    def _by_password(self, user: bytes, password: bytes) -> str:
        expected = self.users.get(user.decode(errors="replace"))
        return WELCOME if expected is not None and expected.encode() == password else WRONG

    def _is_token(self, user: bytes, token: bytes) -> bool:
        expected = self.tokens.get(user.decode(errors="replace"))
        return expected is not None and expected.encode() == token
