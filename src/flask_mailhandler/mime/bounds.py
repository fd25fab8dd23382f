"""How much is read of a message that anybody may have made."""

from __future__ import annotations

import re
from email.policy import Compat32

MAX_OCTETS = 16 << 20
"""What is behind is not read: it would keep a page waiting."""
MAX_BOUNDARIES = 60
"""Each may open a level, and the time that reading takes grows with lines times levels."""
MAX_PARAMETERS = 200
"""Of a field: a file name of 255 characters of four octets each takes a quarter of them."""

# https://www.rfc-editor.org/rfc/rfc2231#section-3: boundary*0= is one too
_BOUNDARY = re.compile(rb"boundary[\s*0-9]*=")


def within_bounds(octets: bytes) -> bytes:
    """Return the octets as far as they can be read soon: cut, or only the header of what is
    nested too deep."""
    found = octets[:MAX_OCTETS]
    lower = found.lower()
    if lower.count(b"boundary") <= MAX_BOUNDARIES or len(_BOUNDARY.findall(lower)) <= (
        MAX_BOUNDARIES
    ):
        return found
    header = re.match(rb"(?:[^\r\n]+(?:\r\n|\n|\r))*", found)
    return header[0] + b"\r\n" if header else b""


class FieldsWithinBounds(Compat32):
    """Header fields as :data:`email.policy.compat32` reads them, but ``Content-...`` without the
    parameters that are too many: the time that is taken to split them grows with the square of
    their number, and that is done several times for each part."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        """Read a field."""
        name, value = super().header_source_parse(sourcelines)
        if name.lower().startswith("content-"):
            value = ";".join(value.split(";", MAX_PARAMETERS + 1)[: MAX_PARAMETERS + 1])
        return name, value
