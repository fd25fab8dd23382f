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
    pairs = sorted((int(value.split()[0]), value.split()[1]) for value in mx.values)
    names = [name.removesuffix(".") for _, name in pairs][:_MOST_HOSTS]
    hosts = {name: addresses(name, ask) for name in names if name and not _ADDRESS.fullmatch(name)}
    return MailHosts(domain, mx, () if mx.values else addresses(domain, ask), hosts)


def judge_hosts(about: str, what: str, found: MailHosts) -> list[Finding]:
    """Judge whether mail to a domain can arrive.

    :param what: The mail that comes to it: ``bounces``.
    """
    domain = found.domain
    for answer in (found.mx, *found.own):
        if not answer.known:
            return [unknown(about, answer)]
    publish = f"{domain}. IN MX 10 mail.{domain}."
    cure = "Publish an MX record such as the one below, or use another domain."
    if not found.mx.values:
        if all(answer.is_void for answer in found.own):
            missing = found.mx.missing.replace(
                "no MX record", "neither an MX record nor an address"
            )
            return [failed(about, f"{missing}, so {what} cannot arrive. {cure}", publish)]
        why = f"{domain} has no MX record, so {what} go to the address of {domain} itself."
        return [
            warning(
                about,
                f"{why} If that is right, publish the record below.",
                f"{domain}. IN MX 10 {domain}.",
            )
        ]
    if [value.split()[1] for value in found.mx.values] == ["."]:
        why = f"{domain} takes no mail (null MX), so {what} cannot arrive, and receivers refuse it."
        return [failed(about, f"{why} {cure}", publish)]
    trouble = next((one for pair in found.hosts.values() for one in pair if not one.known), None)
    dead = {name for name, pair in found.hosts.items() if all(one.is_void for one in pair)}
    literal = [value.split()[1] for value in found.mx.values]
    literal = [name for name in literal if _ADDRESS.fullmatch(name.removesuffix("."))]
    if literal:
        why = f"the MX of {domain} is {literal[0]}, and must be a name with an address."
        return [failed(about, f"{why} {cure}", publish)]
    if trouble:
        return [unknown(about, trouble)]
    if dead and len(dead) == len(found.hosts):
        why = (
            f"{', '.join(sorted(dead))}, the MX of {domain}, has no address: {what} cannot arrive."
        )
        return [failed(about, f"{why} Publish its A record.", f"{min(dead)}. IN A 192.0.2.25")]
    if dead:
        why = f"{', '.join(sorted(dead))}, an MX of {domain}, has no address. Remove it."
        return [warning(about, why)]
    return [ok(about, f"{what} go to {', '.join(found.hosts)}")]
