"""Who sends the rows of an account: the account itself, or one of those that it passes mail to."""

from __future__ import annotations

import typing as t

from ...handlers.base import EmailHandler
from ...handlers.prepare import Prepared

if t.TYPE_CHECKING:
    from ..row import Row


class OneSender:
    """An account that sends its own mail."""

    def __init__(self, handler: EmailHandler) -> None:
        self.handler: EmailHandler = handler

    def assign(self, prepared: Prepared, row: Row, known_to: str) -> Prepared | None:
        """Return the message of a row for the account that is to send it; None if no message may be
        begun now.

        :param known_to: If it may have been taken already: what recognizes the repeat.
        """
        return prepared

    def repeatable(self, account: str, message_id: str) -> tuple[str, float | None]:
        """Return what names the server that recognizes a repeat of a message, for its row, and the
        seconds for which it does.

        :param account: The account that sends the message.
        """
        return self.handler.known_by(message_id), self.handler.repeatable

    def recognizes(self, known_to: str, message_id: str) -> bool:
        """Whether a repeat is recognized that was announced under this name."""
        return known_to != "" and known_to == self.handler.known_by(message_id)

    def share(self) -> None:
        """Tell the other workers what has been found out."""

    def rest(self) -> float | None:
        """Return the seconds until another account can be tried, if none is up now; None if the
        account's own pause decides."""
        return None

    @property
    def others_are_up(self) -> bool:
        """Whether the next row may go through another account than the one that failed."""
        return False
