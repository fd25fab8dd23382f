"""Errors in a template name its file and line, and say what to write."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from jinja2 import TemplateNotFound
from jinja2 import UndefinedError

_VARIABLE = re.compile(r"'(\w+)' is undefined")


def name_the_line(error: Exception, known: Iterable[str]) -> None:
    """Put the file and the line into the text of an undefined variable or a missing file.

    A log may have this text alone, without the traceback.

    :param known: The names that the template could have meant.
    """
    place = _place(error)
    if place is None or not isinstance(error, UndefinedError | TemplateNotFound):
        return
    text = str(error)
    if isinstance(error, TemplateNotFound):
        if error.name == text:
            error.message = f"{place}: there is no template {text!r}."
    elif not text.startswith(f"{place}: "):
        error.args = (f"{place}: {text}.{_hint(text, known)}",)


def _place(error: Exception) -> str | None:
    """Return the innermost line of a template that the error passed through."""
    place, step = None, error.__traceback__
    while step is not None:
        template = step.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            line = template.get_corresponding_lineno(step.tb_lineno)
            place = f"{template.name}, line {line}"
        step = step.tb_next
    return place


def _hint(text: str, known: Iterable[str]) -> str:
    found = _VARIABLE.fullmatch(text)
    if not found:
        return ""
    near = difflib.get_close_matches(found[1], sorted(known), 1, 0.65)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    return f"{meant} Pass it in the second argument: render(..., {{{found[1]!r}: ...}})."
