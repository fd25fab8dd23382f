"""Values of variables stay text, in every part of a message."""

from __future__ import annotations

import decimal
import functools
import re
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from jinja2 import FileSystemBytecodeCache
from markupsafe import escape
from markupsafe import Markup

from flask_mailhandler import current_mail
from flask_mailhandler import MessageError
from flask_mailhandler.plaintext.markup import events
from mail_templates import app_with
from mail_templates import render

# Many examples, which are the same on every version of Python.
pytestmark = pytest.mark.slow

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><a href='javascript:alert(1)'>x</a>",
    "' onmouseover='alert(1)",
    "</title></style><b>",
    "&lt;b&gt; & &#60;",
    "{{ 7 * 7 }}{% raw %}",
]
MARKDOWN_ATTACKS = [
    *ATTACKS,
    "[you won](https://evil.example)",
    "![](https://evil.example/pixel.png)",
    "<https://evil.example>",
    "[a]: https://evil.example\n\n[a]",
    "**bold** _em_ `code` ~~x~~",
    "# heading",
    "\n\n# heading\n\n",
    "\n\n    code\n",
    "\n- item\n- item",
    "\n1. item",
    "1. item",
    "> quote",
    "a\n===",
    "a\n---",
    "| a | b |\n|---|---|\n| c | d |",
    "a | b",
    "```\ncode\n```",
    "a  \nb\\\nc",
    "\\*x\\*",
    "&copy; &#42;x&#42;",
    "\t\tcode",
    "*",
    "[",
    "](https://evil.example)",
    ")",
    "\U000f002aevil\U000f002a",
    "\x00*x*",
]


def words(html: str) -> str:
    """The text of some HTML."""
    return "".join(event for event in events(html) if isinstance(event, str))


def tags(html: str) -> list[str]:
    return re.findall(r"<(\w+)", html)


@pytest.mark.parametrize("ending", ["html", "html.j2", "html.jinja", "html.jinja2"])
@pytest.mark.parametrize("value", ATTACKS)
def test_html_is_escaped(value: str, ending: str) -> None:
    """HTML is escaped whatever the file's name is, and so are included and imported templates."""
    app = app_with(
        {
            f"x.{ending}": "{% extends 'base.txt' %}{% from 'macros.j2' import show %}"
            "{% block body %}<p title='{{ v }}'>{{ v }}{{ show(v) }}{% include 'part.txt' %}</p>"
            "{% endblock %}",
            "base.txt": "<body>{% block body %}{% endblock %}{{ v }}</body>",
            "macros.j2": "{% macro show(v) %}<i>{{ v }}</i>{% endmacro %}",
            "part.txt": "<b>{{ v }}</b>",
        }
    )

    html = render(app, "x", v=value).html

    safe = escape(value)
    assert html == f"<body><p title='{safe}'>{safe}<i>{safe}</i><b>{safe}</b></p>{safe}</body>"


@pytest.mark.parametrize("value", ATTACKS)
def test_one_file_escapes_by_block(value: str) -> None:
    """In a single file, the blocks html and preheader are escaped, and text and subject are not."""
    parts = ("subject", "preheader", "text", "html")
    source = "".join(f"{{% block {part} %}}{{{{ v }}}}{{% endblock %}}" for part in parts)

    message = render(app_with({"x.mail": source}), "x", v=value)

    assert message.subject == value
    assert message.text == f"{value}\n"
    assert message.html == str(escape(value))


def test_markup_is_not_escaped_again() -> None:
    """Values marked as safe are HTML, as in Flask."""
    app = app_with({"x.html": "{{ a }}{{ b|safe }}{{ c|e }}"})

    assert render(app, "x", a=Markup("<i>"), b="<b>", c="<").html == "<i><b>&lt;"


def test_what_the_app_has_compiled(tmp_path: Path) -> None:
    """The app's cache of compiled templates, in which a file is not escaped, is not used."""
    (tmp_path / "templates").mkdir()
    for name in ("x.html", "part.j2"):
        source = "{% include 'part.j2' %}" if name == "x.html" else "{{ v }}"
        (tmp_path / "templates" / name).write_text(source, encoding="utf-8")
    app = Flask("cached", root_path=str(tmp_path))
    app.jinja_options = {"bytecode_cache": FileSystemBytecodeCache(str(tmp_path))}
    from flask_mailhandler import Mail

    Mail(app, cli=None)

    assert app.jinja_env.get_template("part.j2").render(v="<b>") == "<b>"
    with app.app_context():
        message = current_mail.render("x", {"v": "<b>"}, subject="Hi")
    assert message.html == "&lt;b&gt;"
    assert app.jinja_env.get_template("part.j2").render(v="<b>") == "<b>"


