"""CSS from ``<style>`` into ``style=""``, which every mail client reads: the extra ``css``.

::

    <p class="x">                            the source
      |
      | mark         each tag gets a number, each rule a custom property
      v
    <p data-n="7" class="x">, .x { --r3: 1 }
      |
      | css-inline   applies it as a browser does
      v
    <p data-n="7" style="--r3: 1">           so rule 3 applies to tag 7
      |
      | cascade      what can be moved, and what then needs an !important
      v
    <p class="x" style="color: red">         nothing else changes

css-inline only finds out which rules apply to an element, and which of them are stronger. Its own
output is not used, because it has another document type, and elements that are not in the source.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from ...errors import MessageError
from ...plaintext.markup import End
from ...plaintext.markup import events
from ...plaintext.markup import Start

_DEEPEST = 500
# https://html.spec.whatwg.org/multipage/syntax.html#void-elements, and elements that end before the
# next of their kind without an end tag. These do not nest.
_NOT_NESTED = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"}
_NOT_NESTED |= {"track", "wbr", "body", "colgroup", "dd", "dt", "head", "html", "li", "optgroup"}
_NOT_NESTED |= {"option", "p", "tbody", "td", "tfoot", "th", "thead", "tr"}


def inliner() -> Callable[[str], str]:
    """Return a function that moves the CSS of a document. Without the extra it moves nothing.

    Rules that apply only at times stay in ``<style>``: media queries, ``:hover``, classes that a
    client adds. The function reads no file and fetches no URL.
    """
    try:
        for library in ("css_inline", "tinycss2"):
            importlib.import_module(library)
    except ModuleNotFoundError:
        return str
    from .move import Mover

    mover = Mover()

    def inline(html: str) -> str:
        if "<style" not in html.lower():
            return html
        _check_depth(html)
        return mover.move(html)

    return inline


def _check_depth(html: str) -> None:
    """Check the depth, because css-inline recurses and a too deep document ends the process.

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
