"""Where an app's mail templates live: its own loader, filters and globals, with other rules."""

from __future__ import annotations

import typing as t
from collections import ChainMap
from collections.abc import Callable
from collections.abc import MutableMapping
from pathlib import Path

from flask import Flask
from jinja2 import ChoiceLoader
from jinja2 import Environment
from jinja2 import FileSystemLoader
from jinja2 import StrictUndefined

from . import markdown

_OURS = Path(__file__).parent / "templates"


class Environments:
    """One for each way to escape, whatever the file's ending.

    :param functions: Globals that are there in mail templates only.
    """

    def __init__(self, app: Flask, functions: dict[str, Callable[..., t.Any]]) -> None:
        self._shared = app.jinja_env
        self._functions = functions
        loaders = [self._shared.loader, FileSystemLoader(_OURS)]
        self._loader = ChoiceLoader([loader for loader in loaders if loader is not None])
        self.html = self._overlay(autoescape=True)
        self.text = self._overlay(autoescape=False)
        self.markdown = self._markdown()

    def _overlay(self, **rules: t.Any) -> Environment:
        made = self._shared.overlay(
            loader=self._loader,
            undefined=StrictUndefined,
            # What the app has compiled and kept does not escape as we do.
            bytecode_cache=None,
            enable_async=False,
            **rules,
        )
        made.globals = _chain(self._functions, self._shared.globals)
        return made

    def _markdown(self) -> Environment:
        finalize = t.cast("Callable[[t.Any], t.Any] | None", self._shared.finalize)
        made = self._overlay(
            autoescape=True,
            finalize=lambda value: markdown.hide(finalize(value) if finalize else value),
        )
        newstyle = getattr(made, "newstyle_gettext", None)
        if newstyle is not None:
            translated = markdown.gettext(made.globals, newstyle)
            made.globals = _chain(translated, made.globals)
            t.cast(t.Any, made).newstyle_gettext = True
        made.filters = _chain(markdown.filters(), self._shared.filters)
        return made


def _chain(ours: dict[str, t.Any], theirs: MutableMapping[str, t.Any]) -> t.Any:
    """What is added to theirs later is there, too."""
    return ChainMap(ours, theirs)
