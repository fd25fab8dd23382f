"""Moving the CSS of one document. Every tag stays as it was written, except for ``style=""``."""

from __future__ import annotations

import functools

from .document import Page
from .matching import Matcher
from .plan import Element
from .plan import Plan


class Mover:
    """Moves the CSS of documents. Messages of one template differ in their words, and rarely in the
    rules that apply to their elements, so the plan is cached."""

    def __init__(self) -> None:
        self._matcher = functools.lru_cache(64)(Matcher)
        self._plan = functools.lru_cache(64)(Plan)

    def move(self, html: str) -> str:
        """Return the document with all CSS moved that can be moved."""
        page = Page(html)
        if not page.sources:
            return html
        matcher = self._matcher(tuple(page.sources))
        elements: dict[int, Element] = {}
        others: set[str] = set()
        for mark, marks in matcher.match(page.marked()):
            here = int(mark or -1)
            if here not in page.tags or page.is_left_alone(here):
                others.add(marks)
            elif here not in elements:
                elements[here] = Element(marks, page.own_style(here))
        plan = self._plan(
            matcher,
            frozenset(elements.values()),
            frozenset(others),
            frozenset(page.hidden_words),
        )
        styles = {
            here: style
            for here, element in elements.items()
            if (style := plan.styles.get(element)) is not None
        }
        return page.written(styles, plan.sheets)
