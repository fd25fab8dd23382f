"""The meaning of a response, or of none, for the recipients.

=====================  ============  ==========================================================
the server             state
=====================  ============  ==========================================================
cannot have all of it  deferred      the connection broke before the end of data
408, 425, 429, 503     deferred      429 and 503: the account rests, as long as Retry-After says
503 of a gateway       unknown       without the provider's text and without Retry-After
401, 403               deferred      a :class:`.LoginError`: the account rests
402                    deferred      the account rests for an hour
3xx, other 4xx         refused       3xx, 404, 405, 407 and 410: it is about the account
other 5xx, or none     unknown       the message may have been taken
2xx                    accepted      in the provider's own form only; unknown in any other
=====================  ============  ==========================================================

A gateway answers 503 too if the server closed the connection after it got the request: Envoy does
(https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage, UC and
UR).

If the provider recognizes a repeat, *unknown* becomes *deferred*, and repeating is safe for a
while.
"""

from __future__ import annotations

import datetime
import json
import re
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator

from ...address import Address
from ...frozen import Frozen
from ...net.quoting import escape
from ...phase import Phase
from ...phase import State
from ...report import About
from ...report import ConnectError
from ...report import DeferredError
from ...report import DeliveryError
from ...report import FAILURES
from ...report import LoginError
from ...report import Outcome
from ...report import TLSError

if t.TYPE_CHECKING:
    from ...net.http.exchange import NoResponseError
    from ...net.http.response import Response

LONGEST_REST = 3600.0
"""The most seconds that a server's Retry-After counts for."""
THE_KEY = "the key of the account"
"""What to check if a login is refused."""
_LONGEST = 16_384
"""The most characters that are read of a text: patterns are searched in it."""
_LONGEST_ID = 500
_LATER = (408, 425, 429, 503)
_RESTS = (429, 503)
_OF_ACCOUNT = {
    404: "it has nothing at this URL. Check MAIL_API_URL",
    405: "it takes no POST at this URL. Check MAIL_API_URL",
    407: "a proxy wants a login",
    410: "it has nothing at this URL any more. Check MAIL_API_URL",
}
"""What never depends on a message, and what it says if the provider does not."""
_NO_SESSION: dict[Phase, type[DeferredError]] = {Phase.CONNECT: ConnectError, Phase.TLS: TLSError}


class Verdict(Frozen):
    """The outcome of one request."""

    state: State
    text: str = ""
    """The provider's text, made safe to show, or our own reason."""
    code: int | None = None
    """The HTTP status, if the provider has answered."""
    about: About = About.CONTENT
    provider_id: str = ""
    kind: type[DeliveryError] | None = None
    """The class of the error, if the state alone does not say it."""
    phase: Phase = Phase.END_OF_DATA
    temporary: bool | None = None
    retry_after: float | None = None
    """Seconds for which the account should rest."""
    perhaps_taken: bool = False
    """Whether a deferred message may have been taken, so that a repeat must be recognized."""
    refused: frozenset[str] = frozenset()
    """Recipients that were refused, although others were accepted."""

    def outcomes(self, recipients: Iterable[Address]) -> Iterator[Outcome]:
        """Yield the outcome of each recipient."""
        # A database does not take every text that JSON can hold.
        known = escape(self.provider_id.encode(errors="backslashreplace"))[:_LONGEST_ID]
        for recipient in recipients:
            if str.__str__(recipient).lower() in self.refused:
                yield Outcome(recipient, State.REFUSED, self.code, None, self.text)
            elif self.state is State.ACCEPTED:
                yield Outcome(recipient, State.ACCEPTED, self.code, provider_id=known)
            else:
                yield Outcome(recipient, self.state, self.code, None, self.text, self.about)

    def error(self, provider: str) -> DeliveryError:
        """Return the error of a report on recipients that were not accepted."""
        said = " ".join(filter(None, (str(self.code or ""), self.text))).rstrip(".")
        hint = ""
        if self.state is State.UNKNOWN:
            hint = " It may have arrived: sending it again may double it."
        kind = self.kind or FAILURES[self.state]
        error = kind(f"{provider}: {said}.{hint}", phase=self.phase)
        if self.temporary is not None:
            error.temporary = self.temporary
        if isinstance(error, DeferredError):
            error.retry_after = self.retry_after
        return error


