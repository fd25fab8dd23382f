"""Options: one field of a dataclass has a setting's name, types, default, reader and documentation.

An option is set by a keyword argument of its handler, a ``MAIL_*`` key of the app, the query of a
URL, or ``FLASK_MAIL_*`` in the environment.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Mapping

from ..frozen import Field
from ..frozen import In
from ..frozen import Out


class Option(Field[In, Out]):
    """An option of a handler. None as the value means that the option is left out.

    .. code-block:: python

        retries: Option[int | str, int] = Option(integer(0, 9), 3)

    :param convert: A reader, such as :func:`integer`, called with the value and the setting's name.
    :param default: What the option reads as if it is left out.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        # The default of an option is not converted.
        self.name = name

    def __set__(self, instance: object, value: In) -> None:
        left_out = value is None or value is self.default
        found = self.default if left_out else self.convert(value, f"{self.name}=")
        instance.__dict__[self.name] = found


def options(cls: type) -> dict[str, Option[t.Any, t.Any]]:
    """Return the options of a handler class, by name."""
    found = {name: item for base in reversed(cls.__mro__) for name, item in vars(base).items()}
    return {name: item for name, item in found.items() if isinstance(item, Option)}


def read(
    known: Mapping[str, Option[t.Any, t.Any]],
    values: Mapping[str, object],
    label: Callable[[str], str],
) -> dict[str, t.Any]:
    """Read those *values* that are options, except None.

    :param label: Returns the name that errors call an option: ``port`` becomes ``MAIL_PORT``.
    :raises ConfigurationError: for the first wrong value.
    """
    return {
        name: option.convert(values[name], label(name))
        for name, option in known.items()
        if values.get(name) is not None
    }


def key(name: str) -> str:
    """Return the key of an option in the configuration of a Flask app."""
    return f"MAIL_{name.upper()}"
