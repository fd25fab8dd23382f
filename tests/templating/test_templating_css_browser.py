"""Real templates look the same before and after their CSS is moved, in a real browser."""

from __future__ import annotations

import json
import subprocess
import typing as t

import pytest

from flask_mailhandler.plaintext.markup import markup
from flask_mailhandler.plaintext.markup import without
from flask_mailhandler.templating.css.inline import inliner
from npm import missing as npm_missing
from npm import NODE

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser
    from playwright.sync_api import Page

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("untraced")]

WIDE, NARROW = (1100, 900), (360, 640)
TEMPLATES = [
    *("mjml", "plain", "foundation-basic", "foundation-marketing", "foundation-newsletter"),
    *("foundation-order", "hand-written"),
]
# A page with CSS that is hard to move.
HAND_WRITTEN = """<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
 "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html><head><style>
:root { --ink: #112233 } body { color: var(--ink) !important; margin: 0 }
p { margin: 0 } p.a { margin-top: 5px } .a, .never, .b:hover { margin-bottom: 7px }
td { padding: 3px } #one td { padding-left: 1px !important } td:first-child { border: 1px solid }
a { color: blue; text-decoration: none } a:hover { color: red } .deep a { color: green }
.x.x a { color: olive } p::before { content: "> "; color: red }
.g { background: #ffffff; background: linear-gradient(red, blue) }
.n { color: blue; &:hover { color: green } @media (max-width: 400px) { color: red } }
.i { width: 50px !important } .h { display: none }
</style>
<style media="(max-width: 400px)">.wide { display: none } .i { width: 20px !important }</style>
<style media="print">p { display: none }</style>
<style type="text/less">p { display: none }</style>
<!--[if !mso]><!--><style>.modern { color: teal }</style><!--<![endif]-->
<style>
@media (max-width: 400px) { p { margin: 9px } .a { margin-top: 1px } td { padding: 0 } }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ddeeff } a { color: aqua } .deep a { color: lime !important }
  .g { background: #000 }
}
.narrow { display: none } @media (max-width: 400px) { .narrow { display: block } }
</style></head><body>
<p class="a">One<p class="a b" style="margin-left: 2px; color: maroon">Two
<p class="wide modern">Wide</p><p class="narrow" style="margin: 4px">Narrow</p>
<div class="deep x"><a href="https://shop.example">A <b>link</b></a></div>
<a href="https://shop.example" style="color: black">B</a><span class="h">h</span>
<table id="one"><tr><td class="i" style="width: 30px">1<td>2<tr><td>3</table>
<div class="g">g</div><div class="n">n</div><pre>

blank</pre></body></html>"""

LOOK = """() => [...document.querySelectorAll("html, body, body *:not(style)")].map((element) => {
    const style = getComputedStyle(element), before = getComputedStyle(element, "::before");
    const box = element.getBoundingClientRect();
    return [element.tagName, box.x, box.y, box.width, box.height, before.content, before.color,
        // What :hover does to this is seen in its time.
        ...[...style].map((name) => `${name}: ${style.getPropertyValue(name)}`)];
})"""


@pytest.fixture(scope="module")
def templates() -> dict[str, str]:
    """Real templates by name."""
    if why := npm_missing():
        pytest.skip(why)
    made = subprocess.run(
        ["node", "templates.mjs"], cwd=NODE, capture_output=True, check=True, timeout=300
    )
    return {**json.loads(made.stdout), "hand-written": HAND_WRITTEN}


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    """A page that shows messages, and fetches nothing."""
    context = chromium.new_context(color_scheme=request.param)
    page = context.new_page()
    page.route("**/*", lambda route: route.fulfill(body=b"", content_type="image/png"))
    yield page
    context.close()


def looks(page: Page, html: str) -> Iterator[list[t.Any]]:
    """The computed style of every element: wide, narrow, and with the mouse over everything."""
    page.set_content(html, wait_until="load")
    for width, height in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": height})
        yield page.evaluate(LOOK)
    devtools = page.context.new_cdp_session(page)
    devtools.send("DOM.enable")
    devtools.send("CSS.enable")
    root = devtools.send("DOM.getDocument")["root"]["nodeId"]
    found = devtools.send("DOM.querySelectorAll", {"nodeId": root, "selector": "*"})
    for node in found["nodeIds"]:
        hover = {"nodeId": node, "forcedPseudoClasses": ["hover"]}
        devtools.send("CSS.forcePseudoState", hover)
    yield page.evaluate(LOOK)
    devtools.detach()


@pytest.mark.parametrize("name", TEMPLATES)
def test_moving_changes_nothing_that_is_seen(
    name: str, templates: dict[str, str], page: Page
) -> None:
    """Every property of every element stays the same: light, dark, wide, narrow, on hover."""
    before = templates[name]
    after = inliner()(before)

    assert after.count("style=") > before.count("style=")
    for was, now in zip(looks(page, before), looks(page, after), strict=True):
        assert len(was) == len(now)
        assert [
            (index, old[0], [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]])
            for index, (old, new) in enumerate(zip(was, now, strict=True))
            if old != new
        ] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_rest_of_a_document_is_not_changed(name: str, templates: dict[str, str]) -> None:
    """Nothing but ``style`` changes: document type, comments for Outlook, tags and text stay."""

    def rest(html: str) -> str:
        for match in reversed([*markup(html)]):
            source = match[0]
            if match["tag"]:
                words = f"<{match['tag']} {without('style', match['attributes'])}".split()
                source = " ".join(words).rstrip(" /") + ">"
            elif source.lower().startswith("<style"):
                source = " "
            html = html[: match.start()] + source + html[match.end() :]
        return " ".join(html.split())

    assert rest(inliner()(templates[name])) == rest(templates[name])
