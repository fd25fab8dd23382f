"""Reads an SPF record (RFC 7208 section 12)."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t
from collections.abc import Sequence

from .tags import shown

Network: t.TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"
IP: t.TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

# Each of these costs one look-up (section 4.6.4).
LOOKUPS = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
_TAKES_DOMAIN = frozenset({"a", "mx", "ptr"})
_NEEDS_DOMAIN = frozenset({"include", "exists"})
_SIZE = "(?:0|[1-9][0-9]*)"
_TERM = re.compile(
    rf"([-+?~]?)([a-z][a-z0-9._-]*)(?::(.*?))?((?:/{_SIZE})?(?://{_SIZE})?)", re.I | re.A
)
_MODIFIER = re.compile(r"([a-z][a-z0-9._-]*)=(.*)", re.I | re.A)
_IP = re.compile(r"([-+?~]?)(ip[46]):(.*)", re.I | re.A)
_MACRO = re.compile(r"%[{%_-]")
# Section 7.1: visible characters and macros. The letters c, r and t are for explanations only.
_EXPANDED = r"%\{[slodiphv][0-9]*r?[.+,/_=-]*\}|%[%_-]"
_MACRO_STRING = re.compile(rf"(?:[!-$&-~]|{_EXPANDED})*", re.I | re.A)
# A domain ends with a dot and a top-level label, which has a letter or a hyphen, or with a macro.
_DOMAIN_END = re.compile(
    rf"(?:\.(?:[a-z0-9]*[a-z][a-z0-9]*|[a-z0-9]+-[a-z0-9-]*[a-z0-9])\.?|{_EXPANDED})\Z", re.I | re.A
)
_VERSION = re.compile(r"v=spf1(?: |$)", re.I | re.A)
# Mistakes that people make, and what they mean.
_MEANT = {
    "ipv4": "ip4:",
    "ipv6": "ip6:",
    "ip": "ip4:",
    "includes": "include:",
    "inc": "include:",
    "mx4": "mx",
}


@dataclasses.dataclass(frozen=True)
class Term:
    """A mechanism, or the modifier ``redirect``."""

    text: str
    name: str
    """In lower case."""
    qualifier: str = "+"
    domain: str = ""
    """After the colon; "" is the domain of the record."""
    network: Network | None = None
    """Of ``ip4`` and ``ip6``."""
    prefixes: tuple[int, int] = (32, 128)
    """Of ``a`` and ``mx``: for IPv4 and IPv6."""

    @property
    def has_macro(self) -> bool:
        """Whether the domain depends on the message."""
        return bool(_MACRO.search(self.domain))


@dataclasses.dataclass(frozen=True)
class SPFRecord:
    """The terms of a record that count, in their order."""

    text: str
    terms: tuple[Term, ...]
    redirect: Term | None
    problems: tuple[str, ...]
    """Errors in the form of the record. One is enough for the result ``permerror``."""
    ignored: tuple[str, ...]
    """Terms that no receiver reads, because they come after ``all``."""

    @property
    def all_(self) -> Term | None:
        """The term ``all``."""
        return next((term for term in self.terms if term.name == "all"), None)


def is_spf(text: str) -> bool:
    """Return whether a TXT record is an SPF record (section 4.5)."""
    return bool(_VERSION.match(text))


def read_spf(text: str) -> SPFRecord:
    """Read a record. Whatever cannot be read is a problem."""
    terms: list[Term] = []
    modifiers: dict[str, Term] = {}
    problems: list[str] = []
    ignored: list[str] = []
    for part in text.split(" ")[1:]:
        if not part:
            continue
        if (modifier := _MODIFIER.fullmatch(part)) and ":" not in modifier[1]:
            _read_modifier(modifier, part, modifiers, problems)
        elif isinstance(term := _mechanism(part), str):
            problems.append(term)
        elif terms and terms[-1].name == "all":
            ignored.append(part)
        else:
            terms.append(term)
    redirect = modifiers.get("redirect")
    if redirect is not None and terms and terms[-1].name == "all":
        ignored.append(redirect.text)
        redirect = None
    return SPFRecord(text, tuple(terms), redirect, tuple(problems), tuple(ignored))


def _read_modifier(
    found: re.Match[str], part: str, modifiers: dict[str, Term], problems: list[str]
) -> None:
    name, value = found[1].lower(), found[2]
    if name not in ("redirect", "exp"):
        # Section 6: an unknown modifier is ignored. A mechanism with = is a mistake.
        if name in LOOKUPS | {"ip4", "ip6"}:
            problems.append(f"{shown(part)} has = where a colon belongs")
        elif not _MACRO_STRING.fullmatch(value):
            problems.append(f"{shown(part)} has a % that is not a macro")
        return
    if name in modifiers:
        problems.append(f"{name}= is there twice")
    elif not is_domain(value):
        problems.append(f"{name}= needs a domain, not {shown(value)}")
    else:
        modifiers[name] = Term(part, name, domain=value)


def _mechanism(part: str) -> Term | str:
    """Read a mechanism; return the problem if it is none."""
    if found := _IP.fullmatch(part):
        return _ip(part, found[1] or "+", found[2].lower(), found[3])
    parts = _TERM.fullmatch(part)
    if parts is None:
        comma = ". Separate terms with spaces, not commas" if "," in part else ""
        return f"{shown(part)} is not a term of SPF{comma}"
    qualifier, name, domain, sizes = parts[1] or "+", parts[2].lower(), parts[3], parts[4]
    if name in _MEANT:
        return f"{shown(part)} is not a term of SPF: write {_MEANT[name]}"
    if name == "all":
        return Term(part, name, qualifier) if domain is None and not sizes else _takes_none(part)
    if name in _NEEDS_DOMAIN and (not domain or sizes):
        space = " Write it without a space after the colon." if domain == "" else ""
        return f"{shown(part)} needs a domain.{space}".removesuffix(".")
    if domain and name in LOOKUPS and not is_domain(domain):
        return f"{shown(part)} needs a full domain name after the colon"
    if name in _TAKES_DOMAIN and domain != "" and (not sizes or name != "ptr"):
        prefixes = _prefixes(sizes)
        if prefixes is None:
            return f"{shown(part)} has a prefix that is too long"
        return Term(part, name, qualifier, domain or "", None, prefixes)
    if name in _NEEDS_DOMAIN:
        return Term(part, name, qualifier, domain)
    if name in ("ip4", "ip6"):
        return f"{shown(part)} has no address"
    return f"{shown(part)} is not a term of SPF"


def is_domain(text: str) -> bool:
    """Return whether a text can stand for a domain (section 7.1)."""
    return bool(_MACRO_STRING.fullmatch(text) and _DOMAIN_END.search(text))


def _takes_none(part: str) -> str:
    return f"{shown(part)}: all takes nothing after it"


def _ip(part: str, qualifier: str, name: str, value: str) -> Term | str:
    read: t.Callable[..., Network] = (
        ipaddress.IPv4Network if name == "ip4" else ipaddress.IPv6Network
    )
    other = ":" in value if name == "ip4" else ":" not in value
    if other:
        right = "ip6" if name == "ip4" else "ip4"
        return f"{shown(part)} has an address of the other version: write {right}:"
    try:
        if "/" in value and not re.fullmatch(_SIZE, value.partition("/")[2]):
            raise ValueError
        network = read(value, strict=False)
    except ValueError:
        return f"{shown(part)} is not an IP address or network"
    return Term(part, name, qualifier, "", network)


def _prefixes(sizes: str) -> tuple[int, int] | None:
    four, _, six = sizes.partition("//")
    four = four.removeprefix("/")
    found = int(four or 32), int(six or 128)
    return found if found[0] <= 32 and found[1] <= 128 else None


def in_any(ip: IP, addresses: Sequence[str], prefixes: tuple[int, int]) -> bool:
    """Return whether an address is in the network of one of *addresses*."""
    size = prefixes[0] if ip.version == 4 else prefixes[1]
    for address in addresses:
        if (":" in address) == (ip.version == 6):
            network = ipaddress.ip_network(f"{address}/{size}", strict=False)
            if ip in network:
                return True
    return False
