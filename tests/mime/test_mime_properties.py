"""A message arrives complete: written by us, read by the standard library."""

from __future__ import annotations

import datetime
import email.policy
import re
import typing as t

import pytest
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from flask_mailhandler import Address
from flask_mailhandler import Attachment
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.address import Addresses
from flask_mailhandler.mime import render
from flask_mailhandler.mime.parameters import with_parameters
from flask_mailhandler.mime.stdlib.address_list import all_addresses
from flask_mailhandler.mime.stdlib.address_list import parse_list
from flask_mailhandler.mime.stdlib.render import adopt
from flask_mailhandler.mime.transfer import base64_length
from flask_mailhandler.mime.transfer import base64_lines
from flask_mailhandler.mime.transfer import encode_safely
from flask_mailhandler.mime.transfer import encode_text
from flask_mailhandler.plaintext import plaintext
from flask_mailhandler.text.checks import CONTROLS
from flask_mailhandler.text.decoding import decoded
from wire_form import judge

# Many examples, which are the same on every version of Python.
pytestmark = pytest.mark.slow

quickly = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)


def lines(value: str) -> str:
    """Text with its line ends as a message has them."""
    return value.replace("\r\n", "\n").replace("\r", "\n")


def tidy(message: Message) -> Message:
    """Return the message as its octets represent it: a single text ends with a line end, and a
    text equal to the one made from the HTML is left out."""
    made = message.html and message.text == plaintext(message.html)
    return message.replace(
        text="" if made else message.text.removesuffix("\n"), html=message.html.removesuffix("\n")
    )


def bare(name: str) -> str:
    """A name without white space."""
    return "".join(name.split())


# Text that people and attackers write: plain words, white space, encoded words, other alphabets,
# characters with a meaning in a header, and any text.
spices = st.sampled_from(
    [
        *("=?utf-8?q?=0A?=", "=?", "?=", "  ", "\t", *"\"\\,;<>@:()=_?%'"),
        *("é", "日本", "\U0001f600", "e\u0301", "\u00a0", "\u200f", "a" * 80),
    ]
)
anything = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
text = st.lists(
    st.one_of(
        st.sampled_from(["word", "Hello", " ", "to "]), spices, st.text(anything, max_size=9)
    ),
    max_size=30,
).map("".join)
body = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
        st.sampled_from(["\n", "\r", "\r\n", ".\n", "\n.\n", "From me\n", "--=_", "=", " \n"]),
        st.sampled_from(["x" * 998, "x" * 999, "é" * 600, "--\n", "\x00", "\x1b[0m", "\x0c"]),
    ),
    max_size=12,
).map("".join)
mailbox = st.builds(
    "{}@{}".format,
    st.text("abcXYZ019!#$%&'*+-/^_`{|}~", min_size=1, max_size=64),
    st.sampled_from(["example.com", "b.org", "sub.domain.example", "faß.de", "[192.0.2.1]"]),
)
address = st.builds(lambda name, box: (name, box), text, mailbox)
addresses = st.lists(address, max_size=6)
names = st.from_regex(r"\A[Xx]-[A-Za-z0-9-]{1,40}\Z")
filenames = text.map(lambda name: re.sub(r"[/\\\u202a-\u202e\u2066-\u2069]", "", name))
attachment = st.one_of(
    st.builds(
        lambda data, name: Attachment(data, filename=name, mimetype="application/x-data"),
        st.binary(max_size=300),
        filenames,
    ),
    st.builds(
        lambda data, name: Attachment(data, filename=name, mimetype="text/x-data"),
        body.map(lines),
        filenames,
    ),
)


@quickly
@given(text)
def test_subject(subject: str) -> None:
    """Decoding the wire form returns every accepted text (C-46)."""
    message = Message(subject=subject, text="x", from_addr="a@example.com", to="b@example.com")

    parsed = judge(render(message))

    assert (parsed["Subject"] or "") == subject


