"""The wire form: a message as the octets that are sent, and back.

A message of our own goes down this list, and each file imports only those above it::

    folding          a field as lines                          RFC 5322 2.2.3
    encoded_words    text beyond ASCII in a header             RFC 2047
    parameters       parameters of Content-... fields          RFC 2231
    header           the fields of a message                   RFC 5322 3.6
    header_block     the last check of a header block
    transfer         transfer encodings: octets as 7-bit lines RFC 2045 6
    text_parameters  the charset and method of an attachment
    seven_bit        a message rewritten without 8BITMIME      RFC 6152
    part             a part, boundaries, and multiparts        RFC 2046
    tree             which parts a message has, and where
    leaf             an attachment as a part
    mixed            the tree of a message with attachments
    render           Message -> Content

``tree`` loads ``mixed`` with the first attachment.

Three more files::

    downgrade        a header rewritten without SMTPUTF8       RFC 6857
    shown_images     whether each cid: image is in the message RFC 2392
    links            the links of a message, and dead ones

None of these files loads the standard library's ``email``, and most processes load no others. Nor
does this folder::

    dkim/            signatures that prove which domain sent   RFC 6376

Two folders use it::

    stdlib/          its messages: sent, and converted to ours and back
    reading/         any octets as their reader sees them

Imports point from ``reading`` to ``stdlib`` to the files above. The one way back is the import in
``seven_bit()``, which runs when a server needs it.
"""

from __future__ import annotations

from .render import render
from .seven_bit import seven_bit

__all__ = ["render", "seven_bit"]
