"""Tags, metadata, tracking and streams: what they become at each provider, by its API and by SMTP,
and what a provider cannot express."""

from __future__ import annotations

import email
import email.policy
import json
import re
import typing as t

import pytest
from flask import Flask

from flask_mailhandler import ConfigurationError
from flask_mailhandler import EmailHandler
from flask_mailhandler import EventKind
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler import SMTPServer
from flask_mailhandler.events.webhooks.sendgrid import _OWN as OWN
from flask_mailhandler.handlers.providers.spellings import BY_SMTP
from flask_mailhandler.handlers.providers.spellings import SENDGRID
from flask_mailhandler.handlers.providers.spellings import spelling_at
from hooking import SECRET
from hooking import Source
from hooking import told
from providing import refuses
from providing import send
from queueing import shop
from sending import letter
from sending import smtp
from servers.providers.brevo import FakeBrevo
from servers.providers.fake import LOST
from servers.providers.gmail import FakeGmail
from servers.providers.graph import FakeGraph
from servers.providers.mailgun import FakeMailgun
from servers.providers.postmark import FakePostmark
from servers.providers.resend import FakeResend
from servers.providers.sendgrid import FakeSendGrid
from servers.providers.ses import FakeSES
from signing import DOMAIN
from signing import made
from signing import verified
from signing import zone

if t.TYPE_CHECKING:
    from pathlib import Path

    from flask_mailhandler import MessageFields
    from sending import Scripted
    from servers.providers.fake import FakeProvider

TRACKED: MessageFields = {"track_opens": True, "track_clicks": False}
HOSTS = {
    "postmark": "smtp.postmarkapp.com",
    "ses": "email-smtp.eu-west-1.amazonaws.com",
    "mailgun": "smtp.eu.mailgun.org",
    "sendgrid": "smtp.sendgrid.net",
    "brevo": "smtp-relay.brevo.com",
    "resend": "smtp.resend.com",
}


def written(**fields: t.Unpack[MessageFields]) -> Message:
    """Return a small message with these fields."""
    return letter().replace(**fields)


def prepared(handler: EmailHandler, message: Message) -> bytes:
    """Return the octets of a message, as a handler would send them."""
    job = handler.prepare(message).job
    assert job is not None
    return bytes(job.content)


def added(octets: bytes) -> list[tuple[str, str]]:
    """Return the header fields of a message that a plain one does not have, as a reader of RFC 2047
    reads them."""
    usual = {name.lower() for name in email.message_from_bytes(octets_of_a_plain_one())}
    message = email.message_from_bytes(octets, policy=email.policy.default)
    return [(name, str(value)) for name, value in message.items() if name.lower() not in usual]


def octets_of_a_plain_one() -> bytes:
    return prepared(SMTPEmailHandler(host="mail.example.com"), letter())


# By SMTP


BOTH: MessageFields = {"tags": ["news"], "metadata": {"order": "17", "Team": "eu"}}
HEADERS: list[tuple[str, MessageFields, list[tuple[str, str]]]] = [
    (
        "postmark",
        {**BOTH, **TRACKED, "stream": "broadcast"},
        [("X-PM-Metadata-order", "17"), ("X-PM-Metadata-Team", "eu"), ("X-PM-Tag", "news"),
         ("X-PM-TrackOpens", "true"), ("X-PM-TrackLinks", "None"),
         ("X-PM-Message-Stream", "broadcast")],
    ),
    ("postmark", {"track_clicks": True, "track_opens": False},
     [("X-PM-TrackOpens", "false"), ("X-PM-TrackLinks", "HtmlAndText")]),
    ("postmark", {"tags": "Grüße  aus \t Köln"}, [("X-PM-Tag", "Grüße  aus \t Köln")]),
    ("ses", {**BOTH, "stream": "events"},
     [("X-SES-CONFIGURATION-SET", "events"),
      ("X-SES-MESSAGE-TAGS", "news=tag, order=17, Team=eu")]),
    ("mailgun", {**TRACKED, "tags": ["news", "eu"]},
     [("X-Mailgun-Tag", "news"), ("X-Mailgun-Tag", "eu"), ("X-Mailgun-Track-Opens", "yes"),
      ("X-Mailgun-Track-Clicks", "no")]),
    ("mailgun", {"metadata": {"a": "ü"}}, [("X-Mailgun-Variables", r'{"a": "\u00fc"}')]),
    ("sendgrid", {**BOTH, **TRACKED},
     [("X-SMTPAPI", '{"category": ["news"], "unique_args": {"order": "17", "Team": "eu"},'
       ' "filters": {"opentrack": {"settings": {"enable": 1}},'
       ' "clicktrack": {"settings": {"enable": 0}}}}')]),
    ("brevo", BOTH,
     [("X-Mailin-Tag", "news"), ("X-Mailin-custom", '{"order": "17", "Team": "eu"}')]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "fields", "header"), HEADERS)
