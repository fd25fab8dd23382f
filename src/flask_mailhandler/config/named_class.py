"""Classes that a setting names: handlers, and engines of the queue."""

from __future__ import annotations

import dataclasses
import sys
import typing as t
from collections.abc import Mapping

from ..errors import ConfigurationError
from .url import refuse_url

C = t.TypeVar("C")

_PACKAGE = __name__.partition(".")[0]


@dataclasses.dataclass(frozen=True)
class Kind:
    """What may be written where a class of some kind is wanted.

    :param noun: ``handler``.
    :param built_in: The places ``pkg.mod:Class`` of our own ones.
    :param entry_points: The group in which other packages name theirs.
    :param url_belongs: What to set to a URL, for people who write one here.
    """

    noun: str
    built_in: Mapping[str, str]
    entry_points: str
    url_belongs: str

    def find(self, wanted: object, setting: str, base: type[C]) -> type[C]:
        """Find a class by its name, its entry point, its place ``pkg.mod:Class``, or take the
        class itself.

        :param setting: Where it was written.
        :raises ConfigurationError: if there is none, or it is not derived from ``base``.
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
            # Only that of a library of which nobody has installed the extra is not there.
            what_to_do = f" Write pip install 'Flask-MailHandler[{wanted}]'."
            return _load(self.built_in[wanted], f"{setting} = {wanted!r}", what_to_do)
        if ":" in wanted:
            return _load(wanted, f"{setting} = {wanted!r}")
        from importlib.metadata import entry_points

        for entry in entry_points(group=self.entry_points, name=wanted):
            return _load(entry.value, f"{setting} = {wanted!r}, which is {entry.value},")
        raise ConfigurationError(
            f"{setting} = {wanted!r} is not a known {self.noun}. Built in: {self._names}."
            f" Others are installed with an entry point {self.entry_points!r}, or written"
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
            # What is found by name is seen by no program that looks for imports.
            what_to_do = f" Freeze it too: with PyInstaller, --hidden-import {module}."
        elif is_ours:
            what_to_do = " Is Flask-MailHandler installed as a whole?"
        raise ConfigurationError(f"{what} cannot be imported: {error}.{what_to_do}") from error
