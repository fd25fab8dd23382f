"""The text alternative that is generated from HTML."""

from __future__ import annotations

import pathlib

import pytest

from flask_mailhandler.plaintext import plaintext

X_AS_S = "S (https://x.example)"
GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "plaintext"


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.html")))
def test_golden(name: str) -> None:
    """The text reads as if a careful person had written it."""
    html = (GOLDEN / f"{name}.html").read_text("utf-8")

    text = plaintext(html)

    assert text == (GOLDEN / f"{name}.txt").read_text("utf-8")


def check(html: str, expect: str) -> None:
    assert plaintext(html) == (f"{expect}\n" if expect else "")


@pytest.mark.parametrize(
    ("html", "expect"),
    [
        ("", ""),
        (" \n\t ", ""),
        ("Hi", "Hi"),
        ("<p>Hi</p>", "Hi"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<p>a</p>\n\n\n<p></p><p>  </p>\n<p>b</p>", "a\n\nb"),
        ("<p>a<p>b", "a\n\nb"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("a<div>b</div>c", "a\nb\nc"),
        ("<div><p>a</p></div><div><div><p>b</p></div></div>", "a\n\nb"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("a<br><br>b", "a\n\nb"),
        ("a<br><br><br><br>b", "a\n\nb"),
        ("<br>a<br>", "a"),
        ("<p>a<br></p><div>b</div>", "a\n\nb"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("<div>a</div><div>&nbsp;</div><div>b</div>", "a\n\nb"),
        ("one\n  two\tthree ", "one two three"),
        ("a <b> b</b> <i>c </i> d", "a b c d"),
        ("a<b>b</b>c", "abc"),
        ("<s>20 €</s> 10 €", "~~20 €~~ 10 €"),
        ("<p>Now <del> 20 € </del>10 €!", "Now ~~20 €~~ 10 €!"),
        ("<strike>a <b>b</b></strike>c", "~~a b~~ c"),
        ("<s>a <del>b</del> <s>c</s></s> d", "~~a b c~~ d"),
        ("<s>a<p>b <s>c</s> d</p></s>", "~~a~~\n\n~~b c d~~"),
        ("<del>a<br><del>b", "~~a\nb~~"),
        ("<span style='text-decoration: line-through'>20</span><ins>10</ins>", "~~20~~ 10"),
        ("<table><tr><td style='TEXT-DECORATION:red line-through'>20<td>10", "~~20~~  10"),
        ("<del><p>a</p><p>b</p></del>c", "~~a~~\n\n~~b~~\n\nc"),
        ("<s></s><s> </s><s hidden>x</s>a<s>b", "a~~b~~"),
        ("<s><a href='https://x.example'>a</a></s>", "~~a (https://x.example)~~"),
        ("10<sup>2</sup>, 10<sup>-3</sup> m<sup>2</sup>", "10², 10⁻³ m²"),
        ("19<sup>99</sup> €, H<sub>2</sub>O, x<sup>th</sup><sup></sup>", "19⁹⁹ €, H₂O, xth"),
        ("a<hr>b", "a\n\n" + "-" * 40 + "\n\nb"),
        ("<h1>One</h1>text", "One\n===\n\ntext"),
        ("text<h2>Two</h2>text", "text\n\nTwo\n---\n\ntext"),
        ("<h3>Three</h3><p>text", "Three\n\ntext"),
        ("<h1>A<br>long one</h1>", "A\nlong one\n========"),
        ("<h1></h1>text", "text"),
        ("<h1><p>One</p></h1>text", "One\n===\n\ntext"),
        ("<h1>One<h2>Two</h2>", "One\n===\n\nTwo\n---"),
        ("<h1>日本</h1>", "日本\n===="),
        (f"<h2>{'long ' * 40}</h2>", "long " * 39 + "long\n" + "-" * 72),
    ],
)
def test_blocks(html: str, expect: str) -> None:
    """One blank line separates paragraphs and headings; other blocks are lines."""
    check(html, expect)


@pytest.mark.parametrize(
    ("html", "expect"),
    [
        ('<a href="https://x.example/a">here</a>', "here (https://x.example/a)"),
        ('see <a href="https://x.example/">this</a>.', "see this (https://x.example/)."),
        ('<a href="https://x.example/"> this </a>now', "this (https://x.example/) now"),
        ('<a href="https://x.example/">this</a>now', "this (https://x.example/) now"),
        ('<a href="https://x.example/">https://x.example/</a>', "https://x.example/"),
        ('<a href="https://x.example/">x.example</a>', "https://x.example/"),
        ('<a href="https://X.example">http://x.example/</a>', "https://X.example"),
        ('<a href="https://x.example/">x.<wbr>ex&#8203;ample</a>', "https://x.example/"),
        ('<a href="mailto:ann@x.example">ann@x.example</a>', "ann@x.example"),
        ('<a href="mailto:ann@x.example?subject=Hi">Ann</a>', "Ann (ann@x.example)"),
        ('<a href="mailto:?subject=Hi">Share</a>', "Share"),
        ('<a href="tel:+12075550142">+1 (207) 555-0142</a>', "+1 (207) 555-0142"),
        ('<a href="tel:+12075550142">Call us</a>', "Call us (+12075550142)"),
        ('<a href="myapp://open/7">Open</a>', "Open (myapp://open/7)"),
        ('<a href="#top">Top</a>', "Top"),
        ('<a href="">Empty</a>', "Empty"),
        ('<a href=" ">Empty</a>', "Empty"),
        ("<a name=x>Anchor</a>", "Anchor"),
        ('<a href="JavaScript:void(0)">Close</a>', "Close"),
        ('<a href="java\nscript:void(0)">Close</a>', "Close"),
        ('<a href="data:text/plain,x">Data</a>', "Data"),
        ('<a href="https://x.example/a b">x</a>', "x (https://x.example/a%20b)"),
        ('<a href="\n https://x.example/a\n">x</a>', "x (https://x.example/a)"),
        ('<a href="https://x.example/?a=1&amp;b=2">x</a>', "x (https://x.example/?a=1&b=2)"),
        (
            '<a href="https://x.example/?a=1&copy=2&reg">x</a>',
            "x (https://x.example/?a=1&copy=2&reg)",
        ),
        ('<a href="https://x.example/?q=&#233;&eacute;">x</a>', "x (https://x.example/?q=éé)"),
        ("<a href=https://x.example/>x</a>", "x (https://x.example/)"),
        ("<a title='a > b' href='https://x.example/'>x</a>", "x (https://x.example/)"),
        ('<a href="https://x.example/"></a>a', "a"),
        ('<a href="https://x.example/" title="Shop"></a>', "Shop (https://x.example/)"),
        ('<a href="https://x.example/"><img alt="Logo"></a>', "Logo (https://x.example/)"),
        ('<a href="https://x.example/"><img alt=""></a>', "https://x.example/"),
        ("<a href=https://x.example><img alt=''></a> <a href=https://x.example>S</a>", X_AS_S),
        ("<a href=https://x.example>S</a><p><a href=https://x.example><img></a></p>", X_AS_S),
        ("<a href=https://x.example>S</a><a href=https://x.example><img alt=' '></a>", X_AS_S),
        (
            "<a href=https://x.example><img alt=''></a><p><a href=https://x.example/y>S</a>",
            "https://x.example\n\nS (https://x.example/y)",
        ),
        (
            "<td><a href=https://x.example><img></a><td><a href=https://x.example><img></a>",
            "https://x.example\n\nhttps://x.example",
        ),
        ('<a href="u:1"><div>Text</div></a><div>b</div>', "Text (u:1)\nb"),
        ('<a href="u:1"><h2>Title</h2><p>Text</p></a>b', "Title\n-----\n\nText (u:1)\n\nb"),
        ("<p><a href=u:1>a</p><p>b</a></p>", "a (u:1)\n\nb"),
        ("<a href=u:1>a<a href=u:2>b", "a (u:1) b (u:2)"),
        ("<table><tr><td><a href=u:1>a<td>b</table>c", "a (u:1)  b\n\nc"),
        ('<p>Go:</p><p><a class="button" href="u:1">Go on</a></p>', "Go:\n\nGo on (u:1)"),
        ('<a href="u:1" style="mso-hide:all">Button</a>', "Button (u:1)"),
        ('<a href="u:1" style="display:none">x</a>b', "b"),
    ],
)
def test_links(html: str, expect: str) -> None:
    """A link is its text and its URL, once if they are equal; a dead link is only text."""
    check(html, expect)


@pytest.mark.parametrize(
    ("html", "expect"),
    [
        ('<img src="x.png" alt="Our  logo">', "Our logo"),
        ('a <img alt="b"> c', "a b c"),
        ('<img alt="a"><img alt="b">c', "a b c"),
        ('<img src="x.png">', ""),
        ('<img alt="">', ""),
        ('<img alt="open" width="1" height="1">', ""),
        ('<img alt="open" style="width: 1px; height: 1px">', ""),
        ('<img alt="Logo" width="160" height="40">', "Logo"),
        ('<img alt="x" style="display:none">', ""),
    ],
)
def test_images(html: str, expect: str) -> None:
    """An image is its alternative text."""
    check(html, expect)


@pytest.mark.parametrize(
    ("html", "expect"),
    [
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("<ul><li>a<li>b</ul>c", "- a\n- b\n\nc"),
        ("<p>a:</p><ul><li><p>b</p></li>\n<li><p>c</p></li></ul>", "a:\n\n- b\n- c"),
        ("<ul><li><p>a</p><p>b</p></li><li>c</li></ul>", "- a\n\n  b\n- c"),
        ("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"),
        ("<ol start=9><li>a<li>b</ol>", "9. a\n10. b"),
        ("<ol start=-1><li>a<li>b</ol>", "-1. a\n0. b"),
        ("<ol start=x><li>a</ol>", "1. a"),
        ("<ol reversed><li>a</li><li>b</li></ol>", "2. a\n1. b"),
        ("<ol reversed start=9><li>a<li>b<li value=3>c<li>d", "9. a\n8. b\n3. c\n2. d"),
        (
            "<ol reversed><li>a<ol><li>x<li>y</ol><li hidden>-<li>b</ol>",
            "2. a\n  1. x\n  2. y\n1. b",
        ),
        ('<ol><li value="7">c</li><li>d</li></ol>', "7. c\n8. d"),
        ("<ol><li>a<li value=x>b<li value=-3>c<li>d</ol>", "1. a\n2. b\n-3. c\n-2. d"),
        ("<ol type=a start=26><li>a<li>b<li type=1>c</ol>", "z. a\naa. b\n28. c"),
        ("<ol type=I><li value=3999>a<li>b<li value=0>c</ol>", "MMMCMXCIX. a\n4000. b\n0. c"),
        ("<ol style='list-style: inside lower-roman'><li value=4>a</ol>", "iv. a"),
        ("<ol style='list-style-type:upper-latin'><li>a<li>b</ol>", "A. a\nB. b"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "- a\n  - b\n- c"),
        ("<ul><li>a</li><ul><li>b</li></ul></ul>", "- a\n- b"),
        ("<ol><li>a<ul><li>b<ol><li>c</ol></ul><li>d</ol>", "1. a\n  - b\n    1. c\n2. d"),
        ("<ul><li>a<br>b</ul>", "- a\n  b"),
        ("<ul><li></li><li> </li></ul>a", "a"),
        ("<ul><li><ul><li>a</ul></ul>", "- - a"),
        ("<li>a<li>b", "- a\n- b"),
        ("<dl><dt>a<dd>b<dt>c<dd>d</dl>", "a\n  b\nc\n  d"),
        ("a<blockquote>b</blockquote>c", "a\n\n> b\n\nc"),
        ("<blockquote><p>a<p>b</blockquote>", "> a\n>\n> b"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>", "> a\n>\n> > b"),
        ("<blockquote><ul><li>a<li>b</ul></blockquote>", "> - a\n> - b"),
        ("a<pre>\n  x = 1\n\n\n    y  = 2 \n</pre>b", "a\n\n  x = 1\n\n\n    y  = 2\n\nb"),
        ("<pre>a\r\nb<br>c\rd</pre>", "a\nb\nc\nd"),
        ("<pre> \n\n  a</pre>", "  a"),
        ("<blockquote><pre>a\n\nb</pre></blockquote>", "> a\n>\n> b"),
        ('<p style="white-space: pre-wrap">a\n b</p>', "a\n b"),
    ],
)
def test_lists_and_quotations(html: str, expect: str) -> None:
    """Items, quotations and listings look as in other plain text messages."""
    check(html, expect)


@pytest.mark.parametrize(
    ("html", "expect"),
    [
        (
            "<table><tr><th>Item<th>Amount<tr><td>Mug<td>$24.00<tr><td>Tray<td>$8.50</table>",
            "Item  Amount\n----  ------\nMug   $24.00\nTray   $8.50",
        ),
        ("<table><tr><td>a<td>bb<tr><td>ccc<td>d</table>", "a    bb\nccc  d"),
        (
            "<table><tr><td>Mug<td>2<td>$24.00<tr><td colspan=2>Total, with tax<td>$48.00</table>",
            "Mug           2  $24.00\nTotal, with tax  $48.00",
        ),
        (
            "<table><tr><td colspan=999999999>Your order<tr><td>Mug<td>1</table>",
            "Your order\nMug  1",
        ),
        ("<table><tr><td>a<td><td>b<tr><td>c<td><td>d</table>", "a  b\nc  d"),
        ("<table><tr><td>a<td>b<tr><td>日本<td>d</table>", "a     b\n日本  d"),
        (
            "<table><tr><td>a<td align=right>free<tr><td>b<td style='text-align: right'>$10.00"
            "</table>",
            "a    free\nb  $10.00",
        ),
        (
            "<table><caption>Sum</caption><tr><td>a<td>b<tr><td>c<td>d</table>",
            "Sum\n\na  b\nc  d",
        ),
        ("<table><tr><td>a<br>aa<td>b<tr><td>c<td>d</table>", "a   b\naa\nc   d"),
        (
            "<table><thead><tr><th>A<th>B<tbody><tr><td><p>a</p><td><div>b</div></table>",
            "A  B\n-  -\na  b",
        ),
        (
            "<table role=presentation><tr><td>Date<td>May 1<tr><td>Number<td>7</table>",
            "Date    May 1\nNumber  7",
        ),
        ("<table><tr><td>a<tr><td>b</table>", "a\nb"),
        ("<table><tr><td>a<tr><td>b<br>c</table>", "a\n\nb\nc"),
        ("<table><tr><td>a<br><br>b<td>c</table>", "a\n\nb\n\nc"),
        ("<table><tr><td><p>a<p>b<tr><td>c</table>", "a\n\nb\n\nc"),
        ("<table><tr><td>a<td>b</table>", "a  b"),
        ("<table><tr><td><ul><li>a<li>b</ul><td>c</table>", "- a\n- b\n\nc"),
        ("<table role=presentation><tr><td>Top<tr><td>a<td>b</table>", "Top\na  b"),
        ("<table><tr><td><p>a</p><p>b</p><td><h3>c</h3></table>", "a\n\nb\n\nc"),
        ("<table><tr><td><table><tr><td>a</table><td>b</table>", "a\n\nb"),
        (f"<table><tr><td>•<td>{'b ' * 50}b<tr><td>•<td>d</table>", f"• {'b ' * 50}b\n\n• d"),
        ("<table><tr><td>a</table><table><tr><td>b</table>", "a\n\nb"),
        ("<table>stray<tr><td>a</table>", "stray\n\na"),
        ("<table></table><table><tr></table><table><tr><td></table>", ""),
        ("<table><caption>Sum</caption></table>", "Sum"),
        ("<table><tr><td>a</td><td style='display:none'>x</td></tr></table>", "a"),
        ("<td>a<td>b", "a\n\nb"),
        ("</td></tr></table>a", "a"),
    ],
)
def test_tables(html: str, expect: str) -> None:
    """A table of short texts has columns; a layout table reads from top to bottom."""
    check(html, expect)


def test_a_row_too_long_for_a_line() -> None:
    """Short texts with long URLs are written on one line each, without separators."""
    url = "https://x.example/" + "a" * 60

    text = plaintext(f'<table><tr><td><a href="{url}">A</a><td>|<td><a href="{url}">B</a></table>')

    assert text == f"A ({url})\nB ({url})\n"


@pytest.mark.parametrize(
    "html",
    [
        '<div style="display:none">x</div>',
        '<div style="color: red; DISPLAY : none !important">x</div>',
        '<div style="mso-hide:all">x</div>',
        '<div style="visibility:hidden">x</div>',
        '<div style="max-height:0px">x</div>',
        '<div style="opacity: 0">x</div>',
        '<div style="opacity:0.0;">x</div>',
        '<div style="font-size:0">x</div>',
        "<div hidden>x</div>",
        '<div hidden="">x<div>x</div>x</div>',
        "<p hidden>x<p>",
        "<table><tr hidden><td>x</table>",
        "<style>x</style>",
        "<STYLE type='text/css'>x { } </p> </STYLE >",
        "<script>if (a < b) x('</p>')</script>",
        "<head><title>x</title></head>",
        "<template>x</template>",
        "<noscript>x</noscript>",
        "<xml>x</xml>",
        "<!-- x -->",
        "<!-- <p>x</p> -- > x -->",
        "<!-- x --!>",
        "<!--><!--->",
        "<!--[if mso]><p>x</p><![endif]-->",
        "<!--[if gte mso 9]><xml>x</xml><![endif]-->",
        "<![if !mso]><![endif]>",
        "<!doctype html><?xml version='1.0'?></3 x>",
    ],
)
def test_what_is_not_for_reading(html: str) -> None:
    """Hidden elements are not in the text, and hide nothing else."""
    check(f"<p>a</p>{html}<p>b</p>", "a\n\nb")


@pytest.mark.parametrize(
    ("html", "expect"),
    [
        ("<!--[if !mso]><!--><p>a</p><!--<![endif]-->", "a"),
        ("<![if !mso]>a<![endif]>", "a"),
        ('<span aria-hidden="true">a</span>', "a"),
        ('<div style="opacity:0.5;max-height:0.5em;font-size:0.9em">a</div>', "a"),
        ('<td style="font-size:0px"><div style="font-size:13px">a</div><img alt="b">', "a\nb"),
        ("<head><style>x</style><p>a", "a"),
        ("<body hidden-x>a</body>b", "ab"),
    ],
)
def test_what_only_looks_hidden(html: str, expect: str) -> None:
    """Elements that look hidden but are visible are in the text."""
    check(html, expect)


@pytest.mark.parametrize(
    ("html", "expect"),
    [
        ("&lt;b&gt; &amp;amp; &eacute; &#x1F600;", "<b> &amp; é 😀"),
        ("&nbsp;a&nbsp;&nbsp;b&nbsp;", "a b"),
        ("1&#8239;000&#160;€", "1 000 €"),
        ("a&#847;&zwnj;&nbsp;&#847;&zwnj;&nbsp;&#8203;&shy;&#65279;", "a"),
        ("con&shy;tract", "contract"),
        ("می&zwnj;خواهم", "می\u200cخواهم"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("a&zwnj;&zwnj;&zwnj;b&zwnj; c", "ab c"),
        ("\u3000日本", "\u3000日本"),
        ("a\x00\x1b[31mb\x85c\u2028d", "a [31mb c d"),
        ("<pre>\x1b[31ma\tb\u2028c</pre>", "[31ma\tb\nc"),
        ("&#" + "9" * 5000 + ";", "&#" + "9" * 5000 + ";"),
        ("\ud800<p>\udfff", "\ud800\n\n\udfff"),
        ("1 < 2 > 1 & 3 <3 </", "1 < 2 > 1 & 3 <3 </"),
    ],
)
def test_characters(html: str, expect: str) -> None:
    """References are resolved, white space collapses, and invisible characters are left out."""
    check(html, expect)


@pytest.mark.parametrize(
    ("html", "expect"),
    [
        ("a<p", "a"),
        ("a<p title='", "a"),
        ("a<!-- b", "a"),
        ("a<style>b", "a"),
        ("a<title>b", "a"),
        ("a</b></div></p>b", "ab"),
        ("<p don't>it's</p>", "it's"),
        ("<p =x ==y>a", "a"),
        ("<P CLASS=A HIDDEN>a</P>b", "b"),
        ("<b><p>a</b>b</p>c", "ab\n\nc"),
        ("<div><table><tr><td>a</div>b</table>c", "ab\n\nc"),
        ("<o:p>a</o:p><x-y>b</x-y>", "ab"),
    ],
)
def test_broken_markup(html: str, expect: str) -> None:
    """Broken markup is read as in a browser."""
    check(html, expect)