def test_header_fields(name: str, fields: MessageFields, header: list[tuple[str, str]]) -> None:
    """Each provider gets its own header fields, whether it is named or guessed from the host, and
    no other server gets any. A message without such fields gets none."""
    message = written(**fields)

    for given in ({"host": HOSTS[name]}, {"host": "127.0.0.1", "provider": name}):
        handler = SMTPEmailHandler.from_config(given)
        assert added(prepared(handler, message)) == header
        assert prepared(
            handler, letter().replace(message_id="<1@x.example>", date=message.date)
        ) == (
            prepared(
                SMTPEmailHandler(host="mail.example.com"),
                letter().replace(message_id="<1@x.example>", date=message.date),
            )
        )
    for given in ({"host": "mail.example.com"}, {"host": HOSTS[name], "provider": "none"}):
        assert added(prepared(SMTPEmailHandler.from_config(given), message)) == []


def metadata_in(fields: dict[str, str]) -> dict[str, str]:
    """Return the metadata in the header fields of a message, as its provider reads them."""
    in_json = {**json.loads(fields.get("X-SMTPAPI", "{}")).get("unique_args", {})}
    in_json |= json.loads(fields.get("X-Mailin-custom", "{}"))
    pairs = ((name.partition("X-PM-Metadata-")[2], value) for name, value in fields.items())
    return in_json | {name: value for name, value in pairs if name}


LONG = f"<{'x' * 60}@{'y' * 60}.example>"


@pytest.mark.parametrize("list_name", ["news", "Grüße", "", "ü" * 100])
@pytest.mark.parametrize("message_id", ["<17@shop.example>", "<a!b'{c}@shop.example>", LONG])
@pytest.mark.parametrize("name", ["postmark", "sendgrid", "brevo"])
def test_ids_by_smtp(name: str, message_id: str, list_name: str) -> None:
    """With webhooks, what a provider returns of the header leads an event back to the message and
    its list, and the metadata of the app is as it was."""
    spelling = SMTPEmailHandler(host=HOSTS[name], webhook_secret=SECRET).spelling_by_smtp
    message = written(
        metadata={"order": "17"}, message_id=message_id, unsubscribe=list_name or None
    )
    assert spelling is not None
    fields = dict(spelling.by_smtp(message, message.envelope()).headers.pairs)
    source = Source(name)
    (post,) = source.posts(told(EventKind.UNSUBSCRIBED, message_id="", given=metadata_in(fields)))
    (event,) = source.read(post)

    whole = name != "postmark" or message_id != LONG
    assert event.message_id == (message_id if whole else "")
    assert event.envelope_id == ("" if whole else "x" * 60)
    assert event.list_name == (list_name if len(list_name) < 100 or name == "sendgrid" else "")
    assert event.metadata == {"order": "17"}


@pytest.mark.parametrize("name", HOSTS)
def test_ids_by_smtp_that_are_not_sent(name: str) -> None:
    """Nothing is sent along without webhooks, to a provider whose events name the Message-ID, and
    to one that has no header field for metadata."""
    plain = prepared(SMTPEmailHandler(host=HOSTS[name]), written())
    hooked = prepared(SMTPEmailHandler(host=HOSTS[name], webhook_secret=SECRET), written())

    assert b"mh-id" not in plain
    assert (b"mh-id" in hooked) == (name in ("postmark", "sendgrid", "brevo"))


