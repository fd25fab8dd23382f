"""Lists of addresses in the headers of other people's messages (RFC 5322 section 3.4).

::

    list    = entry *("," entry)
    entry   = mailbox / group / nothing
    group   = phrase ":" [ mailbox *("," mailbox) ] ";"
    mailbox = [ phrase ] "<" local@domain ">"  /  local@domain

Comments may stand between words. One pass over the tokens, no recursion. What is obsolete in a
way that readers disagree about (routes, white space within a mailbox, an @ in an unquoted
name) is refused: the mailbox that is checked must be the one that everybody reads.
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
    """A named list of addresses in a list of addresses; it may be empty."""

    name: str
    members: tuple[Address, ...]


def parse_list(text: str, field: str) -> list[Address | Group]:
    """Read the value of an address field, unfolded.

    :raises MessageError: if it is no list of addresses, or one that can be read in two ways.
    """
    check_text(text, field)
    entries: list[Address | Group] = []
    group: str | None = None
    members: list[Address] = []
    words: list[Token] = []
    bracket = False
    for token in [*_tokens(text, field), Token("special", ",")]:
        # What separates elsewhere is wrong within brackets, and refused with the mailbox.
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
        into += _mailbox(words, field, text)
        words = []
        if token.text == ";":
            if group is None:
                raise _error(field, text, "has a ';' that ends no group")
            entries.append(Group(group, tuple(members)))
            group = None
    if group is not None or words:
        raise _error(field, text, "ends within a group or a mailbox")
    return entries


def mailboxes(entries: Iterable[Address | Group]) -> list[Address]:
    """Return all addresses of a list, those in groups too."""
    found: list[Address] = []
    for entry in entries:
        found += entry.members if isinstance(entry, Group) else (entry,)
    return found


def _tokens(text: str, field: str) -> Iterator[Token]:
    end = 0
    while end < len(text):
        match = _TOKEN.match(text, end)
        if match is None:
            raise _error(field, text, f"has {text[end]!r} where it has no meaning")
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
            raise _error(field, text, "has a comment without end")
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        end = match.end()
    return end


def _mailbox(words: list[Token], field: str, text: str) -> list[Address]:
    words = _strip(words)
    if not words:
        return []  # nothing between two commas
    bracket = next((i for i, word in enumerate(words) if word.text == "<"), None)
    if bracket is None:
        return [Address(_joined(words, field, text), field=field)]
    if words[-1].text != ">":
        raise _error(field, text, "has text behind a '>', or a '<' that is not closed")
    mailbox = _joined(_strip(words[bracket + 1 : -1]), field, text)
    return [Address(mailbox, _phrase(words[:bracket], field, text), field=field)]


def _joined(words: list[Token], field: str, text: str) -> str:
    if any(word.kind == "space" for word in words):
        raise _error(field, text, "has white space or a comment within a mailbox")
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
