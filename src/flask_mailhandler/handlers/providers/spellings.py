"""What tags, metadata, tracking and streams are called at each provider.

=========  ===========================  ================================================
provider   by its API                   by SMTP, as header fields
=========  ===========================  ================================================
postmark   Tag, Metadata, TrackOpens,   X-PM-Tag, X-PM-Metadata-*, X-PM-TrackOpens,
           TrackLinks, MessageStream    X-PM-TrackLinks, X-PM-Message-Stream
ses        EmailTags,                   X-SES-MESSAGE-TAGS, X-SES-CONFIGURATION-SET
           ConfigurationSetName
mailgun    o:tag, v:*, o:tracking-*     X-Mailgun-Tag, -Variables, -Track-Opens, -Clicks
sendgrid   categories, custom_args,     X-SMTPAPI
           tracking_settings
brevo      tags, X-Mailin-custom        X-Mailin-Tag, X-Mailin-custom
resend     tags                         none
=========  ===========================  ================================================

Written from their documentation, not tried against live accounts.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator

from .spelling import ANY
from .spelling import Form
from .spelling import json_in_header
from .spelling import Spelling

if t.TYPE_CHECKING:
    from ...message.message import Message

# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html, and
# https://resend.com/docs/api-reference/emails/send-email: the same for names and values.
_AWS_WORD = Form("[A-Za-z0-9_-]{1,256}", "1 to 256 of the ASCII letters and digits, '-' and '_'")
# https://postmarkapp.com/support/article/1125-custom-metadata-faq
_POSTMARK_NAME = Form("[!-9;-~]{1,20}", "up to 20 visible ASCII characters except ':'")
_POSTMARK_VALUE = Form(".{0,80}", "up to 80 characters")
# Tags of Mailgun (https://documentation.mailgun.com/docs/mailgun/user-manual/tracking-messages) and
# SendGrid; Brevo does not encode the header field in which metadata are.
_ASCII = Form("[ -~]*", "ASCII characters")
_MAILGUN_TAGS = 10
# https://www.twilio.com/docs/sendgrid/api-reference/mail-send: maxItems of categories
_SENDGRID_TAGS = 10
# An event has the metadata between its own fields. events/webhooks/sendgrid.py has the same list,
# and does not share it, because that would load the events.
_SENDGRID_EVENT = (
    "email|timestamp|event|smtp-id|useragent|ip|sg_event_id|sg_message_id|reason|status|response|tls"
    "|cert_err|url|url_offset|attempt|category|type|bounce_classification|asm_group_id"
    "|sg_machine_open|sg_template_id|sg_template_name|sg_content_type|pool|newsletter|send_at"
    "|marketing_campaign_id|marketing_campaign_name|unique_args"
)
_SENDGRID_NAME = Form(f"(?!(?:{_SENDGRID_EVENT})\\Z).+", "names that its events do not have")
# A name of a part of a form (RFC 7578) without quotes and spaces.
MAILGUN_NAME: t.Final = Form(
    r"[!#-\[\]-~]+", "visible ASCII characters except quotes and backslashes"
)
BREVO_CUSTOM: t.Final = "X-Mailin-custom"


def _postmark(message: Message) -> dict[str, t.Any]:
    links = {True: "HtmlAndText", False: "None", None: None}[message.track_clicks]
    return {
        "Tag": next(iter(message.tags), None),
        "Metadata": dict(message.metadata),
        "TrackOpens": message.track_opens,
        "TrackLinks": links,
        "MessageStream": message.stream,
    }


def _postmark_header(message: Message) -> Iterator[tuple[str, str]]:
    fields = _postmark(message)
    for name, value in fields.pop("Metadata").items():
        yield f"X-PM-Metadata-{name}", value
    fields["Message-Stream"] = fields.pop("MessageStream")
    for name, value in fields.items():
        if value is not None:
            yield f"X-PM-{name}", value if isinstance(value, str) else str(value).lower()


def _pairs(message: Message) -> dict[str, str]:
    if not message.tags:
        return dict(message.metadata)
    from ...events.webhooks.own_ids import A_TAG  # loads the events

    return {**dict.fromkeys(message.tags, A_TAG), **message.metadata}


def _ses(message: Message) -> dict[str, t.Any]:
    tags = [{"Name": name, "Value": value} for name, value in _pairs(message).items()]
    return {"EmailTags": tags, "ConfigurationSetName": message.stream}


def _ses_header(message: Message) -> Iterator[tuple[str, str]]:
    if message.stream is not None:
        yield "X-SES-CONFIGURATION-SET", message.stream
    if pairs := _pairs(message):
        yield "X-SES-MESSAGE-TAGS", ", ".join(f"{name}={value}" for name, value in pairs.items())


def _resend(message: Message) -> dict[str, t.Any]:
    return {"tags": [{"name": name, "value": value} for name, value in _pairs(message).items()]}


def _tracking(message: Message) -> Iterator[tuple[str, bool]]:
    for name, value in (("opens", message.track_opens), ("clicks", message.track_clicks)):
        if value is not None:
            yield name, value


def mailgun_form(message: Message) -> Iterator[tuple[str, str]]:
    """Return the fields of Mailgun's form, which may repeat."""
    for tag in message.tags:
        yield "o:tag", tag
    for name, value in message.metadata.items():
        yield f"v:{name}", value
    for name, on in _tracking(message):
        yield f"o:tracking-{name}", "yes" if on else "no"


