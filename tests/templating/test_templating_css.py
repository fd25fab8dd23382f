"""CSS is moved into ``style=""``, and nothing else in a document is changed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from flask_mailhandler.templating.css.inline import inliner
from mail_templates import render_html

MSO = "<!--[if mso]><table><tr><td class='btn'>Pay</td></tr></table><![endif]-->"


def inline(css: str, body: str = '<p class="x">Hi</p>', attributes: str = "") -> str:
    return inliner()(f"<style{attributes}>{css}</style>{body}")


def sheet(html: str) -> str:
    """The content of the style sheets."""
    return " ".join(" ".join(re.findall(r"<style[^>]*>(.*?)</style>", html, re.S)).split())


@pytest.mark.parametrize(
    "source",
    [
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/x.dtd">\n',
        "<HTML><Body>",
        "<table><tr><!--[if !mso]><!--><td>x</td><!--<![endif]--></tr></table>",
        f"{MSO}<![if !mso]><b>x</b><![endif]>",
        "<pre>\n\nx</pre>&nbsp;&copy;&#8217;<br/>< 3<p",
        "<img src='cid:a@b'alt=x /><a href=https://shop.example/?a=1&b=2>x</a>",
        "<b><i>x</b>y</i><td>z",
    ],
)
def test_the_rest_is_octet_for_octet(source: str) -> None:
    """Document type, comments, tags and entities stay as they were written."""
    html = inline("p { color: red }", f"{source}<p>Hi")

    assert html == f'{source}<p style="color: red;">Hi' or html.endswith(source + "<p>Hi")
    assert source in html


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        (".btn { background: #0066cc }", ".btn { background: #0066cc }"),
        ("td.btn, .other { color: red }", "td.btn { color: red; }"),
        ("TD { color: red }", "TD { color: red }"),
        ("* { color: red }", "* { color: red }"),
        ("table .btn { color: red }", "table .btn { color: red }"),
        ("p { color: red } .btn.large { color: blue }", ""),
    ],
)
def test_rules_for_outlook(css: str, kept: str) -> None:
    """A rule that a comment for Outlook may use is moved, and also stays."""
    body = f'{MSO}<table><td class="btn other">x<p class="btn large">y</table>'

    html = inline(css, body)

    assert "style=" in html
    assert sheet(html) == kept


@pytest.mark.parametrize(
    ("css", "style", "stays"),
    [
        # A rule that stays gets an !important if it was stronger.
        (
            ".x {color:red} .x:hover {color:blue}",
            "color: red;",
            ".x:hover { color: blue !important; }",
        ),
        (
            "p {margin:0;color:red} @media (max-width:9px) { p {margin-top:1px;font:x} }",
            "margin: 0; color: red;",
            "@media (max-width:9px) { p { margin-top: 1px !important; font: x; } }",
        ),
        # It gets none if it was weaker.
        ("p:hover {color:blue} p.x.x {color:red}", "color: red;", "p:hover {color:blue}"),
        ("p {color:red} p:hover {margin:0}", "color: red;", "p:hover {margin:0}"),
        # It gets none if it needs none.
        (
            "p {color:red} @media print { p {color:blue !important} }",
            "color: red;",
            "@media print { p {color:blue !important} }",
        ),
        ("p {color:red} p::after {color:blue}", "color: red;", "p::after {color:blue}"),
        # With an !important it would override a stronger rule, so it has none in style="".
        (
            "p {color:red !important} @media print { p {color:blue !important} }",
            "color: red;",
            "p { color: red !important; } @media print { p {color:blue !important} }",
        ),
        # Alone, it stays the same.
        ("p {color:red !important}", "color: red !important;", ""),
    ],
)
def test_what_stays_is_as_strong_as_before(css: str, style: str, stays: str) -> None:
    """Everything that overrode a moved rule still overrides it, and nothing else does."""
    html = inline(css)

    assert f'<p class="x" style="{style}">' in html
    assert sheet(html) == stays


def test_what_is_in_style_already() -> None:
    """The style="" of an element stays stronger than a rule that gets an !important."""
    css = "p { color: red } p:hover { color: blue }"

    html = inline(css, '<p>a<p style="color:green; margin: 0">b<p style="margin:0">c')

    assert html.endswith(
        '<p style="color: red;">a<p style="color: green !important; margin: 0;">b'
        '<p style="color: red; margin:0">c'
    )


def test_an_order_that_cannot_be_kept() -> None:
    """Rules that cannot be moved without a change are not moved."""
    css = "p { color: red } p:hover { color: blue } .x { color: green !important; margin: 0 }"
    css += " @media print { p { color: black !important } }"

    html = inline(css, '<p class="x">Hi')

    assert html.endswith('<p class="x" style="margin: 0;">Hi')
    assert "color: green !important" in sheet(html)
    assert "p:hover { color: blue }" in sheet(html)


@pytest.mark.parametrize(
    "attributes",
    [
        ' media="screen and (max-width:600px)"',
        " media=print",
        ' type="text/less"',
        " disabled",
        ' data-css-inline="ignore"',
    ],
)
def test_a_style_that_is_not_for_all(attributes: str) -> None:
    """A style sheet for a medium, in another language or disabled stays unchanged."""
    css = ".x{display:none}"

    html = inline(css, attributes=attributes)

    assert html == f'<style{attributes}>{css}</style><p class="x">Hi</p>'


def test_a_style_that_outlook_does_not_see() -> None:
    """A style sheet in a condition for Outlook is not moved out of it."""
    for source in (
        "<!--[if !mso]><!--><style>p { color: red }</style><!--<![endif]--><p>x",
        "<![if !mso]><style>p { color: red }</style><![endif]><p>x",
        "<!--[if mso]><style>p { color: red }</style><![endif]--><p>x",
    ):
        assert inliner()(source) == source


@pytest.mark.parametrize(
    "css",
    [
        "p{color:blue; @media print{color:black}}",
        "p{color:red; &:hover{color:green}}",
        "p{ .x & { color: red } }",
        "@font-face { font-family: X; src: local(x) }",
        "@supports (display: grid) { p { color: red } }",
        "p:is(.x, .y) { color: red }",
        ".ExternalClass p { color: red }",
        "p[style] { color: red }",
        "p { all: unset }",
        "not CSS {{{",
    ],
)
def test_what_is_not_moved(css: str) -> None:
    """Nested rules, conditions, and rules that apply later stay unchanged."""
    assert sheet(inline(css)) == css


@pytest.mark.parametrize(
    ("css", "style"),
    [
        (
            "p{background:#fff;background:linear-gradient(red,blue)}",
            "background: #fff; background: linear-gradient(red,blue);",
        ),
        ("p{width:90%;width:calc(100% - 9px)}", "width: 90%; width: calc(100% - 9px);"),
        ("p{color:red} .x{color:blue}", "color: blue;"),
        (".x{margin:0} p{margin-top:1px}", "margin-top: 1px; margin: 0;"),
        ('p{font-family:"Segoe UI",Arial}', "font-family: 'Segoe UI',Arial;"),
        ("p{mso-line-height-rule:exactly;*zoom:1}", "mso-line-height-rule: exactly;"),
        ("p{--Y:1;color:var(--x)}", "--Y: 1; color: var(--x);"),
    ],
)
def test_values(css: str, style: str) -> None:
    """Fallbacks stay before values that some clients do not support. Repeated declarations are
    written once."""
    assert f'<p class="x" style="{style}">' in inline(css)


def test_no_style_is_left() -> None:
    """An empty style sheet is removed."""
    assert inline("") == '<p class="x">Hi</p>'
    assert inline(" \n /* p */ ", "<p>") == "<style> \n /* p */ </style><p>"
    assert inline("b { color: red }", "<b>x") == '<b style="color: red;">x'


def test_an_element_that_is_in_no_tag() -> None:
    """A rule for an element that is not in the source stays, and the element is not added."""
    html = inline("body { margin: 0 } tbody td { padding: 0 }", "<table><tr><td>x</table>")

    assert (
        html == '<style>\nbody { margin: 0 }\n</style><table><tr><td style="padding: 0;">x</table>'
    )


def test_in_a_mail() -> None:
    """A rendered message is exactly as written, except for its style."""
    source = "<!DOCTYPE html>\n<html><style>p { color: red }</style><body><pre>\n\nx</pre><p>Hi"

    assert render_html(source).html == source.replace(
        "<style>p { color: red }</style>", ""
    ).replace("<p>", '<p style="color: red;">')


SELECTORS = st.lists(
    st.sampled_from(
        [*"p.x#y*>+~,: ()[]\"'\\\n", "a", "::before", ":hover", ":not(", "[a=b]", "/*"]
    ),
    max_size=8,
).map("".join)
BLOCKS = st.lists(
    st.sampled_from(
        [*"{};:!@&", "color:red", "margin:0", "!important", "@media print{", "url(", "x"]
    ),
    max_size=12,
).map("".join)
TAGS = st.lists(
    st.sampled_from(
        [
            *("<p>", '<p class="x">', "<a id=y style='color:blue'>", "</p>", "<table>", "<td "),
            *("<!--[if x]>", "<![endif]-->", "<style>p{color:blue}</style>"),
            *("<style media=print>", "</style>", "'", "x"),
        ]
    ),
    max_size=10,
).map("".join)


@pytest.mark.slow
@settings(max_examples=300)
@given(st.lists(st.tuples(SELECTORS, BLOCKS), max_size=4), TAGS)
def test_any_css(rules: list[tuple[str, str]], tags: str) -> None:
    """No CSS or markup is an error, and the text stays the same."""
    css = "\n".join(f"{selector} {{ {block} }}" for selector, block in rules)

    html = inliner()(f"<style>{css}</style><b>Hi</b>{tags}")

    assert "Hi</b>" in html or "</style" in css or "<style" in css


@pytest.mark.parametrize(
    ("tag", "expect"),
    [
        (
            "<a class=x href=https://shop.example/new/>",
            "<a class=x href=https://shop.example/new/ {}>",
        ),
        ("<a class=x href=https://shop.example/ >", "<a class=x href=https://shop.example/ {}>"),
        ("<a class=x href=/>", "<a class=x href=/ {}>"),
        ("<div class=x title=>", '<div class=x title="" {}>'),
        ("<div class=x title= >", '<div class=x title="" {}>'),
        ("<img class=x alt=''/>", "<img class=x alt='' {}/>"),
        ('<img class=x src="cid:a?b=c"/>', '<img class=x src="cid:a?b=c" {}/>'),
        ("<input class=x disabled />", "<input class=x disabled {}/>"),
    ],
)
def test_what_a_tag_ends_with(tag: str, expect: str) -> None:
    """The style does not become part of an unquoted value, and such a value loses no slash."""
    html = inline(".x { color: red }", tag)

    assert html == expect.format('style="color: red;"')


@pytest.mark.parametrize(
    "attribute", ['foo"bar=1', "a'b", "=c", "=c=d", "a<b=3", "@click=x", "(e)"]
)
def test_names_of_attributes(attribute: str) -> None:
    """An element gets its style whatever the names of its attributes are."""
    html = inline(".x { color: red }", f"<p class=x {attribute}>1<p class=x>2")

    assert html == f'<p class=x {attribute} style="color: red;">1<p class=x style="color: red;">2'


@pytest.mark.parametrize("attributes", ['type="text/x-template"', "disabled", "type=text/plain"])
def test_style_sheets_that_are_none(attributes: str) -> None:
    """A ``<style>`` that browsers ignore does not keep others from being moved."""
    other = f"<style {attributes}>p {{ margin: 1px }}</style>"

    html = inline(".x { color: red }", f"{other}<p class=x>1<div class=x>2")

    style = 'style="color: red;"'
    assert html == f"{other}<p class=x {style}>1<div class=x {style}>2"


@pytest.mark.parametrize(
    "comment",
    [
        '<!-- <p style="--r99: 1"> -->',
        '<!-- <p data-mailhandler-n="7" style="--r0: 1"> -->',
        '<!-- <p data-mailhandler-n="99999" style="--r1: 1; --r0: 1"> -->',
    ],
)
def test_marks_that_are_none(comment: str) -> None:
    """Text in a comment is not taken for an element."""
    html = inline(".x { color: red }", f"{comment}<p class=x>1")

    assert html.endswith(f'{comment}<p class=x style="color: red;">1')


@pytest.mark.parametrize(
    ("css", "style"),
    [
        (".x { display: block; display: flex }", "display: block; display: flex;"),
        (".x { color: #666; color: #0006 }", "color: #666; color: #0006;"),
        (".x { width: 9em; width: fit-content } p { width: 8em }", None),
        ("p { display: block; display: flex } .x { display: inline }", "display: inline;"),
        ("p { color: red } .x { color: #666; color: #0006 }", "color: #666; color: #0006;"),
        ("p { color: red } .x { color: blue }", "color: blue;"),
    ],
)
def test_what_a_block_says_twice(css: str, style: str | None) -> None:
    """A client that does not support the second value of a block uses the first. Other blocks
    override both."""
    html = inline(css)

    assert f'style="{style or "width: 9em; width: fit-content;"}"' in html
    assert sheet(html) == ""


@pytest.mark.parametrize(
    ("moved", "at_times"),
    [
        ("inset: 0", "top: 5px"),
        ("gap: 0", "row-gap: 5px"),
        ("grid-gap: 0", "column-gap: 5px"),
        ("word-wrap: break-word", "overflow-wrap: normal"),
        ("place-items: center", "align-items: start"),
        ("justify-self: end", "place-self: start"),
        ("border-radius: 3px", "-webkit-border-radius: 0"),
        ("-moz-box-shadow: none", "box-shadow: 1px 1px red"),
    ],
)
def test_properties_that_compete(moved: str, at_times: str) -> None:
    """Media queries still override a shorthand, and a property with another name."""
    html = inline(f".x {{ {moved} }} @media print {{ .x {{ {at_times} }} }}")

    assert f'style="{moved};"' in html
    assert sheet(html) == f"@media print {{ .x {{ {at_times} !important; }} }}"


@pytest.mark.parametrize("deep", ["{", "a{", "@media x{", "(", "@supports (a:b){x{", ".x{a:("])
def test_css_that_is_nested_too_deep(deep: str) -> None:
    """A style sheet, or a style, that cannot be parsed stays unchanged."""
    html = inline(deep * 5000)
    assert html == f'<style>{deep * 5000}</style><p class="x">Hi</p>'

    html = inline(".x { color: red }", f"<p class=x style='{deep * 5000}'>Hi")
    assert html == f'<p class=x style="color: red; {deep * 5000}">Hi'
