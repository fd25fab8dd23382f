"""A message as the fields of an API that takes no octets."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator
from collections.abc import Mapping
from email.message import Message as MIMEMessage

from ...address import Address
from ...errors import MessageError
from ...report import Job
from ..configured import Options
from .api import APIEmailHandler
from .spelling import key_of as key_of_mail

if t.TYPE_CHECKING:
    from ...envelope import Envelope
    from ...message.message import Message
    from ...net.http.request import Request
    from ...secret import Secret

# https://www.rfc-editor.org/rfc/rfc5322#section-3.2.3: what a phrase may have without quotes.
_ATOMS = frozenset("!#$%&'*+-/=?^_`{|}~ ")


class FieldsEmailHandler(APIEmailHandler, metaclass=Options, abstract=True):
    """Sends a message as fields. The provider writes the octets, and the envelope is in the
    fields."""

    takes_alternatives: t.ClassVar[bool] = False
    """Whether the provider takes other forms of the body, besides text and HTML."""
    repeats_header_fields: t.ClassVar[bool] = False
    """Whether the provider takes a header field more than once."""
    needs_subject: t.ClassVar[bool] = True
    needs_body: t.ClassVar[bool] = False

    def check(self, job: Job) -> None:
        """Check that the provider can send a message as it is written."""
        super().check(job)
        message = message_of(job)
        if message.alternatives and not self.takes_alternatives:
            raise MessageError(
                f"{self.provider} takes no alternatives= besides text and HTML: attach"
                f" {message.alternatives[0]!r} with attachments=."
            )
        self.refuse_envelope_sender(message)
        self.refuse_many(job)
        if self.needs_subject and not message.subject:
            raise MessageError(
                f"{self.provider} takes no message without a subject: pass subject=."
            )
        if self.needs_body and not (message.text or message.html):
            raise MessageError(
                f"{self.provider} takes no message without a body: pass text= or html=."
            )
        names = [name.lower() for name, _ in message.headers.pairs]
        for name in names:
            if names.count(name) > 1 and not self.repeats_header_fields:
                raise MessageError(f"{self.provider} takes the header field {name} only once.")

    def posted(
        self, path: str, headers: Mapping[str, str | Secret], fields: dict[str, t.Any]
    ) -> Request:
        """Return the request that posts fields as JSON.

        :param headers: Those of this provider alone, such as the one with the key.
        """
        from ...net.http.request import Request

        of_all = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "Flask-MailHandler",
        }
        return Request("POST", self.url(path), headers={**headers, **of_all}, body=body_of(fields))

    def batches(self, job: Job) -> Iterator[Envelope]:
        """Return the envelopes of a job's requests: one for each recipient if no To and Cc is among
        them. Each is then the To of its own request, and none can see another."""
        try:
            shown = is_shown(message_of(job), job)
        except MessageError:  # the request says so
            return super().batches(job)
        return job.envelope.batches(self.most_recipients if shown else 1)


def message_of(job: Job) -> Message:
    """Return the message of a job. One of the standard library is read from the octets, which have
    the fields that the app's options filled in.

    :raises MessageError: if it has parts that a :class:`.Message` cannot have.
    """
    if not isinstance(job.message, MIMEMessage):
        return job.message
    from ...message.message import Message  # most messages are ours
    from ...mime.stdlib.body import parse

    return Message.from_mime(parse(bytes(job.content)))


def is_shown(message: Message, job: Job) -> bool:
    """Return whether a To or Cc is among the recipients of a job."""
    return not {*message.to, *message.cc}.isdisjoint(job.envelope.recipients)


def recipients_of(message: Message, job: Job) -> tuple[list[Address], ...]:
    """Return To, Cc and Bcc for the recipients of a job.

    The fields are the envelope too. So a recipient of the header who gets nothing this time is left
    out, and one that is only in the envelope is Bcc. If there is no To, the first Cc is, or the
    only recipient.
    """
    recipients = job.envelope.recipients
    to = [one for one in dict.fromkeys(message.to) if one in recipients]
    cc = [one for one in dict.fromkeys(message.cc) if one in recipients and one not in to]
    bcc = [one for one in recipients if one not in to and one not in cc]
    if not to:
        to = [(cc or bcc).pop(0)]
    return to, cc, bcc


def shown_recipients(message: Message, job: Job) -> tuple[list[str], ...]:
    """Return To, Cc and Bcc for the recipients of a job, as texts."""
    return tuple([*map(written, some)] for some in recipients_of(message, job))


def written(address: Address) -> str:
    """Return an address with its name, in quotes where RFC 5322 needs them."""
    name = address.name
    if not name:
        return str.__str__(address)
    if not all(c.isalnum() or c in _ATOMS for c in name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{address}>"


def person(address: Address) -> dict[str, str]:
    """Return an address with its name as an object."""
    email = str.__str__(address)
    return {"email": email, "name": address.name} if address.name else {"email": email}


def key_of(job: Job) -> str:
    """Return the key by which a provider recognizes a repeat: the same for the same mail to the
    same recipients, after a restart too."""
    return key_of_mail(job.message_id, job.envelope.recipients)


def texts(message: Message) -> tuple[str, str]:
    """Return the text and the HTML. The text is made from the HTML if there is none.

    The last line end is left out: octets have one, so a message that was queued has it too, and
    its request would not be the same.
    """
    text, html = message.text, message.html
    if html and not text:
        from ...plaintext import plaintext  # only where there is HTML and no text

        text = plaintext(html)
    return text.removesuffix("\n") or text, html.removesuffix("\n") or html


def body_of(fields: dict[str, t.Any]) -> bytes:
    """Return the fields that are not empty as JSON, the same octets each time."""
    given = {name: value for name, value in fields.items() if value or value is False}
    return json.dumps(given, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
