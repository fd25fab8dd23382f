"""The elements of an HTML part, chosen by CSS, on selectolax."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ..errors import ConfigurationError
from ..plaintext.markup import End
from ..plaintext.markup import events

if t.TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

# Between their text and that beside them there is no space.
_INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font"}
    | {"i", "ins", "kbd", "label", "mark", "q", "ruby", "s", "samp", "small", "span", "strike"}
    | {"strong", "sub", "sup", "time", "tt", "u", "var", "wbr"}
)


class Element:
    """An element of an HTML part."""

    __slots__ = ("_node",)

    def __init__(self, node: LexborNode) -> None:
        self._node = node

    @property
    def tag(self) -> str:
        """Its name, in lower case."""
        return self._node.tag or ""

    @property
    def attributes(self) -> Mapping[str, str]:
        """Its attributes; one without a value is ""."""
        return {name: value or "" for name, value in self._node.attributes.items()}

    @property
    def html(self) -> str:
        """The element as HTML, with its tags, as a browser has corrected it."""
        return self._node.html or ""

    @property
    def text(self) -> str:
        """Its text, every run of white space one space. A new cell, paragraph or line is one too;
        an image is its ``alt``."""
        return " ".join("".join(map(_words, events(self.html))).split())

    def select(self, css: str) -> list[Element]:
        """Return the elements in this one that a selector chooses, in their order.

        :raises ValueError: for what is no selector.
        """
        from selectolax.lexbor import SelectolaxError  # loaded already

        try:
            found = self._node.css(css)
        except SelectolaxError:
            raise ValueError(
                f"{css!r} is no CSS selector. Write it as a browser takes it, like 'td.total' or"
                " 'a[href]'."
            ) from None
        # As in a browser, an element is not in itself.
        return [Element(node) for node in found if node.mem_id != self._node.mem_id]

    def __getitem__(self, name: str) -> str:
        """The value of an attribute."""
        return self.attributes[name]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Element) and other._node.mem_id == self._node.mem_id

    def __hash__(self) -> int:
        return hash(self._node.mem_id)

    def __repr__(self) -> str:
        shown = "".join(f" {name}={value!r}" for name, value in self.attributes.items())
        return f"<Element {self.tag}{shown}: {self.text[:60]!r}>"


def document(html: str) -> Element:
    """Read HTML as a browser does: whatever it is, it is a document.

    :raises ConfigurationError: where the library is not installed.
    """
    try:
        from selectolax.lexbor import LexborHTMLParser  # the extra testing
    except ImportError as error:
        raise ConfigurationError(
            "select() needs selectolax: pip install 'Flask-MailHandler[testing]'"
        ) from error
    root = LexborHTMLParser(html).root
    assert root is not None and root.parent is not None  # the document, which <html> is in
    return Element(root.parent)


def _words(event: object) -> str:
    if isinstance(event, str):
        return event
    tag: str = getattr(event, "tag", "")
    if tag == "img" and not isinstance(event, End):
        return str(getattr(event, "attributes", {}).get("alt", ""))
    return "" if tag in _INLINE else " "
