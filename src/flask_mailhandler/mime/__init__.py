"""The wire form: a message as the octets that are sent, and back.

A message of our own goes straight down, each file knowing only those above it::

    folding          a field as lines                      RFC 5322 2.2.3
    encoded_words    text beyond ASCII in a header         RFC 2047
    parameters       of Content-Type and -Disposition      RFC 2231
    transfer         any octets as 7-bit lines             RFC 2045 6
    header           the fields of a message               RFC 5322 3.6
    guard            one more look at a header block
    part, leaf       what a message consists of            RFC 2046
    tree             which parts it has, and where
    render           Message -> Content

Nothing of the standard library's ``email`` is on this way, and this is all that most processes
load. The files for its own messages are imported where they are used::

    address_list     lists of addresses, in one pass       RFC 5322 3.4
    source           the fields as they are in there
    foreign_header   a field in a form that can be sent
    foreign_envelope who sends it, who gets it             RFC 5322 3.6.6
    signed_body      what must stay octet for octet        RFC 1847, 6376
    foreign_body     the other bodies
    foreign          EmailMessage -> Adopted
    as_sent          an EmailMessage that is written as it was read
    convert_parts, convert   Message <-> EmailMessage
    reading          any octets as their reader sees them, for a console and for tests
"""

from __future__ import annotations

from .render import render
from .render import seven_bit

__all__ = ["render", "seven_bit"]
