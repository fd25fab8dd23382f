"""The search field of the queue.

::

    terms = *( state: text / using: text / older-than: text / tag: text / to: address
             / created: range / due: range / changed: range / address )

Put a text with spaces in double quotes. For a range, see ``time_range``.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Iterator
from collections.abc import Mapping

from ...address import Address
from ...app.queue_keys import duration
from ...errors import ConfigurationError
from ...errors import MessageError
from ...queue.row import FINISHED
from ...queue.row import RowState
from ...queue.stores.search import Between
from ...queue.stores.search import EVER
from ...queue.stores.search import Search
from .time_range import read_range

_TERM = re.compile(r'(?:([A-Za-z-]+):)?(?:"([^"]*)"?|(\S+))')
_MAX = 500
_FIELDS = {
    **{"state": "state", "using": "using", "older-than": "older_than", "tag": "tag", "to": "to"},
    **{"created": "created", "due": "due", "changed": "changed"},
}
_TERMS = "state:, using:, to:, tag:, older-than:, created:, due: or changed:"
_RANGES = ("created", "due", "changed")


class Criteria(t.TypedDict):
    """The arguments for methods of ``mail.queue``."""

    state: RowState | None
    using: str | None
    older_than: float | None
    tag: str | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SearchTerms:
    """A search. An empty field matches all messages."""

    state: str = ""
    using: str = ""
    older_than: str = ""
    tag: str = ""
    to: str = ""
    created: str = ""
    due: str = ""
    changed: str = ""
    unknown: str = ""
    """A term that is not valid."""

    def search(self, now: float) -> Search:
        """Return the search for a store.

        :param now: The time by the clock of the store.
        :raises ValueError: if a term is not valid. The error says what is.
        """
        found = self._checked()
        ranges = {name: self._range(name) for name in _RANGES}
        if (age := found["older_than"]) is not None:
            start, end = ranges["changed"]
            ranges["changed"] = Between(start, min(end, now - age))
        return Search(
            state=found["state"],
            account=found["using"],
            tag=found["tag"],
            recipient=recipient_of(self.to) if self.to else None,
            **ranges,
        )

    def _range(self, name: str) -> Between:
        text: str = getattr(self, name)
        return read_range(text, name) if text else EVER

    @property
    def is_narrow(self) -> bool:
        """Whether it has terms that the methods of ``mail.queue`` do not have."""
        return bool(self.to or self.created or self.due or self.changed)

    @property
    def criteria(self) -> Criteria:
        """The search as arguments for ``mail.queue``.

        :raises ValueError: if a term is not valid, or is none of theirs.
        """
        if self.is_narrow:
            raise ValueError("Write state:, using:, tag: or older-than: to delete messages.")
        return self._checked()

    def _checked(self) -> Criteria:
        if self.unknown:
            raise ValueError(f"{self.unknown[:80]!r} is not a search term. Write {_TERMS}.")
        for word, name in _FIELDS.items():
            if not getattr(self, name).isprintable():
                raise ValueError(f"{word} cannot have control characters.")
        if self.state and self.state not in {*RowState}:
            raise ValueError(f"state must be {', '.join(RowState)}, not {self.state[:80]!r}.")
        try:
            age = duration(self.older_than, "older-than") if self.older_than else None
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return {
            "state": RowState(self.state) if self.state else None,
            "using": self.using or None,
            "older_than": age,
            "tag": self.tag or None,
        }

    @property
    def deletes(self) -> frozenset[RowState]:
        """The states that purging deletes; none if the wanted state is not a finished one."""
        if self.is_narrow:
            return frozenset()
        if not self.state:
            return FINISHED
        return frozenset({RowState(self.state)} & {*FINISHED, RowState.HELD})

    def with_terms(self, **changes: str) -> str:
        """Return the text of the search with some of its fields changed."""
        return " ".join(dataclasses.replace(self, unknown="", **changes)._words())

    def _words(self) -> Iterator[str]:
        for word, name in _FIELDS.items():
            if value := getattr(self, name):
                yield f'{word}:"{value}"' if re.search(r"\s", value) else f"{word}:{value}"


def recipient_of(text: str) -> str:
    """Return an address as a :class:`.Search` has it.

    :raises ValueError: if it is not an address.
    """
    try:
        return str.__str__(Address(text))
    except MessageError:
        raise ValueError(f"to must be a whole address, not {text[:80]!r}.") from None


def read_terms(text: str) -> SearchTerms:
    """Parse a search. A term that is not valid is an error when the search is used."""
    found: dict[str, str] = {}
    for name, quoted, bare in _TERM.findall(text[:_MAX]):
        if field := _FIELDS.get(name.lower()):
            found[field] = quoted or bare
        elif not name and "@" in bare:
            found["to"] = bare
        else:
            found["unknown"] = f"{name}:{quoted or bare}" if name else quoted or bare
    return SearchTerms(**found)


def terms_of(query: Mapping[str, str]) -> SearchTerms:
    """Return the search in the query of a URL, which has an argument for each field."""
    return SearchTerms(**{name: query.get(name, "") for name in _FIELDS.values()})
