"""Characters that nobody sees, and that make another address of one that looks the same."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

# What Unicode counts as letters, marks or symbols though it is blank: fillers of Hangul, vowels
# of Khmer that are not written, separators of Mongolian, the empty pattern of Braille.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_JOINERS = "\u200c\u200d"


def is_invisible(character: str) -> bool:
    """Say whether a character is of the category Cf (format), or blank in all fonts."""
    return unicodedata.category(character) == "Cf" or character in _BLANK


def invisible_in_word(text: str) -> Iterator[int]:
    """Give the positions of the invisible characters in a word. A joiner between letters of a
    script that needs it is none (RFC 5892 appendices A.1 and A.2).

    The time grows with the square of the length: look only at what is short.
    """
    for position, character in enumerate(text):
        if is_invisible(character) and not (character in _JOINERS and _is_needed(text, position)):
            yield position


def _is_needed(text: str, position: int) -> bool:
    import idna  # costs 3 ms to import, and most addresses are ASCII

    try:
        return idna.valid_contextj(text, position)
    except ValueError:  # there is a character before it that Unicode does not know
        return False


def invisible_in_line(text: str) -> Iterator[int]:
    """Give the positions of the invisible characters in a line that people read. Marks of
    direction belong in some lines, and a joiner belongs between two characters beyond ASCII,
    whether they are letters or parts of an emoji."""
    for position, character in enumerate(text):
        if character.isascii() or not is_invisible(character):
            continue
        if character in _JOINERS:
            before, behind = text[position - 1 : position], text[position + 1 : position + 2]
            if before > "\x7f" and behind > "\x7f" and not is_invisible(behind):
                continue
        elif character in _DIRECTION or character in _TAGS:
            continue
        yield position


# The marks, and the isolates that frameworks put around what they fill in; but no overrides.
_DIRECTION = "\u061c\u200e\u200f\u2066\u2067\u2068\u2069"
# Of the emoji of flags, such as Scotland's.
_TAGS = frozenset(map(chr, range(0xE0020, 0xE0080)))
