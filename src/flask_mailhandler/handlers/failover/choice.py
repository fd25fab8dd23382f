"""The account that was chosen for a message."""

from __future__ import annotations

import typing as t


class Choice(t.NamedTuple):
    """An account for one message."""

    account: str
    was_down: bool = False
    """Whether the account was down already."""
    probe: bool = False
    """Whether its pause was over, so that this message finds out whether it is up again."""
    only: bool = False
    """Whether no other account may send the message: this one recognizes a repeat of it."""
