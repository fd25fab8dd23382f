"""A message parsed for display: its parts, HTML and source, within bounds."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Iterator

from ..mime.reading import Leaf
from ..mime.reading import leaf_of
from ..mime.reading import parsed_within_bounds
from ..mime.reading import preheader
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
"""How many characters of a text or source are shown."""
MAX_HTML = 4 << 20
"""How many characters of the HTML are shown."""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A node of the MIME tree.

    :param number: Its place in the tree, such as ``1.2``, which is also used in URLs.
    :param depth: 0 for the message itself.
    :param leaf: None for a part that has parts.
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
        """The size in octets, without the transfer encoding."""
        return len(self.leaf.data) if self.leaf else 0

    @property
    def is_file(self) -> bool:
        return self.leaf is not None and self.leaf.is_file


@dataclasses.dataclass(frozen=True, slots=True)
class DisplayedMessage:
    """A message as a page shows it.

    :param fields: The names and decoded values of the header.
    :param parts: All parts in order. The children of a part follow it, one level deeper.
    :param source: The beginning of the octets, as text.
    :param size: The size of the whole message in octets.
    :param left_out: A sentence for everything that is not shown.
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
    def preheader(self) -> str:
        """The hidden text that mail clients show after the subject; "" if there is none."""
        return preheader(self.html)[:MAX_VALUE]

    @property
    def is_html_cut(self) -> bool:
        """Whether the HTML is longer than the part that is shown."""
        return len(self._body("text/html")) > MAX_HTML

    @property
    def files(self) -> tuple[Part, ...]:
        """The attachments."""
        return tuple(part for part in self.parts if part.is_file and not part.is_inner)

    @property
    def subject(self) -> str:
        return self.field("subject")

    def field(self, wanted: str) -> str:
        """The value of the first field with that name. Pass the name in lower case."""
        return next((value for name, value in self.fields if name.lower() == wanted), "")

    def part(self, number: str) -> Part | None:
        """The part with that number."""
        return next((part for part in self.parts if part.number == number), None)

    def images(self) -> dict[str, Leaf]:
        """The parts that the HTML can show, by Content-ID."""
        leaves = [part.leaf for part in self.parts if part.leaf and not part.is_inner]
        return {leaf.cid.strip("<>"): leaf for leaf in leaves if leaf.cid}

    def _body(self, kind: str) -> str:
        for part in self.parts:
            if part.leaf and part.leaf.is_body and part.kind == kind and not part.is_inner:
                return part.leaf.text
        return ""


def read_for_display(octets: bytes) -> DisplayedMessage:
    """Parse a message for display. It accepts any octets, and never raises."""
    message, unread = parsed_within_bounds(octets)
    items = list(message.raw_items())
    fields = tuple(
        (name[:MAX_VALUE], decoded(unfolded(str(value)[: 4 * MAX_VALUE]))[:MAX_VALUE])
        for name, value in items[:MAX_FIELDS]
    )
    parts: list[Part] = []
    left_out = [*_walk(message, parts)]
    if len(items) > MAX_FIELDS:
        left_out.append(f"Only {MAX_FIELDS} of {len(items)} header fields are shown.")
    source = octets[:MAX_SHOWN].decode("utf-8", "replace")
    return DisplayedMessage(
        fields,
        tuple(parts),
        re.sub(r"\r\n?", "\n", source),
        len(octets),
        (*left_out, *unread),
    )


def _walk(message: MIMEMessage, into: list[Part]) -> Iterator[str]:
    """Append the parts to a list. Yield a sentence for parts that are left out."""
    left = [(message, "1", 0, False)]
    too_deep = 0
    while left and len(into) < MAX_PARTS:
        node, number, depth, is_inner = left.pop()
        kind = node.get_content_type()
        children = parts_of(node) or []
        attached = kind.startswith("message/")
        if children and depth >= MAX_DEPTH:
            children, too_deep = [], too_deep + 1
        # The octets of an attached message contain those of its parts already.
        branch = is_inner if attached else bool(children)
        encoding = unfolded(str(node.get("Content-Transfer-Encoding", ""))).lower()
        leaf = None if branch else leaf_of(node)
        into.append(Part(number, depth, kind, encoding[:40], leaf, is_inner))
        left += [
            (child, f"{number}.{place}", depth + 1, is_inner or attached)
            for place, child in reversed([*enumerate(children[: MAX_PARTS + 1], 1)])
        ]
    if left:
        yield f"Only the first {MAX_PARTS} parts are shown."
    if too_deep:
        yield f"Parts nested deeper than {MAX_DEPTH} are not shown."
