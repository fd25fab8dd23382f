"""The mailbox of bounces that ``MAIL_BOUNCE_IMAP`` names."""

from __future__ import annotations

import os
import re
import typing as t

from .. import config
from ..config.url import split_url
from ..errors import ConfigurationError
from ..frozen import Frozen
from ..net.hosts import is_loopback
from ..net.hosts import with_port
from ..secret import Secret
from . import host_options

_PORTS = {"tls": 993, "starttls": 143, "none": 143}
_QUERY = ("dangerous_plaintext_login", "security", "timeout", "tls_ca_file")


class IMAPMailbox(Frozen):
    """A mailbox on a server, and how to log in there."""

    setting: str
    """The name of the setting, for errors."""
    host: str
    port: int
    security: str
    """``"tls"``, ``"starttls"`` or ``"none"``."""
    username: str
    password: Secret | None
    """None if the account's OAuth token is used."""
    name: str
    """The name of the mailbox, such as ``INBOX``."""
    tls_ca_file: str | None
    timeout: float
    """Seconds for each command, the connection included."""

    def __str__(self) -> str:
        scheme = "imaps" if self.security == "tls" else "imap"
        return f"{scheme}://{with_port(self.host, self.port)}/{self.name}"

    def __repr__(self) -> str:
        return repr(str(self))


def bounce_imap(value: object, name: str) -> IMAPMailbox:
    """Read ``imaps://user:password@host/INBOX``, as a text or a :class:`.Secret`."""
    if isinstance(value, IMAPMailbox):
        return value
    try:
        url = split_url(value, name)
        parts = (url.username or "", url.password or "", url.path)
        if url.scheme not in ("imap", "imaps") or not (url.host and url.username):
            raise ConfigurationError
        if re.search("[\x00-\x1f\x7f]", "".join(parts)):
            raise ConfigurationError
    except ConfigurationError:
        raise ConfigurationError(
            f"{name} must be like 'imaps://user:password@host/INBOX'. In the user name and the"
            " password, write '@', ':', '/', '?', '#' and '%' as %40, %3A, %2F, %3F, %23, %25."
            " Control characters are not allowed."
        ) from None
    if unknown := url.query.keys() - {*_QUERY}:
        raise ConfigurationError(
            f"{name} has unknown options: {', '.join(sorted(unknown))}. It takes"
            f" {', '.join(_QUERY)}."
        )
    host = host_options.host(url.host, name)
    security = _security(url.scheme, host, url.query, name)
    ca_file = url.query.get("tls_ca_file")
    if ca_file is not None and not os.access(ca_file, os.R_OK):
        raise ConfigurationError(
            f"{name}: tls_ca_file {ca_file!r} cannot be read. Check that the file is there and that"
            " the app may read it."
        )
    return IMAPMailbox(
        setting=name,
        host=host,
        port=url.port or _PORTS[security],
        security=security,
        username=url.username,
        password=Secret(url.password) if url.password else None,
        name=url.path.removeprefix("/") or "INBOX",
        tls_ca_file=ca_file,
        timeout=config.seconds(url.query.get("timeout", 30), f"timeout in {name}"),
    )


def _security(scheme: str, host: str, query: t.Mapping[str, str], name: str) -> str:
    given = query.get("security")
    if scheme == "imaps":
        if given not in (None, "tls"):
            raise ConfigurationError(
                f"{name}: imaps:// is encrypted from the first octet. For security={given}, write"
                " imap://."
            )
        return "tls"
    default = "none" if is_loopback(host) else "starttls"
    security = config.choice("starttls", "none")(given or default, f"security in {name}")
    allowed = config.boolean(
        query.get("dangerous_plaintext_login", False), f"dangerous_plaintext_login in {name}"
    )
    if security == "none" and not (is_loopback(host) or allowed):
        raise ConfigurationError(
            f"{name}: the login at {host} would go over the network unencrypted: write imaps://, or"
            " leave out security=none, or, if you must, add dangerous_plaintext_login=true."
        )
    return security
