"""CSS from ``<style>`` into ``style=""``, where every mail client sees it: the extra ``css``.

::

    <p class="x">                            as it is written
      |
      | mark         each tag gets a number, each rule a custom property
      v
    <p data-n="7" class="x">, .x { --r3: 1 }
      |
      | css-inline   reads it as a browser does
      v
    <p data-n="7" style="--r3: 1">           so rule 3 holds for tag 7
      |
      | cascade      what can be moved, and what must have an !important then
      v
    <p class="x" style="color: red">         nothing else has changed

css-inline says which rules hold for an element, and which of them is the stronger one. It writes
nothing: it would write the document as it understands it, with another document type, and with
elements that are not in the source.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from ..errors import MessageError
from ..plaintext.markup import End
from ..plaintext.markup import events
from ..plaintext.markup import Start

_DEEPEST = 500
# https://html.spec.whatwg.org/multipage/syntax.html#void-elements, and those that end by themselves
# before the next of their kind: they go no deeper than what they are in.
_NOT_NESTED = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"}
_NOT_NESTED |= {"track", "wbr", "body", "colgroup", "dd", "dt", "head", "html", "li", "optgroup"}
_NOT_NESTED |= {"option", "p", "tbody", "td", "tfoot", "th", "thead", "tr"}


def inliner() -> Callable[[str], str]:
    """Return a function that moves the CSS of a document; without the extra it moves nothing.

    Where an element looks like something only at times (media queries, ``:hover``, what a client
    adds) that stays in ``<style>``. Nothing is read and nothing is fetched.
    """
    try:
        for library in ("css_inline", "tinycss2"):
            importlib.import_module(library)
    except ModuleNotFoundError:
        return str
    from .moving import Mover

    mover = Mover()

    def inline(html: str) -> str:
        if "<style" not in html.lower():
            return html
        _check_depth(html)
        return mover.move(html)

    return inline


def _check_depth(html: str) -> None:
    """The inliner recurses, and what is too deep for it ends the process.

    :raises MessageError: if elements are nested more than 500 deep.
    """
    if html.count("<") <= _DEEPEST:
        return
    depth = 0
    for event in events(html):
        if isinstance(event, Start):
            depth += event.tag not in _NOT_NESTED
        elif isinstance(event, End):
            depth -= event.tag not in _NOT_NESTED
        if depth > _DEEPEST:
            raise MessageError(f"The HTML has elements nested more than {_DEEPEST} deep.")
