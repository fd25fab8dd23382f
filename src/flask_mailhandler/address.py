"""Addresses: one mailbox per string, read once, and sent as it was read.

The standard library's parser is not used: it is quadratic, it recurses, and it reads some
addresses differently on the way to the wire. This one takes a small language in one pass::

    address = [ name ] "<" mailbox ">"  /  mailbox
    mailbox = local "@" domain                          RFC 5321 section 4.1.2
    local   = dot-atom / quoted-string                  RFC 5322 section 3.4.1, RFC 6531
    domain  = label *("." label) / "[" literal "]"      RFC 5321 sections 2.3.5 and 4.1.3

Comments, routes, groups and lists of addresses are refused with a hint.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable

from .errors import MessageError

# RFC 5321 section 4.5.3.1: octets of a local part and of a domain; 254 is what is left of the
# 256 of a path when its angle brackets are taken away.
MAX_LOCAL = 64
MAX_DOMAIN = 255
MAX_MAILBOX = 254

# What no header, address, file name or command may contain: C0 but TAB, DEL, C1 (NEL among
# them), the Unicode line and paragraph separators, lone surrogates. Some Python releases let
# some of these through into a header, and every one of them ends a line for somebody.
CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# https://www.rfc-editor.org/rfc/rfc5322#section-3.2.3 with the UTF8-non-ascii of
# https://www.rfc-editor.org/rfc/rfc6532#section-3.2
_ATOM = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u00a0-\U0010ffff]+"
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*\Z")
# https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2 Quoted-string: qtextSMTP / quoted-pairSMTP
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f\x7f-\x9f]|\\[\x20-\x7e])*"')
# https://www.rfc-editor.org/rfc/rfc5321#section-2.3.5: letters, digits, hyphens not at an edge
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
# An encoded word in a local part is read as another mailbox by some receivers.
_ENCODED_WORD = re.compile(r"=\?[^?]*\?[^?]*\?[^?]*\?=")

# Most addresses are like this: lower-case domain, nothing in quotes. What this finds is within
# all limits if the mailbox is not longer than a local part may be; all else takes the long way.
_MAILBOX = (
    r"[A-Za-z0-9_+-]++(?:\.[A-Za-z0-9_+-]++)*+"
    r"@[a-z0-9]++(?:-++[a-z0-9]++)*+(?:\.[a-z0-9]++(?:-++[a-z0-9]++)*+)*+"
)
_NAME = r"""[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff()<>\[\]:;@\\,"]*+"""
_COMMON = re.compile(rf"(?:({_NAME})<({_MAILBOX})>|({_MAILBOX}))\Z")
_SHORT = 128

_ONE = "write one address per string, and several as a list of strings"


def check_text(value: str, field: str) -> str:
    """Return *value*, refusing the characters that could end a header line or a command.

    :param field: How the value is called in the error.
    :raises MessageError: for a control character or a lone surrogate.
    """
    if found := CONTROLS.search(value):
        raise MessageError(
            f"{field} has the control character {found[0]!r} at position {found.start()}:"
            f" {shorten(value)}. Take it out; line breaks belong in the text."
        )
    return value


def shorten(value: object, limit: int = 80) -> str:
    """Return the repr of *value*, cut to *limit* characters, for an error's text."""
    # A hostile value may be huge: cut it before its repr is built.
    text = repr(value[: limit + 1] if isinstance(value, str | bytes) else value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def plain(value: object) -> str | None:
    """Return *value* as an exact ``str`` if it is text: a ``str``, a subclass such as
    ``Markup``, or a lazy string of a translation library; else None."""
    if isinstance(value, str):
        return value if type(value) is str else str.__str__(value)
    # A lazy string behaves as its text does, so it has str's methods (and bytes have not).
    if hasattr(value, "encode") and hasattr(value, "format"):
        return str.__str__(str(value))
    return None


class Address(str):
    """A mailbox, ``local@domain``, with a :attr:`name`. It is the string of its mailbox:
    comparing, hashing and joining see that; the name is beside it.

    :param value: ``ann@example.com`` or ``Ann <ann@example.com>``.
    :param name: The display name, where *value* is only the mailbox.
    :raises MessageError: if it is not exactly one mailbox.
    """

    __slots__ = ("name",)
    name: str

    def __new__(cls, value: str, name: str = "", *, field: str = "address") -> t.Self:
        if type(value) is cls and not name:
            return value
        if type(value) is str and not name and len(value) <= _SHORT:
            common = _COMMON.match(value)
            if common:
                found, bracketed, bare = common.groups()
                mailbox = bracketed or bare
                if len(mailbox) <= MAX_LOCAL:
                    self = str.__new__(cls, mailbox)
                    self.name = found.strip(" ") if found else ""
                    return self
        text = plain(value)
        if text is None:
            raise MessageError(f"{field} takes a string, not {shorten(value)}.")
        check_text(text, field)
        found, mailbox = _split(text.strip(" \t"), field)
        given = plain(name) if name else found
        if given is None:
            raise MessageError(f"{field} takes a string as the name, not {shorten(name)}.")
        if name and found:
            raise MessageError(f"{field} has two names, {shorten(found)} and {shorten(name)}.")
        self = super().__new__(cls, _mailbox(mailbox, field))
        self.name = check_text(given, f"the name in {field}").strip(" \t")
        return self

    @property
    def local(self) -> str:
        """The part before the ``@``, as it was given."""
        return self.rpartition("@")[0]

    @property
    def domain(self) -> str:
        """The part behind the ``@``: lower case, in its ASCII form."""
        return self.rpartition("@")[2]

    @property
    def formatted(self) -> str:
        """Name and mailbox for people's eyes: ``Ann <ann@example.com>``."""
        return f"{self.name} <{self}>" if self.name else str.__str__(self)

    def __repr__(self) -> str:
        name = f", name={self.name!r}" if self.name else ""
        return f"{type(self).__name__}({str.__repr__(self)}{name})"

    def __reduce__(self) -> tuple[t.Any, ...]:
        return type(self), (str.__str__(self), self.name)


AddressInput: t.TypeAlias = "str | tuple[str, str]"
AddressesInput: t.TypeAlias = "AddressInput | Iterable[AddressInput] | None"


class Addresses(tuple[Address, ...]):
    """Addresses in order. A tuple that also compares equal to a list, so that a test may say
    ``message.to == ["ann@example.com"]``."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return tuple.__eq__(self, tuple(other) if isinstance(other, list) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    @property
    def named(self) -> tuple[tuple[str, str], ...]:
        """The addresses as ``(name, mailbox)`` pairs; what equality leaves out is here."""
        return tuple((address.name, str.__str__(address)) for address in self)


def parse_address(value: object, field: str = "address") -> Address:
    """Read one address: a string, a ``(name, mailbox)`` pair, or an :class:`Address`.

    :raises MessageError: if it is none.
    """
    if isinstance(value, Address):
        return value
    if type(value) is str:
        return Address(value, field=field)
    if isinstance(value, tuple | list) and len(value) == 2:
        name, mailbox = value
        return Address(mailbox, "" if name is None else name, field=field)
    if plain(value) is None:
        raise MessageError(
            f"{field} takes strings and (name, mailbox) pairs, not {shorten(value)}."
        )
    return Address(t.cast(str, value), field=field)


def parse_addresses(value: object, field: str = "address") -> Addresses:
    """Read one address or several; None is none. A bare string is one address.

    A tuple of two strings is a ``(name, mailbox)`` pair unless the first is an address itself.

    :raises MessageError: if one of them is not an address.
    """
    if value is None:
        return Addresses()
    if type(value) is list:
        return Addresses(
            [
                Address(item, field=field) if type(item) is str else parse_address(item, field)
                for item in value
            ]
        )
    if plain(value) is not None or _is_pair(value):
        return Addresses((parse_address(value, field),))
    if isinstance(value, Addresses):
        return value
    if isinstance(value, bytes | bytearray | dict) or not isinstance(value, Iterable):
        raise MessageError(f"{field} takes addresses, not {shorten(value)}.")
    return Addresses(parse_address(item, field) for item in value)


def unique(addresses: Iterable[Address]) -> Addresses:
    """Return the addresses in order, each mailbox once: the first spelling counts."""
    return Addresses(dict.fromkeys(addresses))


def _is_pair(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) != 2 or isinstance(value, Addresses):
        return False
    name, mailbox = value
    if isinstance(name, Address) or plain(mailbox) is None:
        return False
    text = plain(name)
    return name is None or (text is not None and "@" not in text)


def _split(text: str, field: str) -> tuple[str, str]:
    """Split ``name <mailbox>``; the name is "" where there is only a mailbox."""
    quoted = _QUOTED.match(text)
    if quoted:
        rest = text[quoted.end() :]
        if rest.startswith("@"):  # a quoted local part
            return "", text
        name, bracket = re.sub(r"\\(.)", r"\1", quoted[0][1:-1]), rest.lstrip(" \t")
        if not bracket.startswith("<"):
            raise MessageError(
                f"{field} has neither an @ nor a <mailbox> behind the quotes: {shorten(text)}."
            )
    else:
        name, found, _ = text.partition("<")
        if not found:
            return "", text
        bracket = text[len(name) :]
        name = name.rstrip(" \t")
        if clash := re.search(r'[()<>\[\]:;@\\,"]', name):
            raise MessageError(
                f"{field} has {clash[0]!r} in an unquoted name: {shorten(text)}."
                f" Give the pair (name, mailbox), or {_ONE}."
            )
    if not bracket.endswith(">"):
        raise MessageError(
            f"{field} must end at its '>': {shorten(text)}. If it is a list, {_ONE}."
        )
    return name, bracket[1:-1]


def _mailbox(text: str, field: str) -> str:
    """Check ``local@domain`` and return it with its domain in lower-case ASCII."""
    if not text:
        raise MessageError(f"{field} is empty: write a mailbox like ann@example.com.")
    quoted = _QUOTED.match(text)
    end = quoted.end() if quoted else text.find("@")
    local, at, domain = text[:end], text[end : end + 1], text[end + 1 :]
    if end < 0 or at != "@":
        hint = " Its \uff20 is not the ASCII @." if "\uff20" in text else ""
        raise MessageError(f"{field} is no mailbox: {shorten(text)} has no @.{hint}")
    if (not quoted and not _DOT_ATOM.match(local)) or re.search(r"\s", local if not quoted else ""):
        raise MessageError(_local_hint(text, local, field))
    if _ENCODED_WORD.search(local):
        raise MessageError(f"{field} has an encoded word before the @: {shorten(text)}.")
    ascii_domain = _domain(domain, text, field)
    if len(local.encode()) > MAX_LOCAL:
        raise MessageError(
            f"{field} has more than {MAX_LOCAL} octets before the @: {shorten(text)}."
        )
    if len(local.encode()) + 1 + len(ascii_domain) > MAX_MAILBOX:
        raise MessageError(f"{field} is longer than {MAX_MAILBOX} octets: {shorten(text)}.")
    return f"{local}@{ascii_domain}"


def _local_hint(text: str, local: str, field: str) -> str:
    start = f"{field} is no mailbox: {shorten(text)}"
    if not local:
        return f"{start} has nothing before the @."
    if "(" in local or ")" in local:
        return f"{start} has a comment; leave out what is in brackets."
    if "," in local or ";" in local:
        return f"{start} looks like several addresses; {_ONE}."
    if ":" in local:
        return f"{start} looks like a group or a route; write only the mailbox."
    if ".." in local or local.startswith(".") or local.endswith("."):
        quoted = '"' + local + '"'
        return f"{start} has a dot too many before the @; if it is right, write {quoted}@..."
    return f"{start} has a character before the @ that must be in quotes, or is not allowed."


def _domain(domain: str, text: str, field: str) -> str:
    if domain.startswith("["):
        return _literal(domain, text, field)
    if "@" in domain or "," in domain or ";" in domain:
        raise MessageError(f"{field} is not one address: {shorten(text)}; {_ONE}.")
    if len(domain) > MAX_DOMAIN:
        raise MessageError(
            f"{field} has a domain longer than {MAX_DOMAIN} octets: {shorten(text)}."
        )
    lower = domain.lower()
    labels = lower.split(".")
    if not lower.isascii():
        labels = [_a_label(label, text, field) for label in labels]
    if not all(_LABEL.match(label) for label in labels):
        raise MessageError(
            f"{field} has no valid domain behind the @: {shorten(text)}. A domain is made of"
            " letters, digits and hyphens, with single dots between."
        )
    if len(".".join(labels)) > MAX_DOMAIN:
        raise MessageError(
            f"{field} has a domain longer than {MAX_DOMAIN} octets: {shorten(text)}."
        )
    return ".".join(labels)


def _a_label(label: str, text: str, field: str) -> str:
    """The ASCII form of one label: IDNA 2008, strict. The standard library's codec is IDNA
    2003, which makes another domain of faß.de."""
    if label.isascii():
        return label
    import idna  # costs 3 ms to import, and most domains are ASCII

    try:
        return idna.alabel(label).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise MessageError(
            f"{field} has a domain that IDNA 2008 does not allow: {shorten(text)} ({error})."
        ) from None


def _literal(domain: str, text: str, field: str) -> str:
    """``[192.0.2.1]`` or ``[IPv6:2001:db8::1]``, RFC 5321 section 4.1.3."""
    import ipaddress

    inner = domain[1:-1] if domain.endswith("]") else ""
    try:
        if inner[:5].lower() == "ipv6:" and "%" not in inner:
            return f"[IPv6:{ipaddress.IPv6Address(inner[5:])}]"
        return f"[{ipaddress.IPv4Address(inner)}]"
    except ValueError:
        raise MessageError(
            f"{field} has no valid address literal behind the @: {shorten(text)}."
            " Write [192.0.2.1] or [IPv6:2001:db8::1]."
        ) from None