@quickly
@given(names, text)
def test_custom_field(name: str, value: str) -> None:
    """A custom field arrives as it was given, without white space around it."""
    message = Message(headers={name: value}, from_addr="a@example.com", to="b@example.com")

    parsed = judge(render(message))

    assert parsed[name] == value.strip(" \t")


@quickly
@given(address, addresses, addresses, addresses)
def test_addresses(
    author: tuple[str, str],
    reply_to: list[tuple[str, str]],
    to: list[tuple[str, str]],
    cc: list[tuple[str, str]],
) -> None:
    """Names and addresses arrive, each local@domain unchanged (C-21, C-35)."""
    message = Message(from_addr=author, reply_to=reply_to, to=to, cc=cc)

    parsed = judge(render(message))

    raw = email.message_from_bytes(bytes(render(message)), policy=email.policy.compat32)
    for field, sent in (
        ("From", Addresses(filter(None, [message.from_addr]))),
        ("Reply-To", message.reply_to),
        ("To", message.to),
        ("Cc", message.cc),
    ):
        value = re.sub(r"\r\n(?=[ \t])", "", raw[field] or "")
        read = all_addresses(parse_list(value, field))
        assert [(decoded(one.name), str(one)) for one in read] == list(sent.named)
        # The standard library reads white space between the encoded words of a name, and shortens
        # white space within them.
        found = parsed[field].addresses if parsed[field] else ()
        assert [(bare(one.display_name), one.addr_spec) for one in found] == [
            (bare(name), mailbox) for name, mailbox in sent.named
        ]


@quickly
@given(body, body)
def test_text_and_html(text: str, html: str) -> None:
    """C-41, C-42: a body arrives with LF line ends; nothing in it ends the message early."""
    message = Message(text=text, html=html, from_addr="a@example.com", to="b@example.com")

    parsed = judge(render(message))

    if message.text and message.html:
        first, second = parsed.iter_parts()
        assert lines(_text(first)) == lines(text)
        assert lines(_text(second)) == lines(html)
    elif not message.html:
        # The line end of the last line belongs to the message.
        assert lines(_text(parsed)) in (lines(text), lines(text) + "\n")


@quickly
@given(st.lists(attachment, min_size=1, max_size=4), text)
def test_attachments(attachments: list[Attachment], subject: str) -> None:
    """C-41, C-47: octets and file names arrive unchanged, and texts with CRLF."""
    message = Message(
        text="x", from_addr="a@example.com", to="b@example.com", attachments=attachments
    )

    parts = list(judge(render(message)).iter_attachments())

    found = [part["Content-Disposition"].params.get("filename") for part in parts]
    assert found == [item.filename for item in attachments]
    for part, item in zip(parts, attachments, strict=True):
        octets = t.cast(bytes, part.get_payload(decode=True))
        if isinstance(item.data, bytes):
            assert octets == item.data
        else:
            # The line end after quoted-printable belongs to the delimiter.
            assert octets == lines(item.data).replace("\n", "\r\n").encode()


@quickly
@given(
    subject=text,
    text=body,
    html=body,
    from_addr=address,
    to=addresses,
    cc=addresses,
    headers=st.dictionaries(names, text, max_size=3),
    attachments=st.lists(attachment, max_size=2),
    inline_attachments=st.lists(attachment, max_size=2),
)
def test_round_trip(**fields: t.Any) -> None:
    """from_mime() of to_mime() returns an equal message, including its Message-ID."""
    fields["headers"] = {name.title(): value for name, value in fields["headers"].items()}
    message = Message(**fields)

    found = Message.from_mime(message.to_mime())

    assert found.message_id == message.message_id
    assert found.date == message.date
    expect = message.replace(message_id=message.message_id, date=message.date)
    assert tidy(found) == tidy(expect)
    assert [item.cid for item in found.inline_attachments] == [
        item.cid for item in message.inline_attachments
    ]


