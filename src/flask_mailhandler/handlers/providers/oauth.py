"""Providers that send as a person's mailbox does: with an access token, to those in the header."""

from __future__ import annotations

import collections
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

from ... import config
from ...config import Option
from ...errors import ConfigurationError
from ...net.deadline import Deadline
from ...report import Job
from ...report import Observe
from ...secret import Secret
from ..configured import Options
from .addressed import addressed
from .api import APIEmailHandler
from .readers import read_key
from .verdict import Verdict

if t.TYPE_CHECKING:
    from ...content import Content
    from ...net.http.request import Request

_HEADERS = {"User-Agent": "Flask-MailHandler"}
THE_TOKEN = "MAIL_OAUTH_TOKEN, the access token"
"""What to check if a token is refused."""
# The provider may repeat any that was sent a moment ago, by another thread too.
_KEPT = 4


def _token(value: object, name: str) -> Secret | Callable[[], str]:
    found = config.token(value, name)
    return read_key(found, name) if isinstance(found, Secret) else found


class OAuthEmailHandler(APIEmailHandler, metaclass=Options, abstract=True):
    """Sends octets by an API that takes an access token, and the recipients from the header."""

    oauth_token: Option[
        str | Secret | Callable[[], str] | None, Secret | Callable[[], str] | None
    ] = Option(_token, None)
    """An OAuth access token, or a callable that returns one."""

    tokens: t.ClassVar[str]
    """What makes tokens, for an error."""

    def authorized(self, content: Content, headers: Mapping[str, str | Secret]) -> Request:
        """Return the request that sends octets.

        :param headers: The header fields that every request has.
        """
        raise NotImplementedError

    def __post_init__(self) -> None:
        if self.oauth_token is None:
            raise ConfigurationError(
                f"MAIL_OAUTH_TOKEN is not set: {self.provider} needs an access token, or a function"
                f" that returns one, such as {self.tokens}."
            )
        if self.api_key is not None:
            raise ConfigurationError(
                f"MAIL_API_KEY is set, and {self.provider} takes no key: set MAIL_OAUTH_TOKEN."
            )
        self.make_ready()

    def make_ready(self) -> None:
        """Check the options of TLS, and load what sends."""
        super().make_ready()
        from ...mime.stdlib import address_list  # noqa: F401
        from ...mime.stdlib import header  # noqa: F401
        from ...net.oauth import current  # noqa: F401

    def check(self, job: Job) -> None:
        """Check that the provider can send a message as it is written."""
        super().check(job)
        self.refuse_envelope_sender(job.message)
        self.refuse_many(job)
        addressed(job)

    def request(self, job: Job) -> Request:
        """Return the request for a job, to show it: without a token, which a test may lack."""
        return self.authorized(addressed(job), _HEADERS)

    def secrets(self) -> Iterable[Secret]:
        """Return the secrets that the provider may repeat."""
        return [*self._sent]

    def _exchange(self, job: Job, deadline: Deadline, observe: Observe) -> Verdict:
        """Send the request, and once more with another token if this one was refused: the provider
        has taken nothing then."""
        from ...net.oauth.current import another

        token = self._current()
        found = self._attempt(self._request(job, token), job, deadline, observe)
        if found.code != 401 or not deadline.remaining():
            return found
        assert self.oauth_token is not None
        fresh = another(self.oauth_token, token, f"No login at {self.provider}")
        if fresh is None:
            return found
        return self._attempt(self._request(job, fresh), job, deadline, observe)

    def _current(self) -> Secret:
        from ...net.oauth.current import current

        assert self.oauth_token is not None
        return current(self.oauth_token, f"No login at {self.provider}")

    def _request(self, job: Job, token: Secret) -> Request:
        # In a copy: another thread may add one while they are compared.
        if token not in [*self._sent]:
            self._sent.append(token)
        bearer = Secret(b"Bearer " + token.octets())
        return self.authorized(addressed(job), {**_HEADERS, "Authorization": bearer})

    @property
    def _sent(self) -> collections.deque[Secret]:
        """The tokens that were sent."""
        kept = vars(self).setdefault("_kept", collections.deque(maxlen=_KEPT))
        return t.cast("collections.deque[Secret]", kept)
