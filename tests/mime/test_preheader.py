"""The preheader of a message: hidden text at the start of its HTML."""

from __future__ import annotations

import pytest

from flask_mailhandler.mime.reading import preheader
from flask_mailhandler.mime.reading.summary import summary
from mail_templates import app_with
from mail_templates import render

HIDDEN = '<div style="display:none;max-height:0;overflow:hidden">%s</div>'


@pytest.mark.parametrize(
    ("html", "found"),
    [
        (HIDDEN % "One &amp; only" + "<h1>Hi", "One & only"),
        ("<title>Hi</title><body>" + HIDDEN % "News&#847;&zwnj;&nbsp;&#847;&zwnj;&nbsp;", "News"),
        ("<span style='DISPLAY : none !important'>A<br>b <b>c</b></span>Hi", "A b c"),
        ("<table><tr><td><p style='color:red; opacity:0'>News</p>Hi", "News"),
        (HIDDEN % " " + HIDDEN % "News" + "Hi", "News"),
        ("<div style='mso-hide:all'>News", "News"),
        ("<!-- x --><style>p {}</style>\n" + HIDDEN % "News", "News"),
        ("<p>Hi</p>" + HIDDEN % "later", ""),
        ("<img src=x alt=Shop>" + HIDDEN % "later", ""),
        ("<p style='max-height:0.5em'>Hi", ""),
        ("<p style='opacity:0.5'>Hi", ""),
        ("<p>Hi", ""),
        (HIDDEN % "", ""),
        ("</div></div>" + HIDDEN % "News", "News"),
        ("", ""),
    ],
)
def test_preheader(html: str, found: str) -> None:
    """Only hidden text before everything else is the preheader, without its filler."""
    assert preheader(html) == found


def test_a_list_shows_it() -> None:
    """A list shows the preheader of a rendered mail, and without one the text."""
    layout = "{% extends 'mailhandler/layout.html' %}{% block content %}<p>Hi</p>{% endblock %}"
    with_one = layout + "{% block preheader %}One more {{ what }}{% endblock %}"
    app = app_with({"x.html": layout, "y.html": with_one})

    def shown(name: str) -> str:
        message = render(app, name, what="<click>").replace(from_addr="shop@example.com")
        return summary(bytes(message.to_mime()))["text"]

    assert shown("x") == "Hi"
    assert shown("y") == "One more <click>"


def test_many_tags_take_linear_time() -> None:
    """A million open or hidden tags end in time."""
    for part in ("<b>", "</b>", "<b style='display:none'>", "<b style='", HIDDEN % ""):
        assert preheader(part * (1_000_000 // len(part))) == ""
