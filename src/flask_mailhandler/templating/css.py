"""CSS from ``<style>`` into ``style=""``, where every mail client sees it: css-inline, the extra
``css``."""

from __future__ import annotations

import re
from collections.abc import Callable

_STYLE = re.compile(r"<style[\s>]", re.I)


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
    return lambda html: found.inline(html) if _STYLE.search(html) else html
