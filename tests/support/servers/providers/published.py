"""What the OpenAPI files of providers say of their requests and responses, in a table of our own.

A shape is a type, an object with its fields (``!`` after a name: it must be there), a list of one
shape, :class:`Some`, or a tuple of alternatives. A field that is not in the table is a fault.

==========  ====================================================================================
provider    file
==========  ====================================================================================
resend      github.com/resend/resend-openapi, resend.yaml, commit fd6f395
sendgrid    github.com/twilio/sendgrid-oai, spec/json/tsg_mail_v3.json, commit dbe0e0d
mailgun     github.com/mailgun/mailgun-mcp-server, src/openapi.yaml, commit 78d610f
postmark    github.com/APIs-guru/openapi-directory, postmarkapp.com/server/1.0.0, commit 02ccb79:
            Postmark's own file of some years ago, without Metadata and MessageStream
==========  ====================================================================================

Brevo publishes none in a repository of its own.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator

Shape: t.TypeAlias = t.Any


class Some(t.NamedTuple):
    """A text or a list with limits."""

    shape: Shape
    least: int = 0
    most: int = 1_000_000
    unique: bool = False
    pattern: str = ".*"


WORDS = Some(str, least=1)
PERSON = {"email!": str, "name": str}
SENDGRID_PEOPLE = Some([PERSON], most=1000)
TAG_WORD = Some(str, least=1, most=256, pattern="[A-Za-z0-9_-]*")
ADDRESSES = (str, [str])
SWITCH = {"enable": bool}
YES_OR_NO = Some(str, pattern="yes|no|true|false")

REQUESTS: dict[str, Shape] = {
    "resend": {
        "from!": str,
        "to!": (str, Some([str], least=1, most=50)),
        "subject!": str,
        "cc": ADDRESSES,
        "bcc": ADDRESSES,
        "reply_to": ADDRESSES,
        "html": str,
        "text": str,
        "headers": {"*": str},
        "scheduled_at": str,
        "attachments": [
            {"content": str, "filename": str, "path": str, "content_type": str, "content_id": str}
        ],
        "tags": [{"name": TAG_WORD, "value": TAG_WORD}],
        "topic_id": str,
    },
    "sendgrid": {
        "personalizations!": Some(
            [
                {
                    "to!": SENDGRID_PEOPLE,
                    "cc": SENDGRID_PEOPLE,
                    "bcc": SENDGRID_PEOPLE,
                    "subject": WORDS,
                    "headers": {"*": str},
                    "custom_args": {"*": str},
                }
            ],
            most=1000,
        ),
        "from!": PERSON,
        "reply_to": PERSON,
        "reply_to_list": Some([PERSON], most=1000, unique=True),
        "subject": WORDS,
        "content": [{"type!": WORDS, "value!": WORDS}],
        "attachments": [
            {
                "content!": WORDS,
                "filename!": str,
                "type": WORDS,
                "disposition": Some(str, pattern="inline|attachment"),
                "content_id": str,
            }
        ],
        "headers": {"*": str},
        "categories": Some([str], most=10, unique=True),
        "custom_args": str,
        "ip_pool_name": Some(str, least=2, most=64),
        "mail_settings": {"sandbox_mode": SWITCH},
        "tracking_settings": {"click_tracking": SWITCH, "open_tracking": SWITCH},
    },
    "mailgun": {
        "to!": [str],
        "message!": [str],
        "o:tag": [str],
        "o:testmode": [Some(str, pattern="yes")],
        "o:tracking-clicks": [Some(str, pattern="yes|no|true|false|htmlonly")],
        "o:tracking-opens": [YES_OR_NO],
        "v:order": [str],
    },
    "postmark": {
        "From": str,
        "To": str,
        "Cc": str,
        "Bcc": str,
        "ReplyTo": str,
        "Subject": str,
        "Tag": str,
        "HtmlBody": str,
        "TextBody": str,
        "TrackOpens": bool,
        "TrackLinks": Some(str, pattern="None|HtmlAndText|HtmlOnly|TextOnly"),
        "Headers": [{"Name": str, "Value": str}],
        "Attachments": [{"Name": str, "Content": str, "ContentType": str, "ContentID": str}],
        # Newer than the file; https://postmarkapp.com/developer/api/email-api has them.
        "Metadata": {"*": str},
        "MessageStream": str,
    },
}

_SENDGRID_ERRORS = {
    "errors": [{"message": str, "field": (str, None), "help": {"*": str}}],
    "id": str,
}
_POSTMARK_ERROR = {"ErrorCode": int, "Message": str}
RESPONSES: dict[str, dict[int, Shape]] = {
    "resend": {200: {"id": str}},
    "sendgrid": {202: None, 400: _SENDGRID_ERRORS, 401: _SENDGRID_ERRORS},
    "mailgun": {200: {"id!": str, "message!": str}, 400: {"message!": str}},
    "postmark": {
        200: {**_POSTMARK_ERROR, "MessageID": str, "SubmittedAt": str, "To": str},
        422: _POSTMARK_ERROR,
    },
}


def faults(value: t.Any, shape: Shape, place: str = "") -> Iterator[str]:
    """Yield what is wrong with a value."""
    match shape:
        case tuple() if not isinstance(shape, Some):
            if all([*faults(value, one, place)] for one in shape):
                yield f"{place} is none of its kinds: {value!r}"
        case Some():
            yield from faults(value, shape.shape, place)
            if not isinstance(value, str | list) or not shape.least <= len(value) <= shape.most:
                yield f"{place} has a wrong length: {value!r}"
            if isinstance(value, str) and not re.fullmatch(f"(?s:{shape.pattern})", value):
                yield f"{place} has a wrong form: {value!r}"
            if shape.unique and any(value.count(one) > 1 for one in value):
                yield f"{place} has something twice: {value!r}"
        case dict():
            yield from _of_object(value, shape, place)
        case [item]:
            if not isinstance(value, list):
                yield f"{place} is not a list: {value!r}"
            else:
                for number, one in enumerate(value):
                    yield from faults(one, item, f"{place}[{number}]")
        case None:
            if value is not None:
                yield f"{place} should be empty: {value!r}"
        case _:
            if type(value) is not shape:
                yield f"{place} is not {shape.__name__}: {value!r}"


def _of_object(value: t.Any, shape: dict[str, Shape], place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place} is not an object: {value!r}"
        return
    known = {name.rstrip("!"): one for name, one in shape.items()}
    for name in shape:
        if name.endswith("!") and name.rstrip("!") not in value:
            yield f"{place}.{name.rstrip('!')} is missing"
    for name, one in value.items():
        if name in known or "*" in known:
            yield from faults(one, known.get(name, known.get("*")), f"{place}.{name}")
        else:
            yield f"{place}.{name} is not known"
