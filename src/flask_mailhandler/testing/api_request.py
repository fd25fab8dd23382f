"""The requests that the API of a provider would get for a captured message."""

from __future__ import annotations

import dataclasses
import functools
import json
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator

from ..report import Job
from ..secret import Secret

if t.TYPE_CHECKING:
    from ..envelope import Envelope
    from ..net.http.request import Request


class Provider(t.Protocol):
    """The handler of a provider's API."""

    def batches(self, job: Job) -> Iterable[Envelope]:
        """Return the envelopes of a job's requests."""
        ...

    def request(self, job: Job) -> Request:
        """Return the request for a job."""
        ...


@dataclasses.dataclass(frozen=True)
class APIRequest:
    """A request that an API would get, without its header fields, which hold the key."""

    method: str
    url: str
    body: bytes = dataclasses.field(repr=False)

    @functools.cached_property
    def json(self) -> t.Any:
        """The body, read as JSON.

        :raises ValueError: if it is something else, such as the octets of a message.
        """
        return json.loads(self.body)


def requests_of(provider: Provider, job: Job) -> Iterator[APIRequest]:
    """Yield the requests with which a provider's handler would send a job."""
    for envelope in provider.batches(job):
        request = provider.request(dataclasses.replace(job, envelope=envelope))
        body = b"".join(Secret(piece).octets() for piece in request.pieces())
        yield APIRequest(request.method, request.url.geturl(), body)
