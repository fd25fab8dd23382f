"""Sends by the API of Mailgun.

Written from its documentation (https://documentation.mailgun.com/docs/mailgun/api-reference and
.../quickstart-guide/responses), not tried against a live account.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import typing as t
import urllib.parse
from collections.abc import Iterable
from collections.abc import Iterator
from email.message import Message as MIMEMessage

from ... import config
from ...address import Address
from ...config import Option
from ...config import URL
from ...content import Content
from ...errors import ConfigurationError
from ...errors import MessageError
from ...phase import State
from ...report import About
from ...report import Job
from ...secret import Secret
from . import verdict as verdicts
from .api import APIEmailHandler
from .readers import read_region
from .spelling import Spelling
from .spellings import MAILGUN
from .spellings import mailgun_form
from .spellings import MAILGUN_NAME
from .verdict import Verdict

if t.TYPE_CHECKING:
    from ...message.message import Message
    from ...net.http.request import Request
    from ...net.http.response import Response

_HOMES = {"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
# The page, with the status 200, at a URL that is not of its API: seen by peers, not documented.
_NOT_THE_API = b"Mailgun Magnificent API"
# It may be right a moment later, because the system is "eventually consistent".
_NO_DOMAIN = r"\bdomain not found\b"
_MOST_OF_FIELDS = 16_384
"""Octets of all options, headers and variables in the form, by its documentation."""
# A key of the other region is a wrong key.
_CHECK = "the key of the account, MAIL_DOMAIN, and the region"


def _domain(value: object, name: str) -> str:
    found = config.text(value, name).strip().lower()
    if not re.fullmatch(r"([a-z0-9_-]+\.)+[a-z0-9-]+", found):
        raise ConfigurationError(
            f"{name} must be the domain that sends, like 'mg.example.com', in its ASCII form."
        )
    return found


class MailgunEmailHandler(APIEmailHandler):
    """Sends by the API of Mailgun.

    .. code-block:: python

        app.config["MAIL_URL"] = "mailgun://KEY@eu?domain=mg.example.com"

    :raises ConfigurationError: for a wrong value, naming the argument.
    """

    domain: Option[str | None, str | None] = Option(_domain, None)
    """The domain that sends, such as ``mg.example.com``."""
    region: Option[str | None, str | None] = Option(read_region, None)
    """The region of the domain, ``us`` or ``eu``. If it is left out: ``us``."""

    provider = "Mailgun"
    example = "mailgun://KEY@eu?domain=mg.example.com"
    spelling: t.ClassVar[Spelling | None] = MAILGUN
    most_octets = 25_000_000
    most_recipients = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.domain is None:
            raise ConfigurationError(
                "MAIL_DOMAIN is not set: Mailgun needs the domain that sends. Set it, or write"
                f" MAIL_URL = '{self.example}'."
            )
        if self.region not in (None, *_HOMES):
            raise ConfigurationError("MAIL_REGION must be 'us' or 'eu' for Mailgun.")

    @property
    def base_url(self) -> str:
        """The URL of the API in the region, or MAIL_API_URL."""
        return self.api_url or _HOMES[self.region or "us"]

    @classmethod
    def options_of_url(cls, url: URL) -> dict[str, object]:
        """Read ``mailgun://KEY@eu?domain=mg.example.com``."""
        if url.host not in _HOMES or url.port or url.password or url.path.strip("/"):
            raise ConfigurationError(
                f"{url.setting} must be like '{cls.example}', with the region 'us' or 'eu', and"
                " only a query may follow it."
            )
        return {"api_key": url.username, "region": url.host}

    def check(self, job: Job) -> None:
        """Check that Mailgun can send a message as it is written."""
        super().check(job)
        self.refuse_envelope_sender(job.message)
        if isinstance(job.message, MIMEMessage):
            return
        fields = [*_fields(job.message)]
        for name, _ in fields:
            MAILGUN_NAME.check(name, "provider_options['mailgun']", self.provider)
        size = sum(len(name) + len(value.encode()) for name, value in fields)
        if size > _MOST_OF_FIELDS:
            raise MessageError(
                f"tags=, metadata= and provider_options= have {size} octets, and Mailgun takes at"
                f" most {_MOST_OF_FIELDS}: shorten them."
            )

    def request(self, job: Job) -> Request:
        """Return the request for a job: its octets and its recipients, as a form."""
        from ...net.http.request import Request

        assert self.api_key is not None
        boundary = _boundary(self.api_key, job)
        headers: dict[str, str | Secret] = {
            "Authorization": _basic(self.api_key),
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "User-Agent": "Flask-MailHandler",
        }
        url = self.url(f"/v3/{urllib.parse.quote(self.domain or '', safe='')}/messages.mime")
        more = () if isinstance(job.message, MIMEMessage) else _fields(job.message)
        fields = [("to", _written(job.envelope.recipients)), *more]
        form = _form(boundary, fields, job.content)
        return Request("POST", url, headers=headers, body=form, size=form.size)

    def judge(self, response: Response, job: Job) -> Verdict:
        """Return what a response means, by its status and its form."""
        found = verdicts.json_of(response)
        text = self.shown(verdicts.text_in(found, "message"))
        status, known = response.status, verdicts.text_in(found, "id")
        if status == 200 and known:
            return Verdict(state=State.ACCEPTED, code=status, provider_id=known)
        if status == 200 and _NOT_THE_API in response.body:
            text = "there is no API at this URL. Check MAIL_API_URL"
            return Verdict(state=State.REFUSED, text=text, code=status, about=About.ACCOUNT)
        if status in (401, 403):
            return verdicts.login_refused(response, text, _CHECK)
        if status == 404 and re.search(_NO_DOMAIN, text, re.I):
            return verdicts.later(response, f"{text}. Check MAIL_DOMAIN, and the region", 0.0)
        return verdicts.of_response(response, text)


def _boundary(key: Secret, job: Job) -> str:
    """Return a boundary that no message can contain: only the owner of the key can guess it. It is
    the same for the same job, so that a test shows the request."""
    return hmac.digest(key.octets(), job.message_id.encode(), "sha256").hex()[:32]


def _basic(key: Secret) -> Secret:
    return Secret(b"Basic " + base64.b64encode(b"api:" + key.octets()))


def _written(recipients: Iterable[Address]) -> str:
    return ", ".join(map(str.__str__, recipients))


def _fields(message: Message) -> Iterator[tuple[str, str]]:
    """Return the fields of the form. An option takes the place of a field with its name; a list
    repeats the field, and anything that is not text is sent as JSON."""
    options = MAILGUN.with_options({}, message)
    for name, value in mailgun_form(message):
        if name not in options:
            yield name, value
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            yield name, one if isinstance(one, str) else json.dumps(one)


def _form(boundary: str, fields: Iterable[tuple[str, str]], content: Content) -> Content:
    """Return a form (RFC 7578) with the content as the file ``message``, read while it is sent."""
    parts = [f'form-data; name="{name}"\r\n\r\n{value}' for name, value in fields]
    parts.append(
        'form-data; name="message"; filename="message.mime"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    head = "\r\n".join(f"--{boundary}\r\nContent-Disposition: {part}" for part in parts)
    return Content([head.encode(), content, f"\r\n--{boundary}--\r\n".encode()])
