"""The grammar of an address (addr-spec, RFC 5322 section 3.4.1), read in one pass.

::

    address   = [ name ] "<" addr-spec ">"  /  addr-spec
    addr-spec = local "@" domain                        RFC 5321 section 4.1.2
    local     = dot-atom / quoted-string                RFC 5322 section 3.4.1, RFC 6531
    domain    = label *("." label) / "[" literal "]"    RFC 5321 sections 2.3.5 and 4.1.3

Comments, routes, groups and lists of addresses are refused with a hint.
"""

from __future__ import annotations

import re

from ..errors import MessageError
from .checks import shorten

# RFC 5321 section 4.5.3.1: octets of a local part and of a domain. A path has 256 octets, and
# its angle brackets take two of them.
MAX_LOCAL = 64
MAX_DOMAIN = 255
MAX_ADDR_SPEC = 254
# RFC 5321 section 4.5.3.1.4: a command has 512 octets, including its CRLF.
MAX_SENDER = 512 - len("MAIL FROM:<>\r\n")

# The patterns are compiled when they are used: most addresses are of the common form, which
# address.py reads.
# https://www.rfc-editor.org/rfc/rfc5322#section-3.2.3 with the UTF8-non-ascii of
# https://www.rfc-editor.org/rfc/rfc6532#section-3.2
# (Everything except the specials. A list of what is allowed takes 8 ms to compile.)
_ATOM = r'[^\x00-\x20()<>\[\]:;@\\,."\x7f-\x9f]+'
_DOT_ATOM = rf"{_ATOM}(?:\.{_ATOM})*\Z"
# https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2 Quoted-string: qtextSMTP / quoted-pairSMTP
_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f-\x9f]|\\[\x20-\x7e])*"'
# https://www.rfc-editor.org/rfc/rfc5321#section-2.3.5: letters and digits, and hyphens inside
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z"
# Some receivers decode an encoded word in a local part, and read another address.
_ENCODED_WORD = r"=\?[^?]*\?[^?]*\?[^?]*\?="

# "The Shop shop@example.com" and "The Shop (shop@example.com)"
_NAME_AND_ADDRESS = (
    rf"""(?:("(?:[^"\\]|\\.)*")|((?:{_ATOM}\.?[ \t]+)*{_ATOM}\.?:?))[ \t]+"""
    rf"""[(\[]?({_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)[)\]]?\Z"""
)

_ONE = "write one address per string, and several as a list of strings"


def split_name(text: str, field: str) -> tuple[str, str]:
    """Split ``name <local@domain>`` into its name and its addr-spec.

    The name is "" if there is none. Encoded words in it, as :func:`email.utils.formataddr` writes
    them, are decoded (RFC 2047 section 5).
    """
    quoted = re.match(_QUOTED, text)
    if quoted:
        rest = text[quoted.end() :]
        if rest.startswith("@"):  # a quoted local part
            return "", text
        name, bracket = re.sub(r"\\(.)", r"\1", quoted[0][1:-1]), rest.lstrip(" \t")
        if not bracket.startswith("<"):
            hint = _with_brackets(f"{quoted[0]} {rest.strip()}")
            raise MessageError(
                f"{field} has neither an @ nor an <address> after the quotes:"
                f" {shorten(text)}.{hint}"
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
                f" Write the pair (name, address), or {_ONE}."
            )
        if "=?" in name:
            name = _decoded(name, field)
    if not bracket.endswith(">"):
        raise MessageError(
            f"{field} must end at its '>': {shorten(text)}. If it is a list, {_ONE}."
        )
    return name, bracket[1:-1]


def _decoded(name: str, field: str) -> str:
    from .decoding import decoded_strictly  # few names are encoded

    try:
        return decoded_strictly(name)
    except ValueError as error:
        raise MessageError(
            f"{field} has an encoded word in its name that cannot be read: {shorten(str(error))}."
            " Write the pair (name, address): its name is used as it is."
        ) from None


