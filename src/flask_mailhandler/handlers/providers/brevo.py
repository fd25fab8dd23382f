"""Sends by the API of Brevo.

Written from its documentation (https://developers.brevo.com/reference/send-transac-email), not
tried against a live account.
"""

from __future__ import annotations

import base64
import html as escaping
import json
import re
import typing as t
from collections.abc import Mapping

from ...address import Address
from ...errors import MessageError
from ...phase import State
from ...report import About
from ...report import Job
from . import verdict as verdicts
from .attached import in_utf8
from .attached import named
from .fields import FieldsEmailHandler
from .fields import key_of
from .fields import message_of
from .fields import person
from .fields import recipients_of
from .fields import texts
from .spelling import Spelling
from .spellings import BREVO
from .spellings import BREVO_CUSTOM
from .verdict import Verdict

if t.TYPE_CHECKING:
    from ...attachment import Attachment
    from ...message.message import Message
    from ...net.http.request import Request
    from ...net.http.response import Response

_KEY_IS_KNOWN = 600.0
"""Seconds. Its guide says that a key is recognized for 30 minutes, its changelog of 2021 says 15:
https://developers.brevo.com/docs/heterogenous-versions-batch-emails"""
_HAD_IT = "duplicate_parameter"
"""The answer to a key that is recognized. Whether it also knows the key of a request that it did
not take is not said."""
_KEY = "idempotencyKey"
_EXTENSIONS = (
    "xlsx xls ods docx docm doc csv pdf txt gif jpg jpeg png tif tiff rtf bmp cgm css shtml html"
    " htm zip xml ppt pptx tar ez ics mobi msg pub eps odt mp3 m4a m4v wma ogg flac wav aif aifc"
    " aiff mp4 mov avi mkv mpeg mpg wmv pkpass xlsm"
)
"""The attachments that it takes, by its client of October 2026 (brevo-python 5.1)."""
_LONGEST_NAME = 70
# Names with one of these and a letter beyond ASCII get lost: see _person.
_SPECIALS = frozenset('()<>[]:;@\\,."')
_REFUSED = {"invalid_parameter", "missing_parameter", "out_of_range", "document_not_found"}
_OF_SENDER = r"\bsender\b.*\b(?:not valid|invalid|not verified)\b"
_OF_IP = r"\bip address\b"


class BrevoEmailHandler(FieldsEmailHandler):
    """Sends by the API of Brevo.

    .. code-block:: python

        app.config["MAIL_URL"] = "brevo://xkeysib-123@default"

    A request that may have been taken is repeated with the same key, by which Brevo recognizes it.

    :raises ConfigurationError: for a wrong value, naming the argument.
    """

    provider = "Brevo"
    home = "https://api.brevo.com"
    spelling: t.ClassVar[Spelling | None] = BREVO
    most_octets = 20_000_000
    most_recipients = 99
    needs_body = True
    repeatable: t.ClassVar[float | None] = _KEY_IS_KNOWN

    def check(self, job: Job) -> None:
        """Check that Brevo can send a message as it is written."""
        super().check(job)
        message = message_of(job)
        if text := _inexpressible(message):
            raise MessageError(f"Brevo {text}")
        for attachment in message.attachments:
            filename, _ = named(attachment)
            if not filename.isascii() or not _is_known(filename):
                raise MessageError(
                    f"Brevo takes no attachment called {filename!r}: it needs a name in ASCII with"
                    " an extension that Brevo knows, such as .pdf or .zip. Pass filename=."
                )

    def request(self, job: Job) -> Request:
        """Return the request for a job: its fields, and the key that its repeats have too."""
        assert self.api_key is not None
        headers = {"api-key": self.api_key}
        return self.posted("/v3/smtp/email", headers, _fields(job, self.own_ids(job)))

    def judge(self, response: Response, job: Job) -> Verdict:
        """Return what a response means: its error code, and only without one its status."""
        found = verdicts.json_of(response)
        status, code = response.status, verdicts.text_in(found, "code")
        known = verdicts.text_in(found, "messageId")
        if status // 100 == 2 and known:
            return Verdict(state=State.ACCEPTED, code=status, provider_id=known)
        text = self.shown(f"{code} {verdicts.text_in(found, 'message')}".strip())
        if code == _HAD_IT and status < 500:
            if job.repeats:
                return Verdict(state=State.ACCEPTED, code=status)
            # No attempt of this mail may have been taken, so it may be the key of a refused one.
            return verdicts.unknown(text, status)
        if code == "not_enough_credits":
            return verdicts.later(response, text, verdicts.LONGEST_REST)
        if status == 401 and re.search(_OF_IP, text, re.I):
            return verdicts.login_refused(
                response, text, "the IP addresses that the account allows"
            )
        if status == 429 and "retry-after" not in response.headers:
            asked = verdicts.seconds_of(response.headers.get("x-sib-ratelimit-reset", ""))
            return verdicts.later(response, text, asked)
        if (status < 300 or status == 404) and code in _REFUSED:
            return Verdict(state=State.REFUSED, text=text, code=status)
        if status == 400 and re.search(_OF_SENDER, text, re.I):
            return Verdict(state=State.REFUSED, text=text, code=status, about=About.SENDER)
        return verdicts.of_response(response, text, repeatable=True)


