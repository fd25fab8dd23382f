"""White space and invisible characters."""

from __future__ import annotations

import re

# The characters that HTML collapses.
_SOURCE = re.compile(r"[ \t\n\r\f]+")
# All white space except the ideographic space, which indents a paragraph as part of its text.
_SPACE = re.compile(r"(?:[^\S\u3000]|[\x00-\x1f\x7f-\x9f])+")
# Joiners have a meaning only between two letters; the others are never visible.
_PADDING = re.compile("[\u00ad\u034f\u200b\u2060\ufeff]+")
_JOINERS = re.compile("[\u200c\u200d]{2,}|(?<!\\S)[\u200c\u200d]|[\u200c\u200d](?!\\S)")

_LINE_END = re.compile("\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BLANK_START = re.compile(r"\A(?:[ \t]*\n)+")


def collapse(text: str) -> str:
    """Collapse the white space of markup, where a line break is a space."""
    return _SOURCE.sub(" ", text)


def squeeze(text: str) -> str:
    """Return text as one line, without invisible characters and spaces around it."""
    if text.isascii() and text.isprintable():  # the usual case, several times faster
        return " ".join(text.split())
    text = _SPACE.sub(" ", _JOINERS.sub("", _PADDING.sub("", text))).strip(" ")
    return "" if text.isspace() else text


def verbatim(text: str) -> list[str]:
    """Return text as lines, with all white space except at both ends of the text."""
    text = _CONTROL.sub("", _LINE_END.sub("\n", text)).replace("\xa0", " ").rstrip()
    return _BLANK_START.sub("", text).split("\n") if text else []
