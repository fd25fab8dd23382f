"""Options: what a setting may be, and how a handler, a key, a URL and an environment give it.

A handler is a dataclass whose fields are an :class:`Option` each; such a field is the option's
name, types, default, reader and documentation at once. A reader takes a value and the name by
which its writer knows it (``MAIL_PORT``, ``port=``), and returns the value or raises a
:class:`.ConfigurationError` that names it and says what is allowed.
"""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from .address import Address
from .address import Addresses
from .address import parse_address
from .address import parse_addresses
from .errors import ConfigurationError
from .errors import MessageError
from .field import Field
from .field import In
from .field import Out
from .secret import Secret
from .text import check_text
from .text import plain
from .text import shorten

T = t.TypeVar("T")
Reader: t.TypeAlias = Callable[[t.Any, str], T]
Limits: t.TypeAlias = "tuple[tuple[int, float], ...]"


class Option(Field[In, Out]):
    """An option of a handler. None, given as a value, means that it is left out."""

    def __set_name__(self, owner: type, name: str) -> None:
        # The default is what the option reads as when it is left out; it is not converted.
        self.name = name

    def __set__(self, instance: object, value: In) -> None:
        left_out = value is None or value is self.default
        found = self.default if left_out else self.convert(value, f"{self.name}=")
        instance.__dict__[self.name] = found


def options(cls: type) -> dict[str, Option[t.Any, t.Any]]:
    """The options of a handler class, by name."""
    found = {name: item for base in reversed(cls.__mro__) for name, item in vars(base).items()}
    return {name: item for name, item in found.items() if isinstance(item, Option)}


def read(
    known: Mapping[str, Option[t.Any, t.Any]],
    values: Mapping[str, object],
    label: Callable[[str], str],
) -> dict[str, t.Any]:
    """Read those *values* that are options; None is left out.

    :param label: How the writer knows an option: ``port`` -> ``MAIL_PORT``.
    :raises ConfigurationError: for the first wrong value.
    """
    return {
        name: option.convert(values[name], label(name))
        for name, option in known.items()
        if values.get(name) is not None
    }


def key(name: str) -> str:
    """The key of an option in a Flask app's configuration."""
    return f"MAIL_{name.upper()}"


# Readers


def text(value: object, name: str) -> str:
    """A string without control characters. An int is taken for the text it was."""
    found = str(value) if type(value) is int else plain(value)
    if found is None:
        raise ConfigurationError(f"{name} must be text, not {shorten(value)}.{_unquoted(name)}")
    try:
        return check_text(found, name)
    except MessageError as error:
        raise ConfigurationError(str(error)) from None


def secret(value: object, name: str) -> Secret:
    """Text that is never shown, not in an error either."""
    if isinstance(value, Secret):
        return value
    found = str(value) if type(value) is int else plain(value)
    if found is None:
        kind = type(value).__name__
        raise ConfigurationError(f"{name} must be text, and it is a {kind}.{_unquoted(name)}")
    if re.search("[\x00-\x1f\x7f\ud800-\udfff]", found):
        raise ConfigurationError(
            f"{name} has a control character, or is not in UTF-8. Is there a line end in it?"
        )
    return Secret(found)


def _unquoted(name: str) -> str:
    """Why a key may hold what nobody has written: ``from_prefixed_env`` reads JSON."""
    if not (name.startswith("MAIL_") and name.isidentifier()):
        return ""
    return (
        " In the environment, quote a value that would be read as a number or a word of JSON:"
        f""" FLASK_{name}='"..."'."""
    )


_QUOTED = (
    "In the user name and the password, write '@', ':', '/', '?', '#' and '%' as %40, %3A, %2F,"
    " %3F, %23, %25."
)
SET_MAIL_URL = "Set MAIL_URL to the URL, or the 'url' of an account."


def refuse_url(value: object, name: str, wanted: str, instead: str = SET_MAIL_URL) -> None:
    """Refuse a URL where none belongs, without showing it: there may be a password in it.

    :param wanted: What belongs there.
    :param instead: Where the URL belongs.
    :raises ConfigurationError: naming the right place for it.
    """
    if re.search("@|://", repr(value)):
        raise ConfigurationError(
            f"{name} must be {wanted}, and it has '@' or '://' in it, as a URL has. {instead}"
        )


def token(value: object, name: str) -> Secret | Callable[[], str]:
    """A token, or a callable without arguments that returns one."""
    return t.cast("Callable[[], str]", value) if callable(value) else secret(value, name)


def boolean(value: object, name: str) -> bool:
    """True or False, or a word for it."""
    words = {"true": True, "yes": True, "on": True, "1": True}
    words |= {"false": False, "no": False, "off": False, "0": False, "": False}
    found = value if isinstance(value, bool) else words.get(str(value).strip().lower())
    if found is None:
        raise ConfigurationError(f"{name} must be true or false, not {shorten(value)}.")
    return found


def integer(low: int, high: int) -> Reader[int]:
    """A whole number from *low* to *high*."""

    def read(value: object, name: str) -> int:
        found = str(value).strip()
        if isinstance(value, bool) or not re.fullmatch("-?[0-9]{1,9}", found):
            raise ConfigurationError(f"{name} must be a whole number, not {shorten(value)}.")
        if not low <= int(found) <= high:
            raise ConfigurationError(f"{name} must be from {low} to {high}, not {found}.")
        return int(found)

    return read


