"""The accent of the layout: a colour, and the colours made from it."""

from __future__ import annotations

import re

import pytest

from flask_mailhandler import MessageError
from flask_mailhandler.lint import lint
from flask_mailhandler.templating.accent import Accent
from flask_mailhandler.templating.accent import mail_accent
from flask_mailhandler.text.colour import contrast
from flask_mailhandler.text.colour import RGB
from mail_templates import app_with
from mail_templates import render

LAYOUT = "{% extends 'mailhandler/layout.html' %}"
BUTTON = (
    "{% block content %}<p><a class=button href=https://shop.example/>Go</a>"
    " <a href=https://shop.example/>more</a></p>{% endblock %}"
)
WINE = "{% set accent = '#7a1f3d' %}"


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000", "#fff", 21.0), ("#777777", "#ffffff", 4.48), ("#fff", "#ffffff", 1.0)],
)
def test_contrast(one: str, other: str, ratio: float) -> None:
    """The contrast of two colours is that of WCAG, in either order."""
    assert contrast(RGB.read(one), RGB.read(other)) == pytest.approx(ratio, abs=0.01)
    assert contrast(RGB.read(other), RGB.read(one)) == pytest.approx(ratio, abs=0.01)


@pytest.mark.parametrize(
    "colour", ["#7a1f3d", "#000", "#fff", "#FFCC00", "#0a58ca", "#777777", "#012", "#0f0"]
)
def test_the_colours_are_clear(colour: str) -> None:
    """Words on a button are clear in every form, and the accent is clear on a dark screen."""
    accent = mail_accent(colour)

    def between(one: str, other: str) -> float:
        return contrast(RGB.read(one), RGB.read(other))

    assert RGB.read(accent.colour) == RGB.read(colour)
    assert between(accent.on, accent.colour) >= 4.5
    assert between(accent.on, accent.hover) >= 4.5
    assert between(accent.dark_on, accent.dark) >= 7
    assert between(accent.dark, "#1e2226") >= 7


@pytest.mark.parametrize("value", [None, "", " "])
def test_no_accent(value: str | None) -> None:
    """Without an accent, the colours are those of the layout."""
    assert mail_accent(value) == Accent()


@pytest.mark.parametrize(
    "files",
    [
        {"x.html": LAYOUT + WINE + BUTTON},
        {"x.mail": LAYOUT + WINE + BUTTON},
        {"x.html": "{% extends 'base.html' %}" + BUTTON, "base.html": LAYOUT + WINE},
        {"x.md": WINE + "[Go](https://shop.example/)"},
        {
            "x.md": "{% set layout = 'base.html' %}[Go](https://x.example)",
            "base.html": LAYOUT + WINE,
        },
    ],
)
def test_the_accent_of_a_template(files: dict[str, str]) -> None:
    """A template, its layout and Markdown can set the accent; no blue of the layout is left."""
    html = render(app_with(files), "x").html

    assert "color: #7a1f3d" in html
    assert mail_accent("#7a1f3d").dark in html
    assert not re.search("#0a58ca|#084298|#8ab8ff", html)


@pytest.mark.parametrize("value", ["red", "7a1f3d", "#7a1f3", "rgb(1, 2, 3)", "#fff; } body {"])
def test_a_value_that_is_not_a_colour(value: str) -> None:
    """Anything else is an error that shows how a colour is written."""
    source = LAYOUT + "{% set accent = value %}" + BUTTON

    with pytest.raises(MessageError, match='accent must be a colour such as "#7a1f3d", not'):
        render(app_with({"x.html": source}), "x", value=value)


@pytest.mark.parametrize(
    ("accent", "found"),
    [("#7a1f3d", []), ("", []), ("#ffcc00", ["contrast"]), ("#7db8ff", ["contrast"])],
)
def test_lint_checks_the_accent(accent: str, found: list[str]) -> None:
    """An accent that is too light for a link on white is found; words on its button are black."""
    app = app_with({"x.html": LAYOUT + "{% set accent = value %}" + BUTTON})
    message = render(app, "x", value=accent).replace(subject="Hi", from_addr="a@b.example")

    findings = lint(bytes(message.to_mime()))

    assert [finding.rule for finding in findings] == found
    assert all("'more'" in finding.text for finding in findings)
