"""Invisible characters: an address with one looks like another address."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

# Blank characters that Unicode classifies as letters, marks or symbols: the fillers of Hangul, the
# inherent vowels of Khmer, the separators of Mongolian, the blank pattern of Braille.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_JOINERS = "\u200c\u200d"


def is_invisible(character: str) -> bool:
    """Say whether a character has the category Cf (format), or is blank in every font."""
    return unicodedata.category(character) == "Cf" or character in _BLANK


def invisible_in_word(text: str) -> Iterator[int]:
    """Yield the positions of the invisible characters in a word.

    A joiner does not count between letters of a script that needs it (RFC 5892 appendices A.1 and
    A.2). This takes quadratic time: use it only for short text.
    """
    for position, character in enumerate(text):
        if is_invisible(character) and not (character in _JOINERS and _is_needed(text, position)):
            yield position


def _is_needed(text: str, position: int) -> bool:
    import idna  # costs 3 ms to import, and most addresses are ASCII

    try:
        return idna.valid_contextj(text, position)
    except ValueError:  # the character before it is not assigned in Unicode
        return False


def invisible_in_line(text: str) -> Iterator[int]:
    """Yield the positions of the invisible characters in a line that people read.

    Direction marks do not count, nor does a joiner between two characters outside ASCII, whether
    these are letters or parts of an emoji.
    """
    for position, character in enumerate(text):
        if character.isascii() or not is_invisible(character):
            continue
        if character in _JOINERS:
            before, after = text[position - 1 : position], text[position + 1 : position + 2]
            if before > "\x7f" and after > "\x7f" and not is_invisible(after):
                continue
        elif character in _DIRECTION or character in _TAGS:
            continue
        yield position


# The marks, and the isolates that frameworks put around variables; not the overrides.
_DIRECTION = "\u061c\u200e\u200f\u2066\u2067\u2068\u2069"
# The tag characters in the emoji of flags, such as Scotland's.
_TAGS = frozenset(map(chr, range(0xE0020, 0xE0080)))
