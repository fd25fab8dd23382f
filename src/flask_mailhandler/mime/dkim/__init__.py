"""Signatures that prove which domain sent a message: DKIM (RFC 6376, 8301, 8463, 8616).

::

    Content ── sign ─┬─ canonical      its body, hashed while it is read
                     ├─ signed_fields  which fields are signed, and how often
                     ├─ author         the domain in From
                     └─ signature      one field for each key ── Content, with the fields on top

    canonical      the relaxed form of a field and of a body
    signed_fields  the fields of h=
    author         the domain of the From
    key            a private key, read or made, and the TXT record of its public half
    signature      the field DKIM-Signature
    sign           Content -> Content

A content is read twice: once to hash it, and once to send it. It is never in memory as a whole.
"""

from __future__ import annotations

from .sign import sign

__all__ = ["sign"]
