"""What is wrong with a mail although it can be sent: its reader would see it.

::

    octets ── Examined.read ── the rules of RULES, each in turn ── findings

A mail may be anybody's, so nothing here raises for it, and time is linear in its size.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence

from .examined import Examined
from .rule import Finding
from .rule import Found
from .rule import Rule
from .rules import RULES

__all__ = ["RULES", "Finding", "Rule", "lint"]

_MOST = 10  # findings of one rule in one mail


def lint(
    content: bytes, *, allow: Collection[str] = (), placeholders: Sequence[str] = ()
) -> list[Finding]:
    """Look a mail over, and say what its reader would find wrong.

    :param content: Its octets as they are sent, such as ``bytes(captured.content)``.
    :param allow: The names of rules that do not hold for it.
    :param placeholders: How links and words begin that a provider fills in, as in
        :data:`MAIL_PLACEHOLDERS`.
    :return: In the order of the rules, and at most ten of each and one that counts the others.
    :raises ValueError: for a name in *allow* that no rule has.
    :raises TypeError: for a message: its octets are known when it has been captured.
    """
    if not isinstance(content, bytes):
        raise TypeError("lint() takes octets: lint(bytes(outbox[0].content)).")
    check_names(allow)
    mail = Examined.read(content, placeholders)
    return [
        finding
        for rule in RULES
        if rule.name not in allow
        for finding in _findings(rule, rule.check(mail))
    ]


def check_names(allow: Collection[str]) -> None:
    """Check that there are rules of these names.

    :raises ValueError: for the first that no rule has.
    """
    known = [rule.name for rule in RULES]
    names = [allow] if isinstance(allow, str) else sorted({*allow} - {*known})
    if names:
        raise ValueError(f"allow= takes names of rules ({', '.join(known)}), not {names[0]!r}.")


def _findings(rule: Rule, found: Iterator[Found]) -> Iterator[Finding]:
    different = iter(dict.fromkeys(found))  # the same words twice help nobody
    shown = [*itertools.islice(different, _MOST)]
    if more := [*different]:
        shown.append(Found(more[0].where, f"There are {len(more)} more like these."))
    for where, text in shown:
        yield Finding(rule.name, rule.severity, text, rule.why, rule.link, where)
