"""Sends by the API of SendGrid.

Written from its documentation (https://www.twilio.com/docs/sendgrid/api-reference/mail-send) and
its OpenAPI file of January 2026, not tried against a live account.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import time
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from ...address import Address
from ...config import URL
from ...errors import ConfigurationError
from ...errors import MessageError
from ...phase import State
from ...report import About
from ...report import Job
from ...secret import Secret
from . import verdict as verdicts
from .attached import in_utf8
from .attached import named
from .attached import parsed_type
from .fields import FieldsEmailHandler
from .fields import is_shown
from .fields import message_of
from .fields import person
from .fields import recipients_of
from .fields import texts
from .spelling import Spelling
from .spellings import SENDGRID
from .verdict import Verdict

if t.TYPE_CHECKING:
    from ...attachment import Attachment
    from ...envelope import Envelope
    from ...message.message import Message
    from ...net.http.request import Request
    from ...net.http.response import Response

_HOME_IN_EU = "https://api.eu.sendgrid.com"
_RESERVED = {
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type",
    "content-transfer-encoding", "to", "from", "subject", "reply-to", "cc", "bcc",
}  # fmt: skip
"""Header fields that it refuses, by its OpenAPI file."""
_TAKEN_PARAMETER = "method"
"""The one parameter of a type that is said to be taken, although its list of errors says none is:
https://github.com/sendgrid/sendgrid-ruby/issues/298. It refuses a charset."""
_MOST_CUSTOM = 10_000
# Both have the status of a wrong key: 401 and 403.
_NO_CREDITS = r"\bcredits exceeded\b"
_UNVERIFIED = r"\bverified sender identity\b"


class SendGridEmailHandler(FieldsEmailHandler):
    """Sends by the API of SendGrid.

    .. code-block:: python

        app.config["MAIL_URL"] = "sendgrid://SG.123@default"

    :raises ConfigurationError: for a wrong value, naming the argument.
    """

    provider = "SendGrid"
    home = "https://api.sendgrid.com"
    spelling: t.ClassVar[Spelling | None] = SENDGRID
    most_octets = 30_000_000
    most_recipients = 1000
    takes_alternatives = True
    needs_body = True

    @classmethod
    def options_of_url(cls, url: URL) -> dict[str, object]:
        """Read ``sendgrid://KEY@default``, or ``sendgrid://KEY@eu``."""
        in_eu = url.host == "eu"
        if not in_eu and url.host != "default":
            raise ConfigurationError(
                f"{url.setting} must be like '{url.scheme}://KEY@default', or"
                f" '{url.scheme}://KEY@eu' for a subuser in the EU."
            )
        found = super().options_of_url(dataclasses.replace(url, host="default") if in_eu else url)
        return {**found, "api_url": _HOME_IN_EU if in_eu else None}

    def check(self, job: Job) -> None:
        """Check that SendGrid can send a message as it is written."""
        super().check(job)
        message = message_of(job)
        for name, _ in message.headers.pairs:
            if name.lower() in _RESERVED:
                raise MessageError(f"SendGrid writes the header field {name} itself: leave it out.")
        for attachment in (*message.inline_attachments, *message.attachments):
            if not attachment.size:
                raise MessageError(f"SendGrid takes no empty attachment: leave out {attachment!r}.")
        for alternative in message.alternatives:
            _alternative(alternative)
        size = len(json.dumps({**message.metadata, **self.own_ids(job)}).encode())
        if size > _MOST_CUSTOM:
            raise MessageError(
                f"SendGrid takes {_MOST_CUSTOM} octets of metadata=, not {size}: shorten it."
            )

    def batches(self, job: Job) -> Iterator[Envelope]:
        """Return the envelopes of a job's requests. One request can hold a copy for each recipient,
        so Bcc recipients need none of their own."""
        return job.envelope.batches(self.most_recipients)

    def request(self, job: Job) -> Request:
        """Return the request for a job."""
        assert self.api_key is not None
        headers = {"Authorization": Secret(f"Bearer {self.api_key.reveal()}")}
        return self.posted("/v3/mail/send", headers, _fields(job, self.own_ids(job)))

    def judge(self, response: Response, job: Job) -> Verdict:
        """Return what a response means. An accepted message has an empty response."""
        known = response.headers.get("x-message-id", "")
        if response.status == 202 and known:
            return Verdict(state=State.ACCEPTED, code=202, provider_id=known)
        if response.status == 200 and not response.body and _in_sandbox(message_of(job)):
            return Verdict(state=State.ACCEPTED, code=200)
        found = verdicts.json_of(response)
        text = self.shown(_said(found))
        if response.status in (401, 403) and re.search(_NO_CREDITS, text, re.I):
            return verdicts.later(response, text, verdicts.LONGEST_REST)
        if response.status == 403 and re.search(_UNVERIFIED, text, re.I):
            return Verdict(state=State.REFUSED, text=text, code=403, about=About.SENDER)
        if response.status == 429 and "retry-after" not in response.headers:
            asked = _seconds_until(response.headers.get("x-ratelimit-reset", ""))
            return verdicts.later(response, text, asked)
        if response.status // 100 == 2 and found.get("errors") and text:
            return Verdict(state=State.REFUSED, text=text, code=response.status)
        return verdicts.of_response(response, text)


