"""What an app does for recipients who leave a list: links, their tokens, and mail.

::

    Subscription ── link_of ──▶ https://shop.example/mail/unsubscribe/<token>
    token ── read_token ──▶ Subscription ── event_of ──▶ Event
    mail to MAIL_UNSUBSCRIBE_MAILTO ── left_by_mail ──▶ Event

A token is signed, and not secret. It has no time-out: a mail may be opened after years.
"""

from __future__ import annotations

import dataclasses
import datetime
import email.utils
import hashlib
import json
import re
import typing as t
from collections.abc import Iterable
from email.message import Message as MIMEMessage

from itsdangerous import BadData
from itsdangerous import URLSafeSerializer

from ..address import Address
from ..address import parse_address
from ..errors import ConfigurationError
from ..errors import MessageError
from ..events.event import Event
from ..events.kinds import EventKind
from ..events.parts import field
from ..events.parts import header_text
from ..events.parts import MAX_OCTETS
from ..events.parts import read_header
from ..events.reading import date_of
from ..handlers.signed_address import no_secret_key
from ..handlers.signed_address import secret_keys
from ..handlers.unsubscribe import Subscription
from ..handlers.unsubscribe import UnsubscribeAddress
from ..log import logger
from ..log import masked
from ..message.one_click import PATH
from ..mime.reading.parse import attempt
from ..net.hosts import is_loopback
from .account import Account
from .base_url import BaseURL
from .framework import current_request

if t.TYPE_CHECKING:
    from flask.sansio.app import App

TRIAL = Subscription("", "")
"""A subscription of nobody: its page can be tried, and the app is told nothing."""
_SALT = "flask-mailhandler: unsubscribe"
# The longest address, list and Message-ID make no longer one. Reading a token takes time.
_LONGEST = 2_000
# Reading base64 skips other characters, and since Python 3.15 also one at the end of a signature.
_TOKEN = re.compile(r"[A-Za-z0-9_.-]+")
# A copy of the mail that names the address there is not an answer to it.
_OFFERED = re.compile(r"^List-Unsubscribe[ \t]*:.*(?:\n[ \t].*)*", re.M | re.I)
_LEFT = re.compile(r"<([0-9a-f]{32})@(.+)>\Z")


def link_of(app: App, base: BaseURL | None, subscription: Subscription, setting: str) -> str:
    """Return the URL of the page on which a recipient leaves a list.

    :param base: The value of ``MAIL_BASE_URL``.
    :param setting: The setting that asks for the link, for errors.
    :raises ConfigurationError: if there is no secret key, or no URL that mail may contain.
    """
    url = base or _server_name(app) or _of_a_test(app)
    if url is None:
        raise ConfigurationError(
            f"{setting} needs MAIL_BASE_URL, the URL of the app. Set it to one that begins with"
            " https:, such as 'https://shop.example'."
        )
    check_base_url(app, url, setting)
    return f"{url.scheme}://{url.host}{url.path}{PATH}{_token_of(app, subscription, setting)}"


def check_base_url(app: App, base: BaseURL | None, setting: str) -> None:
    """Check that a mail client would use the link (RFC 8058 section 3.1).

    :raises ConfigurationError: for a URL without TLS, except in debug mode, in tests and on this
        machine.
    """
    if base is None or base.scheme == "https" or app.debug or app.testing:
        return
    name = base.host.rpartition(":")[0] or base.host
    if not is_loopback(name.strip("[]")):
        raise ConfigurationError(
            f"{setting} needs a MAIL_BASE_URL that begins with https:, not"
            f" '{base.scheme}://{base.host}': mail clients do not unsubscribe without TLS."
        )


