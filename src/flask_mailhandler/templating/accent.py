"""The accent of a mail: the colour of its links and buttons, and the colours made from it.

::

    {% set accent = "#7a1f3d" %}
      |
      | on            white or black, for the words of a button
      | hover         darker or lighter, for a button under the pointer
      v
    dark, dark_on     lighter, for a dark screen, and black for the words of a button

Contrast is that of WCAG 2.2: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ..errors import MessageError
from ..text.checks import shorten
from ..text.colour import contrast
from ..text.colour import RGB

_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})\Z")
# One of the two has a contrast of at least 4.58 with any colour.
_WHITE, _BLACK = RGB(255, 255, 255), RGB(0, 0, 0)
# The sheet of the layout on a dark screen.
_DARK_SHEET = RGB(30, 34, 38)
_HOVER = 0.25
# Level AAA of WCAG, because small words on a dark screen look thinner.
_CLEAR = 7.0


@dataclasses.dataclass(frozen=True)
class Accent:
    """The colours of links and buttons, as CSS writes them."""

    colour: str = "#0a58ca"
    hover: str = "#084298"
    on: str = "#ffffff"
    dark: str = "#8ab8ff"
    dark_on: str = "#10151c"


def mail_accent(value: t.Any) -> Accent:
    """Return the colours of an accent; those of the layout for "" or an undefined variable.

    :raises MessageError: if it is not a colour such as ``#7a1f3d``.
    """
    text = "" if value is None else str(value).strip()
    if not text:
        return Accent()
    if not _COLOUR.match(text):
        raise MessageError(f'accent must be a colour such as "#7a1f3d", not {shorten(text)}.')
    colour = RGB.read(text)
    on = max((_WHITE, _BLACK), key=lambda words: contrast(words, colour))
    return Accent(
        colour=colour.css,
        # Away from the colour of the words, so that they stay as clear.
        hover=colour.mixed(_BLACK if on == _WHITE else _WHITE, _HOVER).css,
        on=on.css,
        dark=_lightened(colour).css,
        dark_on=Accent.dark_on,
    )


def _lightened(colour: RGB) -> RGB:
    """The colour, with as much white in it as a dark screen needs."""
    steps = (colour.mixed(_WHITE, percent / 100) for percent in range(101))
    return next(step for step in steps if contrast(step, _DARK_SHEET) >= _CLEAR)
