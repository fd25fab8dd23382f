"""The links of an HTML text."""

from __future__ import annotations

import html.parser
from collections.abc import Iterator


def html_links(source: str) -> Iterator[tuple[str, str]]:
    """Give URL and visible text of every ``<a href>``, in order; an image counts as its alt
    text."""
    parser = _Links()
    parser.feed(source)
    parser.close()
    for url, pieces in parser.found:
        yield url, " ".join("".join(pieces).split())


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[str]]] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a":
            self._open = bool(given.get("href"))
            if self._open:
                self.found.append((str(given["href"]), []))
        elif tag == "img" and self._open:
            self.found[-1][1].append(given.get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self.found[-1][1].append(data)
