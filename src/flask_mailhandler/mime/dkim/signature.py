"""The field DKIM-Signature (RFC 6376 section 3.5)."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from collections.abc import Sequence

from ..folding import fold
from ..folding import SHOULD
from .canonical import relaxed_field
from .key import Key

_NAME = "DKIM-Signature"
_WIDTH = SHOULD - len(" b=")


def signature_field(
    key: Key, domain: str, seconds: int, names: Sequence[str], signed: bytes, body_hash: bytes
) -> bytes:
    """Write the field that one key signs, with its CRLF.

    :param domain: Of d=, in its ASCII form.
    :param seconds: The time of signing, since 1970.
    :param names: Those of h=.
    :param signed: The relaxed fields that are signed, each with its CRLF.
    """
    digest = base64.b64encode(body_hash).decode("ascii")
    tags = ("v=1", f"a={key.algorithm}", "c=relaxed/relaxed", f"d={domain}", f"s={key.selector}")
    words = [f"{tag};" for tag in (*tags, f"t={seconds}")]
    words += _names(names)
    words.append(f"bh={digest};")
    # The signature covers this field too, with an empty b=.
    field = (fold(_NAME, words) + "\r\n b=").encode("ascii")
    made = base64.b64encode(key.sign(signed + relaxed_field(field)))
    lines = (made[start : start + _WIDTH] for start in range(0, len(made), _WIDTH))
    return field + b"\r\n ".join(lines) + b"\r\n"


def _names(names: Iterable[str]) -> list[str]:
    """Return h= in lines, with a possible fold after a colon."""
    lines, line = [], "h="
    for name in names:
        if len(line) + len(name) >= _WIDTH:
            lines.append(line)
            line = ""
        line += f"{name}:"
    return [*lines, line[:-1] + ";"]
