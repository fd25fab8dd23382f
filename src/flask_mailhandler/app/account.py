"""An account: it builds a handler from the options that its keys gave.

::

    MAIL_* keys ──────────────────┐
    MAIL_ACCOUNTS[name] ─ inherit ┴─ read_account ── Account ── build ── handler
"""

from __future__ import annotations

import dataclasses
import typing as t
import warnings
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping

from .. import config
from ..config import Limits
from ..config import Option
from ..errors import ConfigurationError
from ..errors import ConfigurationWarning
from ..frozen import Frozen
from ..handlers import BUILT_IN
from ..handlers import find
from ..handlers import parse_url
from ..handlers import PROVIDERS
from ..handlers.base import EmailHandler

if t.TYPE_CHECKING:
    from ..handlers.failover.plan import Plan
    from ..handlers.memory import MemoryEmailHandler

Values: t.TypeAlias = "Mapping[str, object]"
"""Options by name: in lower case and without ``MAIL_``."""
# Keys of an account besides the options of its handler.
ACCOUNT_KEYS = frozenset({"handler", "url", "rate_limit", "failover", "spread"})
Label: t.TypeAlias = Callable[[str], str]
"""Returns the name under which the user wrote an option, for errors."""

DEFAULT = "default"
"""The account that the ``MAIL_*`` keys themselves make."""
# An account that names one of these has its own connection and inherits none of them.
CONNECTION = frozenset(
    "handler url host port security tls_context tls_server_name tls_ca_file tls_cert_file"  # noqa: SIM905
    " tls_key_file source_address username password oauth_token login_mechanism"
    " dangerous_plaintext_login folder stream api_key api_secret api_credentials api_url region"
    " configuration_set message_stream domain provider".split()
)
# These go with a connection, and are not one themselves.
_WITH_CONNECTION = frozenset({"webhook_secret", "webhook_key", "webhook_topics"})
# These belong to handlers that send nothing: they name no server.
_NO_SERVER = frozenset({"folder", "stream"})


class Account(Frozen):
    """The kind of a handler, and its options."""

    name: str
    handler: object
    """The kind as the user wrote it, or None if no key chose one."""
    options: Mapping[str, object] = dataclasses.field(repr=False)
    """The values of all options, by name."""
    connected: bool
    """Whether any key says where mail goes."""
    rate_limit: Limits | None
    label: Label
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The key that each option, and ``handler``, was read from: its own key, an alias, or the
    key of a URL."""
    places: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Where the user wrote each option, or would write it, for hints in errors: ``'port' in
    MAIL_URL``."""
    group: Plan | None = None
    """The accounts that its messages are passed to, if MAIL_FAILOVER or MAIL_SPREAD says so."""

    @property
    def alone(self) -> Account:
        """The same account without its group: its own server."""
        return self if self.group is None else dataclasses.replace(self, group=None)

    def build(self, wanted: object) -> EmailHandler:
        """Build a handler of the *wanted* kind with this account's options.

        :raises ConfigurationError: naming the key whose value is wrong.
        """
        cls = find(wanted, self.label("handler"))
        own_method = t.cast(t.Any, cls.from_config).__func__
        if own_method is not t.cast(t.Any, EmailHandler.from_config).__func__:
            handler = cls.from_config(self.options)
        else:
            handler = cls.from_config(self.options, self.label)
            vars(handler).setdefault("_places", {}).update(self.places)
        vars(handler)["of_account"] = self.name
        return handler

    def in_memory(self) -> MemoryEmailHandler:
        """Build the handler that captures the mail of this account."""
        from ..handlers.memory import MemoryEmailHandler  # loaded in tests only
        from ..handlers.providers.api import APIEmailHandler
        from ..handlers.smtp import spelling_of

        memory = t.cast(MemoryEmailHandler, self.build(MemoryEmailHandler))
        if self.handler in (None, "smtp"):
            host, provider = self.options.get("host"), self.options.get("provider")
            return memory.at(spelling_of(str(host or ""), str(provider or "")))
        if not is_built_in(self.handler) or not issubclass(find(self.handler), APIEmailHandler):
            return memory
        return memory.instead_of(t.cast(APIEmailHandler, self.build(self.handler)))

    def elsewhere(self, **connection: object) -> dict[str, object]:
        """Return the options with another connection in place of the account's own."""
        return {**without_connection(self.options), **connection}


