"""A parser for lists of addresses in the fields of any message (RFC 5322 section 3.4).

::

    list    = entry *("," entry)
    entry   = mailbox / group / nothing
    group   = phrase ":" [ mailbox *("," mailbox) ] ";"
    mailbox = [ phrase ] "<" local@domain ">"  /  local@domain

Comments may be between words. The parser passes over the tokens once, without recursion. Obsolete
forms that readers disagree about are refused (routes, white space within an address, an @ in an
unquoted name), because the address that is checked must be the one that every reader sees.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator

from ...address import Address
from ...errors import MessageError
from ...text.checks import check_text
from ...text.checks import shorten

_TOKEN = re.compile(
    r'(?P<space>[ \t]+)|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<literal>\[[^\[\]\\]*\])'
    r"|(?P<special>[,:;<>@])|(?P<open>\()|(?P<atom>[^ \t\"(),:;<>@\[\]\\]+)"
)
_IN_COMMENT = re.compile(r"[^()\\]+|\\.|[()]")


class Token(t.NamedTuple):
    kind: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """A group: a named list of addresses, possibly empty."""

    name: str
    members: tuple[Address, ...]


def parse_list(text: str, field: str) -> list[Address | Group]:
    """Read the value of an address field, unfolded.

    :raises MessageError: if it is not a list of addresses, or can be read in two ways.
    """
    check_text(text, field)
    entries: list[Address | Group] = []
    group: str | None = None
    members: list[Address] = []
    words: list[Token] = []
    bracket = False
    for token in [*_tokens(text, field), Token("special", ",")]:
        # Within brackets, a separator is an error, which is found when the address is read.
        if token.kind != "special" or token.text in "<>@" or bracket:
            bracket = token.text == "<" or (bracket and token.text != ">")
            words.append(token)
            continue
        if token.text == ":":
            if group is not None:
                raise _error(field, text, "has a group within a group")
            group, words, members = _phrase(words, field, text), [], []
            continue
        into: list[t.Any] = entries if group is None else members
        into += _address(words, field, text)
        words = []
        if token.text == ";":
            if group is None:
                raise _error(field, text, "has a ';' outside a group")
            entries.append(Group(group, tuple(members)))
            group = None
    if group is not None or words:
        raise _error(field, text, "ends within a group or an address")
    return entries


def all_addresses(entries: Iterable[Address | Group]) -> list[Address]:
    """Return all addresses of a list, including those in groups."""
    found: list[Address] = []
    for entry in entries:
        found += entry.members if isinstance(entry, Group) else (entry,)
    return found


def _tokens(text: str, field: str) -> Iterator[Token]:
    end = 0
    while end < len(text):
        match = _TOKEN.match(text, end)
        if match is None:
            raise _error(field, text, f"has an unexpected {text[end]!r}")
        end = match.end()
        if match.lastgroup == "open":
            end = _skip_comment(text, end, field)
            yield Token("space", " ")
        else:
            yield Token(match.lastgroup or "", match[0])


def _skip_comment(text: str, end: int, field: str) -> int:
    depth = 1
    while depth:
        match = _IN_COMMENT.match(text, end)
        if match is None:
            raise _error(field, text, "has an unclosed comment")
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        end = match.end()
    return end


def _address(words: list[Token], field: str, text: str) -> list[Address]:
    words = _strip(words)
    if not words:
        return []  # two commas without an address between them
    bracket = next((i for i, word in enumerate(words) if word.text == "<"), None)
    if bracket is None:
        return [Address(_joined(words, field, text), field=field)]
    if words[-1].text != ">":
        raise _error(field, text, "has text after a '>', or an unclosed '<'")
    address = _joined(_strip(words[bracket + 1 : -1]), field, text)
    return [Address(address, _phrase(words[:bracket], field, text), field=field)]


def _joined(words: list[Token], field: str, text: str) -> str:
    if any(word.kind == "space" for word in words):
        raise _error(field, text, "has white space or a comment within an address")
    if any(word.text in "<>" for word in words):
        raise _error(field, text, "has a bracket within brackets")
    return "".join(word.text for word in words)


def _phrase(words: list[Token], field: str, text: str) -> str:
    parts = []
    for word in words:
        if word.kind == "quoted":
            parts.append(re.sub(r"\\(.)", r"\1", word.text[1:-1]))
        elif word.kind == "atom":
            parts.append(word.text)
        elif word.kind != "space":
            raise _error(field, text, f"has {word.text!r} in an unquoted name")
    return " ".join(parts)


def _strip(words: list[Token]) -> list[Token]:
    start, end = 0, len(words)
    while start < end and words[start].kind == "space":
        start += 1
    while end > start and words[end - 1].kind == "space":
        end -= 1
    return words[start:end]


def _error(field: str, text: str, what: str) -> MessageError:
    return MessageError(f"{field} {what}: {shorten(text)}.")
