"""The handlers of the accounts of a group, and how the messages that they prepare differ."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

from ... import config
from ..defaults import Defaults

if t.TYPE_CHECKING:
    from ..base import EmailHandler

# They change neither what a message says nor to whom it goes. Each handler signs by itself.
_NOT_WRITTEN = frozenset({"dkim_keys", "dkim_domain", "bounce_imap"})


class Members:
    """The handlers of accounts.

    :param handler_for: Returns the handler of an account.
    """

    def __init__(self, handler_for: Callable[[str], EmailHandler]) -> None:
        self._handler_for = handler_for
        # Filled in when they are used. Two threads that do so at once find the same.
        self._handlers: dict[str, EmailHandler] = {}
        self._alike: dict[tuple[str, str], bool] = {}

    def __call__(self, account: str) -> EmailHandler:
        """Return the handler of an account."""
        found = self._handlers.get(account)
        if found is None:
            found = self._handlers.setdefault(account, self._handler_for(account))
        return found

    def write_alike(self, one: str, other: str) -> bool:
        """Whether a message that is prepared for one account can be sent by the other as it is."""
        known = self._alike.get((one, other))
        if known is None:
            known = self._alike[one, other] = _written(self(one)) == _written(self(other))
        return known


def _written(handler: EmailHandler) -> list[t.Any]:
    """Return the options that change a message, or its envelope."""
    names = sorted(config.options(Defaults).keys() - _NOT_WRITTEN)
    return [handler.spelling_by_smtp, *(getattr(handler, name) for name in names)]
