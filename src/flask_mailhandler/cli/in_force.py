"""The account and the handler that would send a message now, and the key that chose them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping

from .. import config
from ..app.account import Account
from ..app.current import registration
from ..app.dev_mailbox import with_folder
from ..app.send_call import SendCall
from ..app.settings import read_settings
from ..app.webhooks import endpoint_of
from ..errors import QueueError
from ..handlers import find
from ..handlers import parse_url
from ..handlers.base import EmailHandler
from ..handlers.smtp import SMTPEmailHandler
from .ask import ask_password
from .ask import interactive

if t.TYPE_CHECKING:
    from ..app.registration import Registration
    from ..handlers.failover.plan import Plan
    from ..message.message import Message
    from ..report import Report

_NOT_SET = (
    " Neither MAIL_URL nor MAIL_HOST is set: set one to your provider's server. In the environment"
    " they are FLASK_MAIL_URL and FLASK_MAIL_HOST, if the app calls app.config.from_prefixed_env()."
    " To try mail without a server, run 'flask mail catch' and set MAIL_URL to smtp://127.0.0.1:2525."
)
_NO_URL = (
    " Neither --url nor MAIL_URL is set: set one to your provider's server, such as"
    " smtps://ann%40example.com@smtp.example.com. To try mail without a server, run"
    " 'python -m flask_mailhandler catch' and set MAIL_URL to smtp://127.0.0.1:2525."
)


@dataclasses.dataclass(frozen=True)
class InForce:
    """An account with the kind of handler that is in force for it."""

    account: Account
    kind: object
    """The kind of handler, as :meth:`.Account.build` takes it."""
    decided_by: str
    """The key that chose the handler: ``by MAIL_URL``."""
    deliver: Callable[[InForce, Message], Report]
    not_set: str
    """The text to add if the connection fails and no key says where mail goes."""
    captured: bool = False
    """Whether a test captures the mail."""
    of_the_app: Callable[[], list[tuple[str, str, str]]] = list
    """Returns the settings of the whole app: name, value and source."""
    queue_errors: Callable[[], list[str]] = list
    """Returns why the app's queue cannot be used; nothing if it can, or was never used."""
    has_webhooks: bool = False
    """Whether the app has a URL for the webhooks of the account."""
    members: tuple[InForce, ...] = ()
    """The accounts that it passes its messages to."""
    passes_on: Callable[[], str] = str
    """Returns these as text, with what is known about each."""

    @functools.cached_property
    def handler(self) -> EmailHandler:
        """The handler.

        :raises ConfigurationError: if its options do not go together.
        """
        return self.account.build(self.kind)

    @property
    def unconfigured(self) -> bool:
        """Whether mail goes over the network and no key says where."""
        return not self.account.connected and isinstance(self.handler, SMTPEmailHandler)

    def connected(self, **options: object) -> InForce:
        """Return a copy with a connection that the user was asked for."""
        known = config.options(SMTPEmailHandler)
        asked = config.read(known, options, lambda name: f"the {name}")
        account = dataclasses.replace(
            self.account,
            options={**self.account.options, **asked},
            connected=True,
            places={**self.account.places, **{name: f"the {name}" for name in asked}},
        )
        return dataclasses.replace(self, account=account)

    def send(self, message: Message) -> Report:
        """Send a message. A failure is in the report, and is not raised.

        :raises MessageError: if it cannot be sent as it is.
        """
        with _quiet():
            return self.deliver(self, message)


def of_app(using: str | None, *, alone: bool = False) -> InForce:
    """Return what is in force in the current app.

    :param alone: Whether to look at the account's own server, and not at those of its group.
    :raises ConfigurationError: if there is no such account.
    """
    mine = registration()
    app, settings = mine.app, mine.settings
    group = settings.account(using).group
    account = settings.account(using).alone
    kind = settings.choose(account, testing=app.testing, debug=app.debug)
    decided_by = _decided_by(account)
    if app.testing and settings.testing_handler != "configured":
        decided_by = "by MAIL_TESTING_HANDLER, because TESTING is on"
    elif account.handler is None and kind != "smtp":
        decided_by = "because debug mode is on and no key says where mail goes"
    if kind == "mailbox":
        account = with_folder(account, app)

    def deliver(in_force: InForce, message: Message) -> Report:
        sending = in_force.account
        if not alone and group is not None:
            sending = dataclasses.replace(sending, group=group)
        accounts = {**settings.accounts, account.name: sending}
        mine.settings = dataclasses.replace(settings, accounts=accounts)
        try:
            (report,) = SendCall(mine, using).send([message])
        finally:
            mine.settings = settings
        return report

    shared = functools.partial(_of_the_app, mine, account)
    not_set = mine.framework.wording(_NOT_SET)
    captured = mine.scope is not mine.edges
    hooked = endpoint_of(account) is not None
    errors = functools.partial(_queue_errors, mine)
    found = InForce(account, kind, decided_by, deliver, not_set, captured, shared, errors, hooked)
    if alone or group is None or not mine.passes_on(using):
        return found
    first, *others = (of_app(name, alone=True) for name in group.names)
    members = (
        dataclasses.replace(first, of_the_app=shared),
        *(dataclasses.replace(one, of_the_app=list, queue_errors=list) for one in others),
    )
    passes_on = functools.partial(_passes_on, mine, group)
    return dataclasses.replace(found, members=members, passes_on=passes_on)


