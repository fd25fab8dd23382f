"""The text alternative of a message that was given as HTML only.

    markup    <p>Hi <b>Ann</b>,<ul><li><a href="https://x.example/">this</a></ul>
              |
              | markup.py    one pattern, one pass
              v
    events    start p · text "Hi " · start b · text "Ann" · end b · text "," · start ul · ...
              |
              | blocks.py    inline elements melt into the text, hidden ones are left out
              v
    blocks    ┬─ p ──── "Hi ", "Ann", ","
              └─ ul ─── li ─── "this (https://x.example/)"
              |
              | page.py      blank lines, "- " and "> ", columns
              v
    lines     Hi Ann,

              - this (https://x.example/)

Nothing here recurses and nothing is read again and again, so depth is no limit and time is linear.
"""

from __future__ import annotations

from .blocks import build
from .markup import events
from .page import Page

__all__ = ["plaintext"]


def plaintext(html: str) -> str:
    """What a careful human would write instead of *html*.

    Links become ``text (url)``, tables of data columns, other tables their content in reading
    order. Lines are as long as their paragraph: what shows them wraps them, and a URL must stay
    whole. Takes time in proportion to the length of *html*, and never raises.

    :returns: Lines that each end with a newline, or the empty string if there is nothing to read.
    """
    page = Page()
    page.write(build(events(html)))
    return "".join(f"{line}\n" for line in page.lines)
