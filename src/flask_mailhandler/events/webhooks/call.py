"""A request of a provider, and what proves its source."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Mapping

from ...frozen import Frozen
from ...frozen import FrozenMapping
from ...secret import Secret

MAX_OCTETS = 1 << 20
"""The largest body that is read."""


class Call(Frozen):
    """A POST that had the secret of the account in its URL."""

    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes
    now: float
    """Seconds since 1970."""
    key: Secret | None = None
    """What proves that the provider sent it: ``MAIL_WEBHOOK_KEY``."""
    topics: tuple[str, ...] = ()
    """The topics of Amazon SNS that the app listens to."""
    kept: float = 30 * 86400.0
    """Seconds for which an event is stored. An older one could be told a second time."""
    fetch: Callable[[str], bytes] | None = None
    """Returns what an ``https`` URL has; see :mod:`.sns`."""

    def check_age(self, sent: float, most: float, ahead: float = 300.0) -> None:
        """Check the time that a signature covers.

        :param sent: Seconds since 1970.
        :param most: How many seconds it may be old.
        :param ahead: How many seconds the provider's clock may be ahead of ours.
        :raises WebhookError: if it is too old, or in the future.
        """
        age = self.now - sent
        if not -ahead <= age <= min(most, self.kept):
            when = "old" if age > 0 else "in the future"
            raise WebhookError(f"its signature is {abs(age):.0f} s {when}: check the clock")


class WebhookError(Exception):
    """A request cannot be used.

    :param reason: In our own words, without anything that was received.
    :param status: What the provider is answered. It sends a request again after most of them.
    :param headers: Header fields of the answer.
    """

    def __init__(
        self, reason: str, status: int = 401, headers: Mapping[str, str] = FrozenMapping({})
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers


def unreadable(reason: str) -> WebhookError:
    """Return the error for a body that is not what the provider's documentation says."""
    return WebhookError(reason, 400)


class Format(t.Protocol):
    """The webhooks of one provider: a module of this folder."""

    def missing(self, key: Secret | None, topics: tuple[str, ...]) -> str:
        """Return what the configuration lacks to prove a request, or "".

        :param key: ``MAIL_WEBHOOK_KEY``.
        :param topics: ``MAIL_WEBHOOK_TOPICS``.
        """
        ...

    def read(self, call: Call) -> list[t.Any]:
        """Return the events of a request, after its source is proven.

        :raises WebhookError: if it is not, or if the body cannot be read.
        """
        ...
