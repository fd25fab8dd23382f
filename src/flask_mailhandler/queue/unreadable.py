"""Why a row cannot be read: it is damaged, or a newer release has written it."""

from __future__ import annotations

import typing as t


class DamagedRowError(Exception):
    """A row cannot be read. The row fails with this text; the error never leaves the queue."""

    word: t.ClassVar[str] = "damaged"
    """What the row is, in a word."""

    @property
    def sentence(self) -> str:
        """What to say about the row."""
        return f"The row is damaged: {self}."


class NewerRowError(DamagedRowError):
    """A newer release has written a row that this one cannot read. The row is held, so that it is
    neither sent nor deleted: it can be sent again when that release runs."""

    word = "of a newer release"

    @property
    def sentence(self) -> str:
        """What to say about the row."""
        return (
            f"The row is of a newer release of Flask-MailHandler: {self}. Send it again with that"
            " release."
        )