@pytest.mark.parametrize(
    ("value", "expect"),
    [
        ("Ann\r\nBcc: boss@example.com", "Hi Ann Bcc: boss@example.com"),
        ("Ann\n\n\tX", "Hi Ann X"),
        ("Ann\x0bB\x0cC\x1cD\x1dE\x1eF\x85G\u2028H\u2029I", "Hi Ann B C D E F G H I"),
        ("  Ann  ", "Hi Ann"),
        ("Ann\u00a0!", "Hi Ann\u00a0!"),
        ("=?utf-8?q?=0d=0aBcc:?=", "Hi =?utf-8?q?=0d=0aBcc:?="),
        ("<b>&amp;", "Hi <b>&amp;"),
    ],
)
def test_subject_is_one_line(value: str, expect: str) -> None:
    """A subject is one line: line ends become spaces, and cannot start another header field."""
    app = app_with({"x.txt": "{% block subject %}\nHi\n  {{ name }}\n{% endblock %}Hi"})

    with app.app_context():
        message = current_mail.render(
            "x", {"name": value}, to="a@b.example", from_addr="c@d.example"
        )
        given = current_mail.render("x", {"name": ""}, subject=f"Hi {value}")

    assert message.subject == given.subject == expect
    assert set(message.to_mime().keys()) >= {"Subject", "To"}
    assert message.to_mime()["Bcc"] is None
    assert message.to_mime()["Subject"] == expect


@pytest.mark.parametrize("value", ["\x00", "\x1b[31m", "\x7f", "\x9b", "\ud800"])
def test_other_controls_in_a_subject(value: str) -> None:
    """Control characters that do not end a line are refused, as in every subject."""
    app = app_with({"x.txt": "{% block subject %}{{ v }}{% endblock %}Hi"})

    with pytest.raises(MessageError, match="subject has the control character"):
        render(app, "x", v=f"a{value}b")


