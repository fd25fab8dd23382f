"""What the fakes have in common.

Each checks the fields of a request, keeps what it takes, and can be told to behave badly: it has a
*manner* for each of the next requests, after which it behaves well.
"""

from __future__ import annotations

import collections
import email
import email.policy
import email.utils
import typing as t

from ..http_server import CLOSE
from ..http_server import HTTPRequest
from ..http_server import HTTPServer
from ..http_server import page

if t.TYPE_CHECKING:
    from ..http_server import Said

Manner: t.TypeAlias = "t.Callable[[FakeProvider, HTTPRequest], Said | list[Said]]"


def taken_and(said: Said) -> Manner:
    """Take the message, but answer something else."""

    def manner(fake: FakeProvider, request: HTTPRequest) -> Said:
        fake.take(request)
        return said

    return manner


def not_taken_and(said: Said) -> Manner:
    """Answer, without taking the message."""
    return lambda fake, request: said


LOST: Manner = taken_and(CLOSE)
"""Take the message, and close without an answer."""
DROPPED: Manner = not_taken_and(CLOSE)
"""Close without an answer, and without taking the message."""


class Mail(t.NamedTuple):
    """A message that a fake has taken."""

    recipients: tuple[str, ...]
    subject: str
    fields: dict[str, t.Any]


class FakeProvider(HTTPServer):
    """A provider.

    :param manners: For the next requests, in order.
    :param given: As for :class:`.HTTPServer`.
    """

    path = ""
    content_type = "application/json"
    key = "k3y-0f-the-shop"

    def __init__(self, *manners: Manner, **given: t.Any) -> None:
        super().__init__(self._said, **given)
        self.manners = collections.deque(manners)
        self.taken: list[Mail] = []
        """Each message that would have been delivered."""
        self.faults: list[str] = []
        """What was wrong with requests."""

    @property
    def mail_url(self) -> str:
        """The MAIL_URL with which an app sends here."""
        raise NotImplementedError

    def take(self, request: HTTPRequest) -> bytes:
        """Check a request and take its message. Return the answer."""
        raise NotImplementedError

    def fault(self, text: str) -> None:
        """Note what is wrong with a request."""
        self.faults.append(text)

    def _said(self, request: HTTPRequest) -> Said | list[Said]:
        if (request.method, request.target) != ("POST", self.path):
            self.fault(f"{request.method} {request.target}")
            return page(404)
        if request.headers.get("content-type", "").partition(";")[0] != self.content_type:
            self.fault("Content-Type")
        if self.manners:
            return self.manners.popleft()(self, request)
        return self.take(request)


def mailboxes(value: t.Any) -> tuple[str, ...]:
    """Return the addresses of a field, which is a text or a list of texts."""
    # Newer Pythons find an empty address in "".
    given = [value] if value and isinstance(value, str) else value or []
    found = email.utils.getaddresses(given)
    assert all("@" in address for _, address in found), value
    return tuple(address for _, address in found)
