"""Classes that a setting names: handlers, and the queue's engines."""

from __future__ import annotations

import sys
import typing as t
from collections.abc import Mapping

from ..errors import ConfigurationError
from ..frozen import Frozen
from .url import refuse_url

C = t.TypeVar("C")

_PACKAGE = __name__.partition(".")[0]


class Kind(Frozen):
    """A kind of class, and how a setting can name one.

    :param noun: The word for it in errors, such as ``handler``.
    :param built_in: The classes of this package: from a name to ``package.module:Class``.
    :param entry_points: The entry point group in which other packages name theirs.
    :param url_belongs: For an error if the setting is a URL: where to write it instead.
    """

    noun: str
    built_in: Mapping[str, str]
    entry_points: str
    url_belongs: str

    def find(self, wanted: object, setting: str, base: type[C]) -> type[C]:
        """Find a class by its name, its entry point or ``package.module:Class``.

        :param wanted: One of these, or the class itself.
        :param setting: The name of the setting, for errors.
        :raises ConfigurationError: if it is not found, or not derived from *base*.
        """
        refuse_url(wanted, setting, f"one of {self._names}", self.url_belongs)
        found = self._named(wanted, setting) if isinstance(wanted, str) else wanted
        if not isinstance(found, type) or not issubclass(found, base):
            raise ConfigurationError(
                f"{setting} must be one of {self._names}, the name of an installed {self.noun},"
                f" 'package.module:Class', or a class derived from {base.__name__}, not {found!r}."
            )
        return found

    def is_installed(self, name: str) -> bool:
        """Whether it is the name of a built-in class or of an entry point."""
        if name in self.built_in:
            return True
        from importlib.metadata import entry_points

        return bool(entry_points(group=self.entry_points, name=name))

    @property
    def _names(self) -> str:
        return ", ".join(map(repr, self.built_in))

    def _named(self, wanted: str, setting: str) -> object:
        if wanted in self.built_in:
            # The import fails only if the library of an extra is not installed.
            what_to_do = f" Write pip install 'Flask-MailHandler[{wanted}]'."
            return _load(self.built_in[wanted], f"{setting} = {wanted!r}", what_to_do)
        if ":" in wanted:
            return _load(wanted, f"{setting} = {wanted!r}")
        from importlib.metadata import entry_points

        for entry in entry_points(group=self.entry_points, name=wanted):
            return _load(entry.value, f"{setting} = {wanted!r}, which is {entry.value},")
        raise ConfigurationError(
            f"{setting} = {wanted!r} is not a known {self.noun}. Built in: {self._names}."
            f" Others can be installed through the entry point {self.entry_points!r}, or written"
            " 'package.module:Class'."
        )


def _load(place: str, what: str, what_to_do: str = "") -> object:
    import importlib

    module, _, attribute = place.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        missing = getattr(error, "name", None) or ""
        is_ours = f"{missing}.".startswith(f"{_PACKAGE}.")
        is_it = bool(missing) and f"{module}.".startswith(f"{missing}.")
        if getattr(sys, "frozen", False) and (is_ours or is_it):
            # A program that collects imports does not see a module that is found by its name.
            what_to_do = f" Freeze it too: with PyInstaller, add --hidden-import {module}."
        elif is_ours:
            what_to_do = " Is Flask-MailHandler installed completely?"
        raise ConfigurationError(f"{what} cannot be imported: {error}.{what_to_do}") from error
