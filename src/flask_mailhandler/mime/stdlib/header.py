"""A field of a standard library message, in a form that can be sent."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from ...address import Address
from ...errors import MessageError
from ...text.checks import CONTROLS
from ...text.checks import shorten
from ...text.decoding import decoded
from ...text.lines import MUST
from ..folding import fold
from ..folding import SHOULD
from ..header import address_words
from ..header import custom_field
from ..header import phrase
from ..header import text_field
from ..parameters import with_parameters
from .address_list import Group
from .address_list import parse_list
from .source import Source

if t.TYPE_CHECKING:
    from email.policy import Policy

# https://www.rfc-editor.org/rfc/rfc5322#section-3.6: mailbox-list or address-list
ADDRESS_FIELDS = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "resent-")
    for name in ("from", "sender", "reply-to", "to", "cc", "bcc")
)
# Fields of tokens, which an encoded word would break.
_STRUCTURED = re.compile(
    r"content-|arc-|dkim-signature\Z|authentication-results\Z|received|return-path\Z|autocrypt"
    r"|resent-|list-|message-id\Z|in-reply-to\Z|references\Z|date\Z|mime-version\Z|auto-submitted\Z"
)

# The most characters given to the standard library's parser, which is slow.
_PARSED = 4000


def write(source: Source) -> str:
    """Write a field. One in wire form keeps its folding, unless its lines are too long.

    :raises MessageError: if the field has no form in 7 bits.
    """
    if source.wire:
        return _as_it_is(source)
    if source.key in ADDRESS_FIELDS:
        return fold(source.name, _list_words(addresses(source)), leading=True)
    if source.parameters is not None:
        return _with_parameters(source)
    if not _STRUCTURED.match(source.key):
        return custom_field(source.name, source.value)
    if source.value.isascii():
        return _as_it_is(source)
    if source.key == "list-id":
        return custom_field(source.name, source.value)
    if source.key in ("content-type", "content-disposition"):
        return _with_parameters(source)  # it has a raw 8-bit file name
    if source.key == "content-description":
        return text_field(source.name, source.value)
    raise MessageError(
        f"The field {source.name} accepts only ASCII, but has {shorten(source.value)}."
    )


def verbatim(source: Source, policy: Policy[t.Any]) -> str:
    """Write a signed field without any change.

    :param policy: The policy of the message. It wrote the fields when they were signed, so it
        writes them here too.
    :raises MessageError: if the field cannot be sent as it is.
    """
    lines = source.lines
    if source.built is not None:
        written = policy.clone(linesep="\r\n").fold(source.name, t.cast(str, source.built))
        lines = tuple(written.partition(":")[2].strip().split("\r\n"))
    if not all(map(str.isascii, lines)) or not _fits(source.name, lines):
        raise MessageError(
            f"The field {source.name} is signed and cannot be sent as it is:"
            f" {shorten(source.value)}. Fold it and encode it before you sign it."
        )
    return f"{source.name}: " + "\r\n".join(lines)


def addresses(source: Source) -> list[Address | Group]:
    """Read an address field, and decode the names in it.

    :raises MessageError: if it is not a list of addresses, or can be read in two ways.
    """
    name = f"The field {source.name}"
    return [
        Group(decoded(entry.name), tuple(map(_named, entry.members)))
        if isinstance(entry, Group)
        else _named(entry)
        for entry in parse_list(source.value, name)
    ]


def _named(address: Address) -> Address:
    if "=?" not in address.name:
        return address
    # A control character in an encoded word is refused only where the name is written again.
    name = re.sub(CONTROLS, "\ufffd", decoded(address.name))
    return Address(str.__str__(address), name)


def _list_words(entries: Iterable[Address | Group]) -> list[str]:
    words: list[str] = []
    for entry in entries:
        if isinstance(entry, Group):
            words += phrase(entry.name)
            words[-1] += ":"
            words += _list_words(entry.members)
            words[-1] += ";"
        else:
            words += address_words(entry)
        words[-1] += ","
    if words:
        words[-1] = words[-1][:-1]
    return words


def _with_parameters(source: Source) -> str:
    kind = source.value.partition(";")[0].strip()
    return with_parameters(source.name, kind, parameters(source).items())


def _as_it_is(source: Source) -> str:
    # A folded line of only white space is obsolete, and some readers end the header there.
    lines = [line for line in source.lines if line.strip(" \t")]
    if _fits(source.name, lines, SHOULD):
        return f"{source.name}: " + "\r\n".join(lines)
    value = source.value
    if "  " not in value and "\t" not in value:
        return fold(source.name, value.split(" "))
    if _fits(source.name, lines):
        return f"{source.name}: " + "\r\n".join(lines)
    return fold(source.name, value.split())


def _fits(name: str, lines: Sequence[str], limit: int = MUST) -> bool:
    if not lines:
        return False
    return len(name) + 2 + len(lines[0]) <= limit and all(
        len(line) <= limit and line.strip(" \t") for line in lines
    )


def parameters(source: Source) -> Mapping[str, str]:
    """Read the parameters of a Content-Type or -Disposition. RFC 2231 is decoded, and so are
    encoded words, which many writers put into a quoted-string.

    :raises MessageError: if the field is too long for the standard library's parser.
    """
    if source.parameters is not None:
        return source.parameters
    import email.policy

    if len(source.value) > _PARSED:
        raise MessageError(f"The field {source.name} is longer than {_PARSED} characters.")
    found = email.policy.default.header_factory(source.name, source.value)
    return t.cast("Mapping[str, str]", getattr(found, "params", {}))
