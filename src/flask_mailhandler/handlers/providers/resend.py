"""Sends by the API of Resend.

Written from its documentation (https://resend.com/docs/api-reference, and its OpenAPI file of
August 2026), not tried against a live account.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from ...errors import MessageError
from ...phase import State
from ...report import About
from ...report import Job
from ...secret import Secret
from . import verdict as verdicts
from .attached import full_type
from .attached import in_base64
from .attached import named
from .fields import FieldsEmailHandler
from .fields import key_of
from .fields import message_of
from .fields import shown_recipients
from .fields import texts
from .fields import written
from .spelling import Spelling
from .spellings import RESEND
from .verdict import Verdict

if t.TYPE_CHECKING:
    from ...attachment import Attachment
    from ...net.http.request import Request
    from ...net.http.response import Response

_KEY_IS_KNOWN = 23 * 3600.0
"""Seconds: an Idempotency-Key is recognized for 24 hours."""
_ANY_TYPE = "application/octet-stream"
_LOGIN = {"missing_api_key", "restricted_api_key", "invalid_api_key"}
# It is a validation_error too.
_WRONG_KEY = r"\bapi key\b"
_QUOTA = {"daily_quota_exceeded", "monthly_quota_exceeded"}
_OF_SENDER = {"invalid_from_address"}
_UNVERIFIED = r"\bdomain\b.*\bverif|own email address"


class ResendEmailHandler(FieldsEmailHandler):
    """Sends by the API of Resend.

    .. code-block:: python

        app.config["MAIL_URL"] = "resend://re_123@default"

    A request that may have been taken is repeated with the same key, by which Resend recognizes it
    for 24 hours.

    :raises ConfigurationError: for a wrong value, naming the argument.
    """

    provider = "Resend"
    home = "https://api.resend.com"
    spelling: t.ClassVar[Spelling | None] = RESEND
    most_octets = 40_000_000
    most_recipients = 50
    repeatable: t.ClassVar[float | None] = _KEY_IS_KNOWN

    def check(self, job: Job) -> None:
        """Check that Resend can send a message as it is written."""
        super().check(job)
        message = message_of(job)
        for attachment in (*message.inline_attachments, *message.attachments):
            filename, mimetype = named(attachment)
            # It accepts such a message and does not send it (django-anymail 14 found that).
            if "." not in filename or _is_other(filename, mimetype.lower()):
                raise MessageError(
                    f"Resend does not send an attachment called {filename!r} of the type"
                    f" {mimetype}: pass filename= with the extension of its type, or leave out"
                    " mimetype=."
                )

    def request(self, job: Job) -> Request:
        """Return the request for a job: its fields, and the key that its repeats have too."""
        assert self.api_key is not None
        headers: dict[str, str | Secret] = {
            "Authorization": Secret(f"Bearer {self.api_key.reveal()}"),
            "Idempotency-Key": key_of(job),
        }
        return self.posted("/emails", headers, _fields(job, self.own_ids(job)))

    def judge(self, response: Response, job: Job) -> Verdict:
        """Return what a response means."""
        found = verdicts.json_of(response)
        if response.status // 100 == 2 and (known := verdicts.text_in(found, "id")):
            return Verdict(state=State.ACCEPTED, code=response.status, provider_id=known)
        name = verdicts.text_in(found, "name")
        text = self.shown(f"{name} {verdicts.text_in(found, 'message')}".strip())
        if response.status < 500 and (name in _LOGIN or re.search(_WRONG_KEY, text, re.I)):
            return verdicts.login_refused(response, text)
        if name in _QUOTA:
            return verdicts.later(response, text, verdicts.LONGEST_REST)
        if response.status == 409:
            # An earlier request with this key may have been taken: one that is in progress, or one
            # with another body.
            repeatable = name == "concurrent_idempotent_requests"
            return verdicts.unknown(text, response.status, repeatable=repeatable)
        if name in _OF_SENDER or (response.status == 403 and re.search(_UNVERIFIED, text, re.I)):
            return Verdict(state=State.REFUSED, text=text, code=response.status, about=About.SENDER)
        if name == "validation_error" and response.status < 500:
            return Verdict(state=State.REFUSED, text=text, code=response.status)
        return verdicts.of_response(response, text, repeatable=True)


def _fields(job: Job, ids: Mapping[str, str]) -> dict[str, t.Any]:
    message = message_of(job)
    to, cc, bcc = shown_recipients(message, job)
    text, html = texts(message)
    assert message.from_addr is not None
    inline = [{**_file(one), "content_id": one.cid} for one in message.inline_attachments]
    fields = {
        "from": written(message.from_addr),
        "to": to,
        "cc": cc,
        "bcc": bcc,
        "reply_to": [*map(written, message.reply_to)],
        "subject": message.subject,
        "text": text,
        "html": html,
        "headers": dict(message.headers.pairs),
        "attachments": [*inline, *map(_file, message.attachments)],
        **RESEND.in_api(message),
    }
    fields["tags"] += [{"name": name, "value": value} for name, value in ids.items()]
    return RESEND.with_options(fields, message)


def _file(attachment: Attachment) -> dict[str, str]:
    from ...attachment.name_and_type import type_by_name

    filename, mimetype = named(attachment)
    file = {"filename": filename, "content": in_base64(attachment)}
    if mimetype.lower() == _ANY_TYPE and type_by_name(filename) not in (None, _ANY_TYPE):
        return file  # Resend finds the type by the name
    return {**file, "content_type": full_type(attachment)}


def _is_other(filename: str, mimetype: str) -> bool:
    """Return whether a name says another type than the attachment has."""
    import mimetypes  # as for guessing a type

    from ...attachment.name_and_type import type_by_name

    if type_by_name(filename) in (None, mimetype) or mimetype == _ANY_TYPE:
        return False
    extension = "." + filename.lower().rpartition(".")[2]
    return extension not in mimetypes.guess_all_extensions(mimetype)
