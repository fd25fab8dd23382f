"""The arguments of :meth:`.Mail.error_handler`, checked."""

from __future__ import annotations

import logging
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

from ... import config
from ...address import Address
from ...address import Addresses
from ...address import AddressesInput
from ...address import AddressInput
from ...address import parse_address
from ...address import parse_addresses
from ...app.queue_keys import duration
from ...app.wrong_arguments import check_not_async
from ...app.wrong_arguments import near
from ...errors import ConfigurationError
from ...frozen import Frozen
from ...text.checks import shorten
from .counts import PAUSE

if t.TYPE_CHECKING:
    import datetime

    from flask.sansio.app import App

_CALL = "error_handler()"
# What the SMTPHandler of logging, and others, call the same.
_OTHER_NAMES = {
    "toaddrs": "to",
    "recipients": "to",
    "fromaddr": "from_addr",
    "sender": "from_addr",
    "account": "using",
    "period": "digest_every",
    "interval": "digest_every",
    "rate_limit": "per_hour",
    "capture_locals": "show_locals",
    "locals": "show_locals",
}
_ELSEWHERE = {
    "mailhost": "the MAIL_* keys of the app name the server: see MAIL_URL",
    "credentials": "the MAIL_* keys of the app hold the login: see MAIL_URL",
    "secure": "the MAIL_* keys of the app turn TLS on: see MAIL_SECURITY",
    "subject": "the subject names the app and the error; MAIL_SUBJECT_PREFIX adds words",
    "timeout": "no request waits for the mail server; MAIL_TIMEOUT is the limit for the thread",
}


class ErrorMailOptions(t.TypedDict, total=False):
    """The options of :meth:`.Mail.error_handler`, for type checkers."""

    level: int | str
    from_addr: AddressInput | None
    using: str | None
    digest_every: float | str | datetime.timedelta
    per_hour: int
    user: Callable[[], object] | None
    show_locals: bool
    mask: Iterable[str]
    app: App | None


class Options(Frozen):
    """How errors are mailed.

    :param digest_every: Seconds between the digests.
    :param per_hour: The most mails in an hour, from one process.
    :param user: Returns who has sent the request.
    :param mask: Names of values that are secret, besides those that look so.
    """

    to: Addresses
    level: int = logging.ERROR
    from_addr: Address | None = None
    using: str | None = None
    digest_every: float = 3600.0
    per_hour: int = 10
    user: Callable[[], object] | None = None
    show_locals: bool = False
    mask: tuple[str, ...] = ()


def read_options(to: object, given: Mapping[str, t.Any]) -> Options:
    """Check the arguments.

    :raises TypeError: for an argument that does not exist.
    :raises MessageError: for an address that is not one.
    :raises ConfigurationError: for another wrong value.
    """
    for name in given:
        if name not in ErrorMailOptions.__optional_keys__:
            raise _unknown(name)
    readers: dict[str, Callable[[t.Any], object]] = {
        "level": _level,
        "from_addr": lambda value: parse_address(value, "from_addr"),
        "using": lambda value: config.text(value, "using="),
        "digest_every": _period,
        "per_hour": lambda value: config.integer(1, 1000)(value, "per_hour="),
        "user": _user,
        "show_locals": lambda value: config.boolean(value, "show_locals="),
        "mask": _names,
    }
    found = {
        name: read(given[name]) for name, read in readers.items() if given.get(name) is not None
    }
    return Options(_recipients(t.cast("AddressesInput", to)), **t.cast("dict[str, t.Any]", found))


def _recipients(to: AddressesInput) -> Addresses:
    found = parse_addresses(None if to == "" else to, "to")
    if not found:
        raise ConfigurationError(
            f"{_CALL} needs an address to send errors to: write to='ops@example.com'."
        )
    return found


def _level(value: object) -> int:
    names = logging.getLevelNamesMapping()
    if isinstance(value, str):
        value = names.get(value.strip().upper(), value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(
            f"level= takes a level of logging, such as 'ERROR' or logging.ERROR, not"
            f" {shorten(value)}."
        )
    return value


def _period(value: object) -> float:
    seconds = duration(value, "digest_every=")
    if seconds < PAUSE:
        raise ConfigurationError(f"digest_every= is at least a minute, not {shorten(value)}.")
    return seconds


def _user(value: object) -> Callable[[], object]:
    if not callable(value):
        raise ConfigurationError(
            f"user= takes a function that returns who has sent the request, not {shorten(value)}:"
            " write user=lambda: g.user.name."
        )
    check_not_async(value, "user=")
    return value


def _names(value: object) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, Iterable):
        raise ConfigurationError(f"mask= takes a list of names, not {shorten(value)}.")
    found = tuple(config.text(item, "mask=") for item in items)
    if not all(found):
        raise ConfigurationError("mask= takes names; an empty one would mask everything.")
    return found


def _unknown(name: str) -> TypeError:
    takes = sorted({"to", *ErrorMailOptions.__optional_keys__})
    if name in _ELSEWHERE:
        return TypeError(f"{_CALL} takes no {name}=: {_ELSEWHERE[name]}.")
    if meant := _OTHER_NAMES.get(name) or near(name, takes):
        return TypeError(f"{_CALL} takes no {name}=: write {meant}=.")
    return TypeError(f"{_CALL} takes no {name}=. Its arguments are {', '.join(takes)}.")