def _mailgun_header(message: Message) -> Iterator[tuple[str, str]]:
    for tag in message.tags:
        yield "X-Mailgun-Tag", tag
    if message.metadata:
        yield "X-Mailgun-Variables", json_in_header(dict(message.metadata))
    for name, on in _tracking(message):
        yield f"X-Mailgun-Track-{name.capitalize()}", "yes" if on else "no"


def _sendgrid(message: Message) -> dict[str, t.Any]:
    """Return the fields of SendGrid. It has the metadata in each copy of the message."""
    tracking = {"opens": "open_tracking", "clicks": "click_tracking"}
    return {
        "categories": [*message.tags],
        "tracking_settings": {tracking[name]: {"enable": on} for name, on in _tracking(message)},
    }


def _sendgrid_header(message: Message) -> Iterator[tuple[str, str]]:
    filters = {"opens": "opentrack", "clicks": "clicktrack"}
    fields = {
        "category": [*message.tags],
        "unique_args": dict(message.metadata),
        "filters": {
            filters[name]: {"settings": {"enable": int(on)}} for name, on in _tracking(message)
        },
    }
    if given := {name: value for name, value in fields.items() if value}:
        yield "X-SMTPAPI", json_in_header(given)


def _brevo_header(message: Message) -> Iterator[tuple[str, str]]:
    for tag in message.tags:
        yield "X-Mailin-Tag", tag
    if message.metadata:
        yield BREVO_CUSTOM, json_in_header(dict(message.metadata))


POSTMARK: t.Final = Spelling(
    name="postmark",
    provider="Postmark",
    servers=r"smtp(-broadcasts)?\.postmarkapp\.com",
    most_tags=1,
    tag=ANY,
    metadata_name=_POSTMARK_NAME,
    metadata_value=_POSTMARK_VALUE,
    any_case=True,
    tracks=True,
    stream=ANY,
    returns_ids=True,
    reserved=frozenset({"to", "cc", "bcc", "headers"}),
    in_api=_postmark,
    in_header=_postmark_header,
)
SES: t.Final = Spelling(
    name="ses",
    provider="Amazon SES",
    servers=r"email-smtp(-fips)?\.[a-z0-9-]+\.amazonaws\.(com(\.cn)?|eu)",
    tag=_AWS_WORD,
    metadata_name=_AWS_WORD,
    metadata_value=_AWS_WORD,
    pairs=True,
    stream=_AWS_WORD,
    reserved=frozenset({"content", "destination"}),
    in_api=_ses,
    in_header=_ses_header,
)
MAILGUN: t.Final = Spelling(
    name="mailgun",
    provider="Mailgun",
    servers=r"smtp(\.eu)?\.mailgun\.org",
    most_tags=_MAILGUN_TAGS,
    tag=_ASCII,
    metadata_name=MAILGUN_NAME,
    tracks=True,
    reserved=frozenset({"to", "cc", "bcc", "message", "h:to", "h:cc", "h:bcc"}),
    in_header=_mailgun_header,
)
SENDGRID: t.Final = Spelling(
    name="sendgrid",
    provider="SendGrid",
    servers=r"smtp\.sendgrid\.net",
    most_tags=_SENDGRID_TAGS,
    tag=_ASCII,
    metadata_name=_SENDGRID_NAME,
    tracks=True,
    returns_ids=True,
    reserved=frozenset({"personalizations", "headers"}),
    in_api=_sendgrid,
    in_header=_sendgrid_header,
)
BREVO: t.Final = Spelling(
    name="brevo",
    provider="Brevo",
    servers=r"smtp-relay\.(brevo|sendinblue)\.com",
    tag=ANY,
    metadata_name=_ASCII,
    metadata_value=_ASCII,
    returns_ids=True,
    reserved=frozenset({"to", "cc", "bcc", "headers", "messageversions"}),
    in_api=lambda message: {"tags": [*message.tags]},
    in_header=_brevo_header,
    most_tags_by_smtp=1,
)
RESEND: t.Final = Spelling(
    name="resend",
    provider="Resend",
    servers=r"smtp\.resend\.com",
    tag=_AWS_WORD,
    metadata_name=_AWS_WORD,
    metadata_value=_AWS_WORD,
    pairs=True,
    returns_ids=True,
    reserved=frozenset({"to", "cc", "bcc", "headers"}),
    in_api=_resend,
    key_field="Resend-Idempotency-Key",
)
GRAPH: t.Final = Spelling(name="graph", provider="Microsoft Graph", takes_options=False)
GMAIL: t.Final = Spelling(name="gmail", provider="Gmail", takes_options=False)
BY_SMTP: t.Final = (POSTMARK, SES, MAILGUN, SENDGRID, BREVO, RESEND)


def spelling_at(host: str, provider: str | None = None) -> Spelling | None:
    """Return the provider of an SMTP server; None if it is none of these.

    :param provider: Its name, if the app says it.
    """
    for one in BY_SMTP:
        if one.name == provider or (not provider and re.fullmatch(one.servers, host.lower())):
            return one
    return None
