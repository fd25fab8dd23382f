"""Style sheets, scripts and the icon of the pages.

They are read as resources of the package, which may be in a zip file, where Flask finds none.
"""

from __future__ import annotations

import importlib.resources
import typing as t

from flask import abort
from flask import request
from flask import Response

if t.TYPE_CHECKING:
    from importlib.resources.abc import Traversable

# Not asked of the system, whose answer for .js is wrong on some.
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def static_files() -> dict[str, Traversable]:
    """Return the files by name."""
    folder = importlib.resources.files(__package__) / "static"
    return {file.name: file for file in folder.iterdir()}


def static_file(filename: str) -> Response:
    """Answer with a file, or 304 if it has not changed."""
    file = static_files().get(filename)
    mimetype = _TYPES.get(filename.rpartition(".")[2])
    if file is None or mimetype is None:
        abort(404)
    response = Response(file.read_bytes(), mimetype=mimetype)
    response.cache_control.no_cache = True
    response.add_etag()
    response.make_conditional(request)
    return response
