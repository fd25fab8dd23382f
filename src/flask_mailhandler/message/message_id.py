"""Making a Message-ID (RFC 5322 section 3.6.4): ``<left@right>``.

The left part is made once for each message. The right part is the domain of the From, so the
Message-ID is complete as soon as the From is known.
"""

from __future__ import annotations

import os
import re

from ..address import Address

LEFT = r"[0-9a-f]{32}\Z"
"""A left part as :func:`make_left` makes it."""


def make_left() -> str:
    """Return a random left part."""
    return os.urandom(16).hex()


def make_message_id(left: str, author: Address) -> str:
    """Return ``<left@right>`` with the domain of the author.

    If the domain is an address literal, the right part is a name made from it.
    """
    domain = author.domain
    if domain.startswith("["):
        domain = re.sub(r"[^0-9A-Za-z.]+", "-", domain.strip("[]"))
    return f"<{left}@{domain}>"
