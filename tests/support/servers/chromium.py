"""Debian's Chromium, driven by Playwright: a real browser."""

from __future__ import annotations

import importlib.util
import shutil
import typing as t

if t.TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Playwright

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def missing() -> str:
    """Why it cannot be started here, or ""."""
    if importlib.util.find_spec("playwright") is None:
        return "no playwright; pip install Flask-MailHandler[browser]"
    return "" if shutil.which("chromium") else "no chromium; apt-get install chromium"


class Chromium:
    """Return a browser that runs until the end of the ``with`` block."""

    def __init__(self) -> None:
        self._driver: Playwright | None = None
        self._browser: Browser | None = None

    def __enter__(self) -> Browser:
        from playwright.sync_api import sync_playwright

        self._driver = sync_playwright().start()
        self._browser = self._driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS, timeout=120_000
        )
        return self._browser

    def __exit__(self, *exc_info: object) -> None:
        if self._browser is not None:
            self._browser.close()
        if self._driver is not None:
            self._driver.stop()
