"""Sends by the API of Amazon SES, version 2.

Written from its documentation (https://docs.aws.amazon.com/ses/latest/APIReference-V2) and the
service model of botocore 1.44, not tried against a live account.
"""

from __future__ import annotations

import base64
import datetime
import email.utils
import functools
import importlib.util
import json
import re
import typing as t
from collections.abc import Callable
from email.message import Message as MIMEMessage

from ... import config
from ...config import Option
from ...config import URL
from ...errors import ConfigurationError
from ...errors import MessageError
from ...phase import Phase
from ...phase import State
from ...report import About
from ...report import Job
from ...report import LoginError
from ...secret import Secret
from . import verdict as verdicts
from .api import APIEmailHandler
from .readers import read_region
from .sigv4 import Credentials
from .spelling import Spelling
from .spellings import SES
from .verdict import Verdict

if t.TYPE_CHECKING:
    from ...net.http.request import Request
    from ...net.http.response import Response

Given: t.TypeAlias = "Callable[[], tuple[str, str, str | None]]"
_PATH = "/v2/email/outbound-emails"
_DOMAINS = {"cn": "amazonaws.com.cn", "eusc": "amazonaws.eu"}
"""Of regions in China, and in the sovereign cloud of Europe."""
_ACCOUNT_RESTS = {"SendingPausedException", "AccountSuspendedException", "LimitExceededException"}
_THROTTLED = {"TooManyRequestsException", "ThrottlingException"}
# Errors of every AWS service that say nothing of the message. Some have the status 400:
# https://docs.aws.amazon.com/emr/latest/APIReference/CommonErrors.html
_LOGIN = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "NotAuthorized",
    "OptInRequired",
    "RequestExpired",
    "UnrecognizedClientException",
}
_WRONG_CLOCK = r"\bRequestExpired\b|\bSignature (?:expired|not yet current)\b"
_OF_SENDER = {"MailFromDomainNotVerifiedException"}
_UNVERIFIED = r"\bnot verified\b"


def _credentials(value: object, name: str) -> Given:
    if not callable(value):
        raise ConfigurationError(
            f"{name} must be a function that returns the access key ID, the secret access key, and"
            " the session token or None."
        )
    return t.cast("Given", value)


class SESEmailHandler(APIEmailHandler):
    """Sends by the API of Amazon SES.

    .. code-block:: python

        app.config["MAIL_URL"] = "ses://AKIA123:secret@eu-west-1"

    Without keys, the credentials come from ``api_credentials``, or from botocore if it is
    installed.

    :raises ConfigurationError: for a wrong value, naming the argument.
    """

    api_secret: Option[str | Secret | None, Secret | None] = Option(config.secret, None)
    """The secret access key; the access key ID is the ``api_key``."""
    api_credentials: Option[Given | None, Given | None] = Option(_credentials, None)
    """A function that returns the access key ID, the secret access key, and the session token or
    None. It is called for each request, so it should keep them while they are valid. If it cannot
    get them, it may raise a :class:`.LoginError` that says why."""
    region: Option[str | None, str | None] = Option(read_region, None)
    """The region of the service, such as ``eu-west-1``."""
    configuration_set: Option[str | None, str | None] = Option(config.text, None)
    """The configuration set to send with."""

    provider = "Amazon SES"
    spelling: t.ClassVar[Spelling | None] = SES
    most_octets = 40_000_000
    most_recipients = 50

    def __post_init__(self) -> None:
        if self.region is None or "-" not in self.region:
            raise ConfigurationError(
                "MAIL_REGION is not a region of Amazon SES: set it to one like 'eu-west-1', or"
                " write MAIL_URL = 'ses://KEY:SECRET@eu-west-1'."
            )
        if (self.api_key is None) != (self.api_secret is None):
            raise ConfigurationError(
                "Set both MAIL_API_KEY, the access key ID, and MAIL_API_SECRET, or neither. In a"
                " URL: 'ses://KEY:SECRET@eu-west-1'."
            )
        if self.api_key is None and self.api_credentials is None and not _has_botocore():
            raise ConfigurationError(
                "Amazon SES has no credentials: set MAIL_API_KEY and MAIL_API_SECRET, or"
                " MAIL_API_CREDENTIALS, or install botocore, which finds those of this machine."
            )
        self.make_ready()

    @property
    def base_url(self) -> str:
        """The URL of the API in the region, or MAIL_API_URL."""
        partition = (self.region or "").partition("-")[0]
        domain = _DOMAINS.get(partition, "amazonaws.com")
        return self.api_url or f"https://email.{self.region}.{domain}"

    @classmethod
    def options_of_url(cls, url: URL) -> dict[str, object]:
        """Read ``ses://KEY:SECRET@eu-west-1``, or ``ses://eu-west-1`` without keys."""
        if not url.host or url.port or url.path.strip("/") or url.username == "":
            raise ConfigurationError(
                f"{url.setting} must be like 'ses://KEY:SECRET@eu-west-1', or 'ses://eu-west-1'"
                " for the credentials of this machine. Only a query may follow it. Write a '/' in"
                " the secret as %2F."
            )
        return {"api_key": url.username, "api_secret": url.password, "region": url.host}

    def check(self, job: Job) -> None:
        """Check that SES can send a message as it is written."""
        super().check(job)
        if job.content.in_seven_bits() is None:
            raise MessageError(
                "The message has 8-bit parts that must not be changed, and SES may change them:"
                " send it through an SMTP server."
            )

    def request(self, job: Job) -> Request:
        """Return the request for a job: its octets and its envelope."""
        from ...net.http.request import Request
        from .sigv4 import signed

        url, body = self.url(_PATH), _body(job, self.configuration_set)
        now = datetime.datetime.now(datetime.UTC)
        given = self._given()
        headers = signed(given, self.region or "", "ses", url.netloc, url.path, body, now)
        return Request(
            "POST", url, headers={**headers, "User-Agent": "Flask-MailHandler"}, body=body
        )

    def judge(self, response: Response, job: Job) -> Verdict:
        """Return what a response means: the type of its error, and only without one its status."""
        found = verdicts.json_of(response)
        if response.status == 200 and (known := verdicts.text_in(found, "MessageId")):
            return Verdict(state=State.ACCEPTED, code=200, provider_id=known)
        named = response.headers.get("x-amzn-errortype") or verdicts.text_in(found, "__type")
        name = named.partition(":")[0].rpartition("#")[2]
        text = self.shown(f"{name} {verdicts.text_in(found, 'message', 'Message')}".strip())
        if name in _LOGIN and response.status < 500:
            clock = re.search(_WRONG_CLOCK, text, re.I)
            check = "the clock of this machine" if clock else verdicts.THE_KEY
            return verdicts.login_refused(response, text, check)
        if name == "RequestAbortedException":  # it saw the connection break before its response
            return verdicts.unknown(text, response.status)
        if name in _THROTTLED:
            asked = verdicts.seconds_of(response.headers.get("retry-after", ""))
            return verdicts.later(response, text, asked)
        if name in _ACCOUNT_RESTS:
            return verdicts.later(response, text, 0.0)
        if name in _OF_SENDER or (response.status == 400 and re.search(_UNVERIFIED, text, re.I)):
            return Verdict(state=State.REFUSED, text=text, code=response.status, about=About.SENDER)
        return verdicts.of_response(response, text)

    def _given(self) -> Credentials:
        if self.api_key is not None and self.api_secret is not None:
            return Credentials(self.api_key.reveal(), self.api_secret)
        own = self.api_credentials or functools.partial(_of_this_machine, vars(self))
        try:
            return _checked(*own())
        except LoginError:
            raise  # it says what to do
        except Exception as error:  # from the app, or from botocore: there is no login
            by = "MAIL_API_CREDENTIALS" if self.api_credentials else "botocore"
            text = f"{by} returned no credentials ({type(error).__name__})"
        raise LoginError(text, phase=Phase.AUTH)


