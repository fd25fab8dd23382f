"""Pages on screens of two widths and in two colour schemes."""

from __future__ import annotations

import contextlib
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser
    from playwright.sync_api import Page

Scheme: t.TypeAlias = t.Literal["light", "dark"]
SIZES = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
# Milliseconds for whatever a page does: a busy machine needs many.
PATIENCE = 60_000
BACKGROUND = {"light": "rgb(244, 243, 239)", "dark": "rgb(22, 26, 27)"}


@contextlib.contextmanager
def screen(chromium: Browser, device: str, scheme: Scheme) -> Iterator[Page]:
    """A page in a window of that size, for a user who prefers these colours and no motion."""
    context = chromium.new_context(
        viewport=t.cast("t.Any", SIZES[device]), color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def check(page: Page, scheme: Scheme) -> None:
    """Check that nothing is wider than the screen, and that the colours are the requested ones."""
    width, background = page.evaluate(
        "[document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]"
    )
    assert page.viewport_size is not None
    assert width == page.viewport_size["width"]
    names = "dts => dts.filter(dt => dt.scrollWidth > dt.clientWidth).map(dt => dt.textContent)"
    assert page.locator("dt").evaluate_all(names) == []  # each name fits its column
    assert background == BACKGROUND[scheme]