def seconds(value: object, name: str) -> float:
    """A time in seconds, more than 0."""
    try:
        found = float("nan") if isinstance(value, bool) else float(t.cast(str, value))
    except (TypeError, ValueError):
        found = float("nan")
    if not 0 < found < 1e9:
        raise ConfigurationError(
            f"{name} must be a number of seconds over 0, not {shorten(value)}."
        )
    return found


def choice(*allowed: str) -> Reader[str]:
    """One of these words."""

    def read(value: object, name: str) -> str:
        found = text(value, name).strip().lower()
        if found not in allowed:
            raise ConfigurationError(
                f"{name} must be one of {', '.join(map(repr, allowed))}, not {shorten(value)}."
            )
        return found

    return read


def path(value: object, name: str) -> str:
    """The path of a file or folder."""
    return text(os.fspath(value) if isinstance(value, os.PathLike) else value, name)


def address(value: object, name: str) -> Address:
    """One address: ``Ann <ann@example.com>`` or a pair."""
    try:
        return parse_address(tuple(value) if isinstance(value, list) else value, name)
    except MessageError as error:
        raise ConfigurationError(str(error)) from None


def addresses(value: object, name: str) -> Addresses:
    """Several addresses: a list, or one string with commas between."""
    try:
        return parse_addresses(split(value) if isinstance(value, str) else value, name)
    except MessageError as error:
        raise ConfigurationError(str(error)) from None


def allowed(value: object, name: str) -> tuple[str, ...]:
    """Addresses and ``@domains``, the domains in lower case."""
    items = [*split(value)] if isinstance(value, str) else value
    if not isinstance(items, Iterable):
        raise ConfigurationError(f"{name} takes addresses and @domains, not {shorten(value)}.")
    found = []
    for item in items:
        # A domain is checked as that of an address is.
        item = item.removeprefix("*") if isinstance(item, str) else item
        domain = isinstance(item, str) and item.startswith("@")
        checked = address(f"anybody{item}" if domain else item, name)
        found.append(f"@{checked.domain}" if domain else str(checked))
    return tuple(found)


def rate(value: object, name: str) -> Limits:
    """``"14/s; 500/h"`` as (number, seconds) pairs."""
    units = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    found = []
    for part in text(value, name).split(";"):
        limit = re.fullmatch(r"\s*([0-9]{1,9})\s*/\s*([a-z]+)\s*", part)
        if not limit or limit[2] not in units or not int(limit[1]):
            raise ConfigurationError(
                f"{name} must be like '14/s; 500/h' (s, min, h or d), not {shorten(value)}."
            )
        found.append((int(limit[1]), units[limit[2]]))
    return tuple(found)


def anything(value: T, name: str) -> T:
    """A value that only its user can judge."""
    return value


def instance_of(module: str, cls: str) -> Reader[t.Any]:
    """An object of a class that is not imported for this."""

    def read(value: object, name: str) -> object:
        kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(value).__mro__}
        if f"{module}.{cls}" not in kinds:
            raise ConfigurationError(f"{name} must be an {module}.{cls}, not {shorten(value)}.")
        return value

    return read


def split(value: str) -> Iterator[str]:
    """Split at commas that stand neither in quotes nor in angle brackets."""
    for part in re.findall(r'(?:"(?:[^"\\]|\\.)*"|<[^>]*>|[^,])+', value):
        if part.strip():
            yield part.strip()


# A URL


def parse_url(value: object, name: str) -> dict[str, object]:
    """Read ``smtps://user:p%40ss@host:465?timeout=10``, ``console:``, ``file:///path``.

    :return: Options as text, with ``handler`` among them.
    :raises ConfigurationError: that does not show the URL, for it may hold a password.
    """
    from urllib.parse import parse_qsl
    from urllib.parse import unquote
    from urllib.parse import urlsplit

    found: dict[str, object] = {}
    # What a file or a shell gives may end a line. Within a URL, urlsplit would drop line ends.
    given = secret(value.strip() if isinstance(value, str) else value, name)
    try:
        url = urlsplit(given.reveal())
        # Of an unescaped '#', '/' or '?' in a password all that follows would be lost.
        if url.fragment or not url.scheme:
            raise ValueError
        query = parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query))
        host, port = url.hostname, url.port
        user, password = (
            escaped and unquote(escaped, errors="strict")
            for escaped in (url.username, url.password)
        )
    except ValueError:
        raise ConfigurationError(
            f"{name} must be like 'smtps://user:password@host', 'smtp://host:587' or 'console:',"
            f" the port from 1 to 65535. {_QUOTED}"
        ) from None
    handler = {"smtps": "smtp"}.get(url.scheme, url.scheme)
    if handler == "smtp":
        if not host or url.path.strip("/"):
            raise ConfigurationError(
                f"{name} needs a host, and after it nothing but a query. {_QUOTED}"
            )
        found = {"host": host, "port": port, "security": "tls" if url.scheme == "smtps" else None}
        found |= {"username": user, "password": password}
    elif handler == "file":
        found = {"folder": unquote(url.path) or None}
    elif url.netloc or url.path:
        raise ConfigurationError(
            f"{name} begins with '{handler}:', behind which only options can stand, as in"
            f" '{handler}:?option=value'. A server is written 'smtps://user:password@host' or"
            " 'smtp://host:587', a folder 'file:///path'."
        )
    found = {key: item for key, item in found.items() if item is not None}
    return {"handler": handler, **found, **dict(query)}
