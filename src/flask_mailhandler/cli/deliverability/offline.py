"""The records that senders need, without asking the DNS."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

from .records import dmarc_record
from .records import key_record
from .records import spf_is_known
from .records import spf_record
from .records import spf_sources
from .sender import Sender


def records_of(senders: Sequence[Sender], ip: str | None) -> Iterator[str]:
    """Yield the records to publish, with comments, in the form of a zone file."""
    yield from _keys(senders)
    yield from _spf(senders, ip)
    yield from _dmarc(senders)


def _keys(senders: Sequence[Sender]) -> Iterator[str]:
    yield "\n; DKIM: the public keys that verify signatures."
    if not all(sender.keys for sender in senders):
        yield "; An account without MAIL_DKIM_KEYS does not sign. If its provider does, add the"
        yield "; records that the provider shows."
    yield from dict.fromkeys(
        key_record(key, sender.signer) for sender in senders for key in sender.keys
    )


def _spf(senders: Sequence[Sender], ip: str | None) -> Iterator[str]:
    by_domain: dict[str, list[str]] = {}
    for sender in senders:
        if sender.bounce:
            by_domain.setdefault(sender.bounce, []).extend(spf_sources(sender.host, ip))
    yield "\n; SPF: the servers that may send. Each name has only one such record."
    if not all(spf_is_known(sender.host, ip) for sender in senders):
        yield "; The servers are a guess: use what your provider asks for, or pass --ip."
    for domain, sources in by_domain.items():
        yield spf_record(domain, sources)


def _dmarc(senders: Sequence[Sender]) -> Iterator[str]:
    authors = [*dict.fromkeys(sender.author for sender in senders if sender.author)]
    yield "\n; DMARC: what happens to mail that passes neither. Read the reports, then tighten p=."
    for author in authors:
        # The record of a domain also applies to its subdomains.
        if not any(author.endswith(f".{other}") for other in authors):
            yield dmarc_record(author)
