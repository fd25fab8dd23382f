"""From ``MAIL_*`` keys to accounts, and from an account to a handler.

::

    app.config ── read_settings ── Settings ── Account ── choose ── handler
                  aliases, URL,                TESTING, debug
                  inheritance, checks
"""

from __future__ import annotations

import dataclasses
import functools
import json
import typing as t
import warnings
from collections.abc import Callable
from collections.abc import Mapping

from .. import config
from ..config import key
from ..config import Limits
from ..config import Option
from ..errors import ConfigurationError
from ..errors import ConfigurationWarning
from ..handlers import BUILT_IN
from ..handlers import find
from ..handlers import parse_url
from ..handlers import SILENT
from ..handlers.base import EmailHandler
from . import flask_mail_keys
from .base_url import BaseURL
from .base_url import read_base_url
from .placeholders import read_placeholders
from .queue_keys import KEYS as QUEUE_KEYS
from .queue_keys import QueueSettings
from .queue_keys import read_queue
from .unknown_keys import meant
from .unknown_keys import unknown_options

Values: t.TypeAlias = "Mapping[str, object]"
Label: t.TypeAlias = Callable[[str], str]
"""How the writer knows an option."""

DEFAULT = "default"
# Keys of an account beside the options of its handler.
_ACCOUNT_KEYS = frozenset({"handler", "url", "rate_limit"})
# Keys of the whole app.
_APP_KEYS = (
    frozenset({"accounts", "base_url", "dangerous_remote_mailbox", "mailbox", "placeholders"})
    | {"testing_handler"}
    | QUEUE_KEYS
)
# An account that names one of these has a connection of its own and inherits none of them.
_CONNECTION = frozenset(
    "handler url host port security tls_context tls_server_name tls_ca_file tls_cert_file"  # noqa: SIM905
    " tls_key_file source_address username password oauth_token login_mechanism"
    " dangerous_plaintext_login folder stream".split()
)
# Those of them that belong to handlers which send nothing: they name no server.
_OF_OTHERS = frozenset({"folder", "stream"})


@dataclasses.dataclass(frozen=True)
class Account:
    """A sender: what kind of handler, and its options."""

    name: str
    handler: object
    """As it was written, or None if nobody chose one."""
    options: Mapping[str, object] = dataclasses.field(repr=False)
    """The values of all options, by name."""
    connected: bool
    """Whether any key says where mail is to go."""
    rate_limit: Limits | None
    label: Label
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The key that each option, and ``handler``, was read from: its own, an alias, or the one
    of a URL."""

    def build(self, wanted: object) -> EmailHandler:
        """Build a handler of the *wanted* kind with this account's options.

        :raises ConfigurationError: naming the key whose value is wrong.
        """
        cls = find(wanted, self.label("handler"))
        own_way = t.cast(t.Any, cls.from_config).__func__
        if own_way is not t.cast(t.Any, EmailHandler.from_config).__func__:
            return cls.from_config(self.options)
        return cls.from_config(self.options, self.label)

    def elsewhere(self, **connection: object) -> dict[str, object]:
        """Its options, but with another connection and nothing left of its own."""
        return {**_without_connection(self.options), **connection}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the keys of one app say."""

    accounts: Mapping[str, Account]
    testing_handler: object
    queue: QueueSettings
    mailbox: bool | None = None
    """Whether there is a page of the mailbox; None if debug mode decides."""
    remote_mailbox: bool = False
    """Whether an ``allow_mailbox`` function is enough for requests from other machines."""
    base_url: BaseURL | None = None
    placeholders: tuple[str, ...] = ()
    """How links begin that a provider fills in."""

    def account(self, using: str | None) -> Account:
        """Return the account of that name; None is the default.

        :raises ConfigurationError: if there is none.
        """
        name = DEFAULT if using is None else using
        account = self.accounts.get(name)
        if account is None:
            raise ConfigurationError(
                f"There is no account {using!r} in MAIL_ACCOUNTS; there are"
                f" {', '.join(map(repr, self.accounts))}."
            )
        return account

    def choose(self, account: Account, *, testing: bool, debug: bool) -> object:
        """Say which kind of handler is in force: in tests the one for tests, else the one that
        was chosen, else in debug mode the mailbox if nothing says where mail is to go."""
        if testing and self.testing_handler != "configured":
            return self.testing_handler
        if account.handler is not None:
            return account.handler
        return "mailbox" if debug and not account.connected else "smtp"


def read_settings(values: Values) -> Settings:
    """Read the ``MAIL_*`` keys of an app.

    :param values: The keys in lower case and without ``MAIL_``, such as
        ``app.config.get_namespace("MAIL_")`` gives.
    :raises ConfigurationError: for the first value that is wrong, naming its key.
    """
    known = _known_options()
    _warn_of_unknown(values, known)
    own = flask_mail_keys.translate(_given(values))
    accounts = _accounts(own.pop("accounts", {}))
    testing_handler = own.pop("testing_handler", "memory")
    if testing_handler != "configured":
        _check_handler(testing_handler, "MAIL_TESTING_HANDLER")
    base_url = own.pop("base_url", None)
    base = None if base_url is None else read_base_url(base_url, "MAIL_BASE_URL")
    placeholders = read_placeholders(own.pop("placeholders", ()), "MAIL_PLACEHOLDERS")
    mailbox = own.pop("mailbox", None)
    remote = own.pop("dangerous_remote_mailbox", False)
    queue = read_queue({name: own.pop(name) for name in QUEUE_KEYS & own.keys()})
    from_key = functools.partial(flask_mail_keys.origin, values=flask_mail_keys.switches(values))
    if own.pop("suppress", False):
        # It means that nothing is sent at all, whoever says where.
        own = {**_without_connection(own), "handler": "memory"}
        accounts = {name: _without_connection(given) for name, given in accounts.items()}
    # An error names the key that was written, be it Flask-Mail's.
    default = _account(DEFAULT, own, known, from_key, from_key)
    built = {DEFAULT: default}
    for name, given in accounts.items():
        if default.handler in SILENT and "handler" not in given:
            # An app that prints or keeps its mail does so by whatever account.
            given = _without_connection(given)
        merged, label = _inherit(own, given), _label_of(name)
        sources = {
            option: label(option) if option in given else from_key(option) for option in merged
        }
        source = functools.partial(_source, sources, label)
        built[name] = _account(name, merged, known, source, source)
    return Settings(
        built,
        testing_handler,
        queue,
        None if mailbox is None else config.boolean(mailbox, "MAIL_MAILBOX"),
        config.boolean(remote, "MAIL_DANGEROUS_REMOTE_MAILBOX"),
        base,
        placeholders,
    )


