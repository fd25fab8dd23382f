"""The style sheets, scripts and the icon of the pages."""

from __future__ import annotations

import hashlib
import io
import re

from flask import abort
from flask import Response
from flask import send_file

from ..templating.package_files import package_file


def static_file(filename: str) -> Response:
    """Return a style sheet, a script or the icon of the pages."""
    found = package_file("pages", "static", filename)
    if not re.fullmatch(r"[a-z]+\.[a-z]+", filename) or not found.is_file():
        abort(404)
    octets = found.read_bytes()
    tag = hashlib.sha256(octets).hexdigest()[:32]
    return send_file(io.BytesIO(octets), download_name=filename, etag=tag)
