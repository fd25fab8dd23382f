"""The search field of the queue.

::

    terms = *( state: text / using: text / older-than: text / tag: text )

Put a text with spaces in double quotes.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Iterator
from collections.abc import Mapping

from ...app.queue_keys import duration
from ...errors import ConfigurationError
from ...queue.row import FINISHED
from ...queue.row import RowState

_TERM = re.compile(r'(?:([A-Za-z-]+):)?(?:"([^"]*)"?|(\S+))')
_MAX = 500
_FIELDS = {"state": "state", "using": "using", "older-than": "older_than", "tag": "tag"}


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
    unknown: str = ""
    """A term that is not valid."""

    @property
    def criteria(self) -> Criteria:
        """The search as arguments for ``mail.queue``.

        :raises ValueError: if a term is not valid. The error says what is.
        """
        if self.unknown:
            raise ValueError(
                f"{self.unknown[:80]!r} is not a search term. Write state:, using:, older-than: or"
                " tag:."
            )
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
        if not self.state:
            return FINISHED
        return frozenset({RowState(self.state)} & {*FINISHED, RowState.HELD})

    def changed(self, **changes: str) -> str:
        """Return the text of the search with some of its fields changed."""
        return " ".join(dataclasses.replace(self, unknown="", **changes)._words())

    def _words(self) -> Iterator[str]:
        for word, name in _FIELDS.items():
            if value := getattr(self, name):
                yield f'{word}:"{value}"' if re.search(r"\s", value) else f"{word}:{value}"


def read_terms(text: str) -> SearchTerms:
    """Parse a search. A term that is not valid is an error when the search is used."""
    found: dict[str, str] = {}
    for name, quoted, bare in _TERM.findall(text[:_MAX]):
        if field := _FIELDS.get(name.lower()):
            found[field] = quoted or bare
        else:
            found["unknown"] = f"{name}:{quoted or bare}" if name else quoted or bare
    return SearchTerms(**found)


def terms_of(query: Mapping[str, str]) -> SearchTerms:
    """Return the search in the query of a URL, which has an argument for each field."""
    return SearchTerms(**{name: query.get(name, "") for name in _FIELDS.values()})
