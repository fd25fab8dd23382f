"""The suppressed addresses of an app, as :attr:`.Mail.suppressions` returns them."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator

from ...errors import ConfigurationError
from ...errors import MessageError
from ...text.checks import check_text
from ...text.checks import shorten
from .csv_form import read_csv
from .csv_form import write_csv
from .history_of import history_of
from .refusing import applying
from .suppression import key_of
from .suppression import LONGEST_LIST
from .suppression import read_address
from .suppression import Suppression

if t.TYPE_CHECKING:
    from ...app.registration import Registration
    from ..stores.history import History

_PAGE = 500
_LONGEST_REASON = 500


class Suppressions:
    """The addresses that get no more mail, as :attr:`.Mail.suppressions` returns them::

        if "ann@example.org" in mail.suppressions:
            mail.suppressions.remove("ann@example.org")

    Iterating over it reads all of them, in pages. ``len()`` counts them.
    """

    def __init__(self, history: History) -> None:
        self._history = history

    def add(self, address: str, *, list_name: str = "", reason: str = "added by hand") -> bool:
        """Suppress an address.

        :param list_name: Only for mail of this list: ``unsubscribe=`` of a message. If it is left
            out, the address gets no mail at all.
        :return: Whether it was not suppressed before. If it was, its reason stays.
        :raises MessageError: if it is not an address.
        """
        return bool(self._history.suppress([suppression_of(address, list_name, reason)]))

    def remove(self, address: str, *, list_name: str | None = None) -> int:
        """Let an address get mail again.

        :param list_name: Remove the entry for this list only; "" is the entry for all mail. If it
            is left out, all entries of the address are removed.
        :return: The number of entries that were removed.
        :raises MessageError: if it is not an address.
        """
        return self._history.release(key_of(read_address(address, "remove")), list_name)

    def get(self, address: str, *, list_name: str = "") -> Suppression | None:
        """Return the entry that stops mail to an address; None if nothing stops it.

        :param list_name: The list that the mail belongs to.
        :raises MessageError: if it is not an address.
        """
        key = key_of(read_address(address, "look up"))
        return applying(self._history.suppressed([key]), list_name)

    def page(
        self,
        *,
        after: Suppression | None = None,
        limit: int = 100,
        list_name: str | None = None,
    ) -> list[Suppression]:
        """Return entries in the order of their addresses.

        :param after: The last entry of the page before.
        :param list_name: Only entries for this list; "" are those for all mail.
        """
        place = ("", "") if after is None else (key_of(after.address), after.list_name)
        return self._history.page(place, limit, list_name)

    def export_csv(self, file: t.TextIO) -> int:
        """Write all entries as CSV, with the fields address, list, reason and since.

        :return: The number of entries.
        """
        return write_csv(self, file)

    def import_csv(self, file: Iterable[str], *, list_name: str = "") -> int:
        """Suppress the addresses of a CSV file: one of :meth:`export_csv`, one of another service
        with a field such as ``email``, or one with an address on each line.

        The same file can be imported again: what is there already stays as it is.

        :param list_name: The list of the rows that name none.
        :return: The number of addresses that were not suppressed before.
        :raises MessageError: naming the lines that cannot be read. Nothing is imported then.
        """
        now = _now()

        def read(address: str, of_list: str, reason: str, since: datetime.datetime | None) -> t.Any:
            return suppression_of(address, of_list or list_name, reason or "imported", since or now)

        return self._history.suppress(read_csv(file, read))

    def __contains__(self, address: object) -> bool:
        """Whether an address gets no mail at all."""
        return isinstance(address, str) and self.get(address) is not None

    def __iter__(self) -> Iterator[Suppression]:
        last: Suppression | None = None
        while page := self.page(after=last, limit=_PAGE):
            yield from page
            last = page[-1]

    def __len__(self) -> int:
        return self._history.number_suppressed()

    def __bool__(self) -> bool:
        return True  # truth must not read the database

    def __repr__(self) -> str:
        return f"<Suppressions in {self._history!r}>"


def suppressions_of(mine: Registration) -> Suppressions:
    """Return the suppressed addresses of an app.

    :raises ConfigurationError: if the app has none.
    """
    history = history_of(mine) if mine.settings.queue.suppressions else None
    if history is None:
        raise ConfigurationError(
            "Addresses are not suppressed: set MAIL_SUPPRESSIONS = True, and MAIL_QUEUE to the"
            " place of the queue, such as 'sqlite'."
        )
    return Suppressions(history)


def suppression_of(
    address: str, list_name: str, reason: str, since: datetime.datetime | None = None
) -> Suppression:
    """Return an entry, checked.

    :raises MessageError: for a value that cannot be stored.
    """
    if len(list_name) > LONGEST_LIST:
        raise MessageError(
            f"The name of the list {shorten(list_name, 30)} has {len(list_name)} characters, and"
            f" {LONGEST_LIST} are allowed."
        )
    return Suppression(
        address=read_address(address, "suppress"),
        list_name=check_text(list_name, "list_name"),
        reason=check_text(reason, "reason")[:_LONGEST_REASON],
        since=since or _now(),
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
