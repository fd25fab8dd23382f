"""Sends by the API of Postmark.

Written from its documentation (https://postmarkapp.com/developer/api/email-api, and .../overview
for the error codes), not tried against a live account.
"""

from __future__ import annotations

import re
import typing as t

from ...config import Option
from ...config import text as read_text
from ...phase import State
from ...report import About
from ...report import Job
from . import verdict as verdicts
from .attached import full_type
from .attached import in_base64
from .attached import named
from .fields import FieldsEmailHandler
from .fields import message_of
from .fields import shown_recipients
from .fields import texts
from .fields import written
from .spelling import Spelling
from .spellings import POSTMARK
from .verdict import Verdict

if t.TYPE_CHECKING:
    from ...attachment import Attachment
    from ...message.message import Message
    from ...net.http.request import Request
    from ...net.http.response import Response

_KEEP_ID = ("X-PM-KeepID", "true")
"""Asks Postmark to keep the Message-ID. Known for SMTP; that the API reads it is not confirmed."""
# Error codes. They are numbers of their own, not statuses: 401 is about the sender, 405 about
# credits.
_INACTIVE = 406
_ABOUT = {
    400: About.SENDER,
    401: About.SENDER,
    402: About.ACCOUNT,
    412: About.ACCOUNT,
    413: About.ACCOUNT,
}
_NO_CREDITS = 405
_LOGIN = 10
_MAINTENANCE = 100
# Statuses that say more than an error code.
_BY_STATUS = {401, 408, 425, 429}
_WRONG = 300
# The only forms in which it names addresses.
_NAMED = r"inactive addresses:\s*(.+?)\.(?:\s|\Z)"
_INVALID = r"(?:invalid|error parsing) '(?:to|cc|bcc)'.*\baddress:? '([^',]+)'"
_OF_SENDER = r"(?:invalid|error parsing) 'from'"


class PostmarkEmailHandler(FieldsEmailHandler):
    """Sends by the API of Postmark.

    .. code-block:: python

        app.config["MAIL_URL"] = "postmark://SERVER-TOKEN@default"

    :raises ConfigurationError: for a wrong value, naming the argument.
    """

    message_stream: Option[str | None, str | None] = Option(read_text, None)
    """The message stream to send through, such as ``broadcast``. If it is left out: the stream for
    transactional mail."""

    provider = "Postmark"
    home = "https://api.postmarkapp.com"
    spelling: t.ClassVar[Spelling | None] = POSTMARK
    most_octets = 10_000_000
    most_recipients = 50
    repeats_header_fields = True
    needs_subject = False

    def request(self, job: Job) -> Request:
        """Return the request for a job."""
        assert self.api_key is not None
        headers = {"X-Postmark-Server-Token": self.api_key}
        message = message_of(job)
        fields = {**_fields(message, job), **POSTMARK.in_api(message)}
        fields["MessageStream"] = fields["MessageStream"] or self.message_stream
        fields["Metadata"] |= self.own_ids(job)
        fields = POSTMARK.with_options(fields, message)
        return self.posted("/email", headers, fields)

    def judge(self, response: Response, job: Job) -> Verdict:
        """Return what a response means: its error code, and only without one its status."""
        found = verdicts.json_of(response)
        code, said = found.get("ErrorCode"), verdicts.text_in(found, "Message")
        text, refused = self.shown(said), _refused(code, said)
        known = verdicts.text_in(found, "MessageID")
        if response.status == 200 and known and code in (0, None):
            # It may name recipients that it leaves out.
            return Verdict(
                state=State.ACCEPTED,
                text=text,
                code=200,
                provider_id=known,
                refused=refused,
            )
        if code == _LOGIN:
            return verdicts.login_refused(response, text)
        if code == _MAINTENANCE:
            return verdicts.later(response, text)
        if code == _NO_CREDITS:
            return verdicts.later(response, text, verdicts.LONGEST_REST)
        if code in (_INACTIVE, _WRONG) and refused:
            # No recipient got it. Those that are not named can be tried without the others.
            others = {str.__str__(one).lower() for one in job.envelope.recipients} - refused
            state = State.DEFERRED if others else State.REFUSED
            return Verdict(state=state, text=text, code=response.status, refused=refused)
        decides = response.status < 500 and response.status not in _BY_STATUS
        if type(code) is int and code and decides:
            of_sender = code == _WRONG and re.match(_OF_SENDER, said, re.I)
            about = About.SENDER if of_sender else _ABOUT.get(code, About.CONTENT)
            return Verdict(state=State.REFUSED, text=text, code=response.status, about=about)
        return verdicts.of_response(response, text)


def _refused(code: object, text: str) -> frozenset[str]:
    """Return the recipients that a text names as inactive or invalid, in lower case."""
    found = re.search(_INVALID if code == _WRONG else _NAMED, text, re.I)
    return frozenset(one.strip().lower() for one in found[1].split(",")) if found else frozenset()


def _fields(message: Message, job: Job) -> dict[str, t.Any]:
    to, cc, bcc = shown_recipients(message, job)
    text, html = texts(message)
    assert message.from_addr is not None
    headers = [("Message-ID", job.message_id), _KEEP_ID, *message.headers.pairs]
    inline = [{**_file(one), "ContentID": f"cid:{one.cid}"} for one in message.inline_attachments]
    return {
        "From": written(message.from_addr),
        "To": ", ".join(to),
        "Cc": ", ".join(cc),
        "Bcc": ", ".join(bcc),
        "ReplyTo": ", ".join(map(written, message.reply_to)),
        "Subject": message.subject,
        "TextBody": text,
        "HtmlBody": html,
        "Headers": [{"Name": name, "Value": value} for name, value in headers],
        "Attachments": [*inline, *map(_file, message.attachments)],
    }


def _file(attachment: Attachment) -> dict[str, str]:
    return {
        "Name": named(attachment)[0],
        "Content": in_base64(attachment),
        "ContentType": full_type(attachment),
    }
