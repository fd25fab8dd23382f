"""The webhook of a provider about a captured message, in a test: posted to the URL of the app."""

from __future__ import annotations

import datetime
import typing as t
import uuid

from ..events.kinds import EventKind
from ..message.message import Message
from ..signals import message_event
from ..testing.captured import Captured
from ..testing.criteria import Criterion
from ..testing.notification import recipients_of
from ..testing.notification import said_of
from ..testing.provider_events.makers import maker_of
from ..testing.provider_events.told import Posted
from ..testing.provider_events.told import Proof
from ..testing.provider_events.told import Told
from .account import Account
from .webhooks import Endpoint
from .webhooks import endpoint_of
from .webhooks import path_of
from .webhooks import TRUSTED

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..events.event import Event
    from .flask_framework import Framework
    from .settings import Settings


class Posting(t.Protocol):
    """What a webhook needs of the registration of an app."""

    settings: Settings
    framework: Framework

    @property
    def app(self) -> App:
        """The app."""
        ...

    @property
    def scope(self) -> dict[str, t.Any]:
        """What is stored for the capture."""
        ...


# Why a provider does not send a message.
_REASONS = {EventKind.REJECTED: "Suppressed", EventKind.FAILED: "Rendering failed"}


def post_event(
    mine: Posting,
    kind: EventKind | str,
    captured: Captured,
    to: Criterion,
    status: str | None,
    code: int | None,
    reason: str | None,
) -> list[Event] | None:
    """Post what happened to a captured message; see :meth:`.Outbox.event`.

    :return: The events that the app was told of; None if the account has no webhooks.
    :raises ValueError: if the provider has no such event. The error says what to write.
    :raises AssertionError: if the app does not take it.
    """
    recipients = recipients_of(captured, to)
    account = mine.settings.account(captured.using)
    endpoint = endpoint_of(account)
    if endpoint is None:
        return None
    known = next((one for one in EventKind if one == kind), None)
    names, proof = [*map(str.__str__, recipients)], _proof(mine, account, endpoint)
    make, requests = maker_of(endpoint.provider), None
    if known is not None:
        requests = make(_told(known, captured, names, status, code, reason), proof)
    if requests is None:
        have = [
            repr(str(one))
            for one in EventKind
            if make(_told(one, captured, names, None, None, None), proof) is not None
        ]
        raise ValueError(
            f"outbox.event({kind!r}, ...): {endpoint.provider} has no such event. Write one of"
            f" {', '.join(have)}."
        )
    heard: list[Event] = []

    def note(sender: App, event: Event) -> None:
        heard.append(event)

    with message_event.connected_to(note, sender=mine.app):
        for request in requests:
            _post(mine, account, request)
    return heard


def _told(
    kind: EventKind,
    captured: Captured,
    recipients: list[str],
    status: str | None,
    code: int | None,
    reason: str | None,
) -> Told:
    said = said_of(kind, status, code, reason)
    if said is None and (status, code) != (None, None):
        raise ValueError(f"The event {str(kind)!r} has no status and no code: leave them out.")
    message = captured.message
    list_name = message.unsubscribe if isinstance(message, Message) else None
    return Told(
        kind=kind,
        recipients=tuple(recipients),
        sender=str.__str__(captured.from_addr),
        subject=captured.subject,
        message_id=captured.message_id,
        provider_id=str(uuid.uuid4()),
        list_name=list_name or "",
        tags=captured.tags,
        given=captured.metadata,
        status=said.status if said else "",
        code=said.code if said else None,
        reason=said.reason if said else reason or _REASONS.get(kind, ""),
        time=datetime.datetime.now(datetime.UTC),
    )


def _proof(mine: Posting, account: Account, endpoint: Endpoint) -> Proof:
    trusted: dict[str, t.Any] = mine.scope.setdefault(TRUSTED, {})
    return Proof(
        key=endpoint.key,
        topics=endpoint.topics,
        trust=trusted.__setitem__,
        account=account.name,
    )


def _post(mine: Posting, account: Account, request: Posted) -> None:
    base = mine.settings.base_url
    before = "http://localhost/" if base is None else base.url
    response = mine.framework.post_octets(
        mine.app, before, path_of(account), request.body, request.headers
    )
    if response.status_code != 200:
        to = f", to {response.location}" if response.location else ""
        raise AssertionError(
            f"The webhook got {response.status}{to}. A provider needs 200, without a login or a"
            " redirect."
        )
