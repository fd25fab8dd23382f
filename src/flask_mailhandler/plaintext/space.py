"""White space, and characters that show nothing."""

from __future__ import annotations

import re

# What HTML collapses.
_SOURCE = re.compile(r"[ \t\n\r\f]+")
# All white space but the ideographic one, which begins a paragraph and belongs to its text.
_SPACE = re.compile(r"(?:[^\S\u3000]|[\x00-\x1f\x7f-\x9f])+")
# Joiners mean something between two letters only; the others show nothing anywhere.
_PADDING = re.compile("[\u00ad\u034f\u200b\u2060\ufeff]+")
_JOINERS = re.compile("[\u200c\u200d]{2,}|(?<!\\S)[\u200c\u200d]|[\u200c\u200d](?!\\S)")

_LINE_END = re.compile("\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BLANK_START = re.compile(r"\A(?:[ \t]*\n)+")


def collapse(text: str) -> str:
    """Text from markup, where a line break is one more space."""
    return _SOURCE.sub(" ", text)


def squeeze(text: str) -> str:
    """Text as one line, without what only keeps it apart from others."""
    if text.isascii() and text.isprintable():  # most of it, and several times faster so
        return " ".join(text.split())
    text = _SPACE.sub(" ", _JOINERS.sub("", _PADDING.sub("", text))).strip(" ")
    return "" if text.isspace() else text


def verbatim(text: str) -> list[str]:
    """Text as lines, with all their white space but at both ends."""
    text = _CONTROL.sub("", _LINE_END.sub("\n", text)).replace("\xa0", " ").rstrip()
    return _BLANK_START.sub("", text).split("\n") if text else []
