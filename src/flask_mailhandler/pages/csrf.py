"""Pages that need no token of Flask-WTF."""

from __future__ import annotations

import functools
import sys
import typing as t

from flask import Blueprint
from flask import current_app


def exempt(blueprint: Blueprint) -> None:
    """Exempt a blueprint from the CSRFProtect of its app."""
    blueprint.url_value_preprocessor(functools.partial(_exempt, blueprint))


def _exempt(blueprint: Blueprint, endpoint: str | None, values: dict[str, t.Any] | None) -> None:
    """Do it in each request, as the app may set up its protection after the blueprint. This runs
    before the functions of the app and its extensions."""
    module = sys.modules.get("flask_wtf.csrf")
    protection: t.Any = current_app.extensions.get("csrf")
    if module is not None and isinstance(protection, module.CSRFProtect):
        protection.exempt(blueprint)
