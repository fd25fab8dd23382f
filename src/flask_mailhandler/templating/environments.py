"""Jinja environments for mail templates: the app's loader, filters and globals, other escaping."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing as t
from collections import ChainMap
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import MutableMapping

from jinja2 import ChoiceLoader
from jinja2 import Environment
from jinja2 import StrictUndefined
from jinja2.runtime import Context

from ..errors import MessageError
from . import markdown
from .blocks import Rendered
from .package_files import PackageLoader

if t.TYPE_CHECKING:
    from flask.sansio.app import App

Functions: t.TypeAlias = "dict[str, Callable[..., t.Any]]"


@dataclasses.dataclass(frozen=True)
class Escaping:
    """An environment with one way to escape, which also applies to layouts and macros."""

    environment: Environment
    shared: Mapping[str, t.Any]
    """The app's globals."""
    functions: Functions
    """The globals that only mail templates have."""

    def render(
        self, name: str, variables: Mapping[str, t.Any], silent: Collection[str] | None = ()
    ) -> Rendered:
        """Render a template; see :class:`.Rendered`."""
        template = self.environment.get_template(name)
        return Rendered(template, {**self.shared, **self.functions, **variables}, silent)


class Environments:
    """The three environments of an app. The part decides which one is used, not the ending of the
    file name.

    :param functions: The globals that only mail templates have.
    """

    def __init__(self, app: App, functions: Functions) -> None:
        self._shared = app.jinja_env
        loaders = [self._shared.loader, PackageLoader("templating")]
        self._loader = ChoiceLoader([loader for loader in loaders if loader is not None])
        self.html: Escaping = self._escaping(functions, autoescape=True)
        self.text: Escaping = self._escaping(functions, autoescape=False)
        self.markdown: Escaping = self._markdown(functions)

    def _escaping(self, functions: Functions, **rules: t.Any) -> Escaping:
        if self._shared.is_async:  # Quart awaits what its templates call
            finalize = rules.get("finalize", self._shared.finalize)
            rules["finalize"] = functools.partial(_refuse_coroutine, finalize)
        made = self._shared.overlay(
            loader=self._loader,
            undefined=StrictUndefined,
            # Templates in the cache of the app were compiled with its escaping.
            bytecode_cache=None,
            enable_async=False,
            **rules,
        )
        if self._shared.is_async:
            made.context_class = _NoAwait
        # For imported macros. A chain, so that globals which the app adds later are included.
        made.globals = _chain(functions, self._shared.globals)
        return Escaping(made, self._shared.globals, functions)

    def _markdown(self, functions: Functions) -> Escaping:
        finalize = t.cast("Callable[[t.Any], t.Any] | None", self._shared.finalize)
        newstyle = bool(getattr(self._shared, "newstyle_gettext", False))
        made = self._escaping(
            {**functions, **markdown.gettext(self._shared.globals, newstyle)},
            autoescape=True,
            finalize=lambda value: markdown.hide(finalize(value) if finalize else value),
        )
        # {% trans %} then passes the variables to our functions.
        t.cast(t.Any, made.environment).newstyle_gettext = True
        made.environment.filters = _chain(
            markdown.filters(self._shared.filters), self._shared.filters
        )
        return made


class _NoAwait(Context):
    """Refuses what an ``async`` function returns before a filter or a test can use it."""

    def call(self, function: t.Any, /, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return _refuse_coroutine(None, super().call(function, *args, **kwargs))


def _refuse_coroutine(finalize: Callable[[t.Any], t.Any] | None, value: t.Any) -> t.Any:
    if isinstance(value, types.CoroutineType):
        value.close()
        raise MessageError(
            f"{value.__qualname__} in a template of a mail is an 'async' function: a mail is"
            " rendered without 'await'. Await it in the view, and pass the result to the template."
        )
    return value if finalize is None else finalize(value)


def _chain(ours: dict[str, t.Any], theirs: MutableMapping[str, t.Any]) -> t.Any:
    return ChainMap(ours, theirs)
