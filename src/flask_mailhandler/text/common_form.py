"""The common forms of an address, read by one pattern each. ``addr_spec`` reads all forms::

    ann@example.com
    Ann Lee <ann@example.com>
    "Lee, Ann" <ann@example.com>

The domain is in lower case, and the local part is not quoted. The functions here return an address
only if the full parser would return the same.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Sequence

from .addr_spec import MAX_LOCAL
from .late_pattern import late_pattern

A = t.TypeVar("A", bound=str)

# A match is within all limits if it is not longer than a local part may be.
_ADDR_SPEC = (
    r"[A-Za-z0-9_+-]++(?:\.[A-Za-z0-9_+-]++)*+"
    r"@[a-z0-9]++(?:-++[a-z0-9]++)*+(?:\.[a-z0-9]++(?:-++[a-z0-9]++)*+)*+"
)
# For printable text. (A set with control characters outside Latin-1 takes 0.4 ms to compile.)
_NAME = r"""[^()<>\[\]:;@\\,"]*+"""
_COMMON = late_pattern(rf"({_NAME})<({_ADDR_SPEC})>\Z")
_BARE = late_pattern(rf"{_ADDR_SPEC}\Z")
# If the name consists of atoms, the address can be written as it was passed; so it can if the name
# is quoted, and has a character that needs the quotes.
_ATOM = r"[A-Za-z0-9!#$%&'*+\-/=^_`{|}~]++"
_AS_WRITTEN = late_pattern(rf"({_ATOM}(?: {_ATOM})*+) <({_ADDR_SPEC})>\Z")
_ALONE = late_pattern(rf"(?:{_ADDR_SPEC}\n)*+{_ADDR_SPEC}\Z")
_SHORT = 128
# A quoted name can be written as it was passed if it needs the quotes, and is neither changed by
# programs that fold nor taken for an encoded word.
_QTEXT = r"[!#-\[\]-~]++"
_AS_QUOTED = rf'"(?=[^"]*?[()<>\[\]:;@,.?])(?![^"]*?=\?){_QTEXT}(?: {_QTEXT})*+" <{_ADDR_SPEC}>'
_QUOTED = late_pattern(rf'(?:(?=({_AS_QUOTED}\Z))|)"([^"\\]*+)" *+<({_ADDR_SPEC})>\Z')


def read_common(kind: type[A], value: object) -> A | None:
    """Read an address of a common form; return None for one that needs the full parser.

    :param kind: The class of the result, which has a ``name``, and ``written``: the address as it
        is written in a header, if it was passed in that form.
    """
    if type(value) is not str or len(value) > _SHORT:
        return None
    if "<" not in value:
        if _BARE.match(value) is None:
            return None
        name, addr_spec, written = "", value, value
    elif common := _AS_WRITTEN.match(value):
        name, addr_spec = common.groups()
        written = value
    elif common := _COMMON.match(value):
        name, addr_spec = common.groups()
        if "=?" in name or not name.isprintable():  # perhaps encoded words, controls
            return None
        name, written = name.strip(" "), "" if name else addr_spec
    elif value[:1] == '"' and (common := _QUOTED.match(value)):
        written, name, addr_spec = common.groups("")
        if not name.isprintable():
            return None
        name = name.strip(" ")
    else:
        return None
    if len(addr_spec) > MAX_LOCAL:
        return None
    address: t.Any = str.__new__(kind, addr_spec)
    address.name, address.written = name, written
    return t.cast("A", address)


def read_each(
    kind: type[A], values: Sequence[object], field: str, otherwise: Callable[[object, str], A]
) -> list[A]:
    """Read several addresses.

    :param values: At least one.
    :param otherwise: Reads those that are not of a common form.
    """
    if len(values) == 1:
        return [read_common(kind, values[0]) or otherwise(values[0], field)]
    new = t.cast("t.Any", str.__new__)
    addresses = []
    if _are_alone(values):
        for value in values:
            address = new(kind, value)
            address.name, address.written = "", value
            addresses.append(address)
        return addresses
    match = _AS_WRITTEN.match
    for value in values:
        # The first form of read_common(), without its call: 0.3 µs less for each recipient.
        if type(value) is str and len(value) <= _SHORT and (common := match(value)):
            name, addr_spec = common.groups()
            if len(addr_spec) <= MAX_LOCAL:
                address = new(kind, addr_spec)
                address.name, address.written = name, value
                addresses.append(address)
                continue
        addresses.append(read_common(kind, value) or otherwise(value, field))
    return addresses


def _are_alone(values: Sequence[object]) -> bool:
    """Return whether all are addresses without a name, and of the common form. For 10,000 of them,
    to search one text takes 3 ms less than to call read_common() for each."""
    if type(values[0]) is not str or "<" in values[0] or {*map(type, values)} != {str}:
        return False
    texts = t.cast("Sequence[str]", values)
    lines = "\n".join(texts)
    return (
        lines.count("\n") == len(texts) - 1  # so no value has a line end in it
        and max(map(len, texts)) <= MAX_LOCAL
        and _ALONE.match(lines) is not None
    )
