"""Refuse the suppressed recipients of a message, before any connection."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable
from collections.abc import Sequence

from ...errors import QueueError
from ...log import logger
from .history_of import history_of
from .refusing import Entries
from .refusing import refused
from .suppression import key_of
from .suppression import list_of
from .suppression import Suppression

if t.TYPE_CHECKING:
    from ...app.registration import Registration
    from ...handlers.prepare import Prepared


class Screen:
    """Refuses the suppressed recipients of an app's messages.

    :param mine: The app's registration.
    """

    def __init__(self, mine: Registration) -> None:
        self._mine = mine

    def __call__(self, prepared: Sequence[Prepared]) -> list[Prepared]:
        """Refuse the suppressed recipients of some messages, whose addresses are looked up at once.

        If they cannot be looked up, the error is logged and the messages are sent: a password reset
        must not wait for a database.
        """
        jobs = [item.job for item in prepared if item.job is not None]
        recipients = [one for job in jobs for one in job.envelope.recipients]
        try:
            found = self.entries(recipients)
        except QueueError as error:
            logger.error("Mail is sent without a look at the suppressed addresses: %s", error)
            return [*prepared]
        if not found:
            return [*prepared]
        return [refused(item, found, list_of(item.message)) for item in prepared]

    def entries(self, recipients: Iterable[str]) -> Entries:
        """Return the entries of these addresses.

        :raises QueueError: if the store cannot be used.
        """
        keys = {*map(key_of, recipients)}
        history = history_of(self._mine) if keys else None
        found: dict[str, list[Suppression]] = {}
        for entry in history.suppressed(keys) if history else ():
            found.setdefault(key_of(entry.address), []).append(entry)
        return found
