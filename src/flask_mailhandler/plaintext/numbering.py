"""The markers of the items of a numbered list.

https://html.spec.whatwg.org/multipage/grouping-content.html#the-ol-element
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

_NUMBER = re.compile(r"\s*([-+]?\d{1,9})")
_STYLE = re.compile(
    r"(?:^|;)\s*list-style(?:-type)?\s*:[^;]*?\b(lower|upper)-(alpha|latin|roman)\b", re.I
)
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l")),
    *((40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_MOST_ROMAN = 3999


def markers(attributes: Mapping[str, str], items: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield ``7.``, ``8.`` ... for the items of an ``<ol>``.

    :param attributes: The attributes of the list: ``start``, ``reversed``, ``type``.
    :param items: The attributes of each item: ``value``, ``type``.
    """
    backwards = "reversed" in attributes
    number = _read(attributes.get("start", ""), len(items) if backwards else 1)
    for item in items:
        number = _read(item.get("value", ""), number)
        yield f"{_written(number, _kind(item) or _kind(attributes))}."
        number += -1 if backwards else 1


def _read(value: str, otherwise: int) -> int:
    found = _NUMBER.match(value)
    return int(found[1]) if found else otherwise


def _kind(attributes: Mapping[str, str]) -> str:
    if style := _STYLE.search(attributes.get("style", "")):
        letter = "i" if style[2].lower() == "roman" else "a"
        return letter.upper() if style[1].lower() == "upper" else letter
    return attributes.get("type", "").strip()


def _written(number: int, kind: str) -> str:
    if kind in ("a", "A") and number > 0:
        return _same_case(_in_letters(number), kind)
    if kind in ("i", "I") and 0 < number <= _MOST_ROMAN:
        return _same_case(_in_roman(number), kind)
    return str(number)


def _same_case(text: str, kind: str) -> str:
    return text if kind.islower() else text.upper()


def _in_letters(number: int) -> str:
    text = ""
    while number:
        number, letter = divmod(number - 1, 26)
        text = chr(ord("a") + letter) + text
    return text


def _in_roman(number: int) -> str:
    text = ""
    for value, letters in _ROMAN:
        count, number = divmod(number, value)
        text += letters * count
    return text