def _said(found: dict[str, t.Any]) -> str:
    """Return the errors in a response, each with the field that it is about."""
    errors = found.get("errors")
    said = []
    for one in errors if isinstance(errors, list) else [found]:
        message = verdicts.text_in(one, "message") if isinstance(one, dict) else ""
        field = verdicts.text_in(one, "field") if message else ""
        said.append(f"{message} ({field})" if field else message)
    return " ".join(filter(None, said))


def _seconds_until(unix_time: str) -> float:
    """Return the seconds until a time; 0 if it is none."""
    if not re.fullmatch("[0-9]{1,12}", unix_time):
        return 0.0
    return min(max(int(unix_time) - time.time(), 0.0), verdicts.LONGEST_REST)


def _in_sandbox(message: Message) -> bool:
    """Return whether a message is only checked. The answer is 200, and has no identifier."""
    settings = message.provider_options.get("sendgrid", {}).get("mail_settings", {})
    return isinstance(settings, Mapping) and settings.get("sandbox_mode") == {"enable": True}


def _fields(job: Job, ids: Mapping[str, str]) -> dict[str, t.Any]:
    message = message_of(job)
    assert message.from_addr is not None
    text, html = texts(message)
    bodies = {"text/plain": text, "text/html": html}
    content = [{"type": kind, "value": value} for kind, value in bodies.items() if value]
    inline = [
        {**_file(one), "disposition": "inline", "content_id": one.cid}
        for one in message.inline_attachments
    ]
    fields = {
        "personalizations": _personalizations(message, job, {**message.metadata, **ids}),
        "from": person(message.from_addr),
        "reply_to_list": _unseen(message.reply_to, set()),
        "subject": message.subject,
        "content": [*content, *map(_alternative, message.alternatives)],
        "headers": {"Message-ID": job.message_id, **dict(message.headers.pairs)},
        "attachments": [*inline, *map(_file, message.attachments)],
        **SENDGRID.in_api(message),
    }
    return SENDGRID.with_options(fields, message)


def _personalizations(
    message: Message, job: Job, custom_args: dict[str, str]
) -> list[dict[str, t.Any]]:
    """Return a copy of the message for all of its recipients; if it has only Bcc, one for each."""
    to, cc, bcc = recipients_of(message, job)
    copies: list[dict[str, list[Address]]] = [{"to": to, "cc": cc, "bcc": bcc}]
    if not is_shown(message, job):
        copies = [{"to": [one]} for one in job.envelope.recipients]
    seen: set[str] = set()
    found = []
    for shown in copies:
        people = {name: _unseen(some, seen) for name, some in shown.items()}
        if any(people.values()):
            copy = {**people, "custom_args": custom_args}
            found.append({name: value for name, value in copy.items() if value})
    return found


def _unseen(addresses: Iterable[Address], seen: set[str]) -> list[dict[str, str]]:
    """Return the addresses that a list does not have yet. A request is refused with a recipient
    twice, whatever the case of its letters, and its OpenAPI file wants the same of Reply-To."""
    new: list[dict[str, str]] = []
    for one in addresses:
        if one.lower() not in seen:
            seen.add(one.lower())
            new.append(person(one))
    return new


def _alternative(alternative: Attachment) -> dict[str, str]:
    """Return another form of the body.

    :raises MessageError: if it is not one that SendGrid takes.
    """
    kind, parameters = parsed_type(alternative)
    try:
        value = in_utf8(alternative).decode()
    except UnicodeDecodeError:
        value = ""
    if not value or kind in ("text/plain", "text/html"):
        raise MessageError(
            "SendGrid takes only text as alternatives=, and neither plain text nor HTML: attach"
            f" {alternative!r} with attachments=."
        )
    method = parameters.get(_TAKEN_PARAMETER, "")
    written = f"{kind}; {_TAKEN_PARAMETER}={method}" if re.fullmatch(r"[\w-]+", method) else kind
    return {"type": written, "value": value}


def _file(attachment: Attachment) -> dict[str, str]:
    filename, mimetype = named(attachment)
    return {
        "filename": filename,
        "content": base64.b64encode(in_utf8(attachment)).decode(),
        "type": mimetype,
        "disposition": "attachment",
    }
