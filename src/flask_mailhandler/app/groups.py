"""``MAIL_FAILOVER`` and ``MAIL_SPREAD``: accounts whose messages are passed to other accounts.

::

    failover = ["default", "backup"]   in this order ─┐
    spread = {"a": 3, "b": 1}          by weight ─────┴─ Plan ── group_handler

An account that is a member of its own group stands for its own server there.
"""

from __future__ import annotations

import dataclasses
import math
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

from .. import config
from ..errors import ConfigurationError
from ..handlers.failover.handler import FailoverEmailHandler
from ..handlers.failover.health import Health
from ..handlers.failover.members import Members
from ..handlers.failover.plan import Plan
from ..text.checks import shorten
from .account import Account
from .account import CONNECTION
from .account import DEFAULT
from .account import Values

if t.TYPE_CHECKING:
    from ..handlers.base import EmailHandler

HEALTH = "health"
"""Where a registration keeps the state of its accounts."""
_LIKE = {
    "failover": "a list of accounts, such as ['default', 'backup']",
    "spread": "a mapping of accounts to weights, such as {'default': 3, 'backup': 1}",
}
_WEBHOOKS = frozenset({"webhook_secret", "webhook_key", "webhook_topics"})


@dataclasses.dataclass(frozen=True)
class _Group:
    """A group as it was written."""

    key: str
    """The key that it was read from."""
    members: tuple[str, ...]
    weights: tuple[float, ...] | None = None


def with_groups(
    accounts: dict[str, Account],
    given: Mapping[str, Mapping[str, object]],
    named: Mapping[str, Values],
) -> dict[str, Account]:
    """Return the accounts with their groups.

    :param given: The ``failover`` or ``spread`` of each account that has one.
    :param named: The other options that each account of ``MAIL_ACCOUNTS`` names.
    :raises ConfigurationError: for the first group that is wrong, naming its key.
    """
    groups = {name: _read(name, keys) for name, keys in given.items()}
    for name, group in groups.items():
        _check(name, group, accounts, named.get(name))
    plans = {name: _plan(name, groups, ()) for name in groups}
    found = dict(accounts)
    for name, plan in plans.items():
        own = accounts[name]
        if name not in plan.names:
            own = _like(accounts[plan.names[0]], name)
            connected = any(accounts[one].connected for one in plan.names)
            own = dataclasses.replace(own, connected=connected)
        found[name] = dataclasses.replace(own, group=plan)
    return found


def _like(first: Account, name: str) -> Account:
    """Return an account without a server of its own. It prepares messages as its first member
    does, and has no URL for webhooks, which the member has."""
    options = {key: value for key, value in first.options.items() if key not in _WEBHOOKS}
    return dataclasses.replace(first, name=name, options=options, rate_limit=None)


def _read(name: str, keys: Mapping[str, object]) -> _Group:
    if len(keys) > 1:
        raise ConfigurationError(
            f"{_label(name, 'failover')} and {_label(name, 'spread')} are both set: set one. For"
            " shares with a reserve, make the shares an account of their own, and name it in the"
            " failover."
        )
    ((key, value),) = keys.items()
    label = _label(name, key)
    members = _members(value, label) if key == "failover" else _weighted(value, label)
    if not members:
        raise ConfigurationError(f"{label} is empty: it must be {_LIKE[key]}.")
    names = (*members,)
    if twice := {one for one in names if names.count(one) > 1}:
        raise ConfigurationError(f"{label} names the account {min(twice)!r} more than once.")
    return _Group(label, names, (*members.values(),) if isinstance(members, dict) else None)


def _members(value: object, label: str) -> list[str]:
    if isinstance(value, str):
        value = [*config.split(value)]
    if not isinstance(value, Iterable) or isinstance(value, Mapping | bytes):
        raise ConfigurationError(f"{label} must be {_LIKE['failover']}, not {shorten(value)}.")
    names = [*value]
    for one in names:
        if not isinstance(one, str):
            raise ConfigurationError(f"{label} must be {_LIKE['failover']}, not {shorten(names)}.")
    return names


def _weighted(value: object, label: str) -> dict[str, float]:
    value = config.from_json(value)
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value):
        raise ConfigurationError(f"{label} must be {_LIKE['spread']}.")
    return {name: _weight(weight, f"{label}[{name!r}]") for name, weight in value.items()}


def _weight(value: object, label: str) -> float:
    try:
        weight = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        weight = math.nan
    if isinstance(value, bool) or not 0 < weight < math.inf:
        raise ConfigurationError(
            f"{label} must be a number over 0, not {shorten(value)}. Leave out an account that gets"
            " no mail."
        )
    return weight


def _check(name: str, group: _Group, accounts: Mapping[str, Account], given: Values | None) -> None:
    """Check that the members are accounts, and that the account has no option without effect.

    :param given: The other options that it names; None for the default account.
    """
    for member in group.members:
        if member not in accounts:
            known = ", ".join(map(repr, accounts))
            raise ConfigurationError(
                f"{group.key} names the account {member!r}, which is not in MAIL_ACCOUNTS; there"
                f" are {known}."
            )
    if given is None:
        return
    if name in group.members and CONNECTION.isdisjoint(given):
        raise ConfigurationError(
            f"{group.key} names its own account, {name!r}, which has no server of its own. Give the"
            f" account a 'url', or name another account, such as {DEFAULT!r}."
        )
    if name not in group.members and given:
        raise ConfigurationError(
            f"{_label(name, min(given))} has no effect, because {group.key} passes every message to"
            f" another account: set it there, or name {name!r} as well."
        )


def _plan(name: str, groups: Mapping[str, _Group], above: tuple[str, ...]) -> Plan:
    """Return the plan of an account, with those of its members that have one."""
    if name in above:
        circle = " -> ".join(map(repr, (*above[above.index(name) :], name)))
        raise ConfigurationError(
            f"{groups[name].key} passes messages in a circle: {circle}. Name accounts that do not"
            " lead back to the first."
        )
    group, inside = groups[name], (*above, name)
    members = [
        one if one == name or one not in groups else _plan(one, groups, inside)
        for one in group.members
    ]
    return Plan(members, group.weights)


def _label(account: str, key: str) -> str:
    return config.key(key) if account == DEFAULT else f"MAIL_ACCOUNTS[{account!r}][{key!r}]"


def group_handler(
    account: Account, own_handler: Callable[[str], EmailHandler], edges: dict[str, t.Any]
) -> FailoverEmailHandler:
    """Build the handler of an account with a group.

    :param own_handler: Returns the handler of an account itself.
    :param edges: Where the app keeps the state of its accounts, which all groups share.
    """
    assert account.group is not None
    options = config.options(FailoverEmailHandler)
    return FailoverEmailHandler(
        plan=account.group,
        members=Members(own_handler),
        health=edges.setdefault(HEALTH, Health()),
        **config.read(options, account.options, account.label),
    )
