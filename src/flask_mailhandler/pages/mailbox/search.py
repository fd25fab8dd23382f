"""The search field of the mailbox.

::

    query = *( word / from: text / to: text / subject: text / tag: text
             / has:attachment / is:unread )

Put a text with spaces in double quotes. A message is found if it matches all terms; case does not
matter.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator

from .store import Entry
from .store import Listing

_TERM = re.compile(r'(?:([A-Za-z]+):)?(?:"([^"]*)"?|(\S+))')
_MAX = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """A search."""

    words: tuple[str, ...] = ()
    from_addr: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    attachment: bool = False
    unread: bool = False

    def within(self, listing: Listing) -> Iterator[Entry]:
        """The messages that match, newest first."""
        for entry in listing.entries:
            if self.unread and entry.id in listing.seen:
                continue
            if self.fits(entry):
                yield entry

    def fits(self, entry: Entry) -> bool:
        return (
            (not self.attachment or bool(entry.attachments))
            and _all_in(self.words, [entry.words])
            and _all_in(self.from_addr, [entry.from_addr, entry.sender])
            and _all_in(self.to, [*entry.to, *entry.cc, *entry.recipients])
            and _all_in(self.subject, [entry.subject])
            and {*self.tags} <= {tag.casefold() for tag in entry.tags}
        )


def read_query(text: str) -> Query:
    """Parse a search. Any text is valid: an unknown name before a colon is a word."""
    found: dict[str, list[str]] = {"words": [], "from": [], "to": [], "subject": [], "tag": []}
    flags: set[str] = set()
    for name, quoted, bare in _TERM.findall(text[:_MAX]):
        value, key = (quoted or bare).casefold(), name.lower()
        if (flag := f"{key}:{value}") in ("has:attachment", "is:unread"):
            flags.add(flag)
        elif key in found and key != "words":
            found[key].append(value)
        else:
            found["words"].append(f"{key}:{value}" if name else value)
    return Query(
        words=tuple(found["words"]),
        from_addr=tuple(found["from"]),
        to=tuple(found["to"]),
        subject=tuple(found["subject"]),
        tags=tuple(found["tag"]),
        attachment="has:attachment" in flags,
        unread="is:unread" in flags,
    )


def _all_in(wanted: Iterable[str], texts: t.Sequence[str]) -> bool:
    return all(any(word in text.casefold() for text in texts) for word in wanted)
