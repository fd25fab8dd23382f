"""Errors in a template name its file, and say what to write."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator

from jinja2 import Template
from jinja2 import TemplateNotFound
from jinja2 import UndefinedError

from ..errors import MessageError

# A template is rarely extended by so many templates that extend one another.
_MANY = 20
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


def check_for_a_cycle(error: RecursionError, layout: object) -> None:
    """Check whether templates extend one another, so that no end was found.

    :param layout: The variable ``mail_layout``.
    :raises MessageError: if a template extends itself, or one that extends it.
    """
    # Jinja renders a template that extends another in its function "root".
    roots = [template.name for template, _, function in _steps(error) if function == "root"]
    cycle = [name for name, times in Counter(roots).items() if times > _MANY and name is not None]
    if layout in cycle:
        raise MessageError(
            f"{layout} extends itself, because it is the layout of this mail: {{% extends"
            f' mail_layout %}} extends {layout}. Write {{% extends "mailhandler/layout.html" %}}'
            " there."
        ) from None
    if cycle:
        raise MessageError(
            f"{cycle[0]} extends itself. The templates of the cycle are {', '.join(cycle)}."
        ) from None


def _place(error: Exception) -> str | None:
    """Return the innermost line of a template that the error passed through."""
    place = None
    for template, line, _ in _steps(error):
        place = f"{template.name}, line {template.get_corresponding_lineno(line)}"
    return place


def _steps(error: Exception) -> Iterator[tuple[Template, int, str]]:
    """Yield each template that the error passed through, the compiled line, and the function."""
    step = error.__traceback__
    while step is not None:
        template = step.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            yield template, step.tb_lineno, step.tb_frame.f_code.co_name
        step = step.tb_next


def _hint(text: str, known: Iterable[str]) -> str:
    found = _VARIABLE.fullmatch(text)
    if not found:
        return ""
    if found[1] == "unsubscribe_url":
        return " Name the list that the reader can leave: render(..., unsubscribe='newsletter')."
    near = difflib.get_close_matches(found[1], sorted(known), 1, 0.65)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    return f"{meant} Pass it in the second argument: render(..., {{{found[1]!r}: ...}})."
