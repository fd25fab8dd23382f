"""Whether the name of an IP address leads back to it, as receivers require."""

from __future__ import annotations

from .answer import Ask
from .finding import failed
from .finding import Finding
from .finding import ok
from .finding import unknown
from .finding import warning
from .spf_terms import IP

_ABOUT = "PTR"
_MOST_NAMES = 5


def judge_ip(ip: IP, ask: Ask) -> list[Finding]:
    """Ask for the names of an address, and for the addresses of these names."""
    answer = ask(ip.reverse_pointer, "PTR")
    if not answer.known:
        return [unknown(_ABOUT, answer)]
    publish = f"{ip.reverse_pointer}. IN PTR mail.example.com."
    if not answer.values:
        why = f"{ip} has no name, so Gmail and others refuse its mail (5.7.25)."
        cure = "Ask the owner of the network, such as your hosting provider, to set it."
        return [failed(_ABOUT, f"{why} {cure}", publish)]
    kind = "A" if ip.version == 4 else "AAAA"
    names = [value.removesuffix(".") for value in answer.values[:_MOST_NAMES]]
    back = {name: ask(name, kind) for name in names}
    good = [name for name, found in back.items() if str(ip) in found.values]
    if good:
        return [ok(_ABOUT, f"{ip} is {good[0]}, which leads back to it"), *_generic(ip, good[0])]
    if trouble := next((found for found in back.values() if not found.known), None):
        return [unknown(_ABOUT, trouble)]
    name = names[0]
    has = ", ".join(back[name].values[:3])
    why = f"{ip} is {name}, which {f'leads to {has}' if has else 'has no address'} and not back."
    return [failed(_ABOUT, f"{why} Publish the record below.", f"{name}. IN {kind} {ip}")]


def _generic(ip: IP, name: str) -> list[Finding]:
    """Return a finding if a name is one that a provider gives to each of its customers."""
    if ip.version == 4 and all(octet in name for octet in str(ip).split(".")):
        why = f"{name} looks like the name of a home connection, which some receivers refuse."
        return [warning(_ABOUT, f"{why} Ask for a name in your own domain.")]
    return []
