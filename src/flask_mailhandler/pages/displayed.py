"""A message that was opened to be looked at: its parts, its HTML, its source, within bounds."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Iterator

from ..mime.reading import Leaf
from ..mime.reading import leaf_of
from ..mime.reading import parsed_within_bounds
from ..mime.reading import unfolded
from ..mime.stdlib.source import parts_of
from ..text.decoding import decoded

if t.TYPE_CHECKING:
    from email.message import Message as MIMEMessage

MAX_DEPTH = 20
MAX_PARTS = 200
MAX_FIELDS = 200
MAX_VALUE = 4_000
MAX_SHOWN = 400_000
"""The characters of a text or a source that are shown."""
MAX_HTML = 4 << 20
"""The characters of an HTML that are shown."""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A node of the MIME tree.

    :param number: Its place: ``1``, ``1.2``; it names the part in an address.
    :param depth: 0 for the message itself.
    :param leaf: None of a part that has parts.
    :param is_inner: Whether it belongs to an attached message.
    """

    number: str
    depth: int
    kind: str
    encoding: str
    leaf: Leaf | None
    is_inner: bool

    @property
    def filename(self) -> str:
        return self.leaf.filename if self.leaf else ""

    @property
    def size(self) -> int:
        """Octets, without the transfer encoding."""
        return len(self.leaf.data) if self.leaf else 0

    @property
    def is_file(self) -> bool:
        return self.leaf is not None and self.leaf.is_file


@dataclasses.dataclass(frozen=True, slots=True)
class DisplayedMessage:
    """What a page shows of a message.

    :param fields: Names and values of the header, decoded.
    :param parts: The tree, first to last; a part's children follow it, one deeper.
    :param source: The octets as text, as far as they are shown.
    :param size: Of the whole, in octets.
    :param left_out: What is not shown, a sentence each.
    """

    fields: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    source: str
    size: int
    left_out: tuple[str, ...]

    @property
    def text(self) -> str:
        return self._body("text/plain")[:MAX_SHOWN]

    @property
    def html(self) -> str:
        return self._body("text/html")[:MAX_HTML]

    @property
    def is_html_cut(self) -> bool:
        """Whether there is more of the HTML than is shown."""
        return len(self._body("text/html")) > MAX_HTML

    @property
    def files(self) -> tuple[Part, ...]:
        """What is attached."""
        return tuple(part for part in self.parts if part.is_file and not part.is_inner)

    @property
    def subject(self) -> str:
        return self.field("subject")

    def field(self, wanted: str) -> str:
        """The value of the first field of that name, which is in lower case."""
        return next((value for name, value in self.fields if name.lower() == wanted), "")

    def part(self, number: str) -> Part | None:
        """The part of that place."""
        return next((part for part in self.parts if part.number == number), None)

    def images(self) -> dict[str, Leaf]:
        """The parts that HTML may show, by Content-ID."""
        leaves = [part.leaf for part in self.parts if part.leaf and not part.is_inner]
        return {leaf.cid.strip("<>"): leaf for leaf in leaves if leaf.cid}

    def _body(self, kind: str) -> str:
        for part in self.parts:
            if part.leaf and part.leaf.is_body and part.kind == kind and not part.is_inner:
                return part.leaf.text
        return ""


def read_for_display(octets: bytes) -> DisplayedMessage:
    """Read a message to show it. Nothing is refused, and nothing raises."""
    message, unread = parsed_within_bounds(octets)
    items = list(message.raw_items())
    fields = tuple(
        (name[:MAX_VALUE], decoded(unfolded(str(value)[: 4 * MAX_VALUE]))[:MAX_VALUE])
        for name, value in items[:MAX_FIELDS]
    )
    parts: list[Part] = []
    left_out = [*_walk(message, parts)]
    if len(items) > MAX_FIELDS:
        left_out.append(f"Of {len(items)} header fields {MAX_FIELDS} are shown.")
    source = octets[:MAX_SHOWN].decode("utf-8", "replace")
    return DisplayedMessage(
        fields,
        tuple(parts),
        re.sub(r"\r\n?", "\n", source),
        len(octets),
        (*left_out, *unread),
    )


def _walk(message: MIMEMessage, into: list[Part]) -> Iterator[str]:
    """Put the parts into a list; what is left out is told."""
    left = [(message, "1", 0, False)]
    too_deep = 0
    while left and len(into) < MAX_PARTS:
        node, number, depth, is_inner = left.pop()
        kind = node.get_content_type()
        children = parts_of(node) or []
        attached = kind.startswith("message/")
        if children and depth >= MAX_DEPTH:
            children, too_deep = [], too_deep + 1
        # What is within an attached message is in its octets already, perhaps many times.
        branch = is_inner if attached else bool(children)
        encoding = unfolded(str(node.get("Content-Transfer-Encoding", ""))).lower()
        leaf = None if branch else leaf_of(node)
        into.append(Part(number, depth, kind, encoding[:40], leaf, is_inner))
        left += [
            (child, f"{number}.{place}", depth + 1, is_inner or attached)
            for place, child in reversed([*enumerate(children[: MAX_PARTS + 1], 1)])
        ]
    if left:
        yield f"Of the parts {MAX_PARTS} are shown."
    if too_deep:
        yield f"Parts nested deeper than {MAX_DEPTH} are not shown."
