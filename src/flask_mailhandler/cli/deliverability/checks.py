"""All checks of one sender, in the order in which they are printed."""

from __future__ import annotations

from collections.abc import Iterator

from .aligned import judge_alignment
from .answer import Ask
from .dkim_record import judge_key
from .dmarc import judge_policy
from .finding import Finding
from .finding import warning
from .mail_hosts import judge_hosts
from .mail_hosts import look_up_hosts
from .records import key_name
from .sample import judge_sample
from .sender import Sender
from .spf import judge_spf
from .spf_terms import IP
from .spf_tree import look_up_spf
from .tree_walk import Walk
from .tree_walk import walk


def check_sender(sender: Sender, ip: IP | None, ask: Ask) -> Iterator[Finding]:
    """Yield what is found about the domains of a sender.

    :param ip: The address that sends, if it is known.
    """
    author = walk(sender.author, ask) if sender.author else None
    yield from _keys(sender, ask)
    if sender.keys:
        yield from _alignment(author, sender.signer, ask, by="DKIM")
    if author:
        yield from judge_policy(author, ask)
    if sender.bounce:
        yield from judge_spf(look_up_spf(sender.bounce, ask), sender.host, ip)
        yield from _alignment(author, sender.bounce, ask, by="SPF")
    yield from _ways_back(sender, ask)


def _alignment(author: Walk | None, other: str | None, ask: Ask, *, by: str) -> Iterator[Finding]:
    # Without a policy, no receiver asks which domains belong together.
    if author and other and (author.policy or author.trouble or author.domain == other):
        yield judge_alignment(author, other, ask, by=by)


def _keys(sender: Sender, ask: Ask) -> Iterator[Finding]:
    if not sender.keys:
        why = "MAIL_DKIM_KEYS is not set, so the app does not sign. If your provider signs, send a"
        yield warning("DKIM", f"{why} message to yourself and look for dkim=pass in its source.")
    signer = sender.signer
    if signer is None:
        return
    for key in sender.keys:
        others = [other for other in sender.keys if other is not key]
        answer = ask(key_name(key, signer), "TXT")
        yield from judge_key(key, signer, answer, others)
        if sample := judge_sample(key, sender.author or signer, signer, answer):
            yield sample


def _ways_back(sender: Sender, ask: Ask) -> Iterator[Finding]:
    """Yield whether mail to each domain of the message can arrive."""
    whats = [("bounces", "bounces", sender.bounce), ("From", "replies", sender.author)]
    whats += [("Reply-To", "replies", domain) for domain in sender.replies]
    seen: set[str] = set()
    for about, what, domain in whats:
        if domain and domain not in seen:
            seen.add(domain)
            yield judge_hosts(about, what, look_up_hosts(domain, ask))
