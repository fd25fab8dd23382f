"""The options of DKIM: which keys sign, and for which domain."""

from __future__ import annotations

import os
import typing as t
import warnings
from collections.abc import Mapping

from .. import config
from ..address import Address
from ..errors import ConfigurationError
from ..errors import ConfigurationWarning
from ..errors import MessageError
from ..secret import Secret
from ..text.checks import shorten
from ..text.late_pattern import late_pattern

if t.TYPE_CHECKING:
    from ..mime.dkim.key import Key

# https://www.rfc-editor.org/rfc/rfc6376#section-3.1: labels of a domain
_SELECTOR = late_pattern(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_PEM = "-----BEGIN"
_LIKE = '{"s2026": "/run/secrets/s2026.pem"}'
# A key is a few kB. A path such as /dev/zero has no end.
_MOST = 1 << 17


class DKIMKeys(tuple[str, ...]):
    """The selectors of an account, as a tuple. The keys are read when they are first needed, and
    kept.

    :param sources: A path or PEM for each selector.
    :param name: The setting, for errors.
    """

    _sources: Mapping[str, str | Secret]
    _name: str

    def __new__(cls, sources: Mapping[str, str | Secret], name: str) -> t.Self:
        self = super().__new__(cls, sources)
        self._sources = sources
        self._name = name
        return self

    @property
    def loaded(self) -> tuple[Key, ...]:
        """The keys.

        :raises ConfigurationError: if one cannot be used.
        """
        # No lock: a forked child could find it locked for ever.
        kept = vars(self)
        if "_loaded" not in kept:
            kept.setdefault("_loaded", tuple(self._load(*item) for item in self._sources.items()))
        found: tuple[Key, ...] = kept["_loaded"]
        return found

    def check(self, domain: str | None, default_from: Address | None) -> None:
        """Read the keys, so that an error is raised when the app is made.

        :raises ConfigurationError: if a key cannot be used, or the domain cannot sign for the
            default From.
        """
        if not self:
            return
        from ..mime.dkim.key import RSA
        from ..mime.dkim.key import SHOULD_BITS

        for key in self.loaded:
            if key.algorithm == RSA and key.bits < SHOULD_BITS:
                warnings.warn(
                    f"{self._named(key.selector)} is an RSA key of {key.bits} bits, and receivers"
                    f" may ignore its signatures (RFC 8301). Make a new one of {SHOULD_BITS} bits:"
                    " flask mail dkim new SELECTOR",
                    ConfigurationWarning,
                    stacklevel=2,
                )
        if domain and default_from and not may_align(domain, default_from.domain):
            raise ConfigurationError(
                f"MAIL_DKIM_DOMAIN = {domain!r} cannot sign for the default From"
                f" {str(default_from)!r}: DMARC needs the same domain, or a subdomain of it. Leave"
                " it out, or set the default_from of this account."
            )

    def _named(self, selector: str) -> str:
        return f"{self._name}[{selector!r}]"

    def _load(self, selector: str, source: str | Secret) -> Key:
        from ..mime.dkim.key import load_key

        pem = source if isinstance(source, Secret) else self._read(selector, source)
        where = "" if isinstance(source, Secret) else f" = {source!r}"
        try:
            return load_key(selector, pem)
        except ValueError as error:
            raise ConfigurationError(
                f"{self._named(selector)}{where} cannot be used: {error}. Make a key with: flask"
                f" mail dkim new {selector}"
            ) from None
        except ImportError as error:
            raise ConfigurationError(
                f"{self._name} needs cryptography: pip install 'Flask-MailHandler[dkim]'."
            ) from error

    def _read(self, selector: str, path: str) -> Secret:
        try:
            with open(path, "rb") as file:
                return Secret(file.read(_MOST))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            hint = "Check that the file is there and that the app may read it."
            if not os.path.isabs(path):
                hint += f" A relative path starts at {os.getcwd()}."
            raise ConfigurationError(
                f"{self._named(selector)} = {path!r} cannot be read: {why}. {hint}"
            ) from None


KeysInput: t.TypeAlias = (
    "Mapping[str, str | os.PathLike[str] | Secret] | DKIMKeys | tuple[()] | str | None"
)


def dkim_keys(value: object, name: str) -> DKIMKeys:
    """Read a mapping of selectors to paths or PEM, or the same as JSON. No file is read yet."""
    if isinstance(value, DKIMKeys):
        return value
    value = config.from_json(value)
    if value == []:
        value = {}
    if not isinstance(value, Mapping):
        # The value is not shown, because it may be a key.
        raise ConfigurationError(f"{name} must be like {_LIKE}: each selector and its key.")
    return DKIMKeys(
        {
            read_selector(selector, name): _source(item, selector, name)
            for selector, item in value.items()
        },
        name,
    )


def _source(value: object, selector: object, name: str) -> str | Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, bytes) or (isinstance(value, str) and _PEM in value):
        return Secret(value)
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ConfigurationError(
            f"{name}[{selector!r}] must be the path of a PEM file, or a Secret with PEM in it, and"
            f" its type is {type(value).__name__}."
        )
    return config.path(value, f"{name}[{selector!r}]")


def read_selector(value: object, name: str) -> str:
    """Check the name of a key in the DNS.

    :raises ConfigurationError: if it cannot be one.
    """
    if not isinstance(value, str) or len(value) > 63 or not _SELECTOR.fullmatch(value):
        raise ConfigurationError(
            f"{name}: {shorten(value)} is not a selector. Write letters, digits and hyphens, such"
            " as 's2026'."
        )
    return value


def dkim_domain(value: object, name: str) -> str:
    """Read a domain, and return it in its ASCII form (RFC 8616)."""
    text = config.text(value, name).strip().removesuffix(".")
    try:
        domain = "[" if "@" in text else Address(f"x@{text}", field=name).domain
    except MessageError:
        domain = "["
    if domain.startswith("["):
        raise ConfigurationError(
            f"{name} must be a domain, such as 'example.com', not {shorten(value)}."
        )
    return domain


def may_align(domain: str, author: str) -> bool:
    """Return whether DMARC may accept a signature of *domain* for a From of *author* (RFC 9989):
    not if their last two labels differ. Whether a domain with the same two is another
    organization's, only the DNS knows."""
    return domain.split(".")[-2:] == author.split(".")[-2:]
