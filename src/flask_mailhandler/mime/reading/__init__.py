"""Read the octets of any message, as its reader sees it: for pages, tests and lint rules.

::

    octets ── parse ── the standard library's message ── reading ── Reading ── summary
               └─ bounds: how much of it is read

    bounds     how much is read of a message from an unknown source
    parse      octets to a message of the standard library, as far as they can be parsed
    reading    fields, addresses, texts and files of a message, decoded
    preheader  the hidden text that mail clients show after the subject
    summary    what a list shows of a message

The message may be signed, damaged, in an unknown charset or nested without end. Nothing here
refuses it, and nothing raises for it.
"""

from __future__ import annotations

from .parse import parsed
from .parse import parsed_within_bounds
from .parse import unfolded
from .preheader import preheader
from .reading import as_read
from .reading import Leaf
from .reading import leaf_of
from .reading import read_content
from .reading import read_within_bounds
from .reading import Reading

__all__ = [
    "Leaf",
    "Reading",
    "as_read",
    "leaf_of",
    "parsed",
    "parsed_within_bounds",
    "preheader",
    "read_content",
    "read_within_bounds",
    "unfolded",
]
