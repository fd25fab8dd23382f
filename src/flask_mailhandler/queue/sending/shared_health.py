"""Which accounts of ``MAIL_FAILOVER`` and ``MAIL_SPREAD`` are down, as this process and the workers
of its queue know."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..app_access import AppAccess
    from ..stores.base import Store

SHARED = "failover:"
"""Before the name of an account, in the store: its state as a member of a group."""
LONGEST_DOWN = 3600.0
"""The most seconds for which the store has an account down. A server that asks to wait longer is
asked again by then."""


def accounts_down(store: Store, app_access: AppAccess) -> dict[str, str]:
    """Return the accounts that are down, and the error of each.

    :raises QueueError: if the store cannot be used.
    """
    groups = [account.group for account in app_access.accounts.values() if account.group]
    if not groups:
        return {}
    mine = app_access.down()
    found: dict[str, str] = {}
    for name in dict.fromkeys(name for group in groups for name in group.names):
        shared = store.pause(SHARED + name) if store.begun else None
        if shared is not None and shared.times:
            found[name] = shared.why
        elif name in mine:
            found[name] = mine[name]
    return found