def _is_known(filename: str) -> bool:
    name, _, extension = filename.lower().rpartition(".")
    return bool(name) and extension in _EXTENSIONS.split()


def _inexpressible(message: Message) -> str:
    """Return what a message has that Brevo cannot send, and what to do instead."""
    if message.inline_attachments:
        return "shows no inline_attachments=: link to images with https: instead of cid:."
    if len(message.reply_to) > 1:
        return "takes one address in reply_to=: leave out the others."
    assert message.from_addr is not None
    people = [_person(one) for one in (message.from_addr, *message.to, *message.cc, *message.bcc)]
    people += [_reply_to(one) for one in message.reply_to]
    for one in people:
        if len(one.get("name", "")) > _LONGEST_NAME:
            return f"takes names of at most {_LONGEST_NAME} characters, so shorten {one['name']!r}."
    for name, value in message.headers.pairs:
        if name.lower() in (BREVO_CUSTOM.lower(), _KEY.lower()):
            return f"has the header field {name} for metadata= and keys: leave it out."
        if not value.isascii():
            return f"does not encode the header field {name}: write it in ASCII."
    return ""


def _fields(job: Job, ids: Mapping[str, str]) -> dict[str, t.Any]:
    message = message_of(job)
    to, cc, bcc = recipients_of(message, job)
    text, html = texts(message)
    assert message.from_addr is not None
    headers = {_KEY: key_of(job), **dict(message.headers.pairs)}
    if metadata := {**message.metadata, **ids}:
        headers[BREVO_CUSTOM] = json.dumps(metadata)
    fields = {
        **BREVO.in_api(message),
        "sender": _person(message.from_addr),
        "to": [*map(_person, to)],
        "cc": [*map(_person, cc)],
        "bcc": [*map(_person, bcc)],
        "replyTo": next(map(_reply_to, message.reply_to), None),
        "subject": message.subject,
        "textContent": text,
        "htmlContent": html or _as_html(text),
        "headers": headers,
        "attachment": [*map(_file, message.attachments)],
    }
    return BREVO.with_options(fields, message)


def _person(address: Address) -> dict[str, str]:
    """Return an address with its name, encoded where Brevo would lose it (django-anymail 15.1)."""
    return person(address) if _SPECIALS.isdisjoint(address.name) else _reply_to(address)


def _reply_to(address: Address) -> dict[str, str]:
    """Return an address with its name, encoded because Brevo would send it in 8 bits."""
    from ...mime.encoded_words import encoded_words

    found = person(address)
    if not address.name.isascii():
        found["name"] = " ".join(encoded_words(address.name))
    return found


def _as_html(text: str) -> str:
    """Return text as HTML. Brevo takes a message without HTML, but sends it without the text:
    https://github.com/anymail/django-anymail/pull/483"""
    written = escaping.escape(text, quote=False)
    return f'<pre style="font: inherit; white-space: pre-wrap">{written}</pre>'


def _file(attachment: Attachment) -> dict[str, str]:
    """Return an attachment. Brevo guesses its type from the name."""
    filename, _ = named(attachment)
    return {"name": filename, "content": base64.b64encode(in_utf8(attachment)).decode()}
