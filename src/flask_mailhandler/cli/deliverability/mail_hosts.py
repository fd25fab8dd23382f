"""Whether mail to a domain can arrive: its MX records, or its address (RFC 5321, RFC 7505)."""

from __future__ import annotations

import dataclasses
import re

from .answer import addresses
from .answer import Answer
from .answer import Ask
from .finding import failed
from .finding import Finding
from .finding import ok
from .finding import unknown
from .finding import warning

_MOST_HOSTS = 5
_ADDRESS = re.compile(r"[0-9.]+")
_CURE = "Publish an MX record such as the one below, or use another domain."


@dataclasses.dataclass(frozen=True)
class MailHosts:
    """What the DNS says about mail to a domain."""

    domain: str
    mx: Answer
    own: tuple[Answer, ...]
    """The addresses of the domain itself, which count if there is no MX."""
    hosts: dict[str, tuple[Answer, ...]]
    """The addresses of each server, the preferred one first."""


def look_up_hosts(domain: str, ask: Ask) -> MailHosts:
    """Ask for the servers of a domain, and for their addresses."""
    mx = ask(domain, "MX")
    names = [name for name in _names(mx)[:_MOST_HOSTS] if name and not _ADDRESS.fullmatch(name)]
    hosts = {name: addresses(name, ask) for name in names}
    return MailHosts(domain, mx, () if mx.values else addresses(domain, ask), hosts)


def _names(mx: Answer) -> list[str]:
    """Return the names in MX records, the preferred one first; "" is the null MX."""
    pairs = sorted((int(value.split()[0]), value.split()[1]) for value in mx.values)
    return [name.removesuffix(".") for _, name in pairs]


def judge_hosts(about: str, what: str, found: MailHosts) -> Finding:
    """Judge whether mail to a domain can arrive.

    :param what: The mail that comes to it: ``bounces``.
    """
    for answer in (found.mx, *found.own):
        if not answer.known:
            return unknown(about, answer)
    return (_judge_mx if found.mx.values else _judge_own)(about, what, found)


def _judge_own(about: str, what: str, found: MailHosts) -> Finding:
    """Judge a domain without an MX record."""
    domain = found.domain
    if all(answer.is_void for answer in found.own):
        missing = found.mx.missing.replace("no MX record", "neither an MX record nor an address")
        return failed(about, f"{missing}, so {what} cannot arrive. {_CURE}", _suggested(domain))
    why = f"{domain} has no MX record, so {what} go to the address of {domain} itself."
    cure = "If that is right, publish the record below."
    return warning(about, f"{why} {cure}", f"{domain}. IN MX 10 {domain}.")


def _judge_mx(about: str, what: str, found: MailHosts) -> Finding:
    domain, names = found.domain, _names(found.mx)
    if names == [""]:
        why = f"{domain} takes no mail (null MX), so {what} cannot arrive, and receivers refuse it."
        return failed(about, f"{why} {_CURE}", _suggested(domain))
    if literal := next(filter(_ADDRESS.fullmatch, names), None):
        why = f"the MX of {domain} is {literal}, and must be a name with an address."
        return failed(about, f"{why} {_CURE}", _suggested(domain))
    if trouble := next(
        (one for pair in found.hosts.values() for one in pair if not one.known), None
    ):
        return unknown(about, trouble)
    dead = sorted(name for name, pair in found.hosts.items() if all(one.is_void for one in pair))
    listed = ", ".join(dead)
    if dead and len(dead) == len(found.hosts):
        why = f"{listed}, the MX of {domain}, has no address: {what} cannot arrive."
        return failed(about, f"{why} Publish its A record.", f"{dead[0]}. IN A 192.0.2.25")
    if dead:
        return warning(about, f"{listed}, an MX of {domain}, has no address. Remove it.")
    return ok(about, f"{what} go to {', '.join(found.hosts)}")


def _suggested(domain: str) -> str:
    return f"{domain}. IN MX 10 mail.{domain}."
