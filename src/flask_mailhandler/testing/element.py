"""The elements of an HTML part, selected by CSS, parsed by selectolax."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ..errors import ConfigurationError
from ..plaintext.markup import End
from ..plaintext.markup import events

if t.TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

# There is no space between the text of these and the text next to them.
_INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font"}
    | {"i", "ins", "kbd", "label", "mark", "q", "ruby", "s", "samp", "small", "span", "strike"}
    | {"strong", "sub", "sup", "time", "tt", "u", "var", "wbr"}
)


class Element:
    """An element of an HTML part.

    .. code-block:: python

        link = message.select("p.action a")[0]
        assert link.text == "Pay now"
        assert link["href"] == "https://shop.example/pay"

    Two elements are equal if they are the same element of the same message.
    """

    __slots__ = ("_node",)

    def __init__(self, node: LexborNode) -> None:
        self._node = node

    @property
    def tag(self) -> str:
        """The name of the element, in lower case."""
        return self._node.tag or ""

    @property
    def attributes(self) -> Mapping[str, str]:
        """The attributes; the value of one without a value is ""."""
        return {name: value or "" for name, value in self._node.attributes.items()}

    @property
    def html(self) -> str:
        """The element as HTML with its tags, corrected as a browser does it."""
        return self._node.html or ""

    @property
    def text(self) -> str:
        """The text, with each run of white space as one space. A space also separates cells,
        paragraphs and lines. The text of an image is its ``alt``."""
        return " ".join("".join(map(_text_of, events(self.html))).split())

    def select(self, css: str) -> list[Element]:
        """Return the elements inside this one that match a CSS selector, in document order::

            cells = [cell.text for cell in row.select("td")]

        :raises ValueError: if *css* is not a valid selector.
        """
        from selectolax.lexbor import SelectolaxError  # loaded already

        try:
            found = self._node.css(css)
        except SelectolaxError:
            raise ValueError(
                f"{css!r} is not a valid CSS selector. Write one like 'td.total' or 'a[href]'."
            ) from None
        # As in a browser, an element is not inside itself.
        return [Element(node) for node in found if node.mem_id != self._node.mem_id]

    def __getitem__(self, name: str) -> str:
        """Return the value of an attribute."""
        return self.attributes[name]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Element) and other._node.mem_id == self._node.mem_id

    def __hash__(self) -> int:
        return hash(self._node.mem_id)

    def __repr__(self) -> str:
        attributes = "".join(f" {name}={value!r}" for name, value in self.attributes.items())
        return f"<Element {self.tag}{attributes}: {self.text[:60]!r}>"


def document(html: str) -> Element:
    """Parse HTML as a browser does, which makes a document of any text.

    :raises ConfigurationError: if selectolax is not installed.
    """
    try:
        from selectolax.lexbor import LexborHTMLParser  # the extra testing
    except ImportError as error:
        raise ConfigurationError(
            "select() needs selectolax: pip install 'Flask-MailHandler[testing]'"
        ) from error
    root = LexborHTMLParser(html).root
    assert root is not None and root.parent is not None  # the document that contains <html>
    return Element(root.parent)


def _text_of(event: object) -> str:
    if isinstance(event, str):
        return event
    tag: str = getattr(event, "tag", "")
    if tag == "img" and not isinstance(event, End):
        return str(getattr(event, "attributes", {}).get("alt", ""))
    return "" if tag in _INLINE else " "