@pytest.mark.parametrize(
    ("host", "name"),
    [
        *((host, name) for name, host in HOSTS.items()),
        ("SMTP.Postmarkapp.COM", "postmark"),
        ("smtp-broadcasts.postmarkapp.com", "postmark"),
        ("smtp.mailgun.org", "mailgun"),
        ("email-smtp.us-gov-west-1.amazonaws.com", "ses"),
        ("email-smtp.cn-north-1.amazonaws.com.cn", "ses"),
        ("smtp.postmarkapp.com.example.com", None),
        ("smtpxpostmarkapp.com", None),
        ("inbound-smtp.eu-west-1.amazonaws.com", None),
        ("ec2-1-2-3-4.compute.amazonaws.com", None),
        ("localhost", None),
    ],
)
def test_the_host_says_the_provider(host: str, name: str | None) -> None:
    """A server is one of a provider by its whole name only."""
    found = SMTPEmailHandler(host=host).spelling_by_smtp

    assert (found and found.name) == name
    assert found is spelling_at(host)
    assert {one.name for one in BY_SMTP} == {*HOSTS}


def test_a_wrong_provider() -> None:
    """A provider that is not known is an error that lists those that are."""
    with pytest.raises(ConfigurationError, match="one of 'postmark', 'ses'"):
        SMTPEmailHandler(provider="mandrill")


HOSTILE = ["a, b=c", 'say "hi"', "back\\slash", "=?utf-8?q?x?=", "a  b   c", "Grüße", "x" * 800,
           "tab\tbed", "\N{SNOWMAN}" * 60, "{}", "' OR 1", "</x>", "a:b", "ü " * 300]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("mailgun", "sendgrid") for value in HOSTILE),
        *(("brevo", value) for value in HOSTILE if re.fullmatch("[ -~]*", value)),
    ],
)
def test_json_in_the_header(name: str, value: str) -> None:
    """JSON in a header field survives folding, and is never written in encoded words."""
    given = {"a": value, "b": "c"}
    octets = prepared(SMTPEmailHandler(provider=name), written(metadata=given))

    header = octets.partition(b"\r\n\r\n")[0]
    assert max(map(len, header.split(b"\r\n"))) <= 998
    field = re.search(rb"X-(?:\w+-Variables|SMTPAPI|\w+-custom): ([^\r]*(?:\r\n [^\r]*)*)", header)
    assert field is not None
    found = json.loads(field[1].replace(b"\r\n", b""))
    assert found.get("unique_args", found) == given


