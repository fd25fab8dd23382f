"""CSS from ``<style>`` into ``style=""``, where every mail client sees it: css-inline, the extra
``css``."""

from __future__ import annotations

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
    """Return a function that moves the CSS of a document; without css-inline it moves nothing.

    What cannot be moved stays where it is: media queries, ``:hover`` and its like. ``!important``
    is kept. Nothing is read and nothing is fetched.
    """
    try:
        from css_inline import CSSInliner
    except ModuleNotFoundError:
        return str
    # By default it loads what <link> names, files of this machine among it.
    found = CSSInliner(
        load_remote_stylesheets=False, keep_style_tags=True, remove_inlined_selectors=True
    )

    def inline(html: str) -> str:
        if "<style" not in html.lower():
            return html
        _check_depth(html)
        return found.inline(html)

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
