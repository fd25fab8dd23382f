"""Links and images that a mail client cannot open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Sequence

from ..errors import MessageError
from ..mime.links import why_dead
from ..plaintext.markup import events
from ..plaintext.markup import Start
from ..text.checks import shorten

# Elements whose href is a link. In all others it is shown or loaded.
_LINKS = frozenset({"a", "area"})
# The form of most links and images.
_PLAIN_LINK = re.compile(r'href="(?:https?://[\w\[]|mailto:|tel:)')
_PLAIN_IMAGE = re.compile(r'src="(?:https?://[\w\[]|cid:)')
_BACKGROUND = re.compile(r"background\s*=")
# https://html.spec.whatwg.org/multipage/images.html#parsing-a-srcset-attribute
_CANDIDATE = re.compile(r"([^\s,]\S*?)(?:,(?=\s|\Z)|\s[^,]*|\Z)")
_CSS_URL = re.compile(r"""url\(\s*(?:"([^"]*)"|'([^']*)'|([^()"']*))""", re.I)
_STYLE = re.compile(r"<style(?=[\s>])[^<>]*>(.*?)(?:</style|\Z)", re.I | re.S)
_WHY = {
    "empty": "is empty",
    "relative": "is relative, and a message has no page to which it could be relative",
    "no place": "cannot be opened by a mail client",
}


def check_links(html: str, template: str, placeholders: Sequence[str] = ()) -> None:
    """Check that a mail client can open every link and image of the HTML.

    :param template: The name of the template, for the error.
    :param placeholders: The beginnings of URLs that the provider replaces.
    :raises MessageError: for the first link or image that cannot be opened.
    """
    if _all_plain(html.lower()):
        return
    for event in events(html):
        if isinstance(event, Start):
            for url, image in _urls(event):
                _check(url, image, template, placeholders)
    for style in _STYLE.findall(html):
        for url in _css_urls(style):
            _check(url, True, template, placeholders)


def _all_plain(html: str) -> bool:
    """Whether all links and images have the usual form. Counting them is quick; parsing all tags
    takes longer than rendering."""
    return (
        html.count("href") == len(_PLAIN_LINK.findall(html))
        and html.count("<img") == html.count("src") == len(_PLAIN_IMAGE.findall(html))
        and "url(" not in html
        and not _BACKGROUND.search(html)
    )


def _check(url: str, image: bool, template: str, placeholders: Sequence[str]) -> None:
    if why := why_dead(url, image=image, placeholders=placeholders):
        kind = "image" if image else "link"
        hint = (
            "mail_image(...), or a whole https: URL"
            if image
            else "url_for(...), or a whole https: URL"
        )
        # A placeholder of a provider has characters that are not in a path.
        more = (
            " If your provider replaces it, add its beginning to MAIL_PLACEHOLDERS."
            if re.search(r"[%{}*|<\[]", url)
            else ""
        )
        raise MessageError(
            f"{template}: the {kind} {shorten(url)} {_WHY[why]}. Write {hint}.{more}"
        )


def _urls(tag: Start) -> Iterator[tuple[str, bool]]:
    """The URLs of a tag, and whether each is loaded rather than a link."""
    given = tag.attributes
    if "href" in given:
        yield given["href"], tag.tag not in _LINKS
    if tag.tag == "img" or "src" in given:
        yield given.get("src", ""), True
    if "background" in given:
        yield given["background"], True
    for candidate in _CANDIDATE.findall(given.get("srcset", "")):
        yield candidate, True
    if "url(" in given.get("style", "").lower():
        for url in _css_urls(given["style"]):
            yield url, True


def _css_urls(css: str) -> Iterator[str]:
    for found in _CSS_URL.findall(css):
        yield "".join(found)