def _passes_on(mine: Registration, group: Plan) -> str:
    """Return the accounts of a group as text, with those that are down."""
    from ..queue.build import queue_of
    from ..queue.sending.shared_health import accounts_down

    try:
        queue = queue_of(mine)
        down = accounts_down(queue.store, queue.app_access)
    except QueueError as error:
        return f"{group.describe({})} (what is down is not known: {error})"
    return group.describe({name: f"down: {why}" for name, why in down.items()})


def _of_the_app(mine: Registration, account: Account) -> list[tuple[str, str, str]]:
    """Return the settings of an app that belong to no account.

    :raises ConfigurationError: if mail cannot wait where MAIL_QUEUE says.
    """
    from ..queue.build import queue_of

    settings = mine.settings
    base, engine = settings.base_url, settings.queue.queue_engine
    named = engine if isinstance(engine, str) else f"{engine.__module__}:{engine.__qualname__}"
    others = [name for name in settings.accounts if name != account.name]
    found = {
        "base_url": (base and f"{base.scheme}://{base.host}{base.path}", "base_url"),
        "queue": (str(queue_of(mine).store), "queue"),
        "queue_engine": (named, "queue_engine"),
        "suppressions": (_suppressed(mine), "suppressions"),
        "other accounts": (", ".join(others), "accounts"),
    }

    def source(option: str) -> str:
        given = mine.app.config.get(config.key(option)) not in (None, "")
        return config.key(option) if given else "default"

    return [(name, value, source(option)) for name, (value, option) in found.items() if value]


def _queue_errors(mine: Registration) -> list[str]:
    """Return why the queue of an app cannot be used. Nothing is created to find out."""
    from ..queue.build import queue_of

    health = queue_of(mine).health(only=["store-unreachable", "wrong-tables"])
    return [finding.text for finding in health.findings if finding.severity == "error"]


def _suppressed(mine: Registration) -> str:
    """Return how many addresses are suppressed; "" if the app does not suppress any."""
    if not mine.settings.queue.suppressions:
        return ""
    from ..queue.events.suppressions import suppressions_of

    try:
        number = len(suppressions_of(mine))
    except QueueError:
        return mine.framework.wording("unknown: see flask mail queue health")
    return f"{number} address{'' if number == 1 else 'es'}"


def of_url(url: str | None) -> InForce:
    """Return what a URL says, without an app. The user is asked for a missing password.

    :raises ConfigurationError: if it cannot be used.
    """
    values: dict[str, object] = {} if url is None else {"url": url}
    said = {} if url is None else parse_url(url, "MAIL_URL")
    if _lacks_password(said) and interactive():
        values["password"] = ask_password(f"Password of {said['username']}")
    settings = read_settings(values)
    account = settings.account(None)
    kind = settings.choose(account, testing=False, debug=False)

    def deliver(in_force: InForce, message: Message) -> Report:
        (report,) = in_force.handler.send([message])
        return report

    return InForce(account, kind, _decided_by(account), deliver, _NO_URL)


def accounts_of_app(using: str | None) -> list[Account]:
    """Return the account of that name in the current app and those that it passes its messages to,
    or all accounts of the app.

    :raises ConfigurationError: if there is no such account.
    """
    settings = registration().settings
    if using is None:
        return [*settings.accounts.values()]
    account = settings.account(using)
    others = () if account.group is None else account.group.names
    return [settings.accounts[name] for name in dict.fromkeys((account.name, *others))]


def accounts_of_url(url: str | None) -> list[Account]:
    """Return the account that a URL makes. It is not used to log in.

    :raises ConfigurationError: if it cannot be used.
    """
    values: dict[str, object] = {} if url is None else {"url": url}
    said = {} if url is None else parse_url(url, "MAIL_URL")
    if _lacks_password(said):
        values["password"] = "not used"
    return [read_settings(values).account(None)]


def _lacks_password(said: Mapping[str, object]) -> bool:
    """Return whether a URL has a user name, for a login with a password that it leaves out."""
    if "username" not in said or {"password", "oauth_token"} & said.keys():
        return False
    return "password" in config.options(find(said["handler"]))


def _decided_by(account: Account) -> str:
    return "by default" if account.handler is None else f"by {account.sources['handler']}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Stop Python from printing logged failures next to the report if logging is not configured."""
    logger = logging.getLogger("flask_mailhandler")
    silent = logging.NullHandler()
    if not logger.hasHandlers():
        logger.addHandler(silent)
    try:
        yield
    finally:
        logger.removeHandler(silent)
