"""An HTML document whose tags can be numbered, and whose styles can be replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from ...plaintext.markup import attributes
from ...plaintext.markup import ends_unquoted
from ...plaintext.markup import events
from ...plaintext.markup import markup
from ...plaintext.markup import Start
from ...plaintext.markup import without
from .matching import MARK
from .matching import Source

_STYLE = re.compile(
    r"""(<style((?:[^>"']|"[^"]*"|'[^']*')*)>)(.*?)(</style[^>]*>)?\Z""", re.I | re.S
)
_CONDITION = re.compile(r"<!(?:--)?(?:<!)?\[(?:if|endif)\b", re.I)
_CONDITION_ENDS = re.compile(r"\[endif\]", re.I)
# css-inline uses this attribute too, on <style> and on any other element.
_IGNORE = "data-css-inline"
_COMMENT = re.compile(r"<!--\[if\b[^\]]*\]>(.*)<!\[endif\]-->\Z", re.I | re.S)


class Page:
    """An HTML document.

    ``tags`` are the start tags and ``styles`` the style sheets, by their position in the source.
    ``hidden_words`` are the classes, ids and elements in conditional comments for Outlook.
    """

    def __init__(self, html: str) -> None:
        self._html = html
        self.tags: dict[int, re.Match[str]] = {}
        self.styles: dict[int, re.Match[str]] = {}
        # css-inline would read these too, whatever their attributes are.
        self._others: dict[int, re.Match[str]] = {}
        self.sources: list[Source] = []
        self.hidden_words: set[str] = set()
        conditional = False
        for match in markup(html):
            if match["tag"]:
                if match["whole"] and not match["end"]:
                    self.tags[match.start()] = match
                continue
            source = match[0]
            if source.startswith("<!"):
                if _CONDITION.match(source):
                    conditional = not _CONDITION_ENDS.search(source)
                self.hidden_words.update(_words_of_comment(source))
            elif style := _STYLE.match(source):
                if read := _source_of(style, conditional):
                    self.styles[match.start()] = style
                    self.sources.append(read)
                else:
                    self._others[match.start()] = style

    def _with(self, new: Mapping[int, str]) -> str:
        """The document with some tags and style sheets replaced."""
        made: list[str] = []
        position = 0
        for here in sorted(new):
            made += self._html[position:here], new[here]
            tag = self.tags.get(here)
            style = self.styles.get(here) or self._others.get(here)
            position = tag.end() if tag else here + style.end() if style else here
        made.append(self._html[position:])
        return "".join(made)

    def marked(self) -> str:
        """The document with numbered tags, and without any styles."""
        made = dict.fromkeys([*self.styles, *self._others], "")
        for here, tag in self.tags.items():
            rest = tag["attributes"]
            for name in ("style", _IGNORE):
                if name in rest.lower():
                    rest = without(name, rest)
            made[here] = f'<{tag["tag"]} {MARK}="{here}"{rest}>'
        return self._with(made)

    def own_style(self, here: int) -> str:
        """The value of a tag's ``style=""``."""
        source = self.tags[here]["attributes"]
        return attributes(source).get("style", "").strip() if "style" in source.lower() else ""

    def written(self, styles: Mapping[int, str], sheets: Iterable[str | None]) -> str:
        """The document with new styles.

        :param styles: The value of ``style=""`` by the position of the tag.
        :param sheets: The CSS of each ``<style>``; None if it has not changed.
        """
        made = {}
        for here, style in styles.items():
            tag = self.tags[here]
            rest = tag["attributes"]
            if "style" in rest.lower():
                rest = without("style", rest)
            rest, slash = _without_slash(rest.rstrip())
            made[here] = f'<{tag["tag"]}{rest} style="{style}"{slash}>'
        for (here, found), css in zip(self.styles.items(), sheets, strict=True):
            if css is not None or not found[3].strip():
                made[here] = f"{found[1]}\n{css}\n</style>" if css else ""
        return self._with(made)

    def is_left_alone(self, here: int) -> bool:
        """Whether a tag has the attribute that keeps CSS out of it."""
        return _IGNORE in self.tags[here][0] and _IGNORE in attributes(
            self.tags[here]["attributes"]
        )


def _without_slash(source: str) -> tuple[str, str]:
    """The attributes of a start tag, ready for another, and the slash that ends the tag."""
    if ends_unquoted(source):
        return (f'{source}""' if source.endswith("=") else source), ""
    return source.removesuffix("/").rstrip(), "/" if source.endswith("/") else ""


def _source_of(style: re.Match[str], conditional: bool) -> Source | None:
    """The CSS of a ``<style>``; None if it is disabled or is not CSS.

    :param conditional: Whether it is in a conditional comment, which some clients skip.
    """
    given = attributes(style[2])
    kind = given.get("type", "").strip().lower()
    if kind not in ("", "text/css") or "disabled" in given:
        return None
    medium = given.get("media", "").strip().lower()
    always = medium in ("", "all") and _IGNORE not in given and not conditional
    return Source(style[3], always)


def _words_of_comment(source: str) -> Iterator[str]:
    comment = _COMMENT.match(source)
    for event in events(comment[1]) if comment else ():
        if isinstance(event, Start):
            yield event.tag
            yield from event.attributes.get("class", "").lower().split()
            yield event.attributes.get("id", "").lower()
