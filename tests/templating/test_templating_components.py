"""The components: the same pieces of a message in HTML, Markdown and text."""

from __future__ import annotations

import pytest

from mail_templates import app_with
from mail_templates import render

NAMES = "button, panel, table, code, divider, footer"
URL = "https://shop.example/o?a=1&b=2"
ROWS = [("Mug <green>", 2, "$ 48"), ("Towel | blue", 10, "$ 9")]


def rendered(ending: str, source: str) -> tuple[str, str]:
    """The HTML without style sheets, and the text, of a message made with the components."""
    head = f"{{% from 'mailhandler/components.{ending}' import {NAMES} %}}"
    layout = "{% set layout = 'plain.html' %}" if ending == "md" else ""
    app = app_with(
        {f"x.{ending}": head + layout + source, "plain.html": "{% block content %}{% endblock %}"}
    )
    message = render(app, "x", url=URL, rows=ROWS, bad="<b>*x*")
    return message.html.strip(), message.text


@pytest.mark.parametrize(
    ("source", "html", "markdown", "text"),
    [
        (
            "{{ button(url, 'See <it>') }}",
            '<p><a class="button" href="https://shop.example/o?a=1&amp;b=2">See &lt;it&gt;</a></p>',
            '<p><a href="https://shop.example/o?a=1&amp;b=2" class="button">See &lt;it&gt;</a></p>',
            f"See <it>: {URL}\n",
        ),
        (
            "{{ panel(bad) }}",
            "<blockquote>&lt;b&gt;*x*</blockquote>",
            "<blockquote>\n<p>&lt;b&gt;*x*</p>\n</blockquote>",
            "> <b>*x*\n",
        ),
        (
            "{% call panel() %}One {{ bad }}{% endcall %}",
            "<blockquote>One &lt;b&gt;*x*</blockquote>",
            "<blockquote>\n<p>One &lt;b&gt;*x*</p>\n</blockquote>",
            "> One <b>*x*\n",
        ),
        (
            "{{ code(bad) }}",
            '<p class="code">&lt;b&gt;*x*</p>',
            "<p><code>&lt;b&gt;*x*</code></p>",
            "<b>*x*\n",
        ),
        ("Hi\n{{ divider() }}", "Hi\n<hr>", "<p>Hi</p>\n<hr />", "Hi\n" + "-" * 40 + "\n"),
        (
            "{{ footer('You have an account.', url, 'Leave') }}",
            '<p>You have an account. <a href="https://shop.example/o?a=1&amp;b=2">Leave</a></p>',
            '<p>You have an account. <a href="https://shop.example/o?a=1&amp;b=2">Leave</a></p>',
            f"You have an account. Leave: {URL}\n",
        ),
        ("{{ footer(bad) }}", "<p>&lt;b&gt;*x*</p>", "<p>&lt;b&gt;*x*</p>", "<b>*x*\n"),
    ],
)
def test_a_component(source: str, html: str, markdown: str, text: str) -> None:
    """Each component escapes its values as the part that it is in."""
    assert rendered("html", source)[0] == html
    assert rendered("md", source)[0] == markdown
    assert rendered("txt", source)[1] == text


def test_a_table() -> None:
    """A table has a head, a last row with the total, and columns of numbers at the right."""
    source = (
        "{{ table(rows, ['Item', 'No.', 'Price'], numbers=[2, 3], total=['Total', 12, '$ 57']) }}"
    )

    html, markdown = rendered("html", source)[0], rendered("md", source)[0]

    assert rendered("txt", source)[1] == (
        "Item          No.  Price\n"
        "Mug <green>     2   $ 48\n"
        "Towel | blue   10    $ 9\n"
        "Total          12   $ 57\n"
    )
    assert '<tr><th>Item</th><th class="number">No.</th><th class="number">Price</th></tr>' in html
    assert '<td>Towel | blue</td><td class="number">10</td><td class="number">$ 9</td>' in html
    assert '<tr class="total"><td>Total</td>' in html
    assert markdown.startswith('<table class="data">')
    assert "<td>Mug &lt;green&gt;</td>" in markdown
    assert '<td style="text-align:right">$ 57</td>' in markdown
    assert "<td>Towel | blue</td>" in markdown


def test_a_table_of_rows_only() -> None:
    """A table in HTML and text needs neither a head nor rows."""
    assert rendered("txt", "{{ table(rows) }}")[1].startswith("Mug <green>   2   $ 48")
    assert "<th" not in rendered("html", "{{ table(rows) }}")[0]
    assert rendered("txt", "Hi\n{{ table([]) }}")[1] == "Hi\n"


def test_components_in_one_file() -> None:
    """Each block of a file with all parts imports its own components."""
    blocks = [
        f"{{% block {part} %}}{{% from 'mailhandler/components.{ending}' import button %}}"
        "{{ button(url, bad) }}{% endblock %}"
        for part, ending in (("html", "html"), ("text", "txt"))
    ]
    app = app_with({"x.mail": "".join(blocks)})

    message = render(app, "x", url="https://shop.example/", bad="<b>")

    assert message.html == '<p><a class="button" href="https://shop.example/">&lt;b&gt;</a></p>'
    assert message.text == "<b>: https://shop.example/\n"
