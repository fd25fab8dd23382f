"""Secrets in an error mail, masked.

By name: a header, a field, a parameter or a variable whose name looks like that of a secret. By
form: a token, a key, or the password in a URL. By value: what is secret in the configuration and in
the request is masked wherever it stands, in any form that :class:`.Echoes` knows.

This is done in the thread that sends. All patterns take linear time.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import itertools
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
    "|(?:mfa|2fa|verification|recovery|backup|security)[-_ ]?code"
)
_WHOLE = ["pass", "pw", "key", "sig", "otp", "totp", "pin", "cvv", "cvc", "card", "iban", "ssn"]
_WHOLE += ["sid", "nonce"]
# Before a colon, a class of exceptions is not the name of a value: InvalidTokenError: expired
_CLASSES = ("Error", "Exception", "Warning")
# The value of such a header is all that follows: several cookies, or several parameters.
_HEADERS = ("cookie", "set-cookie", "authorization", "proxy-authorization")
# How the key of a secret in a configuration ends. Others have values that are words of any text:
# SESSION_COOKIE_NAME, JWT_TOKEN_LOCATION.
_CONFIG_KEY = re.compile(
    r"(?:SECRET|PASSWORD|PASSWD|PASSPHRASE|PWD|TOKEN|KEY|SALT|CREDENTIAL)(?:S|_FALLBACKS)?\Z", re.I
)
# Shorter values would be found in any text.
_FOUND = 6
# Of one request. Each is looked for in each text of its error.
_MOST = 200
_DEEPEST = 3
_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.S
)
_LOGIN = re.compile(r"(://[^\s/@:'\"]{0,200}):[^\s/'\"]{1,500}@")
# What SQLAlchemy and PostgreSQL say of a row has values without names.
_ROW = re.compile(r"(\[parameters: )[(\[].*|(Failing row contains )\(.*")
# With a digit, so that it is not a word: "token validation", "basic authentication".
_SCHEME = re.compile(
    r"\b(bearer|basic|token)[ \t]+(?=[A-Za-z._~+/=-]{0,99}[0-9])[A-Za-z0-9._~+/=-]{8,}", re.I
)
_TOKENS = re.compile(
    r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"
    r"|\b(?:sk|pk|rk|whsec)_\w{12,}|\bgh[pousr]_\w{20,}|\bxox[abeprs]-[\w-]{10,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bglpat-[\w-]{15,}|\bSG\.[\w-]{16,}\.[\w-]{16,}"
)
_QUOTED = (
    r"'{3}(?s:.*?)(?:'{3}|\Z)|\"{3}(?s:.*?)(?:\"{3}|\Z)"
    r"|\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?"
)
# Up to where the value begins: name=, "name": , \"name\": , name['key'] = b, 'name', 'value',
# <name>, or name%3D.
_NAMED = re.compile(
    r"(?:(?<![\w.-])|(?<=%[0-9A-Fa-f]{2}))(?:--?)?([A-Za-z_][\w.-]{0,80}+)"
    r"(?:\\{0,20}[\"']?\]?[ \t]{0,3}(?:=>|[=:]|%3[ADad])|>(?=[^<>]{1,500}</)"
    r"|\\{0,20}[\"'],(?=[ \t]{0,3}[rbuf]{0,2}\\{0,20}[\"']))"
    r"[ \t]{0,3}(?:[rbuf]{1,2}(?=[\"']))?"
)
_ESCAPED = (
    r"(?P<before>\\{1,20})(?P<quote>[\"'])(?:(?!(?<!\\)(?P=before)(?P=quote))[^\n])*+"
    r"(?:(?P=before)(?P=quote))?"
)
_VALUE = re.compile(
    rf"{_QUOTED}|{_ESCAPED}|[(\[{{][^)\]}}\n]*+[)\]}}]?"
    r"|(?:(?:bearer|basic|digest|token)[ \t]+)?[^\s,;&)\]}\"'<>]+",
    re.I,
)
_LITERAL = re.compile(_QUOTED)
_REST = re.compile(rf"{_QUOTED}|{_ESCAPED}|[^\n]+")


class Names:
    """Which names look like those of secrets.

    :param more: Further names, from the app.
    """

    def __init__(self, more: Iterable[str] = ()) -> None:
        parts = "|".join([_PARTS, *map(re.escape, more)])
        word, capital = "|".join(_WHOLE), "|".join(map(str.capitalize, _WHOLE))
        self._secret = re.compile(
            rf"{parts}|(?<![a-z])(?:{word})(?![a-z])|\Acode\Z"
            # cardNumber, userPin
            rf"|(?-i:(?<![A-Za-z])(?:{word})(?=[A-Z])|(?<=[a-z])(?:{capital})(?![a-z]))",
            re.I,
        )

    def __contains__(self, name: str) -> bool:
        return self._secret.search(name) is not None


class Masker:
    """Masks the secrets of one mail.

    :param config: The configuration of the app, which has secrets.
    """

    def __init__(self, names: Names, config: Mapping[t.Any, object]) -> None:
        self.names = names
        self._known: tuple[Echoes, ...] = (_echoes_of(_configured(config)),)

    def within(self, facts: RequestFacts | None) -> Masker:
        """Return a masker for the error of a request, which also masks what the request holds.

        Of another request's error, each text would be searched in vain. A client could make that
        take minutes.
        """
        if facts is None:
            return self
        made = copy.copy(self)
        made._known = (*self._known, _echoes_of(itertools.islice(self._secrets(facts), _MOST)))
        return made

    def _secrets(self, facts: RequestFacts) -> Iterator[str]:
        for name, value in header_fields(facts):
            if name == "Cookie":
                yield from (crumb.strip('"') for _, crumb in cookies(value))
            elif name in self.names:
                yield from self._credentials(value)
        for pairs in (facts.arguments, facts.session, facts.form, query(facts.query), facts.json):
            yield from (value for name, value in pairs if name in self.names)

    def _credentials(self, value: str) -> Iterator[str]:
        """Yield what is secret in a header: ``Basic dXNlcjpwYXNz``, and the password in it."""
        scheme, _, rest = value.partition(" ")
        yield value
        yield rest.strip()
        for name, parameter in re.findall(r"\b(\w++)=\"([^\"]*)\"", rest):
            if name == "response" or name in self.names:
                yield parameter
        if scheme.lower() == "basic":
            with contextlib.suppress(ValueError):
                yield base64.b64decode(rest).decode("utf-8", "replace").partition(":")[2]

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
            name = named[1]
            if named.start() < at or name.endswith(_CLASSES) or name not in self.names:
                continue
            takes = _REST if pattern is _VALUE and name.lower() in _HEADERS else pattern
            if value := takes.match(text, named.end()):
                quote = value[0][0] if value[0][0] in "\"'" else ""
                found += [text[at : named.end()], f"{quote}{MASK}{quote}"]
                at = value.end()
        return "".join([*found, text[at:]])

    def _hidden(self, text: str) -> str:
        text = readable(text)  # a lone surrogate cannot be encoded
        for echoes in self._known:
            if echoes:
                text = "\n".join(echoes.hide(text.split("\n")))
        return text


def _echoes_of(values: Iterable[str]) -> Echoes:
    found = Echoes()
    for value in values:
        for form in (value, readable(value)):
            if len(form) >= _FOUND:
                found.add(Secret(form.encode("utf-8", "backslashreplace")))
    return found


def readable(text: str) -> str:
    """Return a text with control characters that are visible, and no others than line ends."""
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or c.isprintable() else ascii(c)[1:-1] for c in text)


def _shapes(text: str) -> str:
    text = _KEY_BLOCK.sub(f"{MASK} private key {MASK}", text)
    text = _LOGIN.sub(rf"\1:{MASK}@", text)
    text = _ROW.sub(rf"\1\2{MASK}", text)
    text = _TOKENS.sub(MASK, text)
    return _SCHEME.sub(rf"\1 {MASK}", text)


def _configured(values: Mapping[object, object], depth: int = 0) -> Iterator[str]:
    """Yield the secrets of a configuration: by their keys, and the passwords in URLs."""
    for key, value in [*values.items()]:
        for item in value if isinstance(value, list | tuple | set | frozenset) else [value]:
            if isinstance(item, Mapping) and depth < _DEEPEST:
                yield from _configured(item, depth + 1)
            elif isinstance(item, Secret):
                yield item.octets().decode("utf-8", "replace")
            elif isinstance(item, str | bytes):
                text = item.decode("utf-8", "replace") if isinstance(item, bytes) else item
                if _CONFIG_KEY.search(str(key)):
                    yield text
                for password in re.findall(r"://[^\s/@:]{0,200}:([^\s/]{1,500})@", text):
                    yield password
                    yield urllib.parse.unquote(password)


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
