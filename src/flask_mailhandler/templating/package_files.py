"""The files of this package that are not Python: templates, style sheets, scripts.

They are read as resources, because the package may be in a zip archive or a frozen program, which
has no folders.
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
    """Return a file or folder by its path in the package."""
    return resources.files("flask_mailhandler").joinpath(*path)


class PackageLoader(BaseLoader):
    """Loads templates from the ``templates`` folder in a folder of the package."""

    def __init__(self, part: str) -> None:
        self._folder = package_file(part, "templates")

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        found = self._folder.joinpath(*split_template_path(template))
        if not found.is_file():
            raise TemplateNotFound(template)
        # They only change when the package does.
        return found.read_text("utf-8"), str(found), lambda: True

    def list_templates(self) -> list[str]:
        return sorted(
            f"{folder.name}/{file.name}"
            for folder in self._folder.iterdir()
            for file in folder.iterdir()
        )
