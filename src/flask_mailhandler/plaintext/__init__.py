"""The text alternative of a message that was given as HTML only.

    markup    <p>Hi <b>Ann</b>,<ul><li><a href="https://x.example/">this</a></ul>
              |
              | markup          one pattern, one pass
              v
    events    start p · text "Hi " · start b · text "Ann" · end b · text "," · start ul · ...
              |
              | tree_builder    inline elements become text, hidden ones are left out
              |   links           "this (https://x.example/)"
              |   marks           ~~struck out~~, superscript and subscript
              |   numbering       "7." before an item of a list
              v
    blocks    ┬─ p ──── "Hi ", "Ann", ","            block says what a block is
              └─ ul ─── li ─── "this (https://x.example/)"
              |
              | page            blank lines, "- " and "> "
              |   table           which tables become lines or columns
              |   columns         cells in columns
              v
    lines     Hi Ann,

              - this (https://x.example/)

``space`` collapses white space for all of them. Nothing here recurses or reads a text twice, so
depth has no limit and time is linear.
"""

from __future__ import annotations

from .markup import events
from .page import Page
from .tree_builder import build

__all__ = ["plaintext"]


def plaintext(html: str) -> str:
    """Return the text that a careful person would write instead of *html*.

    Links become ``text (url)``, and data tables become columns. Other tables become their content
    in reading order. A paragraph is one line: the mail client wraps it, and a URL stays whole. This
    takes time in proportion to the length of *html*, and never raises.

    .. code-block:: python

        plaintext('<p>See <a href="https://x.example/">this</a>.')
        # See this (https://x.example/).

    :returns: Lines that each end with a newline, or the empty string if there is nothing to read.
    """
    page = Page()
    page.write(build(events(html)))
    return "".join(f"{line}\n" for line in page.lines)
