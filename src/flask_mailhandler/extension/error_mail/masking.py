"""Secrets in an error mail, masked.

By name: a header, a field, a parameter or a variable whose name looks like that of a secret. By
form: a token, a key, or the password in a URL. By value: what is secret in the configuration and in
the request is masked wherever it stands, in any form that :class:`.Echoes` knows.

This is done in the thread that sends. All patterns take linear time.
"""

from __future__ import annotations

import re
import typing as t
import urllib.parse
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from ...net.masking import Echoes
from ...secret import Secret
from .request import header_fields

if t.TYPE_CHECKING:
    from .request import Pairs
    from .request import RequestFacts

MASK = "***"
# Words that are part of a name, and words that are a whole part of it: pin_code, but not spinning.
_PARTS = (
    "passw(?:or)?d|passphrase|passcode|pwd|secret|token|credential|auth(?!or(?!i[sz]))|cookie"
    "|session|csrf|xsrf|signature|private|api[-_ ]?key|access[-_ ]?key|bearer|jwt"
)
_WHOLE = "pass|key|sig|otp|totp|pin|cvv|cvc|card|iban|ssn|sid|nonce"
# How the key of a secret in a configuration ends. Others have values that are words of any text:
# SESSION_COOKIE_NAME, JWT_TOKEN_LOCATION.
_CONFIG_KEY = re.compile(
    r"(?:SECRET|PASSWORD|PASSWD|PASSPHRASE|PWD|TOKEN|KEY|SALT|CREDENTIAL)(?:S|_FALLBACKS)?\Z", re.I
)
# Shorter values would be found in any text.
_FOUND = 6
_DEEPEST = 3
_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.S
)
_LOGIN = re.compile(r"(://[^\s/@:'\"]{0,200}):[^\s/@'\"]{1,500}@")
_SCHEME = re.compile(r"\b(bearer|basic|token)[ \t]+[A-Za-z0-9._~+/=-]{8,}", re.I)
_TOKENS = re.compile(
    r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"
    r"|\b(?:sk|pk|rk|whsec)_\w{12,}|\bgh[pousr]_\w{20,}|\bxox[abeprs]-[\w-]{10,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bglpat-[\w-]{15,}|\bSG\.[\w-]{16,}\.[\w-]{16,}"
)
_QUOTED = r"\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?"
# Up to where the value begins: name=, "name": , name['key'] = b
_NAMED = re.compile(
    r"(?<![\w.-])([A-Za-z_][\w.-]{0,80}+)[\"']?\]?[ \t]{0,3}(?:=>|[=:])[ \t]{0,3}"
    r"(?:[rbuf]{1,2}(?=[\"']))?"
)
_VALUE = re.compile(rf"{_QUOTED}|(?:(?:bearer|basic|digest|token)[ \t]+)?[^\s,;&)\]}}\"'<>]+", re.I)
_LITERAL = re.compile(_QUOTED)


class Names:
    """Which names look like those of secrets.

    :param more: Further names, from the app.
    """

    def __init__(self, more: Iterable[str] = ()) -> None:
        parts = "|".join([_PARTS, *map(re.escape, more)])
        self._secret = re.compile(
            rf"{parts}|(?<![a-z])(?:{_WHOLE})(?![a-z])|\Acode\Z|(?-i:[a-z](?:Key|Pin|Otp)\b)", re.I
        )

    def __contains__(self, name: str) -> bool:
        return self._secret.search(name) is not None


