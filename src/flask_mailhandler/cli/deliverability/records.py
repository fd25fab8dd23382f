"""Records in the form of a zone file, to be published as they are printed."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable
from collections.abc import Sequence

from ...net.hosts import is_loopback

if t.TYPE_CHECKING:
    from ...mime.dkim.key import Key

_LINE = 88
_STRING = 255
# What each provider asks for, by the end of the host that mail is given to.
_PROVIDERS = {
    "smtp.gmail.com": "include:_spf.google.com",
    "smtp-relay.gmail.com": "include:_spf.google.com",
    "smtp.office365.com": "include:spf.protection.outlook.com",
    ".amazonaws.com": "include:amazonses.com",
    "smtp.sendgrid.net": "include:sendgrid.net",
    ".mailgun.org": "include:mailgun.org",
}


def key_name(key: Key, domain: str | None) -> str:
    """Return the name of a key in the DNS."""
    return f"{key.selector}._domainkey" + (f".{domain}" if domain else "")


def key_record(key: Key, domain: str | None) -> str:
    """Return the TXT record of a key.

    :param domain: The domain that signs; None if only the From of a message decides.
    """
    strings = "\n    ".join(f'"{text}"' for text in key.record_strings)
    dot = "." if domain else ""
    return f"{key_name(key, domain)}{dot} IN TXT (\n    {strings} )"


def txt(name: str, text: str) -> str:
    """Return a TXT record, in one line if it is short."""
    strings = [text[start : start + _STRING] for start in range(0, len(text), _STRING)]
    quoted = ['"' + re.sub(r'(["\\])', r"\\\1", one) + '"' for one in strings]
    line = f"{name}. IN TXT {' '.join(quoted)}"
    joined = "\n    ".join(quoted)
    return line if len(line) <= _LINE else f"{name}. IN TXT (\n    {joined} )"


def dmarc_record(domain: str) -> str:
    """Return a first policy, which asks for reports only."""
    return txt(f"_dmarc.{domain}", f"v=DMARC1; p=none; rua=mailto:dmarc@{domain}")


def spf_record(domain: str, sources: Iterable[str]) -> str:
    """Return the SPF record for a domain.

    :param sources: The terms that name its servers.
    """
    return txt(domain, f"v=spf1 {' '.join(dict.fromkeys(sources))} ~all")


def spf_sources(host: str | None, ip: str | None) -> Sequence[str]:
    """Return the terms of SPF that name the servers.

    :param host: The server that mail is given to; None for this machine.
    :param ip: The IP address that sends, if it is known.
    """
    if ip:
        return [f"{'ip6' if ':' in ip else 'ip4'}:{ip}"]
    for end, term in _PROVIDERS.items():
        if host and (host == end or (end.startswith(".") and host.endswith(end))):
            return [term]
    if host and not is_loopback(host) and not re.fullmatch(r"[0-9.]+|\[?[0-9a-fA-F:]+\]?", host):
        return [f"a:{host}"]
    return ["mx"]


def spf_is_known(host: str | None, ip: str | None) -> bool:
    """Return whether the sources are those that the provider asks for, and not a guess."""
    return bool(ip) or spf_sources(host, None)[0].startswith("include:")
