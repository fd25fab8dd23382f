"""The time from a template and its variables to the octets of a mail.

It is compared with the steps that every mail needs: Jinja alone renders the same files, css-inline
alone moves the CSS, and the same writer writes the result.
"""

from __future__ import annotations

import statistics
import time
import typing as t
from collections.abc import Callable

from flask import Flask
from jinja2 import ChoiceLoader
from jinja2 import DictLoader
from jinja2 import Environment
from jinja2 import PackageLoader

from flask_mailhandler import current_mail
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler.mime import render as write
from flask_mailhandler.templating.accent import mail_accent

from .table import microseconds
from .table import table
from .table import times
from .targets import Target

_HTML = """\
{% extends "mailhandler/layout.html" %}
{% block subject %}Your receipt {{ number }}{% endblock %}
{% block content %}
<h1>Thank you, {{ name }}!</h1>
<p>You can <a href="{{ link }}">follow your order</a> at any time.</p>
<table class="data">
<tr><th>Item</th><th class="number">Quantity</th><th class="number">Amount</th></tr>
{% for item, quantity, amount in items %}
<tr><td>{{ item }}</td>
<td class="number">{{ quantity }}</td><td class="number">{{ amount }}</td></tr>
{% endfor %}
</table>
<p><a class="button" href="{{ link }}">Your order</a></p>
{% endblock %}
"""
_TEXT = """\
Thank you, {{ name }}!

Follow your order: {{ link }}

{% for item, quantity, amount in items -%}
{{ quantity }} x {{ item }}: {{ amount }}
{% endfor %}
"""
FILES = {
    "two files": {"x.html": _HTML, "x.txt": _TEXT},
    "one file": {"x.mail": f"{_HTML}{{% block text %}}\n{_TEXT}{{% endblock %}}\n"},
    "only HTML": {"x.html": _HTML},
}
VARIABLES: dict[str, t.Any] = {
    "number": "HP-20488",
    "name": "Ann & Bob",
    "link": "https://shop.example/orders/HP-20488",
    "items": [(f"Stoneware mug <{n}>", n, f"$ {n * 24}.00") for n in range(1, 9)],
}
FIELDS: dict[str, t.Any] = {"from_addr": "shop@example.com", "to": "Ann <ann@example.com>"}
# css-inline alone rewrites the document. Changing nothing but style="" takes longer than that.
_MOST = 3.0


def run(rounds: int) -> list[Target]:
    """Measure, print the table, and return the targets.

    :param rounds: The number of turns of both in each case.
    """
    rows, targets = [], []
    for case, files in FILES.items():
        app = Flask("bench")
        app.jinja_loader = DictLoader(files)
        Mail(app, cli=None)
        with app.app_context():
            alone, ours = _measure(_alone(case), _rendered, rounds)
        rows.append([case, microseconds(alone), microseconds(ours), times(ours / alone)])
        targets.append(Target(f"template, {case}", ours / alone, "times", most=_MOST))
    print("\nMicroseconds from a template to the octets:\n")
    print(table(["mail", "Jinja, css-inline and writer", "render and writer", ""], rows))
    return targets


def _rendered() -> bytes:
    return bytes(write(current_mail.render("x", VARIABLES, **FIELDS)))


def _alone(case: str) -> Callable[[], bytes]:
    """Return a function that does the same by hand, with the text if one is written."""
    from css_inline import CSSInliner

    files = DictLoader({"x.html": _HTML, "x.txt": _TEXT if case != "only HTML" else ""})
    loader = ChoiceLoader([files, PackageLoader("flask_mailhandler.templating")])
    html = Environment(autoescape=True, loader=loader, auto_reload=False)
    text = Environment(autoescape=False, loader=loader, auto_reload=False)
    subject = text.from_string("Your receipt {{ number }}")
    inliner = CSSInliner(
        load_remote_stylesheets=False, keep_style_tags=True, remove_inlined_selectors=True
    )

    def by_hand() -> bytes:
        line = subject.render(VARIABLES)
        variables = {
            **VARIABLES,
            "mail_subject": lambda: line,
            "mail_locale": "",
            "mail_accent": mail_accent,
        }
        page = inliner.inline(html.get_template("x.html").render(variables))
        words = text.get_template("x.txt").render(variables)
        return bytes(write(Message(subject=line, html=page, text=words, **FIELDS)))

    return by_hand


def _measure(
    alone: Callable[[], bytes], ours: Callable[[], bytes], rounds: int
) -> tuple[float, float]:
    """Return the median seconds of each. Both take turns."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for build, seconds in zip((alone, ours), found, strict=True):
            build()
            start = time.perf_counter()
            for _ in range(20):
                build()
            seconds.append((time.perf_counter() - start) / 20)
    return statistics.median(found[0]), statistics.median(found[1])
