"""Why a message was not delivered, from the codes and the text of a server."""

from __future__ import annotations

import re

from .kinds import Severity

# https://www.rfc-editor.org/rfc/rfc3463#section-3.2 and the registry of enhanced codes. 5.1.10 is a
# null MX (RFC 7505), and Microsoft's code for an unknown recipient.
_HARD = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
# Too many hops, a mailbox that is full, a server that did not answer in time.
_SOFT = re.compile(r"5\.(?:2\.2|4\.[0-257])\Z")
# Policy, a message that is too large, a format that the server does not take.
_BLOCKED = re.compile(r"5\.(?:7\.\d+|6\.\d+|3\.4|2\.3)\Z")
_UNKNOWN_ADDRESS = re.compile(
    r"""
      (?:unknown|no\ such|invalid|nonexistent|non-existent|unrouteable)\ +
          (?:local\ |virtual\ )*
          (?:user|recipient|mailbox|address|account|person|domain|host|part)
    | (?:user|recipient|mailbox|address|account|domain|host)(?:\ name)?\ +(?:is\ +)?
          (?:unknown|not\ found|invalid|not\ known|does\ not\ exist|doesn.t\ exist)
    | domain\ name\ not\ found | no\ mailbox\ here | name\ or\ service\ not\ known
    | (?:does\ not|doesn.t)\ +(?:exist|have\ an?\ \S+\ account) | not\ our\ customer
    | (?:user|recipient)s?\ +(?:is\ +)?not\ +(?:listed|local)
    """,
    re.X | re.I,
)
_FULL = re.compile(
    r"quota|mailbox (?:is )?full|mailbox size limit|storage|retry time(?:out)? |timed? ?out"
    r"|temporar|could not be delivered (?:within|for)|too long|expired",
    re.I,
)


def severity_of(status: str, code: int | None, text: str) -> Severity:
    """Return why a server has given up.

    :param status: The enhanced code, or "".
    :param code: The reply code of the last try, if any.
    :param text: What the servers said.
    """
    if status.startswith("4") or (code is not None and code < 500) or _SOFT.match(status):
        return Severity.SOFT
    if status in _HARD:
        return Severity.HARD
    if _BLOCKED.match(status):
        return Severity.BLOCKED
    if _FULL.search(text):
        return Severity.SOFT
    return Severity.HARD if _UNKNOWN_ADDRESS.search(text) else Severity.BLOCKED
