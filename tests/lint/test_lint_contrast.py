"""Linting the colours of words and their backgrounds."""

from __future__ import annotations

import pytest

from flask_mailhandler.lint import lint

GRAY = "'Hi' is 2.8, less than 4.5: #999999 on #ffffff."


def linted(html: str) -> list[str]:
    mail = f"Subject: Hi\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}"
    return [one.text for one in lint(mail.encode(), allow=["text-part"])]


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<p style='color:#999'>Hi", GRAY),
        ("<p style='color:#999 !important'>Hi", GRAY),
        ("<div style='COLOR:#999999'><b>Hi", GRAY),
        ("<style>p { color: #999 }</style><p>Hi", GRAY),
        ("<style>a,.x{color:#999;}</style><p class='y x'>Hi", GRAY),
        ("<style>/* { */ p.x { color: #999 }</style><p class=x>Hi", GRAY),
        ("<table bgcolor=#666><tr><td>Hi", "#000000 on #666666"),
        ("<p style='color:#fff'>Hi", "'Hi' is 1.0, less than 4.5: #ffffff on #ffffff."),
        ("<p style='background:#000'>Hi", "'Hi' is 1.0, less than 4.5: #000000 on #000000."),
        ("<a style='color:white;background-color:#8ab8ff'>Hi", "#ffffff on #8ab8ff."),
        ("<h1 style='color:#aaa'>Hi", "'Hi' is 2.3, less than 3.0: #aaaaaa on #ffffff."),
        ("<p>a</p><p style='color:#999'>Hi</p><p style='color:#999'>again", GRAY),
    ],
)
def test_hard_to_read(html: str, found: str) -> None:
    """Words that are hard to tell from their background are found once for each pair of colours."""
    (text,) = linted(html)

    assert text.startswith("The contrast of ")
    assert found in text


@pytest.mark.parametrize(
    "html",
    [
        "<p>Hi <a href='https://x.example/'>there</a>",
        "<p style='color:#767676'>Hi",
        "<h1 style='color:#949494'>Hi",
        "<p style='color:#999'><p>Hi",
        "<p style='color:#999'></p>Hi",
        "<p style='color:#999'><b style='color:#333'>Hi",
        "<div style='background:#000'><a href='https://x.example/'>Hi",
        "<div style='background:#000;color:#fff'>Hi <b>there",
        "<div style='background:#000;display:none'>Hi",
        "<p style='color:rgb(200,200,200)'>Hi",
        "<p style='background:url(https://x.example/a.png) #000'>Hi",
        "<style>@media (prefers-color-scheme: dark) { p { color: #fff } }</style><p>Hi",
        "<style>a:hover { color: #fff } p a { color: #fff }</style><p>Hi",
        "<style>p { color: #fff</style><p>Hi",
        "<p style='color:#999'> </p>Hi",
        "</p></div><p>Hi",
    ],
)
def test_clear_or_not_known(html: str) -> None:
    """Clear words, hidden words, and colours that are not known or for other screens, are fine."""
    assert linted(html) == []


@pytest.mark.usefixtures("untraced")
@pytest.mark.slow
def test_many_tags_take_linear_time() -> None:
    """A million characters of open tags, end tags, braces and semicolons end in time."""
    for part in (
        "<b>",
        "<p>",
        "</b>",
        "<i></b>",
        "<style>{",
        "<style>}a{",
        "<style>/*",
        "<p style=';'>",
    ):
        assert isinstance(linted(part * (1_000_000 // len(part))), list)