@quickly
@given(body, st.binary(max_size=200), text)
def test_adopted(text: str, data: bytes, filename: str) -> None:
    """An EmailMessage arrives in 7 bits with the content that it has in memory."""
    built = email.message.EmailMessage()
    built["From"] = "a@example.com"
    built["To"] = "b@example.com"
    built.set_content(text)
    built.add_attachment(data, maintype="application", subtype="octet-stream", filename="x")

    parsed = judge(adopt(built).content)

    first, second = parsed.iter_parts()
    assert lines(_text(first)) == lines(t.cast(str, built.get_body().get_content()))  # type: ignore[union-attr]
    assert second.get_payload(decode=True) == data


@quickly
@given(st.text(max_size=60))
def test_anything_is_refused_or_arrives(subject: str) -> None:
    """Only text with control characters or lone surrogates is refused."""
    fields: t.Any = {"from_addr": "a@example.com", "to": "b@example.com"}
    if re.search(CONTROLS, subject):
        with pytest.raises(MessageError, match="subject"):
            Message(subject=subject, **fields)
    else:
        assert (judge(render(Message(subject=subject, **fields)))["Subject"] or "") == subject


@quickly
@given(st.text(max_size=40))
def test_an_address_is_refused_or_kept(value: str) -> None:
    """An accepted address is written as it was read, as one address in one field."""
    try:
        address = Address(value)
    except MessageError:
        return
    message = Message(from_addr="a@example.com", to=address)

    parsed = judge(render(message))

    assert [one.addr_spec for one in parsed["To"].addresses] == [str(address)]


@quickly
@given(body.map(lines))
def test_encodings_are_undone(text: str) -> None:
    """C-40, C-41: decoding returns the text, in any of the encodings."""
    data = text.encode()
    for encoding, encoded in (encode_text(text), encode_safely(data)):
        part = email.message_from_bytes(
            b"Content-Transfer-Encoding: %b\r\n\r\n%b" % (encoding.encode(), encoded)
        )
        found = t.cast(bytes, part.get_payload(decode=True)).replace(b"\r\n", b"\n")
        assert found == (data if encoding == "base64" else data + b"\n")


@quickly
@given(st.integers(0, 70_000))
def test_base64_length(size: int) -> None:
    """C-67: the length of base64 is known before it is made."""
    assert base64_length(size) == sum(map(len, base64_lines(bytes(size))))


@quickly
@given(text.map(str.strip).filter(bool))
def test_parameters(value: str) -> None:
    """RFC 2231: a parameter arrives, in lines of up to 78 characters."""
    written = with_parameters("Content-Disposition", "attachment", [("filename", value)])

    part = email.message_from_string(written + "\n\n", policy=email.policy.default)

    # get_filename() would remove quotes that are part of the name.
    assert part["Content-Disposition"].params["filename"] == value
    assert max(map(len, written.split("\r\n"))) <= 78


@quickly
@given(text)
def test_own_decoder(value: str) -> None:
    """Our reader of encoded words returns the text given to our writer."""
    message = Message(subject=value, from_addr="a@example.com", to="b@example.com")
    raw = email.message_from_bytes(bytes(render(message)), policy=email.policy.compat32)

    assert decoded(re.sub(r"\r\n(?=[ \t])", "", raw["Subject"] or "")) == value


@quickly
@given(st.integers(0, 2**32), st.integers(-1439, 1439))
def test_date(seconds: int, minutes: int) -> None:
    """C-31: the Date has the time and its zone."""
    zone = datetime.timezone(datetime.timedelta(minutes=minutes))
    date = datetime.datetime.fromtimestamp(seconds, zone)
    message = Message(from_addr="a@example.com", to="b@example.com", date=date)

    found = judge(render(message))["Date"].datetime

    assert found == date
    assert found.utcoffset() == date.utcoffset()


def _text(part: email.message.Message) -> str:
    octets = t.cast(bytes, part.get_payload(decode=True))
    return octets.decode(part.get_content_charset() or "ascii")
