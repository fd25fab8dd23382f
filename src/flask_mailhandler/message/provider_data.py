"""Metadata, and options for the API of a provider: checked, and unable to change."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from ..errors import MessageError
from ..frozen import FrozenMapping
from ..text.checks import check_text
from ..text.checks import plain
from ..text.checks import shorten

_LONGEST_KEY = 100
_PROVIDER = "[a-z][a-z0-9_-]{0,49}"
_DEEPEST = 20
_TOO_LARGE = 2.0**64


def read_metadata(value: object, field: str) -> FrozenMapping[str]:
    """Read texts by name."""
    found = _pairs(value, field, "{'order': '17'}")
    return FrozenMapping(dict([_text_pair(*pair, field) for pair in found.items()]))


def _pairs(value: object, field: str, example: str) -> Mapping[t.Any, t.Any]:
    if isinstance(value, Mapping):
        return value
    raise MessageError(f"{field} takes a mapping, such as {example}, not {shorten(value)}.")


def _text_pair(key: object, value: object, field: str) -> tuple[str, str]:
    name, text = plain(key), plain(value)
    if name is None or not name.strip() or len(name) > _LONGEST_KEY:
        raise MessageError(
            f"{field} takes names of up to {_LONGEST_KEY} characters that are not blank, such as"
            f" 'order', not {shorten(key)}."
        )
    check_text(name, field)
    if text is None:
        raise MessageError(
            f"{field} takes strings, and {shorten(name)} is {shorten(value)}: write str(...)."
        )
    return name, check_text(text, f"{field}[{shorten(name)}]")


def read_options(value: object, field: str) -> FrozenMapping[FrozenMapping[t.Any]]:
    """Read an object of JSON for each provider."""
    found = {}
    for key, options in _pairs(value, field, "{'postmark': {...}}").items():
        provider = plain(key)
        if provider is None or not re.fullmatch(_PROVIDER, provider):
            raise MessageError(
                f"{field} takes names of providers in lower case, such as 'postmark', not"
                f" {shorten(key)}."
            )
        found[provider] = _frozen_object(options, f"{field}[{provider!r}]", _DEEPEST)
    return FrozenMapping(found)


def _frozen_object(value: object, where: str, deepest: int) -> FrozenMapping[t.Any]:
    found = {}
    for key, item in _pairs(value, where, "{'Name': 'value'}").items():
        name = plain(key)
        if name is None:
            raise MessageError(f"{where} takes strings as names, not {shorten(key)}.")
        _check_utf8(name, where)
        found[name] = _frozen(item, f"{where}[{shorten(name)}]", deepest - 1)
    return FrozenMapping(found)


def _frozen(value: object, where: str, deepest: int) -> object:
    if not deepest:
        raise MessageError(f"{shorten(where)} is nested deeper than {_DEEPEST} levels.")
    if isinstance(value, Mapping):
        return _frozen_object(value, where, deepest)
    if isinstance(value, list | tuple):
        return tuple([_frozen(item, where, deepest - 1) for item in value])
    if (text := plain(value)) is not None:
        return _check_utf8(text, where)
    if value is None or (isinstance(value, int | float) and abs(value) < _TOO_LARGE):
        return value  # not nan, which is smaller than nothing
    raise MessageError(
        f"{where} takes what JSON has: strings, numbers below 2**64, True, False, None, lists and"
        f" mappings, not {shorten(value)}."
    )


def _check_utf8(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MessageError(f"{where} cannot be written as UTF-8: {error}.") from None
    return text
