"""The wire form: a message as the octets that are sent, and back.

The way down, each file knowing only those above it::

    folding          a field as lines                      RFC 5322 2.2.3
    encoded_words    text beyond ASCII in a header         RFC 2047
    parameters       of Content-Type and -Disposition      RFC 2231
    transfer         any octets as 7-bit lines             RFC 2045 6
    header           the fields of a message               RFC 5322 3.6
    guard            one more look at a header block
    part, leaf       what a message consists of            RFC 2046
    tree             which parts it has, and where
    render           Message -> Content

Nothing of the standard library's ``email`` is on this way. It is loaded, in functions, where
its own messages are read or made: ``foreign`` and ``convert``.
"""

from __future__ import annotations

from .convert import from_mime
from .convert import to_mime
from .foreign import adopt
from .foreign import Adopted
from .render import render

__all__ = ["Adopted", "adopt", "from_mime", "render", "to_mime"]
