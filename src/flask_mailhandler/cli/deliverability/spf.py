"""Judges SPF of the domain in the envelope sender (RFC 7208)."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence

from .finding import failed
from .finding import Finding
from .finding import Level
from .finding import ok
from .finding import unknown
from .finding import warning
from .records import spf_is_known
from .records import spf_record
from .records import spf_sources
from .records import txt
from .spf_terms import IP
from .spf_terms import SPFRecord
from .spf_tree import MOST_HOSTS
from .spf_tree import MOST_LOOKUPS
from .spf_tree import MOST_VOID
from .spf_tree import Node
from .spf_tree import result_for
from .spf_tree import Tree
from .tags import shown

_ABOUT = "SPF"
_GUESS = ", with the servers that your provider names"
# Section 3.4: a longer record may not fit into one answer.
_LONG = 450


def judge_spf(tree: Tree, host: str | None, ip: IP | None) -> list[Finding]:
    """Judge the record of the bounce domain, and all that it includes.

    :param host: The server that mail is given to, for the record to publish.
    :param ip: The address that sends; None if it is not known.
    """
    root = tree.root
    if not root.answer.known:
        return [unknown(_ABOUT, root.answer)]
    known_ip = str(ip) if ip else None
    suggested = spf_record(root.domain, spf_sources(host, known_ip))
    if not root.texts:
        guess = "" if spf_is_known(host, known_ip) else _GUESS
        none = f"{root.domain} has no SPF record. Publish the record below{guess}."
        near = next((text for text in root.answer.values if "spf" in text.lower()), None)
        if near is not None:
            none = (
                f"{root.domain} has {shown(near)}, which is ignored: a record begins with"
                " v=spf1 and a space. Publish the record below instead."
            )
        return [failed(_ABOUT, none, suggested)]
    if root.record is None:
        return [failed(_ABOUT, _several(root), txt(root.domain, _merged(root.texts)))]
    found = [finding for rule in _RULES for finding in rule(tree, root.record)]
    if not any(finding.level is Level.FAILED for finding in found):
        if tree.trouble:
            found.append(unknown(_ABOUT, tree.trouble))
        if ip is not None:
            found += _for_ip(ip, tree, root.record)
    return [*_summary(tree, found), *found]


def _summary(tree: Tree, found: Sequence[Finding]) -> Iterator[Finding]:
    if any(finding.level in (Level.FAILED, Level.UNKNOWN) for finding in found):
        return
    record = tree.root.record
    assert record is not None
    end = record.all_
    last = f", ends in {end.text}" if end else ""
    yield ok(_ABOUT, f"{tree.root.domain}: {tree.lookups} of {MOST_LOOKUPS} look-ups{last}")


def _several(root: Node) -> str:
    return (
        f"{root.domain} has {len(root.texts)} SPF records, so SPF fails (permerror). Publish one"
        " with the terms of all of them, such as the one below."
    )


def _merged(texts: Sequence[str]) -> str:
    """Return one record with the terms of several, each once, and the last ``all`` at its end.

    ``+all``, which lets each server pass, is not taken over.
    """
    terms = [term for text in texts for term in text.split()[1:]]
    ends = [term for term in terms if re.fullmatch("[-+?~]?all", term, re.I)]
    kept = [term for term in dict.fromkeys(terms) if term not in ends]
    safe = [term for term in ends if term[0] in "-?~"] or ["~all"]
    return " ".join(["v=spf1", *kept, *(safe[-1:] if ends else [])])


def _for_ip(ip: IP, tree: Tree, record: SPFRecord) -> Iterator[Finding]:
    result = result_for(ip, tree.root)
    about = "SPF of IP"
    if result == "pass":
        yield ok(about, f"{ip} passes SPF of {tree.root.domain}")
    elif result == "unknown":
        yield warning(about, f"{ip} passes or not: this depends on macros or ptr in the record.")
    elif result != "temperror":
        term = f"ip{ip.version}:{ip}"
        terms = record.text.split()
        text = " ".join([terms[0], term, *terms[1:]])  # first: another term may fail it
        why = f"{ip} gets {result} from SPF of {tree.root.domain}. Add {term} to the record."
        yield failed(about, why, txt(tree.root.domain, text))


# Rules: each yields what is wrong with a record that was found.


def _form(tree: Tree, record: SPFRecord) -> Iterator[Finding]:
    for node in tree.nodes:
        for problem in (node.record.problems if node.record else ())[:3]:
            yield failed(_ABOUT, f"{node.domain}: {problem}. SPF fails (permerror).")


def _included(tree: Tree, record: SPFRecord) -> Iterator[Finding]:
    for node in tree.nodes[1:]:
        if node.record is not None or not node.answer.known:
            continue
        many = f"has {len(node.texts)} SPF records" if node.texts else "has no SPF record"
        why = f"{node.domain}, which the record includes, {many}, so SPF fails (permerror)."
        yield failed(_ABOUT, f"{why} Remove it, or ask its owner.")
    for domain in dict.fromkeys(tree.circles):
        why = f"{domain} includes itself, so SPF fails (permerror). Remove one include."
        yield failed(_ABOUT, why)


def _lookups(tree: Tree, record: SPFRecord) -> Iterator[Finding]:
    if tree.lookups > MOST_LOOKUPS:
        more = "more than " if tree.is_cut else ""
        why = (
            f"{tree.root.domain}: {more}{tree.lookups} look-ups, and receivers stop after"
            f" {MOST_LOOKUPS} (permerror). Remove what no longer sends, or give some mail an"
            " envelope sender in a subdomain with a record of its own."
        )
        yield failed(_ABOUT, why)
    if len(tree.void) > MOST_VOID:
        why = (
            f"{len(tree.void)} look-ups find nothing ({', '.join(tree.void[:4])}), and receivers"
            f" stop after {MOST_VOID} (permerror). Remove these terms."
        )
        yield failed(_ABOUT, why)
    elif tree.void:
        why = f"the record names {', '.join(tree.void)}, where nothing is found. Remove the term."
        yield warning(_ABOUT, why)


def _hosts(tree: Tree, record: SPFRecord) -> Iterator[Finding]:
    for node in tree.nodes:
        for term, answers in node.found.items():
            if answers and answers[0].kind == "MX" and len(answers[0].values) > MOST_HOSTS:
                why = f"{node.domain}: {term} finds {len(answers[0].values)} servers"
                yield failed(_ABOUT, f"{why}, and {MOST_HOSTS} are allowed (permerror).")


def _end(tree: Tree, record: SPFRecord) -> Iterator[Finding]:
    end = record.all_
    if end is None and record.redirect is None:
        why = "the record has no all at its end, so other servers are neutral. Add -all or ~all."
        yield warning(_ABOUT, why)
    elif end is not None and end.qualifier == "+":
        why = f"{end.text} lets every server in the world pass. Write -all or ~all instead."
        yield failed(_ABOUT, why)
    elif end is not None and end.qualifier == "?":
        yield warning(_ABOUT, "?all says nothing about other servers. Write -all or ~all instead.")
    if record.ignored:
        why = f"{' '.join(record.ignored[:4])} has no effect because of {end.text if end else ''}"
        yield warning(_ABOUT, f"{why}. Move it before that, or remove it.")


def _discouraged(tree: Tree, record: SPFRecord) -> Iterator[Finding]:
    for node in tree.nodes:
        if node.record and any(term.name == "ptr" for term in node.record.terms):
            why = f"{node.domain}: ptr is slow, and some receivers ignore it (RFC 7208)."
            yield warning(_ABOUT, f"{why} Name the servers with ip4, ip6 or a.")
    if len(record.text) > _LONG:
        why = f"the record has {len(record.text)} octets, and more than {_LONG} may not fit into"
        yield warning(_ABOUT, f"{why} an answer. Move terms into a record that is included.")


_Rule = Callable[[Tree, SPFRecord], Iterator[Finding]]
_RULES: tuple[_Rule, ...] = (_form, _included, _lookups, _hosts, _end, _discouraged)
