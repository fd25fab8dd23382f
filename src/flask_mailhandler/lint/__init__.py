"""Lint a message: find problems that its reader would notice, though it can be sent.

::

    octets ── Examined.read ── each rule of RULES ── findings

    examined     a message, taken apart for the rules
    rule         Rule, Finding
    rules        RULES: each rule with its reason
    contrast     the rule for colours of words and backgrounds
    translation  the rule for a message in several languages
    unsubscribe  the two rules for List-Unsubscribe   RFC 2369, 8058

A message from any source can be linted: nothing raises for it, and time is linear in its size.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from .examined import Examined
from .rule import Finding
from .rule import Found
from .rule import Rule
from .rules import RULES

__all__ = ["RULES", "Finding", "Rule", "lint"]

_MOST = 10  # findings of one rule in one message


def lint(
    content: bytes,
    *,
    allow: Collection[str] = (),
    placeholders: Sequence[str] = (),
    others: Mapping[str, bytes] | None = None,
) -> list[Finding]:
    """Return the problems that the reader of a message would notice.

    .. code-block:: python

        for finding in lint(bytes(outbox[0].content), allow=["one-click"]):
            print(finding)

    :param content: The octets of the message as they are sent, such as
        ``bytes(captured.content)``.
    :param allow: The names of rules to skip.
    :param placeholders: The beginnings of links and words that a provider fills in, as in
        :data:`MAIL_PLACEHOLDERS`.
    :param others: The octets of the same message in other languages, such as ``{"en": english}``,
        for the rule ``translation``.
    :return: The findings in the order of the rules. For each rule there are at most ten, and one
        more that counts the rest.
    :raises ValueError: for a name in *allow* that is not the name of a rule.
    :raises TypeError: for a message: capture it, and pass its octets.
    """
    if not isinstance(content, bytes):
        raise TypeError("lint() takes octets: lint(bytes(outbox[0].content)).")
    check_names(allow)
    examined = Examined.read(content, placeholders, others)
    return [
        finding
        for rule in RULES
        if rule.name not in allow
        for finding in _findings(rule, rule.check(examined))
    ]


def check_names(allow: Collection[str]) -> None:
    """Check that each name is the name of a rule.

    :raises ValueError: for the first that is not.
    """
    known = [rule.name for rule in RULES]
    names = [allow] if isinstance(allow, str) else sorted({*allow} - {*known})
    if names:
        raise ValueError(f"allow= takes the names of rules ({', '.join(known)}), not {names[0]!r}.")


def _findings(rule: Rule, found: Iterator[Found]) -> Iterator[Finding]:
    different = iter(dict.fromkeys(found))  # the same text is reported once
    shown = [*itertools.islice(different, _MOST)]
    if more := [*different]:
        shown.append(Found(more[0].where, f"There are {len(more)} more like these."))
    for where, text in shown:
        yield Finding(rule.name, rule.severity, text, rule.why, rule.link, where)
