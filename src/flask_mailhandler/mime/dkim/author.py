"""The domain of the author, which signs if no other domain is set."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...address import Address
from ...errors import MessageError
from .signed_fields import name_of

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.S)
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)", re.S)
_IN_ANGLES = re.compile(r"<[^<>]*@\s*([^\s<>@]+)\s*>")
_BARE = re.compile(r"@\s*([^\s<>@,;:]+)")


def author_domain(fields: Sequence[bytes]) -> str:
    """Return the domain of the first address in From, in its ASCII form (RFC 8616).

    :raises MessageError: if it has none that could sign.
    """
    value = next((field for field in fields if name_of(field) == "from"), b"").partition(b":")[2]
    text = _QUOTED.sub("", value.decode("utf-8", "replace"))
    while (outer := _COMMENT.sub("", text)) != text:  # they may be nested
        text = outer
    found = _IN_ANGLES.search(text) or _BARE.search(text)
    try:
        domain = Address(f"x@{found[1]}").domain if found else "["
    except MessageError:
        domain = "["
    if domain.startswith("["):  # an address literal has no record in the DNS
        raise MessageError(
            "The message cannot be signed with DKIM, because its From has no domain: set"
            " MAIL_DKIM_DOMAIN, or a From with a domain."
        )
    return domain