class Masker:
    """Masks the secrets of one mail.

    :param config: The configuration of the app, which has secrets.
    """

    def __init__(self, names: Names, config: Mapping[t.Any, object]) -> None:
        self.names = names
        self._echoes = Echoes()
        for value in _configured(config):
            self._add(value)

    def add_request(self, facts: RequestFacts) -> None:
        """Learn the secrets that a request holds."""
        for pairs in (facts.arguments, facts.form, facts.json, facts.session, query(facts.query)):
            for name, value in pairs:
                if name in self.names:
                    self._add(value)
        for name, value in header_fields(facts):
            if name == "Cookie":
                for _, crumb in cookies(value):
                    self._add(crumb)
            elif name in self.names:
                self._add(value.split()[-1] if value.split() else "")

    def _add(self, value: str) -> None:
        if len(value) >= _FOUND:
            self._echoes.add(Secret(value))

    def text(self, text: str) -> str:
        """Mask the secrets in the text of an exception, a message or a URL."""
        return self._hidden(self._values(_shapes(text), _VALUE))

    def code(self, text: str) -> str:
        """Mask the secrets in a line of source, of which the names must stay readable."""
        return self._hidden(self._values(_shapes(text), _LITERAL))

    def pairs(self, pairs: Pairs) -> list[tuple[str, str]]:
        """Mask the values of a table."""
        return [
            (self._hidden(name), MASK if value and name in self.names else self.text(value))
            for name, value in pairs
        ]

    def path(self, facts: RequestFacts) -> str:
        """Return the path and the query of a request."""
        path = facts.path
        for name, value in facts.arguments:
            if name in self.names and value:
                path = path.replace(value, MASK)
        shown = "&".join(
            f"{name}={MASK if urllib.parse.unquote_plus(name) in self.names else value}"
            for name, value in _parameters(facts.query)
        )
        return self.text(f"{path}?{shown}" if shown else path)

    def _values(self, text: str, pattern: re.Pattern[str]) -> str:
        """Mask the value after each name of a secret. Between other names, the search goes on in
        the value: ``error="password=..."``."""
        found: list[str] = []
        at = 0
        for named in _NAMED.finditer(text):
            if named.start() < at or named[1] not in self.names:
                continue
            if value := pattern.match(text, named.end()):
                quote = value[0][0] if value[0][0] in "\"'" else ""
                found += [text[at : named.end()], f"{quote}{MASK}{quote}"]
                at = value.end()
        return "".join([*found, text[at:]])

    def _hidden(self, text: str) -> str:
        text = readable(text)  # a lone surrogate cannot be encoded
        if not self._echoes:
            return text
        return "\n".join(self._echoes.hide(text.split("\n")))


def readable(text: str) -> str:
    """Return a text with control characters that are visible, and no others than line ends."""
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or c.isprintable() else ascii(c)[1:-1] for c in text)


def _shapes(text: str) -> str:
    text = _KEY_BLOCK.sub(f"{MASK} private key {MASK}", text)
    text = _LOGIN.sub(rf"\1:{MASK}@", text)
    text = _TOKENS.sub(MASK, text)
    return _SCHEME.sub(rf"\1 {MASK}", text)


def _configured(values: Mapping[object, object], depth: int = 0) -> Iterator[str]:
    """Yield the secrets of a configuration: by their keys, and the passwords in URLs."""
    for key, value in [*values.items()]:
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, Mapping) and depth < _DEEPEST:
                yield from _configured(item, depth + 1)
            elif isinstance(item, Secret):
                yield item.octets().decode("utf-8", "replace")
            elif isinstance(item, str | bytes):
                text = item.decode("utf-8", "replace") if isinstance(item, bytes) else item
                if _CONFIG_KEY.search(str(key)):
                    yield text
                yield from re.findall(r"://[^\s/@:]{0,200}:([^\s/@]{1,500})@", text)


def query(text: str) -> Pairs:
    """Return the parameters of a URL, decoded."""
    unquote = urllib.parse.unquote_plus
    return tuple((unquote(name), unquote(value)) for name, value in _parameters(text))


def _parameters(text: str) -> list[tuple[str, str]]:
    pairs = [part.partition("=") for part in text.split("&") if part]
    return [(name, value) for name, _, value in pairs]


def cookies(header: str) -> list[tuple[str, str]]:
    """Return the names and the values in a Cookie header."""
    pairs = [part.strip().partition("=") for part in header.split(";") if part.strip()]
    return [(name, value) for name, _, value in pairs]
