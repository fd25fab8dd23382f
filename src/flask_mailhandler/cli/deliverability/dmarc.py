"""Judges a DMARC record (RFC 9989 section 4.7)."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable
from collections.abc import Iterator

from .answer import Ask
from .finding import failed
from .finding import Finding
from .finding import Level
from .finding import ok
from .finding import unknown
from .finding import warning
from .records import dmarc_record
from .records import txt
from .tags import shown
from .tags import Tags
from .tree_walk import Step
from .tree_walk import Walk
from .tree_walk import walk

_ABOUT = "DMARC"
_POLICIES = frozenset({"none", "quarantine", "reject"})
# The values of each tag, in lower case. None: any.
_TAGS: dict[str, frozenset[str] | None] = {
    "v": None,
    "p": _POLICIES,
    "sp": _POLICIES,
    "np": _POLICIES,
    "psd": frozenset("ynu"),
    "t": frozenset("yn"),
    "adkim": frozenset("rs"),
    "aspf": frozenset("rs"),
    "rua": None,
    "ruf": None,
    "fo": None,
}
_GONE = {
    "pct": "; use t=y for a test",
    "rf": "",
    "ri": "",
}
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[^\s,!]+", re.I)
_MAILTO = re.compile(r"mailto:[^@\s,!?]+@([^\s,!?]+)", re.I)
_SIZE = re.compile(r"![0-9]+[kmgt]?\s*$", re.I)
# A record may name many. Each costs up to nine questions.
_MOST_REPORTS = 3


def judge_policy(author: Walk, ask: Ask) -> list[Finding]:
    """Judge the record that applies to mail from a domain."""
    policy = author.policy
    if author.trouble and (policy is None or policy.domain != author.domain):
        return [unknown(_ABOUT, author.trouble)]
    if policy is None or policy.record is None:
        return [_missing(author)]
    if policy.psd == "y" and policy.domain != author.domain:
        why = f"only {policy.domain}, a public suffix, has a record, and its policy applies."
        publish = dmarc_record(author.organization)
        return [warning(_ABOUT, f"{why} Publish the record below.", publish)]
    about = [*_of_record(policy, policy.record), *_several(author)]
    about += _external_reports(policy, policy.record, ask)
    if any(finding.level is Level.FAILED for finding in about):
        return about
    return [ok(_ABOUT, _summary(author.domain, policy, policy.record)), *about]


def _summary(domain: str, policy: Step, tags: Tags) -> str:
    wanted = _requested(domain, policy, tags)
    if tags.get("t").lower() == "y" and wanted != "none":
        wanted += ", tested (t=y)"
    above = "" if policy.domain == domain else f", which applies to {domain}"
    return f"{policy.answer.name}: policy {wanted}{above}"


def _requested(domain: str, policy: Step, tags: Tags) -> str:
    """Return the policy that receivers apply: none if one of the three is not valid."""
    given = [tags.get(tag, "none").lower() for tag in ("p", "sp", "np")]
    if not _POLICIES.issuperset(given):
        return "none"
    return given[1] if policy.domain != domain and "sp" in tags.values else given[0]


def _missing(author: Walk) -> Finding:
    publish = dmarc_record(author.organization)
    if several := [*_several(author)]:
        return several[0]
    first = author.steps[0].answer
    near = next((text for text in first.values if "dmarc" in text.lower()), None)
    if near is not None:
        why = (
            f"{first.name} has {shown(near)}, which is ignored: a record begins with v=DMARC1,"
            " in upper case and without quotation marks."
        )
        return failed(_ABOUT, f"{why} Publish the record below instead.", publish)
    above = "" if len(author.steps) == 1 else ", and no domain above it has a record"
    missing = f"{first.name} has no DMARC record" if first.values else first.missing
    return failed(_ABOUT, f"{missing}{above}. Publish the record below.", publish)


def _several(author: Walk) -> Iterator[Finding]:
    for step in author.steps:
        if len(step.texts) > 1:
            why = f"{step.answer.name} has {len(step.texts)} DMARC records, so all are ignored."
            yield failed(
                _ABOUT, f"{why} Keep one of them.", txt(f"_dmarc.{step.domain}", step.texts[0])
            )


def _of_record(policy: Step, tags: Tags) -> Iterator[Finding]:
    for rule in _RULES:
        for level, why in rule(tags):
            yield level(_ABOUT, f"{policy.answer.name}: {why}")


# Rules: each yields how bad it is, why, and what to do.

_Level: t.TypeAlias = Callable[[str, str], Finding]
_Found: t.TypeAlias = "Iterator[tuple[_Level, str]]"


def _values(tags: Tags) -> _Found:
    """Yield the values that do not exist."""
    for tag, allowed in _TAGS.items():
        value = tags.values.get(tag)
        if value is None or allowed is None or value.lower() in allowed:
            continue
        choice = f"{tag}= is {shown(value)}, and takes {', '.join(sorted(allowed))}"
        if allowed is not _POLICIES:
            yield warning, f"{choice}. It is ignored."
        elif _has_reports(tags):
            yield warning, f"{choice}. Receivers treat the whole record as p=none."
        else:
            yield failed, f"{choice}. The record has no rua= either, so receivers ignore it."


def _policy(tags: Tags) -> _Found:
    if "p" in tags.values:
        return
    if _has_reports(tags):
        yield warning, "there is no p=, which means none. Older receivers need it: add p=none."
    else:
        yield failed, "there is no p= and no rua=, so receivers may ignore the record. Add p=none."


def _reports(tags: Tags) -> _Found:
    value = tags.get("rua")
    if not value:
        yield warning, "there is no rua=, so you get no reports. Add rua=mailto:ADDRESS."
        return
    for part in value.split(","):
        if _SIZE.search(part):
            yield warning, f"rua= has {shown(part)}: remove the size, which RFC 9989 ignores."
        elif not _MAILTO.fullmatch(part.strip()):
            yield warning, f"rua= has {shown(part)}, where reports need mailto:ADDRESS."


def _test_mode(tags: Tags) -> _Found:
    if tags.get("t").lower() == "y" and tags.get("p", "none").lower() != "none":
        yield warning, "t=y weakens the policy by one step. Remove it when mail passes."


def _suffix(tags: Tags) -> _Found:
    if tags.get("psd").lower() == "y":
        yield warning, "psd=y says that this domain is a public suffix, such as com. Remove it."


def _gone(tags: Tags) -> _Found:
    for tag in _GONE.keys() & tags.values.keys():
        yield warning, f"{tag}= was taken out of DMARC by RFC 9989. Remove it{_GONE[tag]}."


def _unknown_tags(tags: Tags) -> _Found:
    for tag in tags.values.keys() - _TAGS.keys() - _GONE.keys():
        if tag.lower() in _TAGS:
            yield warning, f"{shown(tag)} is ignored by some receivers. Write {tag.lower()}=."
        else:
            yield warning, f"{shown(tag)} is not a tag of DMARC, and is ignored. Is it misspelled?"
    for tag in tags.repeated[:1]:
        yield failed, f"{shown(tag)} is there twice, so receivers may ignore the record. Keep one."
    for problem in tags.problems[:3]:
        yield warning, f"{problem}, and is ignored."


_RULES: tuple[Callable[[Tags], _Found], ...] = (
    _values,
    _policy,
    _reports,
    _test_mode,
    _suffix,
    _gone,
    _unknown_tags,
)


def _has_reports(tags: Tags) -> bool:
    return any(_URI.match(part.strip()) for part in tags.get("rua").split(","))


def _external_reports(policy: Step, tags: Tags, ask: Ask) -> Iterator[Finding]:
    """Yield the destinations of another organization that do not agree (RFC 9990 section 4)."""
    found = dict.fromkeys(one.lower() for one in _MAILTO.findall(tags.get("rua")))
    ours = walk(policy.domain, ask).organization
    for domain in [*found][:_MOST_REPORTS]:
        if domain == ours or domain.endswith(f".{ours}"):
            continue
        theirs = walk(domain, ask)
        answer = ask(f"{policy.domain}._report._dmarc.{domain}", "TXT")
        if not answer.known or theirs.trouble:
            yield unknown(_ABOUT, theirs.trouble or answer)
        elif theirs.organization != ours and not any(
            text.lower().startswith("v=dmarc1") for text in answer.values
        ):
            why = f"{domain} does not agree to get reports, so none are sent to it."
            publish = txt(f"{policy.domain}._report._dmarc.{domain}", "v=DMARC1")
            yield warning(_ABOUT, f"{why} Ask its owner to publish the record below.", publish)