def read_token(app: App, token: str) -> Subscription | None:
    """Return the subscription of a token; None if this app has not signed it."""
    keys = secret_keys(app.config)
    if not keys or len(token) > _LONGEST or _TOKEN.fullmatch(token) is None:
        return None
    try:
        found = _signer(keys).loads(token)
    except BadData:
        return None
    match found:
        case [str(list_name), str(recipient), str(left), str(domain), str(locale)]:
            message_id = f"<{left}@{domain}>" if domain else left
            return Subscription(list_name, recipient, message_id, locale)
    return None  # of another release


def event_of(subscription: Subscription, kind: EventKind) -> Event:
    """Return the event of a subscription that its recipient has ended or begun."""
    return Event(
        kind=kind,
        recipient=Address(subscription.recipient),
        list_name=subscription.list_name,
        message_id=subscription.message_id,
        time=datetime.datetime.now(datetime.UTC),
        verified=True,
    )


def left_by_mail(octets: bytes, recipient: str | None, accounts: Iterable[Account]) -> list[Event]:
    """Return an event for each list that the author of a mail has left with it.

    The author must be the recipient that its address was sent to: anybody can write a From.

    :param recipient: The address that the mail came to, if the caller knows it.
    :raises ConfigurationError: if it came to such an address, and the app has no SECRET_KEY.
    """
    addresses = {
        (str(found), str(account.options.get("bounce_delimiter", "+"))): found
        for account in accounts
        if isinstance(found := account.options.get("unsubscribe_mailto"), UnsubscribeAddress)
    }
    if not addresses:
        return []
    header = header_text(octets)
    fields = read_header(header.encode("latin-1"))
    author, text = _author(fields), f"{recipient or ''}\n{_OFFERED.sub('', header)}"
    lists: dict[str, None] = {}
    for (_, delimiter), address in addresses.items():
        found = address.lists(text, delimiter, author)
        if not found and any(address.octets_in(text, delimiter)):
            logger.warning("Mail to unsubscribe is not from its recipient: %s.", masked(author))
        lists.update(dict.fromkeys(found))
    left = [event_of(Subscription(name, author), EventKind.UNSUBSCRIBED) for name in lists]
    # Of a mail that is read again, the Date is the same.
    time, raw = date_of(fields), octets[:MAX_OCTETS]
    return [dataclasses.replace(event, time=time, raw=raw) for event in left]


def _author(fields: MIMEMessage) -> str:
    """Return the address in the From of a mail; "" if there is no valid one."""
    written = field(fields, "From")[:1000]
    # Comments that are nested deep are a RecursionError.
    _, address = attempt(lambda: email.utils.parseaddr(written), ("", ""))
    try:
        return str.__str__(parse_address(address))
    except MessageError:
        return ""


def _server_name(app: App) -> BaseURL | None:
    name, scheme = app.config["SERVER_NAME"], app.config["PREFERRED_URL_SCHEME"]
    root = f"{app.config['APPLICATION_ROOT'].rstrip('/')}/"
    return BaseURL(scheme, name, root) if name else None


def _of_a_test(app: App) -> BaseURL | None:
    """Return the URL of the request, or any, in debug mode and in a test."""
    if not (app.debug or app.testing):
        return None
    if (request := current_request()) is not None:
        return BaseURL(request.scheme, request.host, f"{request.root_path.rstrip('/')}/")
    return BaseURL("http", "localhost", "/")


def _token_of(app: App, subscription: Subscription, setting: str) -> str:
    keys = secret_keys(app.config)
    if not keys:
        raise ConfigurationError(no_secret_key(setting, "the link"))
    list_name, recipient, message_id, locale = subscription
    own = _LEFT.match(message_id)
    left, domain = (own[1], own[2]) if own else (message_id, "")
    return _signer(keys).dumps([list_name, recipient, left, domain, locale])


def _signer(keys: t.Sequence[str | bytes]) -> URLSafeSerializer:
    # The last key signs, and each of them verifies.
    return URLSafeSerializer(
        [key.encode() if isinstance(key, str) else key for key in reversed(keys)],
        _SALT,
        serializer=json,
        serializer_kwargs={"separators": (",", ":"), "ensure_ascii": False},
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