def of_response(response: Response, text: str, *, repeatable: bool = False) -> Verdict:
    """Judge a response by its status alone.

    :param repeatable: Whether the provider recognizes a repeat.
    """
    status = response.status
    if status in (401, 403):
        return login_refused(response, text)
    explained = text or "retry-after" in response.headers
    of_gateway = status == 503 and response.whole and not explained
    if status in _LATER and not of_gateway:
        return later(response, text)
    if 300 <= status < 400:
        text = "it redirects to another URL, to which no key is sent. Check MAIL_API_URL"
        return Verdict(state=State.REFUSED, text=text, code=status, about=About.ACCOUNT)
    if status == 402:
        return later(response, text or "it wants to be paid", LONGEST_REST)
    if status in _OF_ACCOUNT:
        said = text or _OF_ACCOUNT[status]
        return Verdict(state=State.REFUSED, text=said, code=status, about=About.ACCOUNT)
    if 400 <= status < 500:
        return Verdict(state=State.REFUSED, text=text, code=status)
    if not response.whole:
        return later(response, text)
    return unknown(text or "the response is not one of its API", status, repeatable=repeatable)


def later(response: Response, text: str, retry_after: float | None = None) -> Verdict:
    """Return the verdict on a message that was not taken now."""
    if retry_after is None and response.status in _RESTS:
        retry_after = seconds_of(response.headers.get("retry-after", ""))
    phase = Phase.END_OF_DATA if response.whole else Phase.CONTENT
    return Verdict(
        state=State.DEFERRED,
        text=text,
        code=response.status,
        about=About.ACCOUNT,
        phase=phase,
        retry_after=retry_after,
    )


def login_refused(response: Response, text: str, check: str = THE_KEY) -> Verdict:
    """Return the verdict on a key that is wrong, or may not send.

    :param check: What to check.
    """
    return Verdict(
        state=State.DEFERRED,
        text=f"{text.rstrip('.') or 'the key was refused'}. Check {check}",
        code=response.status,
        about=About.ACCOUNT,
        kind=LoginError,
        phase=Phase.AUTH,
        temporary=False,
    )


def no_login(error: LoginError) -> Verdict:
    """Return the verdict on a request that could not be made."""
    return Verdict(
        state=State.DEFERRED,
        text=str(error).rstrip("."),
        about=About.ACCOUNT,
        kind=LoginError,
        phase=Phase.AUTH,
        temporary=error.temporary,
    )


def unknown(text: str, code: int | None = None, *, repeatable: bool = False) -> Verdict:
    """Return the verdict on a message that may have been taken."""
    state = State.DEFERRED if repeatable else State.UNKNOWN
    return Verdict(state=state, text=text, code=code, about=About.ACCOUNT, perhaps_taken=repeatable)


def of_silence(error: NoResponseError, *, repeatable: bool = False) -> Verdict:
    """Judge a request without a response."""
    text = str(error).rstrip(".")
    if error.perhaps_taken:
        return unknown(text, repeatable=repeatable)
    if error.phase is Phase.CONNECT:
        text = f"no connection to its API: {text}"
    return Verdict(
        state=State.DEFERRED,
        text=text,
        about=About.ACCOUNT,
        kind=_NO_SESSION.get(error.phase),
        phase=error.phase,
        temporary=error.temporary,
    )


def json_of(response: Response) -> dict[str, t.Any]:
    """Return the JSON object of a response; empty if it is anything else."""
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def text_in(found: dict[str, t.Any], *names: str) -> str:
    """Return the beginning of the first of these fields that is a text; "" if none is."""
    texts = (value for name in names if isinstance(value := found.get(name), str))
    return next(texts, "")[:_LONGEST]


def seconds_of(retry_after: str) -> float:
    """Read Retry-After (RFC 9110 section 10.2.3), seconds or a date; 0 if it says neither."""
    if re.fullmatch("[0-9]+", retry_after.strip()):
        return min(float(retry_after), LONGEST_REST)  # of too many digits, float makes infinity
    import email.utils

    try:
        at = email.utils.parsedate_to_datetime(retry_after)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    now = datetime.datetime.now(datetime.UTC)
    at = at if at.tzinfo else at.replace(tzinfo=datetime.UTC)
    return min(max((at - now).total_seconds(), 0.0), LONGEST_REST)
