"""Options: one field of a dataclass is a setting's name, types, default, reader and documentation.

A handler takes an option as a keyword argument, an app as a ``MAIL_*`` key, a URL in its query, and
the environment as ``FLASK_MAIL_*``.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Mapping

from .field import Field
from .field import In
from .field import Out


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
