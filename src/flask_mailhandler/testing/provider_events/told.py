"""What happened to a message, and the requests that say so."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import typing as t
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

from ...events.kinds import EventKind
from ...events.webhooks.own_ids import A_TAG
from ...events.webhooks.own_ids import IN_BASE64
from ...events.webhooks.own_ids import own_ids
from ...frozen import Frozen
from ...secret import Secret

URL = "https://example.com/followed"
"""The link of an event that has one."""


class Told(Frozen):
    """What happened to a message, for some of its recipients."""

    kind: EventKind
    recipients: tuple[str, ...]
    sender: str
    subject: str
    message_id: str
    provider_id: str
    """The id that the provider has given to the message."""
    list_name: str
    """``unsubscribe=`` of the message, or ""."""
    tags: tuple[str, ...]
    given: Mapping[str, str]
    """The ``metadata=`` of the message."""
    status: str
    """The enhanced code, or ""."""
    code: int | None
    reason: str
    time: datetime.datetime

    @property
    def diagnostic(self) -> str:
        """What the recipient's server said, with its codes."""
        return " ".join(filter(None, (str(self.code or ""), self.status, self.reason)))

    def metadata(self, *, plain: bool = True) -> dict[str, str]:
        """Return the metadata of the message, and what was sent along; see :func:`.own_ids`."""
        takes = str.isascii if plain else IN_BASE64.fullmatch
        return {**self.given, **own_ids(self.message_id, self.list_name, takes)}

    def pairs(self) -> dict[str, str]:
        """Return tags and metadata for a provider that has one list for both."""
        return {**dict.fromkeys(self.tags, A_TAG), **self.given}

    @property
    def iso(self) -> str:
        """The time as JSON has it."""
        return self.time.isoformat().replace("+00:00", "Z")

    def to(self, recipient: str) -> Told:
        """Return what happened for one of the recipients."""
        return dataclasses.replace(self, recipients=(recipient,))


class Posted(t.NamedTuple):
    """A request of a provider."""

    headers: Mapping[str, str]
    body: bytes


class Proof(Frozen):
    """What proves a request to the app."""

    key: Secret | None
    topics: tuple[str, ...] = ()
    trust: Callable[[str, t.Any], None] = lambda name, value: None
    """Lets the app trust a certificate, or another key, while the mail is captured. The real one is
    the provider's secret."""
    account: str = "default"

    @property
    def login(self) -> dict[str, str]:
        """The header field with basic authentication, if the app has set it."""
        if self.key is None:
            return {}
        return {"Authorization": f"Basic {base64.b64encode(self.key.octets()).decode()}"}


Maker: t.TypeAlias = Callable[[Told, Proof], "Sequence[Posted] | None"]
"""Returns the requests of a provider; None if it has no event of this kind."""
