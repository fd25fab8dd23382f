"""A message, taken apart for the rules."""

from __future__ import annotations

import dataclasses
import typing as t

from ..mime.links import Link
from ..mime.reading import read_within_bounds
from ..plaintext.markup import End
from ..plaintext.markup import events
from ..plaintext.markup import Start

_LONGEST = 1_000_000  # characters of HTML that are checked; Gmail shows a tenth of them

# Mail clients show the subject of an attached message.
_MESSAGE = "message/rfc822"


@dataclasses.dataclass(frozen=True, slots=True)
class Examined:
    """A message, as the rules see it.

    :param fields: The names and values of the header, decoded.
    :param size: The octets of the HTML.
    :param words: The text in the HTML, without style sheets and comments.
    :param tags: The start tags of the HTML.
    :param links: Each ``<a href>`` and ``<area href>``, with its URL as written, even "".
    :param cids: The Content-IDs of the parts.
    :param nameless: The types of attachments without a file name.
    :param placeholders: The beginnings of text that a provider fills in.
    :param others: The subject and the text of the message in other languages.
    """

    fields: tuple[tuple[str, str], ...]
    text: str
    html: str
    size: int
    words: str
    tags: tuple[Start, ...]
    links: tuple[Link, ...]
    cids: frozenset[str]
    nameless: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()
    others: t.Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)

    @classmethod
    def read(
        cls,
        content: bytes,
        placeholders: t.Sequence[str] = (),
        others: t.Mapping[str, bytes] | None = None,
    ) -> Examined:
        """Take the octets of a message apart."""
        reading = read_within_bounds(content)
        html = reading.html
        found = [*events(html[:_LONGEST])]
        return cls(
            fields=reading.fields,
            text=reading.text,
            html=html,
            size=len(html.encode("utf-8", "replace")),
            words=" ".join(event for event in found if isinstance(event, str)),
            tags=tuple(event for event in found if isinstance(event, Start)),
            links=tuple(_links(found)),
            nameless=tuple(
                leaf.kind
                for leaf in reading.leaves
                if leaf.shown == "attachment" and not leaf.filename and leaf.kind != _MESSAGE
            ),
            placeholders=(*placeholders,),
            others={name: _subject_and_text(other) for name, other in (others or {}).items()},
            cids=frozenset(leaf.cid.strip("<> ") for leaf in reading.leaves if leaf.cid),
        )

    @property
    def subject(self) -> str:
        """The subject; "" if there is none."""
        return next(iter(self.values("subject")), "")

    def values(self, name: str) -> list[str]:
        """Return the values of all fields of a name, given in lower case."""
        return [value for found, value in self.fields if found.lower() == name]


def _subject_and_text(content: bytes) -> tuple[str, str]:
    found = Examined.read(content)
    return found.subject, found.text or found.words


def _links(found: t.Iterable[Start | End | str]) -> t.Iterator[Link]:
    url: str | None = None
    seen: list[str] = []
    for event in found:
        if isinstance(event, str):
            seen.append(event)
        elif event.tag == "a":
            # A second <a> ends the first, as its </a> does.
            if url is not None:
                yield Link(url, " ".join("".join(seen).split()))
            url, seen = event.attributes.get("href") if isinstance(event, Start) else None, []
        elif isinstance(event, Start) and event.tag == "img":
            seen.append(event.attributes.get("alt", ""))
        elif isinstance(event, Start) and event.tag == "area" and "href" in event.attributes:
            yield Link(event.attributes["href"], event.attributes.get("alt", ""))
    if url is not None:
        yield Link(url, " ".join("".join(seen).split()))