PLACES = [
    "{{ v }}",
    "Dear {{ v }}, hello",
    "# Title {{ v }}\n\ntext",
    "- one {{ v }}\n- two",
    "> {{ v }}",
    "**{{ v }}** and *{{ v }}*",
    "`{{ v }}`",
    "```\n{{ v }}\n```",
    "| a | b |\n|---|---|\n| {{ v }} | c |",
    "[{{ v }}](https://shop.example)",
    "[x](https://shop.example '{{ v }}')",
    "{% macro m(v) %}*{{ v }}*{% endmacro %}{{ m(v) }}",
    "{% set w %}{{ v }}{% endset %}{{ w }}",
    "{% filter trim %}{{ v }}{% endfilter %}",
    "{{ v|e }}",
    "{{ v|escape }}",
    "{{ v|forceescape }}",
    "{{ v|urlize }}",
    "{{ 'Hi %s'|format(v) }}",
    "{{ '*Hi* %s'|safe|format(v) }}",
    "{{ '*Hi* %(v)s %(n)d'|safe|format(v=v, n=1) }}",
    "{{ ['a', v]|join(' ') }}",
    "{{ 'a ' ~ v }}",
    "{{ v|tojson }}",
    "{{ {'title': v}|xmlattr }}",
    "{{ {'v': v}.v }}",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", MARKDOWN_ATTACKS)
def test_markdown_is_escaped(value: str, place: str) -> None:
    """In Markdown a value is text everywhere: the HTML has the same tags as for a simple word."""
    app = markdown_app(place)

    html = render(app, "x", v=value).html
    simple = render(app, "x", v="word").html

    assert tags(html) == tags(simple)
    assert "evil.example" not in " ".join(re.findall(r'(?:href|src)="[^"]*"', html))
    if "'{{ v }}'" not in place and "tojson" not in place and "xmlattr" not in place:
        shown = re.sub("[\x00\U000f0000-\U000f007f]", "\N{REPLACEMENT CHARACTER}", value)
        assert shown.strip() in words(html)


@functools.cache
def markdown_app(place: str) -> Flask:
    return app_with({"plain.html": "{% block content %}{% endblock %}", "x.md": frame(place)})


def frame(place: str) -> str:
    return "{% set layout = 'plain.html' %}\n" + place


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_in_markdown(value: str) -> None:
    """The reader sees every value as it was written, in code too."""
    app = markdown_app("**A{{ v }}Z**\n\n`B{{ v }}Y`")

    html = render(app, "x", v=value).html

    shown = re.sub("[\x00\U000f0000-\U000f007f]", "\N{REPLACEMENT CHARACTER}", value)
    shown = shown.replace("\r\n", "\n").replace("\r", "\n")
    assert tags(html) == ["p", "strong", "p", "code"]
    assert f">A{escape(shown)}Z<" in html
    assert f">B{escape(shown)}Y<" in html


def test_markdown_by_its_writer() -> None:
    """The template itself is Markdown, with tables. HTML in it is escaped."""
    app = markdown_app(
        "# Hi\n\n{{ '*a*'|safe }} <b onclick=x>\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n\n"
        "[x]({{ url }})"
    )

    html = render(app, "x", url="https://shop.example/a b?c=(1)&d=*2*").html

    assert "<h1>Hi</h1>" in html
    assert "<em>a</em> &lt;b onclick=x&gt;" in html
    assert '<table class="data">' in html
    assert '<td style="text-align:right">2</td>' in html
    assert 'href="https://shop.example/a%20b?c=(1)&amp;d=*2*"' in html


def translated_app(newstyle: bool) -> Flask:
    """A translated app, with the new style of Jinja (Flask-Babel's) or the old one."""
    texts = {"Hello %(name)s": "**Hallo** %(name)s", "%(num)s mails": "*%(num)s* Mails"}
    direct = "_('Hello %(name)s', name=v)" if newstyle else "_('Hello %(name)s')|format(name=v)"
    app = app_with(
        {
            "plain.html": "{% block content %}{% endblock %}",
            "a.md": frame("{% trans name=v %}Hello {{ name }}{% endtrans %}"),
            "b.md": frame("{% trans num=3 %}one mail{% pluralize %}{{ num }} mails{% endtrans %}"),
            "c.md": frame(f"{{{{ {direct} }}}} {{{{ n }}}} {{{{ d }}}}"),
            "d.md": frame("{% trans %}100%{% endtrans %}"),
        }
    )
    app.jinja_env.add_extension("jinja2.ext.i18n")
    environment = t.cast(t.Any, app.jinja_env)
    environment.install_gettext_callables(
        lambda text: texts.get(text, text),
        lambda one, many, n: texts.get(many, many),
        newstyle=newstyle,
    )
    return app


@pytest.mark.parametrize("newstyle", [True, False])
@pytest.mark.parametrize("value", ["[won](https://evil.example)", "*Ann* <b>", "%(name)s %"])
def test_translated_markdown(value: str, newstyle: bool) -> None:
    """A translation is Markdown, and a variable in it is text."""
    app = translated_app(newstyle)
    said = f"<p><strong>Hallo</strong> {escape(value)}"

    assert render(app, "a", v=value).html == f"{said}</p>\n"
    assert render(app, "b").html == "<p><em>3</em> Mails</p>\n"
    assert render(app, "c", v=value, n=-1, d=decimal.Decimal("1.5")).html == f"{said} -1 1.5</p>\n"
    assert render(app, "d").html == "<p>100%</p>\n"


def test_the_apps_finalize() -> None:
    """The app's own ``finalize`` is called, in Markdown too."""
    app = app_with({"x.html": "{{ none }}", "y.md": frame("{{ none }}")})
    app.jinja_loader = None
    app = app_with(
        {
            "x.html": "{{ v }}",
            "y.md": frame("{{ v }}"),
            "plain.html": "{% block content %}{% endblock %}",
        }
    )
    app.jinja_options = {"finalize": lambda value: "*-*" if value is None else value}

    assert render(app, "x", v=None).html == "*-*"
    assert render(app, "y", v=None).html == "<p>*-*</p>\n"
