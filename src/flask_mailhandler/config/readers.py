"""Readers: each takes a value and returns it as an option's type.

A reader also takes the name of the setting (``MAIL_PORT``, ``port=``). For a wrong value it raises
a :class:`.ConfigurationError` with this name, which says what is allowed.
"""

from __future__ import annotations

import json
import os
import re
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator

from ..address import Address
from ..address import Addresses
from ..address import parse_address
from ..address import parse_addresses
from ..errors import ConfigurationError
from ..errors import MessageError
from ..secret import Secret
from ..text.checks import check_text
from ..text.checks import plain
from ..text.checks import shorten

T = t.TypeVar("T")
Reader: t.TypeAlias = Callable[[t.Any, str], T]
Limits: t.TypeAlias = "tuple[tuple[int, float], ...]"


def text(value: object, name: str) -> str:
    """Read a string without control characters. An int is read as its digits."""
    found = str(value) if type(value) is int else plain(value)
    if found is None:
        raise ConfigurationError(f"{name} must be text, not {shorten(value)}.{_unquoted(name)}")
    try:
        return check_text(found, name)
    except MessageError as error:
        raise ConfigurationError(str(error)) from None


def secret(value: object, name: str) -> Secret:
    """Read text that is never shown, not even in an error."""
    if isinstance(value, Secret):
        return value
    found = str(value) if type(value) is int else plain(value)
    if found is None:
        kind = type(value).__name__
        raise ConfigurationError(f"{name} must be text, but its type is {kind}.{_unquoted(name)}")
    if re.search("[\x00-\x1f\x7f\ud800-\udfff]", found):
        raise ConfigurationError(
            f"{name} has a control character, or is not UTF-8. Does it contain a line break?"
        )
    return Secret(found)


def _unquoted(name: str) -> str:
    """Explain why a key may have an unexpected type: ``from_prefixed_env`` reads JSON."""
    if not (name.startswith("MAIL_") and name.isidentifier()):
        return ""
    return (
        " In the environment, quote a value that JSON would read as a number or a word:"
        f""" FLASK_{name}='"..."'."""
    )


def token(value: object, name: str) -> Secret | Callable[[], str]:
    """Read a token, or a callable without arguments that returns one."""
    return t.cast("Callable[[], str]", value) if callable(value) else secret(value, name)


def boolean(value: object, name: str) -> bool:
    """Read True or False, or one of the words *true*, *false*, *yes*, *no*, *on* and *off*."""
    words = {"true": True, "yes": True, "on": True, "1": True}
    words |= {"false": False, "no": False, "off": False, "0": False, "": False}
    found = value if isinstance(value, bool) else words.get(str(value).strip().lower())
    if found is None:
        raise ConfigurationError(f"{name} must be true or false, not {shorten(value)}.")
    return found


def integer(low: int, high: int) -> Reader[int]:
    """Return a reader of a whole number from *low* to *high*."""

    def read(value: object, name: str) -> int:
        found = str(value).strip()
        if isinstance(value, bool) or not re.fullmatch("-?[0-9]{1,9}", found):
            raise ConfigurationError(f"{name} must be a whole number, not {shorten(value)}.")
        if not low <= int(found) <= high:
            raise ConfigurationError(f"{name} must be from {low} to {high}, not {found}.")
        return int(found)

    return read


def seconds(value: object, name: str) -> float:
    """Read a number of seconds, more than 0."""
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
    """Return a reader of one of these words."""

    def read(value: object, name: str) -> str:
        found = text(value, name).strip().lower()
        if found not in allowed:
            raise ConfigurationError(
                f"{name} must be one of {', '.join(map(repr, allowed))}, not {shorten(value)}."
            )
        return found

    return read


def path(value: object, name: str) -> str:
    """Read the path of a file or folder."""
    return text(os.fspath(value) if isinstance(value, os.PathLike) else value, name)


def address(value: object, name: str) -> Address:
    """Read one address: ``Ann <ann@example.com>``, or a pair of name and address."""
    try:
        return parse_address(tuple(value) if isinstance(value, list) else value, name)
    except MessageError as error:
        raise ConfigurationError(str(error)) from None


def addresses(value: object, name: str) -> Addresses:
    """Read several addresses: a list, or one string with commas between them."""
    try:
        return parse_addresses(split(value) if isinstance(value, str) else value, name)
    except MessageError as error:
        raise ConfigurationError(str(error)) from None


def allowed(value: object, name: str) -> tuple[str, ...]:
    """Read addresses and ``@domains``; the domains are in lower case in the result."""
    items = [*split(value)] if isinstance(value, str) else value
    if not isinstance(items, Iterable):
        raise ConfigurationError(f"{name} takes addresses and @domains, not {shorten(value)}.")
    found = []
    for item in items:
        # A domain is checked like the domain of an address.
        item = item.removeprefix("*") if isinstance(item, str) else item
        domain = isinstance(item, str) and item.startswith("@")
        checked = address(f"anybody{item}" if domain else item, name)
        found.append(f"@{checked.domain}" if domain else str(checked))
    return tuple(found)


def rate(value: object, name: str) -> Limits:
    """Read ``"14/s; 500/h"`` as pairs of number and seconds."""
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
    """Return the value unchecked, for an option that is checked where it is used."""
    return value


def from_json(value: object) -> object:
    """Return what a text says as JSON, since an environment variable is a text; None if it is not
    JSON. Any other value is returned as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def instance_of(module: str, cls: str) -> Reader[t.Any]:
    """Return a reader of an object of a class, which is not imported for the check.

    :param module: The module that defines the class, such as ``ssl``.
    :param cls: The name of the class, such as ``SSLContext``.
    """

    def read(value: object, name: str) -> object:
        kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(value).__mro__}
        if f"{module}.{cls}" not in kinds:
            raise ConfigurationError(f"{name} must be an {module}.{cls}, not {shorten(value)}.")
        return value

    return read


def split(value: str) -> Iterator[str]:
    """Split at commas, except inside quotes and angle brackets."""
    for part in re.findall(r'(?:"(?:[^"\\]|\\.)*"|<[^>]*>|[^,])+', value):
        if part.strip():
            yield part.strip()
