"""The options of every provider that takes mail by an HTTP API, and how its jobs are sent."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import hmac
import typing as t
import urllib.parse
from collections.abc import Iterable
from collections.abc import Iterator
from email.message import Message as MIMEMessage

from ...config import Option
from ...config import URL
from ...errors import ConfigurationError
from ...errors import MessageError
from ...net.deadline import Deadline
from ...phase import State
from ...report import About
from ...report import conclude
from ...report import ConnectError
from ...report import DeferredError
from ...report import FAILURES
from ...report import Job
from ...report import LoginError
from ...report import Observe
from ...report import Outcome
from ...report import Report
from ...report import TLSError
from ...secret import Secret
from ..configured import Options
from ..connecting import Connecting
from ..tls_context import TLSContext
from . import verdict as verdicts
from .hearing import tell
from .readers import read_key
from .readers import read_url
from .spelling import Spelling
from .verdict import Verdict

if t.TYPE_CHECKING:
    from ...content import Content
    from ...envelope import Envelope
    from ...message.message import Message
    from ...net.http.pool import Pool
    from ...net.http.request import Request
    from ...net.http.response import Response

# A second more for so many octets, as with SMTP.
_OCTETS_PER_SECOND = 100_000
# The most characters of a provider's text in an outcome.
_SHOWN = 300


class APIEmailHandler(Connecting, metaclass=Options, abstract=True):
    """Sends by the HTTP API of a provider.

    A provider writes :meth:`request`, :meth:`judge` and its limits. The options of a message that
    the provider decides itself have no effect: the DKIM signature, and delivery notifications.
    """

    api_key: Option[str | Secret | None, Secret | None] = Option(read_key, None)
    """The key, or token, of the provider's API."""
    api_url: Option[str | None, str | None] = Option(read_url, None)
    """The URL of the API, instead of the provider's own; for a proxy of yours, or a test."""

    provider: t.ClassVar[str]
    """Its name, for texts."""
    home: t.ClassVar[str] = ""
    """The URL of its own API, if it has one for all accounts."""
    spelling: t.ClassVar[Spelling | None] = None
    """What tags, metadata, tracking and streams of a message become. Without it, the provider has
    none of them."""
    example: t.ClassVar[str] = ""
    """A MAIL_URL, for texts, if it is not like ``scheme://KEY@default``."""
    most_octets: t.ClassVar[int]
    """The largest message, in octets as SMTP would send them."""
    most_recipients: t.ClassVar[int]
    """The most recipients of one request."""

    def request(self, job: Job) -> Request:
        """Return the request that sends a job to all of its recipients.

        :raises MessageError: if a file has changed since it was attached.
        :raises LoginError: if there are no credentials now.
        """
        raise NotImplementedError

    def judge(self, response: Response, job: Job) -> Verdict:
        """Return what a response means."""
        raise NotImplementedError

    def batches(self, job: Job) -> Iterator[Envelope]:
        """Return the envelopes of a job's requests."""
        return job.envelope.batches(self.most_recipients)

    def __post_init__(self) -> None:
        if self.api_key is None:
            example = self.example or f"{self.provider.lower()}://KEY@default"
            raise ConfigurationError(
                f"MAIL_API_KEY is not set: {self.provider} needs the key of its API. Set it, or"
                f" write MAIL_URL = '{example}'."
            )
        self.make_ready()

    def make_ready(self) -> None:
        """Check the options of TLS, and load what sends: an app that is registered makes its
        handler, so that no request and no thread loads a module.

        :raises ConfigurationError: if they do not go together, or the file cannot be read.
        """
        if self.tls_context and self.tls_ca_file:
            raise ConfigurationError(
                "MAIL_TLS_CONTEXT is a complete context: load MAIL_TLS_CA_FILE into it yourself."
            )
        self.check_files("tls_ca_file")
        from ...events.webhooks import own_ids  # noqa: F401
        from ...net import masking  # noqa: F401
        from ...net.http import pool  # noqa: F401

    @classmethod
    def options_of_url(cls, url: URL) -> dict[str, object]:
        """Read ``scheme://KEY@default``."""
        if url.host != "default" or url.port or url.password or url.path.strip("/"):
            raise ConfigurationError(
                f"{url.setting} must be like '{url.scheme}://KEY@default', and only a query may"
                " follow it."
            )
        return {"api_key": url.username}

    @property
    def base_url(self) -> str:
        """The URL of the API that is used, without a path: MAIL_API_URL, or the provider's own."""
        return self.api_url or self.home

    def url(self, path: str) -> urllib.parse.SplitResult:
        """Return the URL of a path of the API."""
        return urllib.parse.urlsplit(self.base_url + path)

    @property
    def pool(self) -> Pool:
        """The connections."""
        from ...net.http.pool import Pool

        # No cached_property: see SMTPEmailHandler.pool.
        kept = vars(self)
        if (known := kept.get("_pool")) is None:
            context = TLSContext(self.tls_context, self.tls_ca_file, None, None)
            made = Pool(context, self.pool_size, self.pool_idle, self.connect_timeout)
            known = kept.setdefault("_pool", made)
        return t.cast("Pool", known)

    def close(self) -> None:
        """Close the idle connections. The handler may be used again."""
        if "_pool" in vars(self):
            self.pool.close()

    def seal(self, content: Content) -> Content:
        """Return the content itself: the provider signs, and would break a signature of ours."""
        return content

    def check(self, job: Job) -> None:
        """Check that the provider can send a message as it is written."""
        if not isinstance(job.message, MIMEMessage):
            self.spelled.check(job.message)
        if job.content.size > self.most_octets:
            raise MessageError(
                f"The message has {job.content.size} octets, and {self.provider} takes at most"
                f" {self.most_octets}: link to large files instead of attaching them."
            )
        if job.content.smtputf8 or not "".join(job.envelope.recipients).isascii():
            raise MessageError(
                f"The message has an address with letters beyond ASCII before the @, which"
                f" {self.provider} does not take: send it through an SMTP server with SMTPUTF8."
            )

    @property
    def spelled(self) -> Spelling:
        """What tags, metadata, tracking and streams of a message become."""
        return self.spelling or Spelling(name=self.provider.lower(), provider=self.provider)

    def refuse_envelope_sender(self, message: Message | MIMEMessage) -> None:
        """Refuse a message that names its own envelope sender, if the provider takes none."""
        if isinstance(message, MIMEMessage):
            return
        if message.envelope_sender is not None and message.envelope_sender != message.from_addr:
            raise MessageError(
                f"{self.provider} takes no envelope_sender=, because it receives the bounces"
                " itself: leave it out."
            )

    def refuse_many(self, job: Job) -> None:
        """Refuse a message with more recipients than fit in one request."""
        if len(job.envelope.recipients) > self.most_recipients:
            raise MessageError(
                f"The message has {len(job.envelope.recipients)} recipients, and {self.provider}"
                f" takes at most {self.most_recipients}: send one message to each."
            )

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        """Send the jobs, each in a request of its own."""
        stopped: DeferredError | None = None
        for job in jobs:
            if stopped is not None:
                yield _not_tried(job, stopped)
                continue
            report = self._report(job, observe)
            error = report.error
            if isinstance(error, DeferredError) and (
                error.retry_after is not None
                or isinstance(error, ConnectError | TLSError | LoginError)
            ):
                stopped = error
            yield report

    def _report(self, job: Job, observe: Observe) -> Report:
        """Send one job, in batches if it has more recipients than a request may have."""
        given = self.timeout if job.timeout is None else job.timeout
        deadline = Deadline(given + job.content.size / _OCTETS_PER_SECOND)
        began = datetime.datetime.now(datetime.UTC)
        outcomes: list[Outcome] = []
        failed: list[Verdict] = []
        for envelope in self.batches(job):
            if failed and failed[-1].state is not State.REFUSED:
                text = "not tried, because an earlier batch was not accepted"
                found = Verdict(state=State.DEFERRED, text=text, about=About.ACCOUNT)
            else:
                found = self._send(dataclasses.replace(job, envelope=envelope), deadline, observe)
            outcomes += found.outcomes(envelope.recipients)
            if found.state is not State.ACCEPTED:
                failed.append(found)
        until = None
        if self.repeatable is not None and any(one.perhaps_taken for one in failed):
            until = began + datetime.timedelta(seconds=self.repeatable)
        failed.sort(key=lambda one: [*FAILURES].index(one.state))
        error = failed[0].error(self.provider) if failed else None
        return conclude(job, outcomes, error, safe_until=until)

    def _send(self, job: Job, deadline: Deadline, observe: Observe) -> Verdict:
        try:
            return self._exchange(job, deadline, observe)
        except MessageError as error:  # a file has changed, perhaps while it was being sent
            return Verdict(state=State.REFUSED, text=str(error))
        except LoginError as error:
            return verdicts.no_login(error)

    def _exchange(self, job: Job, deadline: Deadline, observe: Observe) -> Verdict:
        """Make the request, send it, and send it again if the provider recognizes the repeat."""
        request = self.request(job)
        found = self._attempt(request, job, deadline, observe)
        lost = found.perhaps_taken and found.code is None
        if not lost or not deadline.remaining():
            return found
        # The provider recognizes the repeat. Whatever becomes of it, the first may have been taken:
        # what refuses may be in front of the provider.
        repeat = dataclasses.replace(job, repeats=True)
        again = self._attempt(request, repeat, deadline, observe)
        if again.state is State.REFUSED:
            return dataclasses.replace(again, state=State.UNKNOWN)
        deferred = again.state is State.DEFERRED
        return dataclasses.replace(again, perhaps_taken=True) if deferred else again

    def _attempt(self, request: Request, job: Job, deadline: Deadline, observe: Observe) -> Verdict:
        from ...net.http.exchange import NoResponseError

        try:
            response = self.pool.send(request, deadline, step=lambda phase: observe(phase, job))
        except NoResponseError as error:
            return verdicts.of_silence(error, repeatable=self.repeatable is not None)
        tell(request, response)
        return self.judge(response, job)

    def known_by(self, message_id: str) -> str:
        """Return what names the account that recognizes a repeat: by another key, it may be
        another account. The digest is another one for each message, and does not show the key."""
        name = super().known_by(message_id)
        if not name or self.api_key is None:
            return name
        digest = hmac.digest(self.api_key.octets(), message_id.encode(), "sha256")
        return f"{name} {digest.hex()[:16]}"

    def secrets(self) -> Iterable[Secret]:
        """Return the secrets that the provider may repeat."""
        return [self.api_key] if self.api_key else []

    def own_ids(self, job: Job) -> dict[str, str]:
        """Return the metadata by which a webhook names our message. Without webhooks there is
        none."""
        if self.webhook_secret is None:
            return {}
        message = job.message
        list_name = None if isinstance(message, MIMEMessage) else message.unsubscribe
        return self.spelled.own_ids(job.message_id, list_name)

    def shown(self, text: str) -> str:
        """Return a text of the provider in one line that is safe to show."""
        from ...net.masking import Echoes
        from ...net.quoting import escape

        line = " ".join(text.split())
        known = Echoes(self.secrets())
        (found,) = known.hide([escape(line.encode(errors="backslashreplace"))])
        return found[:_SHOWN]


def _not_tried(job: Job, error: DeferredError) -> Report:
    """Report on a message that would fail as the one before it."""
    # Each report has its own error, because the error holds the report.
    own = copy.copy(error)
    outcomes = [
        Outcome(recipient, State.DEFERRED, text=str(error), about=About.ACCOUNT)
        for recipient in job.envelope.recipients
    ]
    return conclude(job, outcomes, own)
