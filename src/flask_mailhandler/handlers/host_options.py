"""Readers of options that name a host: to connect to or from, for EHLO, in a certificate."""

from __future__ import annotations

import ipaddress

from .. import config
from ..address import Address
from ..errors import ConfigurationError
from ..errors import MessageError
from ..text.late_pattern import late_pattern

# RFC 1035 section 2.3.4: a label that is too long would raise when connecting.
_NAME = late_pattern(r"(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")


def hostname(value: object, name: str) -> str:
    """Read the argument of EHLO: a domain or an address literal (RFC 5321 section 4.1.3)."""
    config.refuse_url(value, name, "a host name or an address literal")
    try:
        return Address(f"x@{config.text(value, name)}", field=name).domain
    except MessageError:
        raise ConfigurationError(
            f"{name} must be a host name or an address literal like [192.0.2.1], not {value!r}."
        ) from None


def host(value: object, name: str) -> str:
    """Read a name or an address to connect to. A name beyond ASCII is converted to ASCII."""
    config.refuse_url(value, name, "a host name")
    host = config.text(value, name).strip()
    alone, _, port = host.partition(":")
    if port.isdecimal():
        raise ConfigurationError(
            f"{name} has a port in it: write {name} = {alone!r} and MAIL_PORT = {port}."
        )
    if not host.isascii():
        host = hostname(host, name)
    if not (_NAME.fullmatch(host) or _is_address(host)):
        raise ConfigurationError(
            f"{name} must be a host name or an IP address, without scheme and port, not {host!r}."
        )
    return host


def server_name(value: object, name: str) -> str:
    """Read a name as a certificate has it, or an address."""
    return host(value, name).removesuffix(".")


def source(value: object, name: str) -> str:
    """Read an address of this machine. A name is refused: it may have several addresses."""
    config.refuse_url(value, name, "an IP address of this machine")
    address = config.text(value, name).strip()
    if not _is_address(address):
        raise ConfigurationError(
            f"{name} must be an IP address of this machine, such as '192.0.2.1', not {value!r}."
        )
    return address


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
