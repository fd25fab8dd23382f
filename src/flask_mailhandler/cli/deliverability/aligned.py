"""Whether a domain counts as the one in From, as DMARC needs it (RFC 9989 section 4.10.2)."""

from __future__ import annotations

from .answer import Ask
from .finding import failed
from .finding import Finding
from .finding import ok
from .finding import unknown
from .finding import warning
from .tree_walk import Walk
from .tree_walk import walk


def judge_alignment(author: Walk, other: str, ask: Ask, *, by: str) -> Finding:
    """Judge whether a domain is aligned with that of From.

    :param by: ``DKIM`` or ``SPF``, which proves the other domain.
    """
    about = f"{by} aligned"
    tag = "adkim" if by == "DKIM" else "aspf"
    # One of the two is enough for DMARC. SPF breaks when mail is forwarded, so DKIM matters more.
    bad = failed if by == "DKIM" else warning
    if other == author.domain:
        return ok(about, f"{other} is the domain in From")
    change = (
        "set MAIL_DKIM_DOMAIN to the domain in From."
        if by == "DKIM"
        else "set MAIL_BOUNCE_ADDRESS to an address of the domain in From, or a subdomain of it."
    )
    if _is_strict(author, tag):
        why = f"{tag}=s asks for the domain in From itself, {author.domain}, not {other}."
        return bad(about, f"{why} Remove {tag}=s from the DMARC record, or {change}")
    walked = walk(other, ask)
    if trouble := author.trouble or walked.trouble:
        return unknown(about, trouble)
    if walked.organization == author.organization:
        return ok(about, f"{other} and {author.domain} both belong to {author.organization}")
    why = (
        f"{other} belongs to {walked.organization}, and {author.domain} in From to"
        f" {author.organization}, so {by} does not count for DMARC."
    )
    return bad(about, f"{why} {change[0].upper()}{change[1:]}")


def _is_strict(author: Walk, tag: str) -> bool:
    """Return whether the policy asks for the domain itself: any other value is relaxed."""
    policy = author.policy
    return bool(policy and policy.record and policy.record.get(tag).lower() == "s")