def read_addr_spec(text: str, field: str, *, sender: bool = False) -> str:
    """Check ``local@domain`` and return it with its domain in lower-case ASCII.

    :param sender: Whether it is an envelope sender. Those of list managers and of SRS can have
        more before the @ than other addresses may; the server decides.
    """
    if not text:
        raise MessageError(f"{field} is empty: write an address like ann@example.com.")
    quoted = re.match(_QUOTED, text)
    end = quoted.end() if quoted else text.find("@")
    local, at, domain = text[:end], text[end : end + 1], text[end + 1 :]
    if end < 0 or at != "@":
        hint = " Its \uff20 is not the ASCII @." if "\uff20" in text else ""
        raise MessageError(f"{field} is not an address: {shorten(text)} has no @.{hint}")
    if (not quoted and not re.match(_DOT_ATOM, local)) or re.search(
        r"\s", local if not quoted else ""
    ):
        raise MessageError(_local_hint(text, local, field))
    if re.search(_ENCODED_WORD, local):
        raise MessageError(f"{field} has an encoded word before the @: {shorten(text)}.")
    ascii_domain = _domain(domain, text, field)
    if not sender and len(local.encode()) > MAX_LOCAL:
        raise MessageError(
            f"{field} has more than {MAX_LOCAL} octets before the @: {shorten(text)}."
        )
    longest = MAX_SENDER if sender else MAX_ADDR_SPEC
    if len(local.encode()) + 1 + len(ascii_domain) > longest:
        raise MessageError(f"{field} is longer than {longest} octets: {shorten(text)}.")
    if not local.isascii():
        _refuse_invisible(local, text, field)
    return f"{local}@{ascii_domain}"


def _refuse_invisible(local: str, text: str, field: str) -> None:
    from .invisible import invisible_in_word  # most addresses are ASCII

    for position in invisible_in_word(local):
        raise MessageError(
            f"{field} has the invisible character {local[position]!a} at position {position}:"
            f" {shorten(text)}. Remove it; it was probably copied along with the address."
        )


def _with_brackets(text: str) -> str:
    """Say how to write a name and an address without angle brackets; "" for any other text."""
    found = re.match(_NAME_AND_ADDRESS, text)
    if not found:
        return ""
    name, plain_name, addr_spec = found.groups()
    return f" Write {f'{name or plain_name.rstrip(chr(58) + chr(32))} <{addr_spec}>'!r}."


def _local_hint(text: str, local: str, field: str) -> str:
    start = f"{field} is not an address: {shorten(text)}"
    if not local:
        return f"{start} has nothing before the @."
    if text.lower().startswith("mailto:"):
        return f"{start} is a URL; leave out 'mailto:'."
    if hint := _with_brackets(text):
        return (
            f"{start} has a character before the @ that must be in quotes, or has no angle"
            f" brackets.{hint}"
        )
    if "(" in local or ")" in local:
        return f"{start} has a comment; leave out the parentheses and what is in them."
    if "," in local or ";" in local:
        return f"{start} looks like several addresses; {_ONE}."
    if ":" in local:
        return f"{start} looks like a group or a route; write only local@domain."
    if ".." in local or local.startswith(".") or local.endswith("."):
        quoted = '"' + local + '"'
        return f"{start} has one dot too many before the @; if that is correct, write {quoted}@..."
    return f"{start} has a character before the @ that must be in quotes, or is not allowed."


def _domain(domain: str, text: str, field: str) -> str:
    if domain.startswith("["):
        return _literal(domain, text, field)
    if "@" in domain and not {",", ";", " "} & {*text}:
        raise MessageError(f"{field} has more than one @: {shorten(text)}. Remove one.")
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
    if not all(re.match(_LABEL, label) for label in labels):
        raise MessageError(
            f"{field} has no valid domain after the @: {shorten(text)}. A domain has"
            " letters, digits and hyphens, with single dots between them."
        )
    if len(".".join(labels)) > MAX_DOMAIN:
        raise MessageError(
            f"{field} has a domain longer than {MAX_DOMAIN} octets: {shorten(text)}."
        )
    return ".".join(labels)


def _a_label(label: str, text: str, field: str) -> str:
    """Return the ASCII form of one label, by IDNA 2008 (strict).

    The standard library's codec is IDNA 2003, which turns faß.de into another domain.
    """
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
    """Read ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]`` (RFC 5321 section 4.1.3)."""
    import ipaddress

    inner = domain[1:-1] if domain.endswith("]") else ""
    try:
        if inner[:5].lower() == "ipv6:" and "%" not in inner:
            return f"[IPv6:{ipaddress.IPv6Address(inner[5:])}]"
        return f"[{ipaddress.IPv4Address(inner)}]"
    except ValueError:
        raise MessageError(
            f"{field} has no valid address literal after the @: {shorten(text)}."
            " Write [192.0.2.1] or [IPv6:2001:db8::1]."
        ) from None
