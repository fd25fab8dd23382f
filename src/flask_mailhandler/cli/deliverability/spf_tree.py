"""Looks up everything that an SPF record leads to, within bounds (RFC 7208 section 4.6.4)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from .answer import addresses
from .answer import Answer
from .answer import Ask
from .spf_terms import in_any
from .spf_terms import IP
from .spf_terms import is_spf
from .spf_terms import LOOKUPS
from .spf_terms import read_spf
from .spf_terms import SPFRecord
from .spf_terms import Term

MOST_LOOKUPS = 10
MOST_VOID = 2
MOST_HOSTS = 10
"""The names of one MX that are looked up."""
# The count goes on after the tenth look-up, so that it can be shown. It ends here.
_MOST_ASKED = 30


@dataclasses.dataclass
class Node:
    """A domain, its record, and what its terms lead to."""

    domain: str
    answer: Answer
    texts: Sequence[str]
    record: SPFRecord | None = None
    """The record; None if there is none, or more than one."""
    nodes: dict[str, Node] = dataclasses.field(default_factory=dict)
    """The records that ``include`` and ``redirect`` lead to, by the text of the term."""
    found: dict[str, list[Answer]] = dataclasses.field(default_factory=dict)
    """What was looked up for the other terms: the addresses at the end."""


@dataclasses.dataclass
class Tree:
    """The record of a domain, and all that it leads to."""

    root: Node
    lookups: int = 0
    is_cut: bool = False
    """Whether there were more look-ups than are counted."""
    void: list[str] = dataclasses.field(default_factory=list)
    """The names for which there was no answer."""
    circles: list[str] = dataclasses.field(default_factory=list)
    """The domains that include themselves."""
    nodes: list[Node] = dataclasses.field(default_factory=list)
    """Every domain whose record was asked for, the root first."""

    @property
    def trouble(self) -> Answer | None:
        """An answer that did not come."""
        asked = [
            answer
            for node in self.nodes
            for answer in (node.answer, *(one for found in node.found.values() for one in found))
        ]
        return next((answer for answer in asked if not answer.known), None)


def look_up_spf(domain: str, ask: Ask) -> Tree:
    """Return the tree of a domain."""
    tree = Tree(_node(domain, ask))
    tree.nodes.append(tree.root)
    _follow(tree, tree.root, (domain,), ask)
    return tree


def _node(domain: str, ask: Ask) -> Node:
    answer = ask(domain, "TXT")
    texts = [text for text in answer.values if is_spf(text)]
    return Node(domain, answer, texts, read_spf(texts[0]) if len(texts) == 1 else None)


def _follow(tree: Tree, node: Node, above: tuple[str, ...], ask: Ask) -> None:
    if node.record is None:
        return
    redirect = (node.record.redirect,) if node.record.redirect else ()
    for term in (*node.record.terms, *redirect):
        if term.name not in LOOKUPS:
            continue
        if tree.lookups == _MOST_ASKED:
            tree.is_cut = True
            return
        tree.lookups += 1
        if term.has_macro or term.name == "ptr":
            continue  # it depends on the message or its client, so it is only counted
        if term.name in ("include", "redirect"):
            _enter(tree, node, term, above, ask)
        else:
            _find(tree, node, term, ask)


def _enter(tree: Tree, node: Node, term: Term, above: tuple[str, ...], ask: Ask) -> None:
    domain = term.domain.lower().removesuffix(".")
    if domain in above:
        tree.circles.append(domain)
        return
    child = _node(domain, ask)
    node.nodes[term.text] = child
    tree.nodes.append(child)
    if child.answer.is_void:
        tree.void.append(domain)
    _follow(tree, child, (*above, domain), ask)


def _find(tree: Tree, node: Node, term: Term, ask: Ask) -> None:
    domain = term.domain.removesuffix(".") or node.domain
    if term.name == "mx":
        asked = ask(domain, "MX")
        hosts = [value.split()[-1].removesuffix(".") for value in asked.values]
        found = [one for host in hosts[:MOST_HOSTS] if host for one in addresses(host, ask)]
        node.found[term.text] = [asked, *found]
        first = [asked]
    else:
        # An exists only asks for an A record, whichever IP address the mail comes from.
        first = [ask(domain, "A")] if term.name == "exists" else [*addresses(domain, ask)]
        node.found[term.text] = first
    if all(answer.is_void for answer in first):
        tree.void.append(domain)


def result_for(ip: IP, node: Node) -> str:
    """Return the result of SPF for an address (section 2.6), or ``unknown`` if it depends on a
    term that this command does not follow."""
    if not node.answer.known:
        return "temperror"
    if node.record is None:
        return "permerror" if node.texts else "none"
    if node.record.problems:
        return "permerror"
    for term in node.record.terms:
        matches = _matches(ip, term, node)
        if isinstance(matches, str):
            return matches
        if matches:
            return {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}[term.qualifier]
    if node.record.redirect is None:
        return "neutral"
    if node.record.redirect.has_macro:
        return "unknown"
    child = node.nodes.get(node.record.redirect.text)
    result = "permerror" if child is None else result_for(ip, child)
    return "permerror" if result == "none" else result


def _matches(ip: IP, term: Term, node: Node) -> bool | str:
    """Return whether a term matches, or the result that ends the evaluation."""
    if term.name == "all":
        return True
    if term.network is not None:
        return ip in term.network
    if term.has_macro or term.name == "ptr":
        return "unknown"
    if term.name == "include":
        child = node.nodes.get(term.text)
        result = "permerror" if child is None else result_for(ip, child)
        ends = {"none": "permerror", "permerror": "permerror", "temperror": "temperror"}
        return ends.get(result, "unknown" if result == "unknown" else result == "pass")
    answers = node.found.get(term.text, [])
    if any(not answer.known for answer in answers):
        return "temperror"
    values = [value for answer in answers if answer.kind != "MX" for value in answer.values]
    return bool(values) if term.name == "exists" else in_any(ip, values, term.prefixes)
