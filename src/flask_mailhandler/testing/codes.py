"""One-time codes in a text."""

from __future__ import annotations

import re
import typing as t
import unicodedata
from collections.abc import Iterable
from collections.abc import Iterator

# Letters of scripts without spaces between words (Thai, Lao, Burmese, Khmer, kana, Han), and of
# Hangul, since Korean adds endings to numbers. A number may stand directly next to these.
_UNSPACED = (
    r"\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u103f\u1780-\u17d3\u3005-\u3007\u3040-\u30ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_WORD = rf"[^\W{_UNSPACED}]"
_MONEY = "$€£¥￥₩₫₹₽₺₴₪฿"
# A number before one of these is a year, an amount or a count: 2027年, 1200円, 1500 บาท.
_COUNTERS = "%％年月日时時分秒号號円元圓圆人件個个条條万萬亿億"
_COUNTED = rf"[ ]?(?:[{_MONEY}{_COUNTERS}년월일시분초원개명만억]|บาท)"
# 4 to 8 digits of any alphabet: in a row, in two or more groups of the same length, or one by one,
# as in a row of boxes. They must not be part of a number, a date, a time, a price or a name, which
# the characters next to them decide. Every repetition is bounded, so the time is linear.
_GAP = r"[ \u00a0\u202f-]"
_CODE = re.compile(
    rf"""
    (?<! {_WORD} ) (?<! \d ) (?<! \d[.,:/ \u00a0\u202f-] ) (?<! [-+/=\#№第〒{_MONEY}] )
    (?<! [{_MONEY}][ \u00a0\u202f] )
    (?: \d{{4,8}} | \d{{2}}(?:{_GAP}\d{{2}}){{1,3}} | \d{{3}}{_GAP}\d{{3}} | \d{{4}}{_GAP}\d{{4}}
      | \d(?:[ ]{{1,2}}\d){{3,7}} )
    (?! {_WORD} ) (?! \d ) (?! [.,:/ \u00a0\u202f-]\d ) (?! {_COUNTED} )
    (?! / )
    """,
    re.VERBOSE,
)
# Boxes below one another in the text: one digit on each line.
_BOXES = re.compile(r"(?<![^\n])[ ]*(?:\d[ ]*(?:\n[ ]*){1,2}){3,}\d[ ]*(?![^\n])")
_COPYRIGHT = re.compile(
    r"(?:©|\(c\)|\bcopyright\b)(?:[ ]*(?:©|\(c\)))?[ ]?\d{4}(?:[ ]?[-–—,][ ]?\d{4}){0,4}", re.I
)
_YEAR = re.compile("(?:19|20)[0-9]{2}")
# Invisible characters and bidirectional controls, which often enclose digits.
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


class Code(t.NamedTuple):
    """A candidate for a code."""

    code: str
    """In ASCII, without gaps."""
    line: str
    """The line in which it was found."""

    @property
    def alone(self) -> bool:
        """Whether it is alone on its line."""
        return len(self.line) <= 3 * len(self.code) and bool(_CODE.fullmatch(self.line))


def codes(text: str, pattern: str | re.Pattern[str] | None) -> list[Code]:
    """Return everything in *text* that may be a code, each once.

    :param pattern: A regular expression for codes that look different. If it has a group, the
        first group is the code.
    :raises TypeError: if it is not a pattern.
    """
    if pattern is not None:
        if not isinstance(pattern, str | re.Pattern):
            raise TypeError(f"A pattern is a string. For a length, write code(length={pattern!r}).")
        found = re.finditer(pattern, text)
        given = ((m[1] if m.re.groups else m[0]) or "" for m in found)
        return [Code(code, "") for code in dict.fromkeys(given) if code]
    text = _BOXES.sub(_in_a_row, text)
    every = [code for line in text.splitlines() for code in _in_line(line)]
    # If a code is found several times, a line on which it is alone counts.
    return [*{code.code: code for code in sorted(every, key=lambda code: code.alone)}.values()]


def _in_a_row(boxes: re.Match[str]) -> str:
    digits = boxes[0].split()
    return " ".join(digits) if len(digits) <= 8 else boxes[0]


def _in_line(line: str) -> Iterator[Code]:
    """The candidates in a line, without its URLs and addresses."""
    words = _UNSEEN.sub("", line).split(" ")
    clean = " ".join(word for word in words if "://" not in word and "@" not in word).strip()
    clean = _COPYRIGHT.sub("", clean)
    for match in _CODE.finditer(clean):
        yield Code("".join(_ascii(match[0])), clean)


def _ascii(digits: str) -> Iterator[str]:
    return (str(unicodedata.decimal(c)) for c in digits if c.isdecimal())


def the_one(found: Iterable[Code], length: int | None) -> list[Code]:
    """Return the candidates that are left by the rules: those of the wanted length; of these, the
    ones that are alone on their line if there are any; and no year if there is something longer."""
    fitting = [code for code in found if length in (None, len(code.code))]
    fitting = [code for code in fitting if code.alone] or fitting
    if any(len(code.code) > 4 for code in fitting):
        return [code for code in fitting if not _YEAR.fullmatch(code.code)]
    return fitting