def _checked(key: str, secret: str, token: str | None) -> Credentials:
    given = Credentials(key, Secret(secret), Secret(token) if token else None)
    for one in (Secret(key), given.secret, given.token):
        if one is not None and not re.fullmatch(rb"[!-~]+", one.octets()):
            raise ValueError("not credentials")
    return given


def _has_botocore() -> bool:
    return importlib.util.find_spec("botocore") is not None


def _of_this_machine(kept: dict[str, t.Any]) -> tuple[str, str, str | None]:
    """Return the credentials that botocore finds: in the environment, in files, or in the metadata
    of the machine. botocore renews them.

    :raises LoginError: if it finds none; those in the metadata may be there later.
    """
    import botocore.session

    found = kept.get("_found")
    if found is None:
        found = botocore.session.Session().get_credentials()
        if found is None:
            raise LoginError(
                "botocore finds no credentials: set MAIL_API_KEY and MAIL_API_SECRET",
                phase=Phase.AUTH,
            )
        kept["_found"] = found
    frozen = found.get_frozen_credentials()
    return frozen.access_key, frozen.secret_key, frozen.token


def _from(job: Job) -> str:
    """Return the address of the From."""
    message = job.message
    if isinstance(message, MIMEMessage):
        return email.utils.parseaddr(str(message["From"]))[1]
    return str.__str__(message.from_addr or "")


def _body(job: Job, configuration_set: str | None) -> bytes:
    content = job.content.in_seven_bits() or job.content
    fields: dict[str, t.Any] = {
        "Content": {"Raw": {"Data": base64.b64encode(bytes(content)).decode()}},
        # The whole envelope: the octets are sent as they are, with the To and Cc that they have.
        "Destination": {"ToAddresses": [*map(str.__str__, job.envelope.recipients)]},
    }
    sender = str.__str__(job.envelope.sender)
    # Without it, SES sends bounces to the From. It must be a verified address, too.
    if sender and sender.lower() != _from(job).lower():
        fields["FeedbackForwardingEmailAddress"] = sender
    if configuration_set:
        fields["ConfigurationSetName"] = configuration_set
    if not isinstance(job.message, MIMEMessage):
        fields |= {name: value for name, value in SES.in_api(job.message).items() if value}
        fields = SES.with_options(fields, job.message)
    return json.dumps(fields, separators=(",", ":")).encode()
