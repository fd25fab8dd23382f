"""JSON from outside: values of the expected type, or none."""

from __future__ import annotations

import datetime
import hashlib
import json
import typing as t
from collections.abc import Container

from ...net.quoting import escape
from ..delivery_status import MAX_RECIPIENTS
from .call import unreadable

_LONGEST = 500


def parse(body: bytes | str) -> t.Any:
    """Parse the JSON of a provider.

    :raises WebhookError: if it is not JSON, or is nested too deep.
    """
    try:
        text = body if isinstance(body, str) else body.decode()
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        pass
    raise unreadable("its body is not JSON")


def parse_object(body: bytes | str) -> Fields:
    """Parse a JSON object.

    :raises WebhookError: if it is anything else.
    """
    found = parse(body)
    if not isinstance(found, dict):
        raise unreadable("its body is not a JSON object")
    return Fields(found)


def parse_batch(body: bytes) -> list[Fields]:
    """Parse a list of JSON objects. What is not an object is left out.

    :raises WebhookError: if it is not a list.
    """
    found = parse(body)
    if not isinstance(found, list):
        raise unreadable("its body is not a JSON list")
    return [Fields(one) for one in found if isinstance(one, dict)]


def _refuse(constant: str) -> t.NoReturn:
    raise ValueError(constant)


class Fields:
    """The values of a JSON object. A value that is missing or of another type is empty."""

    def __init__(self, found: object) -> None:
        self.found: dict[str, t.Any] = found if isinstance(found, dict) else {}

    def raw(self, name: str) -> str:
        """Return a text as it was sent."""
        value = self.found.get(name)
        return value if isinstance(value, str) else ""

    def text(self, *names: str, most: int = _LONGEST) -> str:
        """Return the first of these values that is a text or a number, in one line that is safe to
        show."""
        for name in names:
            if shown := shown_text(self.found.get(name), most):
                return shown
        return ""

    def inside(self, name: str) -> Fields:
        """Return the object in a field."""
        return Fields(self.found.get(name))

    def several(self, name: str) -> list[Fields]:
        """Return the objects in a list."""
        return [Fields(one) for one in self._list(name) if isinstance(one, dict)]

    def texts(self, name: str) -> list[str]:
        """Return the texts in a list."""
        return [one for one in self._list(name) if isinstance(one, str)]

    def pairs(self, name: str) -> dict[str, str]:
        """Return the texts and numbers of an object by their names, or of a list of objects with
        ``name`` and ``value``."""
        found = self.found.get(name)
        if isinstance(found, list):
            found = {one.raw("name"): one.found.get("value") for one in self.several(name)}
        return Fields(found).pairs_besides(())

    def pairs_besides(self, names: Container[str]) -> dict[str, str]:
        """Return the texts and numbers of other fields than these."""
        shown = {name: shown_text(value) for name, value in self.found.items() if name not in names}
        return {shown_text(name): text for name, text in shown.items() if name and text}

    def flag(self, name: str) -> bool:
        """Return whether a value is true."""
        return self.found.get(name) is True

    def number(self, name: str) -> float | None:
        """Return a number, which may be written as text."""
        value = self.found.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            return float(value)
        except (ValueError, OverflowError):
            return None

    def seconds(self, name: str) -> datetime.datetime | None:
        """Return a time that is written in seconds since 1970."""
        number = self.number(name)
        try:
            return None if number is None else datetime.datetime.fromtimestamp(number, datetime.UTC)
        except (ValueError, OverflowError, OSError):
            return None

    def time(self, *names: str) -> datetime.datetime | None:
        """Return the first of these values that is a time of ISO 8601."""
        for name in names:
            try:
                found = datetime.datetime.fromisoformat(self.raw(name))
                zone = found.tzinfo or datetime.UTC
                return found.replace(tzinfo=zone).astimezone(datetime.UTC)
            except (ValueError, OverflowError):
                continue
        return None

    @property
    def digest(self) -> str:
        """An id for an event that has none."""
        try:
            return hashlib.sha256(json.dumps(self.found, sort_keys=True).encode()).hexdigest()
        except (ValueError, RecursionError):
            pass
        raise unreadable("its body is not JSON")

    def _list(self, name: str) -> list[t.Any]:
        value = self.found.get(name)
        return value[:MAX_RECIPIENTS] if isinstance(value, list) else []


def shown_text(value: object, most: int = _LONGEST) -> str:
    """Return a text or a number in one line that is safe to show, shortened; "" for others."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    line = " ".join(str(value).split())
    return escape(line[:most].encode(errors="backslashreplace"))
