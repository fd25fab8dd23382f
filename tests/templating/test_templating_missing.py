"""Rendered messages that lack a subject, or have nothing to read."""

from __future__ import annotations

import pytest
from flask import Flask

from flask_mailhandler import current_mail
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler import MessageFields
from mail_templates import app_with

SUBJECT = "{% block subject %}Hi{% endblock %}"
LAYOUT = "{% extends 'mailhandler/layout.html' %}" + SUBJECT


def rendered(app: Flask, **fields: object) -> Message:
    with app.app_context():
        return current_mail.render("x", **MessageFields(**fields))  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("x.html", "<p>Hi"),
        ("x.txt", "Hi"),
        ("x.md", "Hi"),
        ("x.mail", "{% block text %}Hi{% endblock %}"),
        ("x.html", "{% extends 'mailhandler/layout.html' %}{% block content %}Hi{% endblock %}"),
        ("x.txt", "{% block subject %} {% endblock %}Hi"),
        ("x.html", "{% block subject %}{% if 0 %}Hi{% endif %}{% endblock %}<p>Hi"),
    ],
)
def test_no_subject(name: str, source: str) -> None:
    """A mail without a subject is an error, unless the caller passes one, even an empty one."""
    app = app_with({name: source})

    with pytest.raises(MessageError, match=rf"^{name}: the mail has no subject\. .* subject=\"\""):
        rendered(app)
    assert rendered(app, subject="").subject == ""
    assert rendered(app, subject="Yes").subject == "Yes"


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("x.txt", SUBJECT, "the mail is empty"),
        ("x.txt", SUBJECT + "{% if 0 %}Hi{% endif %} \n", "the mail is empty"),
        ("x.mail", SUBJECT + "{% block text %} {% endblock %}", "the mail is empty"),
        ("x.mail", SUBJECT + "{% block html %} {% endblock %}", "the mail is empty"),
        ("x.html", f"<html><head><title>{SUBJECT}</title></head><body><p> </p>", "shows no text"),
        ("x.html", f"<title>{SUBJECT}</title><table><tr><td>&nbsp;</td></tr>", "shows no text"),
        ("x.html", f"<title>{SUBJECT}</title><p style='display:none'>Hi</p>", "shows no text"),
        ("x.html", f"<title>{SUBJECT}</title><style>p {{ color: red }}</style>", "shows no text"),
        ("x.html", LAYOUT, "the layout has no content"),
        ("x.html", LAYOUT + "{% block footer %}Shop{% endblock %}", "the layout has no content"),
        ("x.html", LAYOUT + "{% block content %}\n{% endblock %}", "the layout has no content"),
        ("x.mail", LAYOUT + "{% block text %}Hi{% endblock %}", "the layout has no content"),
        ("x.md", SUBJECT, "the layout has no content"),
    ],
)
def test_nothing_to_read(name: str, source: str, said: str) -> None:
    """A mail that shows nothing is an error that names the template."""
    with pytest.raises(MessageError, match=rf"^{name}: .*{said}"):
        rendered(app_with({name: source}))


@pytest.mark.parametrize(
    "html",
    [
        "Hi",
        "<body>Hi",
        "<p style='display:none'>Later</p><p>Hi",
        "<b>0</b>",
        "<p>&amp;</p>",
        "<img src='https://shop.example/x.png' alt=''>",
        "<div><svg></svg></div>",
    ],
)
def test_something_to_see(html: str) -> None:
    """A word, a sign or an image is enough."""
    assert rendered(app_with({"x.html": f"<title>{SUBJECT}</title>{html}"})).html