def _given(values: Values) -> dict[str, object]:
    """Leave out what is None, and what is empty, as in ``FLASK_MAIL_USERNAME=``; but a guard
    that guards nothing is told so."""
    return {
        name: value
        for name, value in values.items()
        if value is not None and (value != "" or name in ("redirect_to", "allow_to"))
    }


def _without_connection(given: Values) -> dict[str, object]:
    return {name: value for name, value in given.items() if name not in _CONNECTION}


def _known_options() -> dict[str, Option[t.Any, t.Any]]:
    known: dict[str, Option[t.Any, t.Any]] = {}
    for name in ("smtp", "console", "memory", "mailbox"):
        known |= config.options(find(name))
    return known


def _account(
    name: str,
    own: Values,
    known: Mapping[str, Option[t.Any, t.Any]],
    label: Label,
    source: Label,
) -> Account:
    from_url = parse_url(own["url"], label("url")) if "url" in own else {}
    if from_url and not _is_built_in(from_url["handler"]):
        known = {**known, **config.options(find(from_url["handler"], label("handler")))}
    if stray := from_url.keys() - known.keys() - {"handler"}:
        raise ConfigurationError(unknown_options(label("url"), stray, known))

    def named(option: str) -> str:
        return f"{option!r} in {label('url')}" if option in from_url else label(option)

    merged = {**own, **from_url}
    limit = merged.pop("rate_limit", None)
    handler = merged.pop("handler", None)
    checked = {**merged, **config.read(known, merged, named)}
    checked.pop("url", None)
    account = Account(
        name=name,
        handler=handler,
        options=checked,
        connected=not (_CONNECTION - _OF_OTHERS).isdisjoint(own),
        rate_limit=None if limit is None else config.rate(limit, named("rate_limit")),
        label=label,
        sources={
            option: source("url" if option in from_url else option)
            for option in {**own, **from_url}
        },
    )
    if _is_built_in(handler or "smtp"):
        # Options that do not go together show only when they come together.
        account.build(handler or "smtp")
    else:
        _check_handler(handler, label("handler"))
    return account


def _is_built_in(handler: object) -> bool:
    return isinstance(handler, str) and handler in BUILT_IN


def _check_handler(handler: object, name: str) -> None:
    """Check what can be checked without importing anybody's module."""
    if not isinstance(handler, str) or ":" not in handler:
        find(handler, name)


def _accounts(value: object) -> dict[str, dict[str, object]]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            'MAIL_ACCOUNTS must be like {"bulk": {"url": "smtps://...", "rate_limit": "14/s"}}.'
        )
    found = {}
    for name, given in value.items():
        if not isinstance(given, Mapping) or not isinstance(name, str) or name == DEFAULT:
            raise ConfigurationError(
                f"MAIL_ACCOUNTS[{name!r}] must be a mapping of options; the account 'default' is"
                " made of the MAIL_* keys themselves."
            )
        own = _given({str(option).lower(): item for option, item in given.items()})
        unknown = own.keys() - _known_options().keys() - _ACCOUNT_KEYS
        handler = own.get("handler")
        if unknown and _is_built_in(handler or "smtp"):
            allowed = {*_known_options(), *_ACCOUNT_KEYS}
            raise ConfigurationError(unknown_options(f"MAIL_ACCOUNTS[{name!r}]", unknown, allowed))
        found[name] = own
    return found


def _inherit(flat: Values, given: Values) -> dict[str, object]:
    """An account takes over every key that it leaves out; but if it says where its mail goes,
    no part of another connection."""
    own_connection = not _CONNECTION.isdisjoint(given)
    taken = {
        name: value
        for name, value in flat.items()
        if name not in _APP_KEYS and not (own_connection and name in _CONNECTION)
    }
    return {**taken, **given}


def _source(sources: Mapping[str, str], label: Label, option: str) -> str:
    """Where an option was written, or where it would be."""
    return sources.get(option) or label(option)


def _label_of(account: str) -> Label:
    return lambda name: f"MAIL_ACCOUNTS[{account!r}][{name!r}]"


def _warn_of_unknown(values: Values, known: Mapping[str, object]) -> None:
    """Warn of keys that nobody reads and that look like a slip of the pen. Others may belong
    to a handler of somebody else."""
    # A slip in MAIL_SUPPRESS_SEND would send what was to be suppressed.
    all_known = {*known, *_ACCOUNT_KEYS, *_APP_KEYS, *flask_mail_keys.KEYS}
    for name in values:
        if name in all_known or name in flask_mail_keys.IGNORED:
            continue
        if (near := meant(name, all_known)) and near not in values:
            warnings.warn(
                f"Unknown key MAIL_{name.upper()}. Did you mean {key(near)}?",
                ConfigurationWarning,
                stacklevel=4,
            )