def read_account(
    name: str,
    own: Values,
    known: Mapping[str, Option[t.Any, t.Any]],
    label: Label,
    source: Label,
) -> Account:
    """Read the options of one account, and check that a built-in handler takes them together.

    :param own: The values, those that the account inherits included.
    :param known: The options of all built-in handlers.
    :param source: Returns the key that an option was read from.
    :raises ConfigurationError: for the first value that is wrong, naming its key.
    """
    from_url = parse_url(own["url"], label("url")) if "url" in own else {}
    if from_url:
        known = {**known, **known_options(from_url)}
    if from_url and not is_built_in(from_url["handler"]):
        known = {**known, **config.options(find(from_url["handler"], label("handler")))}
    if stray := from_url.keys() - known.keys() - {"handler"}:
        from .unknown_keys import unknown_options_text  # only for an error

        raise ConfigurationError(unknown_options_text(label("url"), stray, known))

    def named(option: str) -> str:
        return f"{option!r} in {label('url')}" if option in from_url else label(option)

    merged = {**own, **from_url}
    limit = merged.pop("rate_limit", None)
    handler = merged.pop("handler", None)
    checked = {**merged, **config.read(known, merged, named)}
    checked.pop("url", None)
    sources = {
        option: source("url" if option in from_url else option) for option in {**own, **from_url}
    }
    account = Account(
        name=name,
        handler=handler,
        options=checked,
        connected=not (CONNECTION - _NO_SERVER).isdisjoint(own),
        rate_limit=None if limit is None else config.rate(limit, named("rate_limit")),
        label=label,
        sources=sources,
        places={option: _place(option, sources, label) for option in known},
    )
    if handler in PROVIDERS and checked.get("provider") is not None:
        warnings.warn(
            f"{account.places['provider']} names the provider of an SMTP server, and this account"
            f" sends by the API of {handler!r}: leave it out.",
            ConfigurationWarning,
            stacklevel=2,
        )
    if is_built_in(handler or "smtp"):
        # Only building the handler shows whether its options go together.
        account.build(handler or "smtp")
    else:
        check_handler(handler, label("handler"))
    return account


def _place(option: str, sources: Mapping[str, str], label: Label) -> str:
    """Return where the user wrote an option, or would write it."""
    url, source = sources.get("url"), sources.get(option)
    if source is None:
        # A URL with a host is the place for a port, too.
        at_url = option == "port" and url is not None and sources.get("host") == url
        source = url if at_url and url else label(option)
    return f"{option!r} in {source}" if source == url else source


def inherit(flat: Values, given: Values) -> dict[str, object]:
    """Complete the options of an account: it inherits every option that it leaves out, but if it
    names its own connection, no part of another connection.

    :param flat: The options of the default account.
    :param given: The options that the account names.
    """
    inherited = flat if CONNECTION.isdisjoint(given) else without_connection(flat)
    return {**inherited, **given}


def without_connection(given: Values) -> dict[str, object]:
    """Leave out every option of a connection, and what goes with it."""
    left = CONNECTION | _WITH_CONNECTION
    return {name: value for name, value in given.items() if name not in left}


def known_options(names: Collection[str]) -> dict[str, Option[t.Any, t.Any]]:
    """Return the options of the built-in handlers, by name.

    The handlers other than SMTP are loaded only if one of *names* is none of its options, because
    loading them takes 7 ms.
    """
    known = config.options(find("smtp"))
    if not ACCOUNT_KEYS.issuperset({*names} - known.keys()):
        for name in ("console", "memory", "mailbox", "postmark", "ses", "mailgun"):
            known |= config.options(find(name))
    return known


def is_built_in(handler: object) -> bool:
    """Whether this is the name of a built-in handler."""
    return isinstance(handler, str) and handler in BUILT_IN


def check_handler(handler: object, name: str) -> None:
    """Check the name of a handler as far as possible without importing the user's module.

    :param name: The key, for the error.
    """
    if not isinstance(handler, str) or ":" not in handler:
        find(handler, name)
