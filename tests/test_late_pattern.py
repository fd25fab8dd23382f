"""Patterns that are compiled when they are first used."""

from __future__ import annotations

import re
import typing as t

import pytest

from flask_mailhandler.text.late_pattern import late_pattern

WORD = late_pattern(r"\bann\b", re.I)
OCTETS = late_pattern(rb"^=[0-9A-F]{2}", re.M)


def test_the_methods_of_a_pattern() -> None:
    """It has the methods and attributes of a compiled pattern, the first time and later."""
    for _ in range(2):
        assert WORD.sub("Bob", "Ann, ann and Anna") == "Bob, Bob and Anna"
        assert WORD.fullmatch("ANN") and not WORD.search("Anna")
        assert [match.span() for match in WORD.finditer("ann Ann")] == [(0, 3), (4, 7)]
        assert OCTETS.findall(b"=3D\n=C3\n =20") == [b"=3D", b"=C3"]
        assert WORD.groups == 0 and WORD.pattern == r"\bann\b"


@pytest.mark.parametrize("late", [late_pattern("("), late_pattern(b"[")], ids=["text", "octets"])
def test_a_wrong_pattern(late: re.Pattern[t.Any]) -> None:
    """A pattern that cannot be compiled raises an error each time that it is used."""
    for _ in range(2):
        with pytest.raises(re.error, match="unterminated"):
            late.match  # noqa: B018


def test_no_such_method() -> None:
    """A name that a pattern does not have is an AttributeError."""
    with pytest.raises(AttributeError, match="matches"):
        WORD.matches  # type: ignore[attr-defined]  # noqa: B018
