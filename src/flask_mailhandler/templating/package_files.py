"""The files of this package that are no Python: templates, style sheets, scripts.

They are read as resources, since the package may be in a zip archive or in a frozen program, where
there is no folder.
"""

from __future__ import annotations

import typing as t
from importlib import resources

from jinja2 import BaseLoader
from jinja2 import TemplateNotFound
from jinja2.loaders import split_template_path

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.resources.abc import Traversable

    from jinja2 import Environment


def package_file(*path: str) -> Traversable:
    """A file, or a folder, by its path in the package."""
    return resources.files("flask_mailhandler").joinpath(*path)


class PackageLoader(BaseLoader):
    """Loads templates from the folder ``templates`` of a part of the package."""

    def __init__(self, part: str) -> None:
        self._folder = package_file(part, "templates")

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        found = self._folder.joinpath(*split_template_path(template))
        if not found.is_file():
            raise TemplateNotFound(template)
        # They change with the package only.
        return found.read_text("utf-8"), str(found), lambda: True

    def list_templates(self) -> list[str]:
        return sorted(
            f"{folder.name}/{file.name}"
            for folder in self._folder.iterdir()
            for file in folder.iterdir()
        )