REFUSED: list[tuple[str, MessageFields, str]] = [
    ("postmark", {"tags": ["a", "b"]}, "Postmark takes at most 1 of tags=, not 2"),
    ("postmark", {"metadata": {"a b": "c"}}, "visible ASCII characters"),
    ("postmark", {"metadata": {"a:b": "c"}}, "except ':'"),
    ("postmark", {"metadata": {"ü": "c"}}, "In a name of metadata=, Postmark takes .*, not 'ü'"),
    ("postmark", {"metadata": {"a" * 21: "c"}}, "up to 20"),
    ("postmark", {"metadata": {"a": "c" * 81}}, r"In metadata\['a'\], .* up to 80 characters"),
    ("postmark", {"metadata": {"a": "b", "A": "c"}}, "'A' is there twice"),
    ("ses", {"tags": ["Grüße"]}, "Amazon SES takes 1 to 256 of the ASCII letters"),
    ("ses", {"tags": ["a b"]}, "In tags=, Amazon SES takes 1 to 256 .*, not 'a b'"),
    ("ses", {"metadata": {"a": ""}}, r"In metadata\['a'\], .*, not ''"),
    ("ses", {"metadata": {"a": "b, c=d"}}, r"In metadata\['a'\]"),
    ("ses", {"metadata": {"a": "b" * 257}}, "1 to 256"),
    ("ses", {"tags": ["a"], "metadata": {"A": "b"}}, "in tags= or metadata="),
    ("ses", {"track_opens": True}, "does not take track_opens= for a message"),
    ("ses", {"track_clicks": False}, "does not take track_clicks="),
    ("ses", {"stream": "two words"}, "In stream=, .*, not 'two words'"),
    ("resend", {"track_opens": False}, "Resend does not take track_opens="),
    ("resend", {"stream": "a"}, "Resend has no streams: leave out stream="),
    ("mailgun", {"tags": [str(number) for number in range(11)]}, "at most 10 of tags=, not 11"),
    ("mailgun", {"tags": ["ü"]}, "In tags=, Mailgun takes ASCII characters"),
    ("mailgun", {"stream": "a"}, "Mailgun has no streams"),
    ("sendgrid", {"tags": [str(number) for number in range(11)]}, "at most 10 of tags=, not 11"),
    ("sendgrid", {"stream": "a"}, "SendGrid has no streams"),
    ("brevo", {"metadata": {"a": "ü"}}, r"In metadata\['a'\], Brevo takes ASCII characters"),
    ("brevo", {"metadata": {"ü": "a"}}, "In a name of metadata="),
    ("sendgrid", {"tags": ["ü"]}, "In tags=, SendGrid takes ASCII characters"),
    ("sendgrid", {"metadata": {"email": "a"}}, "names that its events do not have"),
    ("brevo", {"track_opens": True}, "Brevo does not take track_opens="),
    ("brevo", {"stream": "a"}, "Brevo has no streams"),
]
BY_SMTP_ONLY: list[tuple[str, MessageFields, str]] = [
    ("brevo", {"tags": ["a", "b"]}, "at most 1 of tags= by SMTP, not 2"),
    (
        "resend",
        {"metadata": {"a": "b"}},
        "only by its API: leave it out, or set MAIL_URL = 'resend:",
    ),
    ("postmark", {"provider_options": {"postmark": {"InlineCss": True}}}, "are for the API, and"),
    ("mailgun", {"metadata": {"a": "x" * 901}}, "more than 900 characters without a space"),
    ("sendgrid", {"metadata": {"a": "ü" * 200}}, "more than 900 characters without a space"),
]


@pytest.mark.parametrize(("name", "fields", "said"), [*REFUSED, *BY_SMTP_ONLY])
def test_refused_by_smtp(name: str, fields: MessageFields, said: str) -> None:
    """What a provider cannot express is an error before anything is sent. Another server is sent
    the message, and nothing of it."""
    message = written(**fields)

    with pytest.raises(MessageError, match=said):
        SMTPEmailHandler(provider=name).prepare(message)
    assert SMTPEmailHandler().prepare(message).job is not None


def test_a_field_of_the_message_comes_first() -> None:
    """A header field that the message has already is not written again."""
    handler = SMTPEmailHandler(provider="postmark")
    message = written(tags="news", stream="eu", headers={"x-pm-tag": "mine"})

    assert added(prepared(handler, message)) == [
        ("x-pm-tag", "mine"),
        ("X-PM-Message-Stream", "eu"),
    ]


def test_resend_recognizes_a_repeat_by_smtp() -> None:
    """A message to one recipient has a key, the same each time. One to several has none, because it
    may be repeated for some of them."""
    handler = SMTPEmailHandler(provider="resend")
    message = letter().replace(tags=["any tag: is not sent"])

    (first,), (again,) = (added(prepared(handler, message)) for _ in range(2))
    (other,) = added(prepared(handler, message.replace()))
    assert first == again
    assert (first[0], len(first[1])) == ("Resend-Idempotency-Key", 36)
    assert other != first
    assert added(prepared(handler, message.replace(bcc="c@example.com"))) == []
    own = [("resend-idempotency-key", "mine")]
    assert added(prepared(handler, message.replace(headers=own))) == own


