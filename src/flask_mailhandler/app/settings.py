"""From the ``MAIL_*`` keys of an app to its settings.

::

    app.config ── read_settings ── Settings ── choose ── Account ── handler
                  aliases, URL,                TESTING,
                  inheritance, checks          debug
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t
import warnings
from collections.abc import Mapping

from .. import config
from ..errors import ConfigurationError
from ..errors import ConfigurationWarning
from ..frozen import Frozen
from ..handlers import SILENT
from . import flask_mail_keys
from .account import Account
from .account import ACCOUNT_KEYS as ACCOUNT_KEYS
from .account import check_handler
from .account import CONNECTION
from .account import DEFAULT
from .account import inherit
from .account import is_built_in
from .account import known_options
from .account import Label
from .account import read_account
from .account import Values
from .account import without_connection
from .queue_keys import KEYS as QUEUE_KEYS
from .queue_keys import QueueSettings
from .queue_keys import read_queue

if t.TYPE_CHECKING:
    from .base_url import BaseURL
    from .telemetry.keys import Providers

# The options that name a server, and the keys that name a host.
_SERVER = frozenset({"host", "url"})
_HOST_KEYS = frozenset({"host", "server"})
# Keys of the whole app.
APP_KEYS = (
    frozenset({"accounts", "base_url", "dangerous_remote_mailbox", "mailbox", "placeholders"})
    | {"telemetry", "testing_handler"}
    | QUEUE_KEYS
)


class Settings(Frozen):
    """What the keys of one app say."""

    accounts: Mapping[str, Account]
    testing_handler: object
    queue: QueueSettings
    mailbox: bool | None = None
    """Whether the app has the mailbox page; None if debug mode decides."""
    remote_mailbox: bool = False
    """Whether an ``allow_mailbox`` function is enough for requests from other machines."""
    base_url: BaseURL | None = None
    placeholders: tuple[str, ...] = ()
    """How links begin that a provider fills in."""
    telemetry: Providers | None = None
    """Where traces and metrics go; None if MAIL_TELEMETRY is off."""

    def account(self, using: str | None) -> Account:
        """Return the account of that name; None is the default.

        :raises ConfigurationError: if there is no such account.
        """
        name = DEFAULT if using is None else using
        account = self.accounts.get(name)
        if account is None:
            *others, last = map(repr, self.accounts)
            known = f"there are {', '.join(others)} and {last}" if others else f"there is {last}"
            raise ConfigurationError(f"There is no account {using!r} in MAIL_ACCOUNTS; {known}.")
        return account

    @property
    def has_unsubscribe(self) -> bool:
        """Whether any account sends messages with a link to unsubscribe."""
        accounts = self.accounts.values()
        return any(account.options.get("unsubscribe") is not None for account in accounts)

    @property
    def has_webhooks(self) -> bool:
        """Whether any account has a URL for the webhooks of its provider."""
        accounts = self.accounts.values()
        return any(account.options.get("webhook_secret") is not None for account in accounts)

    def choose(self, account: Account, *, testing: bool, debug: bool) -> object:
        """Return the kind of handler in force: in tests the one for tests, else the configured
        one, else in debug mode the mailbox if no key says where mail goes.

        An account that passes its messages to others has their plan instead of a kind that sends.
        """
        if testing and self.testing_handler != "configured":
            return self.testing_handler
        kind = account.handler
        if kind is None:
            kind = "mailbox" if debug and not account.connected else "smtp"
        return kind if account.group is None or kind in SILENT else account.group


def read_settings(values: Values) -> Settings:
    """Read the ``MAIL_*`` keys of an app.

    :param values: The keys in lower case and without ``MAIL_``, as
        ``app.config.get_namespace("MAIL_")`` returns them.
    :raises ConfigurationError: for the first value that is wrong, naming its key.
    """
    _warn_of_unknown(values)
    own = flask_mail_keys.translate(_given(values))
    named = _named_accounts(own.pop("accounts", {}))
    testing_handler = own.pop("testing_handler", "memory")
    if testing_handler != "configured" and not is_built_in(testing_handler):
        check_handler(testing_handler, "MAIL_TESTING_HANDLER")
    base_url, placeholders = _links(own.pop("base_url", None), own.pop("placeholders", ()))
    mailbox = own.pop("mailbox", None)
    remote = own.pop("dangerous_remote_mailbox", False)
    telemetry = _telemetry(own.pop("telemetry", None))
    queue = read_queue({name: own.pop(name) for name in QUEUE_KEYS & own.keys()})
    groups = _take_groups(own, named)
    if own.pop("suppress", False):
        # The app sends nothing at all, whatever else the keys say.
        own = {**without_connection(own), "handler": "memory"}
        named = {name: without_connection(given) for name, given in named.items()}
    accounts = _accounts(own, named, values)
    if groups:
        from .groups import with_groups  # few apps have more than one way out

        accounts = with_groups(accounts, groups, named)
    return Settings(
        accounts,
        testing_handler,
        queue,
        None if mailbox is None else config.boolean(mailbox, "MAIL_MAILBOX"),
        config.boolean(remote, "MAIL_DANGEROUS_REMOTE_MAILBOX"),
        base_url,
        placeholders,
        telemetry,
    )


def _take_groups(own: dict[str, object], named: Values) -> dict[str, dict[str, object]]:
    """Remove ``failover`` and ``spread`` from the options, since no account inherits them. Return
    them, by account."""
    each = {DEFAULT: own, **t.cast("dict[str, dict[str, object]]", named)}
    taken: dict[str, dict[str, object]] = {}
    for name, given in each.items():
        for key in {"failover", "spread"} & given.keys():
            taken.setdefault(name, {})[key] = given.pop(key)
    return taken


def _links(base_url: object, placeholders: object) -> tuple[BaseURL | None, tuple[str, ...]]:
    """Read the keys about links. Their readers are loaded for an app that sets them."""
    base: BaseURL | None = None
    begin: tuple[str, ...] = ()
    if base_url is not None:
        from .base_url import read_base_url

        base = read_base_url(base_url, "MAIL_BASE_URL")
    if placeholders != ():
        from .placeholders import read_placeholders

        begin = read_placeholders(placeholders, "MAIL_PLACEHOLDERS")
    return base, begin


def _telemetry(value: object) -> Providers | None:
    if value is None:
        return None
    from .telemetry.keys import read_telemetry  # few apps set it

    return read_telemetry(value, "MAIL_TELEMETRY")


def _given(values: Values) -> dict[str, object]:
    """Leave out None and the empty text, as in ``FLASK_MAIL_USERNAME=``. A staging guard stays even
    if it is empty, so that the user is told that it guards nothing."""
    return {
        name: value
        for name, value in values.items()
        if value is not None and (value != "" or name in ("redirect_to", "allow_to"))
    }


def _named_accounts(value: object) -> dict[str, dict[str, object]]:
    """Read ``MAIL_ACCOUNTS``: the options that each account names, by its name."""
    value = config.from_json(value)
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            'MAIL_ACCOUNTS must be like {"bulk": {"url": "smtps://...", "rate_limit": "14/s"}}.'
        )
    found = {}
    for name, given in value.items():
        if not isinstance(given, Mapping) or not isinstance(name, str) or name == DEFAULT:
            raise ConfigurationError(
                f"MAIL_ACCOUNTS[{name!r}] must be a mapping of options; the MAIL_* keys themselves"
                " make the account 'default'."
            )
        own = _given({str(option).lower(): item for option, item in given.items()})
        allowed = {*known_options(own), *ACCOUNT_KEYS}
        unknown = own.keys() - allowed
        if unknown and is_built_in(own.get("handler") or "smtp"):
            from .unknown_keys import unknown_options_text  # only for an error

            where = f"MAIL_ACCOUNTS[{name!r}]"
            raise ConfigurationError(unknown_options_text(where, unknown, allowed))
        found[name] = own
    return found


def _accounts(
    own: Values, named: Mapping[str, dict[str, object]], values: Values
) -> dict[str, Account]:
    """Read the default account and those of ``MAIL_ACCOUNTS``.

    :param values: The keys as the user wrote them, so that an error names the key that the user
        knows, even if it is one of Flask-Mail's.
    """
    known = known_options({*own, *(option for given in named.values() for option in given)})
    switched = flask_mail_keys.switches(values)
    from_key = functools.partial(flask_mail_keys.written_key, switched=switched)
    default = read_account(DEFAULT, own, known, from_key, from_key)
    if _left_empty(values, own):
        default = dataclasses.replace(default, connected=False)
    found = {DEFAULT: default}
    for name, given in named.items():
        if default.handler in SILENT and "handler" not in given:
            # An app that prints or stores its mail does so for every account.
            given = without_connection(given)
        merged, label = inherit(own, given), _label_of(name)
        sources = {
            option: label(option) if option in given else from_key(option) for option in merged
        }
        source = functools.partial(_source, sources, label)
        account = read_account(name, merged, known, source, source)
        if CONNECTION.isdisjoint(given):
            account = dataclasses.replace(account, connected=default.connected)
        found[name] = account
    return found


def _left_empty(values: Values, own: Values) -> bool:
    """Whether the key of the host is there without a value, as in
    ``MAIL_SERVER = os.environ.get("MAIL_SERVER")``. The port and the security next to it are then
    defaults of the app's configuration, and do not say where mail goes."""
    return _SERVER.isdisjoint(own) and not _HOST_KEYS.isdisjoint(values)


def _source(sources: Mapping[str, str], label: Label, option: str) -> str:
    """Return where an option was written, or where the user would write it."""
    return sources.get(option) or label(option)


def _label_of(account: str) -> Label:
    return lambda name: f"MAIL_ACCOUNTS[{account!r}][{name!r}]"


def _warn_of_unknown(values: Values) -> None:
    """Warn of unknown keys that look like a misspelt one. Others may belong to a handler of the
    app or of another package."""
    # A misspelt MAIL_SUPPRESS_SEND would send mail that was to be suppressed.
    others = {*ACCOUNT_KEYS, *APP_KEYS, *flask_mail_keys.TRANSLATED}
    known = {*known_options(values.keys() - others - flask_mail_keys.ALL), *others}
    for name in values:
        if name in known or name in flask_mail_keys.ALL:
            continue
        from .unknown_keys import suggest  # few apps have an unknown key

        if (near := suggest(name, known)) and near not in values:
            warnings.warn(
                f"Unknown configuration key MAIL_{name.upper()}. Did you mean {config.key(near)}?",
                ConfigurationWarning,
                stacklevel=4,
            )
