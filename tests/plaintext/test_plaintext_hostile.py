"""Hostile and random HTML: time, depth and size."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from flask_mailhandler.plaintext import plaintext

# Many examples, which are the same on every version of Python.
pytestmark = pytest.mark.slow

HOSTILE = [
    *("<", "<!--", "</", "<?", "<a ", "<a =", "<a href='", '<a x="', "</style", "<style></"),
    *("<div>", "</div>", "<p>", "<b>", "<b><div>", "</b><b><div>", "<h1>x", "<pre>\n", "<hr>"),
    *("<blockquote>x", "<ul><li>", "<ol><li>x", "<li>", "<dd>x", "<table>", "<table><tr><td>x"),
    *("<table><caption>", "<td>", "<tr>", "<td colspan=999999999>x", "<a href=x>y"),
    *("<a href=x><table><td>y", "<a href=x><div>y", "<img alt=x>", "<br>", "&", "&#9", "&nbsp;"),
    *("\u200c", "\u200c\u00ad", "\u0301", "=", "x://", "1,", "\n", "<i style=opacity:0.0"),
    *("<s>", "<s>x", "<del>x<br>", "<strike>x<p>", "<i style=text-decoration:line-through>x"),
    *("<s>x</s>", "<s><b>x</s>", "<ol reversed><li>x", "<sup>2", "<sub>x</sub>"),
    "<a href=x:y><img alt></a><a href=x:y>z</a>",
]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.usefixtures("untraced")
def test_time_is_linear(piece: str) -> None:
    """200 kB of any piece take a moment, where quadratic time would take minutes."""
    text = plaintext(piece * (200_000 // len(piece)))

    assert len(text) < 4_000_000


@pytest.mark.parametrize(
    ("start", "end", "expect"),
    [
        ("<div>", "</div>", "x\ny"),
        ("<div>", "</span>", "xy"),
        ("<b>", "</b>", "xy"),
        ("<ul><li>", "</ul>", "- " * 20 + "x\n\ny"),
        ("<blockquote>", "</blockquote>", "> " * 20 + "x\n\ny"),
        ("<table><tr><td>", "</table>", "x\n\ny"),
        ("<span hidden>", "</span>", "y"),
    ],
)
@pytest.mark.usefixtures("untraced")
def test_depth_is_no_limit(start: str, end: str, expect: str) -> None:
    """A hundred thousand nested elements are read like one, with limited indentation."""
    depth = 100_000 // start.count("<")

    assert plaintext(start * depth + "x" + end * depth + "y") == f"{expect}\n"


@pytest.mark.parametrize(
    "html",
    [
        "<ol style='" + "list-style:" * 18_000 + "'><li>x",
        "<ol style='" + "list-style:lower" * 12_000 + "'><li>x",
        "<ol start=" + "1" * 200_000 + "><li>x",
        "<table><tr><td colspan=" + "9" * 200_000 + ">x<td>y<tr><td>z",
        "<table><tr>" + "<td>x" * 40_000 + "<tr><td>y",
        "<img alt=x width='" + " " * 200_000 + "x'>",
        "<a x" + " " * 200_000 + ">x",
        "<a href=tel:" + "1" * 100_000 + ">" + "1" * 100_000,
        "<div>" * 20_000 + "</span>" * 14_000 + "x",
        "<span>" * 20_000 + "<div>" * 8_000 + "</span>" * 8_000 + "x",
    ],
)
@pytest.mark.usefixtures("untraced")
def test_sizes_are_no_limit(html: str) -> None:
    """Large attributes, tables and texts do not slow it down either."""
    assert plaintext(html).strip()


PIECES = """
    <p> </p> <div> </div> <b> </b> <h1> </h1> <h2> <hr> <br> <blockquote> </blockquote>
    <table> </table> <caption> <tbody> <tr> </tr> <th> <td> </td> <td|colspan=3> <ul> <ol> </ul>
    <li> </li> <dd> <pre> </pre> <span|hidden> </span> <a|href="https://x.example/"> <a|href=a> </a>
    <img|alt=x> <style> </style> <!-- --> &nbsp; &zwnj; &#9; | a 1 b. < " = \N{ZERO WIDTH SPACE}
"""
MARKUP = st.lists(
    st.one_of(
        st.sampled_from([piece.replace("|", " ") for piece in PIECES.split()]),
        st.text(max_size=8),
    ),
    max_size=40,
).map("".join)


@given(MARKUP)
@settings(deadline=None)
def test_any_markup_gives_lines(html: str) -> None:
    """No HTML raises, and lines have no trailing white space or control characters."""
    text = plaintext(html)

    assert text == "" or text.endswith("\n")
    assert not text.startswith("\n")
    assert not text.endswith("\n\n")
    assert all(line == line.rstrip() for line in text.split("\n"))
    assert not set(text) & set(map(chr, [*range(9), *range(11, 32), *range(127, 161)]))
    assert "<pre>" in html or "\n\n\n" not in text


@given(st.text(st.characters(exclude_categories=())))
@settings(deadline=None)
def test_any_text_gives_text(html: str) -> None:
    """No text raises, including lone surrogates."""
    assert isinstance(plaintext(html), str)


@given(st.lists(st.text(string.ascii_letters + string.digits, min_size=1), min_size=1))
def test_no_word_is_lost(words: list[str]) -> None:
    """Every word of a table is in the text, in order."""
    cells = "".join(f"<td>{word}" + "<tr>" * (len(word) % 2) for word in words)

    assert plaintext(f"<table><tr>{cells}</table>").split() == words