@pytest.mark.parametrize("provider", ["postmark", "none"])
def test_what_a_server_gets(scripted: Scripted, provider: str) -> None:
    """The server of the provider gets the header fields, from the queue too, and any other server
    gets none. The signature is valid with them, and without them if the provider removes them."""
    server = scripted()
    handler = smtp(server, provider=provider, dkim_keys={"s2026": made()[1]})
    message = written(tags="Grüße", metadata={"order": "17"}, from_addr=f"shop@{DOMAIN}")
    (report,) = handler.send([message])
    handler.close()

    (octets,) = [mail.content for mail in server.accepted]
    assert f"Message-ID: {report.message_id}\r\n".encode() in octets
    assert (report.message_id, message.tags) == (message.message_id, ("Grüße",))
    names = [b"X-PM-Metadata-order: 17\r\n", b"X-PM-Tag: =?utf-8?"]
    assert [name in octets for name in names] == [provider == "postmark"] * 2
    removed = re.sub(rb"(?m)^X-PM-.*\r\n", b"", octets)
    assert [one.passed for one in verified(octets, zone(made()[0]))] == [True]
    assert [one.passed for one in verified(removed, zone(made()[0]))] == [True]


# By API


API: list[tuple[type[FakeProvider], MessageFields, dict[str, t.Any], dict[str, t.Any]]] = [
    (FakePostmark, {**BOTH, **TRACKED, "stream": "eu"}, {"message_stream": "us"},
     {"Tag": "news", "Metadata": {"order": "17", "Team": "eu"}, "TrackOpens": True,
      "TrackLinks": "None", "MessageStream": "eu"}),
    (FakePostmark, {"track_clicks": True, "track_opens": False}, {"message_stream": "us"},
     {"TrackLinks": "HtmlAndText", "TrackOpens": False, "MessageStream": "us"}),
    (FakePostmark, {"tags": "x", "stream": "eu", "provider_options": {"postmark": {
        "InlineCss": False, "MessageStream": "de", "Tag": "ü"}, "ses": {"a": 1}}}, {},
     {"InlineCss": False, "MessageStream": "de", "Tag": "ü"}),
    (FakeResend, BOTH, {},
     {"tags": [{"name": "news", "value": "tag"}, {"name": "order", "value": "17"},
               {"name": "Team", "value": "eu"}]}),
    (FakeResend, {"provider_options": {"resend": {"scheduled_at": "in 1 min"}}}, {},
     {"scheduled_at": "in 1 min"}),
    (FakeMailgun, {**BOTH, **TRACKED, "tags": ["news", "Ann's \"eu\""]}, {},
     {"o:tag": [b"news", b"Ann's \"eu\""], "v:order": [b"17"], "v:Team": [b"eu"],
      "o:tracking-opens": [b"yes"], "o:tracking-clicks": [b"no"]}),
    (FakeMailgun, {"tags": "a", "metadata": {"order": "ü--x"}, "provider_options": {
        "mailgun": {"o:tag": ["b", "c"], "o:testmode": True}}}, {},
     {"o:tag": [b"b", b"c"], "v:order": ["ü--x".encode()], "o:testmode": [b"true"]}),
    (FakeSendGrid, {**BOTH, **TRACKED}, {},
     {"categories": ["news"],
      "tracking_settings": {"open_tracking": {"enable": True},
                            "click_tracking": {"enable": False}}}),
    (FakeSendGrid, {"track_opens": True, "provider_options": {"sendgrid": {
        "tracking_settings": {"ganalytics": {"enable": True}},
        "mail_settings": {"sandbox_mode": {"enable": True}}}}}, {},
     {"tracking_settings": {"open_tracking": {"enable": True}, "ganalytics": {"enable": True}},
      "mail_settings": {"sandbox_mode": {"enable": True}}}),
    (FakeBrevo, {"tags": ["news", "Grüße"]}, {}, {"tags": ["news", "Grüße"]}),
    (FakeBrevo, {"provider_options": {"brevo": {"scheduledAt": "2027-01-01T00:00:00Z"}}}, {},
     {"scheduledAt": "2027-01-01T00:00:00Z"}),
    (FakeSES, {**BOTH, "stream": "events"}, {"configuration_set": "other"},
     {"EmailTags": [{"Name": "news", "Value": "tag"}, {"Name": "order", "Value": "17"},
                    {"Name": "Team", "Value": "eu"}], "ConfigurationSetName": "events"}),
    (FakeSES, {"provider_options": {"ses": {"ListManagementOptions": {"ContactListName": "a"}}}},
     {"configuration_set": "other"},
     {"ListManagementOptions": {"ContactListName": "a"}, "ConfigurationSetName": "other"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fields", "options", "wanted"), API)
def test_by_api(
    kind: type[FakeProvider],
    fields: MessageFields,
    options: dict[str, t.Any],
    wanted: dict[str, t.Any],
) -> None:
    """Each provider gets its own fields. The stream of a message takes precedence over the option
    of the account, and the options for the provider over both."""
    with kind() as fake:
        plain, report = send(fake, letter(), written(**fields), **options)
    assert plain.ok
    assert report.ok
    assert fake.faults == []

    without, found = (mail.fields for mail in fake.taken)
    more = {name: value for name, value in found.items() if value != without.get(name)}
    kept = {name: value for name, value in wanted.items() if value == without.get(name)}
    assert {name: value for name, value in more.items() if name not in OTHER} | kept == wanted


def test_metadata_by_brevo() -> None:
    """Brevo gets metadata in a header field, as JSON."""
    with FakeBrevo() as fake:
        send(fake, written(metadata={"order": "17", "a": "b"}))

    (mail,) = fake.taken
    assert fake.faults == []
    found = json.loads(mail.fields["headers"]["X-Mailin-custom"])
    assert found == {"order": "17", "a": "b"}


def test_names_of_sendgrid() -> None:
    """No metadata may have a name that an event of SendGrid has for itself."""
    for name in OWN:
        with pytest.raises(MessageError, match="names that its events do not have"):
            SENDGRID.check(written(metadata={name: "x"}))
    SENDGRID.check(written(metadata={"emails": "x", "Event": "x", "my url": "x"}))


@pytest.mark.parametrize("kind", [FakeGraph, FakeGmail])
def test_tags_where_there_are_none(kind: type[FakeProvider]) -> None:
    """A provider without tags sends a message with tags, and gets none."""
    with kind() as fake:
        (report,) = send(fake, written(tags=["my own", "words"]))

    assert report.ok
    assert "my own" not in repr(fake.taken)


OTHER = ("octets", "Content", "Headers", "headers", "message", "personalizations")
"""What differs between any two messages."""


API_ONLY: list[tuple[str, MessageFields, str]] = [
    ("graph", {"metadata": {"a": "b"}}, "Microsoft Graph does not take metadata="),
    ("graph", {"track_opens": False}, "Microsoft Graph does not take track_opens="),
    ("gmail", {"stream": "a"}, "Gmail has no streams"),
    ("gmail", {"provider_options": {"gmail": {}}}, "the octets of a message and nothing else"),
    ("mailgun", {"metadata": {'a"b': "c"}}, "except quotes"),
    ("mailgun", {"metadata": {"a b": "c"}}, "visible ASCII"),
    ("mailgun", {"provider_options": {"mailgun": {'o:"': "x"}}}, r"provider_options\['mailgun'\]"),
    ("mailgun", {"provider_options": {"mailgun": {"a\r\nb": "x"}}}, "visible ASCII"),
    ("mailgun", {"metadata": {"a": "x" * 17_000}}, "Mailgun takes at most 16384"),
    ("mailgun", {"provider_options": {"mailgun": {"to": "x@example.com"}}}, "cannot have 'to'"),
    ("mailgun", {"provider_options": {"mailgun": {"h:Bcc": "x@example.com"}}}, "have 'h:Bcc'"),
    ("sendgrid", {"provider_options": {"sendgrid": {"personalizations": []}}}, "cannot have"),
    ("brevo", {"provider_options": {"brevo": {"messageVersions": []}}}, "cannot have"),
    ("resend", {"tags": ["a.b"]}, "Resend takes 1 to 256 of the ASCII letters"),
    ("postmark", {"provider_options": {"postmark": {"To": "x@example.com"}}}, "cannot have 'To'"),
    ("postmark", {"provider_options": {"postmark": {"bCC": "x@example.com"}}}, "cannot have 'bCC'"),
    ("postmark", {"provider_options": {"postmrk": {}}}, "write 'postmark' for Postmark"),
    ("resend", {"provider_options": {"resend": {"to": []}}}, "cannot have 'to'"),
    ("ses", {"provider_options": {"ses": {"Destination": {}}}}, "cannot have 'Destination'"),
]
KINDS: dict[str, type[FakeProvider]] = {
    "postmark": FakePostmark, "resend": FakeResend, "ses": FakeSES, "mailgun": FakeMailgun,
    "sendgrid": FakeSendGrid, "brevo": FakeBrevo, "graph": FakeGraph, "gmail": FakeGmail,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "fields", "said"), [*(one for one in REFUSED if one[0] in KINDS), *API_ONLY]
)
@pytest.mark.parametrize("call", ["send", "send_later"])
def test_refused_by_api(
    name: str, fields: MessageFields, said: str, call: str, tmp_path: Path
) -> None:
    """What a provider cannot express is an error on the line that sends or queues it."""
    refuses(KINDS[name], written(**fields), said, call, tmp_path)


EVERY: MessageFields = {
    "tags": ["news"],
    "metadata": {"order": "17", "eu": "x"},
    "provider_options": {"resend": {"scheduled_at": "now"}},
}


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    """The fields that were queued are sent by another process, and a repeat has the same body, by
    which the provider recognizes it."""
    with FakeResend(LOST, LOST) as fake:
        keys: dict[str, t.Any] = {
            "MAIL_URL": fake.mail_url,
            "MAIL_QUEUE": str(tmp_path / "queue.sqlite"),
        }
        with shop(tmp_path, **keys) as first:
            first.mail.send_later(written(**EVERY))
        with shop(tmp_path, **keys) as second:
            second.queue.run_once()
            assert second.states == ["waiting"]
        with shop(tmp_path, **keys) as third:
            third.all_later()
            third.queue.run_once()
            assert third.states == ["sent"]

    (mail,) = fake.taken
    assert fake.faults == []
    assert mail.fields["tags"] == [
        {"name": "news", "value": "tag"},
        {"name": "order", "value": "17"},
        {"name": "eu", "value": "x"},
    ]
    assert mail.fields["scheduled_at"] == "now"


def test_the_queue_by_smtp(scripted: Scripted, tmp_path: Path) -> None:
    """A queued message has the header fields when it is sent, and its MessageError when queued."""
    server = scripted()
    with shop(tmp_path, server, MAIL_PROVIDER="postmark") as here:
        here.mail.send_later(written(tags="news", track_opens=True))
        with pytest.raises(MessageError, match="at most 1 of tags="):
            here.mail.send_later(written(tags=["a", "b"]))
        here.queue.run_once()
        assert here.states == ["sent"]

    assert added(server.accepted[0].content) == [("X-PM-Tag", "news"), ("X-PM-TrackOpens", "true")]


def test_what_is_captured(tmp_path: Path) -> None:
    """A captured message has the fields, and what the provider cannot express fails in a test."""
    app = Flask("shop", instance_path=str(tmp_path))
    app.config.update(MAIL_HOST=HOSTS["postmark"], MAIL_DEFAULT_FROM="shop@example.com")
    mail = Mail(app, cli=None)
    with app.app_context(), mail.capture() as outbox:
        mail.send(written(tags="news", metadata={"order": "17"}))
        with pytest.raises(MessageError, match="at most 1 of tags="):
            mail.send(written(tags=["a", "b"]))

    assert (outbox[0].tags, outbox[0].metadata) == (("news",), {"order": "17"})
    assert "X-PM-Tag" not in outbox[0].headers


@pytest.mark.parametrize("name", ["postmark", "none"])
def test_what_a_test_server_gets(tmp_path: Path, name: str) -> None:
    """A test server gets the header fields that the provider would get."""
    app = Flask("shop", instance_path=str(tmp_path))
    app.config.update(MAIL_HOST=HOSTS["postmark"], MAIL_DEFAULT_FROM="shop@example.com")
    if name == "none":
        app.config["MAIL_PROVIDER"] = name
    mail = Mail(app, cli=None)
    with SMTPServer() as server, app.app_context(), mail.capture(server=server):
        mail.send(written(tags="news"))

    (captured,) = server.outbox
    assert captured.headers.get("X-PM-Tag") == ("news" if name == "postmark" else None)
