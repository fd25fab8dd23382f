"""Words in a row that only a newer release knows.

Processes of two releases may share a store during an update, or after one that was taken back.
"""

from __future__ import annotations

import enum
import typing as t

E = t.TypeVar("E", bound=enum.StrEnum)


def read_word(kind: type[E], text: str) -> E:
    """Return the member of an enum with this text.

    If there is none, return a value that is none of its members. It equals none of them, so that no
    code takes it for one, and its text is shown as it is.
    """
    try:
        return kind(text)
    except ValueError:
        made = str.__new__(kind, text)
        made._name_ = made._value_ = text
        return made


def is_known(word: enum.StrEnum) -> bool:
    """Whether this release knows a word that :func:`read_word` returned."""
    return str(word) in {*map(str, type(word))}
