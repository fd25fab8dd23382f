"""A message arrives complete: written by us, read by a parser that is not written in Python."""

from __future__ import annotations

import typing as t

import idna
import pytest
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
from test_mime_properties import address
from test_mime_properties import addresses
from test_mime_properties import attachment
from test_mime_properties import body
from test_mime_properties import lines
from test_mime_properties import names
from test_mime_properties import text

from flask_mailhandler import Address
from flask_mailhandler import Attachment
from flask_mailhandler import Message
from flask_mailhandler.mime import render
from mail_reader import MailReader
from mail_reader import ReadFile

if t.TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.services

examples = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

# This parser decodes encoded words even in a quoted name, and reads an empty text as one line.
readable = attachment.filter(lambda item: item.data != "" and "=?" not in (item.filename or ""))


@examples
@given(subject=text, headers=st.dictionaries(names.map(str.lower), text, max_size=3))
def test_text_in_headers(reader: MailReader, subject: str, headers: dict[str, str]) -> None:
    """C-46: subject and custom fields arrive as they were given."""
    message = Message(
        subject=subject,
        headers=headers,
        text="x",
        from_addr="a@example.com",
        to="b@example.com",
    )

    found = reader.read(bytes(render(message)))

    assert found.subject == subject
    assert {name: found.headers.get(name, "") for name in headers} == dict(message.headers)


@examples
@given(from_addr=address, to=addresses, cc=addresses)
def test_addresses(
    reader: MailReader,
    from_addr: tuple[str, str],
    to: list[tuple[str, str]],
    cc: list[tuple[str, str]],
) -> None:
    """C-35: names and addresses arrive."""
    message = Message(from_addr=from_addr, to=to, cc=cc, text="x")

    found = reader.read(bytes(render(message)))

    assert message.from_addr is not None
    assert found.from_ == _shown([message.from_addr])
    assert found.to == _shown(message.to)
    assert found.cc == _shown(message.cc)


@examples
@given(plain=body.filter(bool), html=body)
def test_bodies(reader: MailReader, plain: str, html: str) -> None:
    """C-41, C-42: text and HTML arrive with LF line ends."""
    message = Message(text=plain, html=html, from_addr="a@example.com", to="b@example.com")

    found = reader.read(bytes(render(message)))

    # The line end of the last line belongs to the message.
    end = "" if html else "\n"
    assert found.text in (message.text, message.text + end)
    assert found.html == message.html


@examples
@given(attachments=st.lists(readable, max_size=3), shown=st.binary(max_size=200))
def test_attachments(reader: MailReader, attachments: list[Attachment], shown: bytes) -> None:
    """C-44, C-47: files arrive with their names, types, octets and Content-IDs."""
    image = Attachment(shown, filename="logo.png", mimetype="image/png")
    html = f'<img src="cid:{image.cid}">'
    message = Message(
        text="x",
        html=html,
        from_addr="a@example.com",
        to="b@example.com",
        attachments=attachments,
        inline_attachments=[image],
    )

    found = reader.read(bytes(render(message)))

    assert found.html == html
    assert found.attachments == [
        ReadFile("logo.png", "image/png", "inline", image.cid, shown),
        *(
            ReadFile(item.filename, item.mimetype, "attachment", None, _octets(item))
            for item in attachments
        ),
    ]


def _shown(addresses: Iterable[Address]) -> list[tuple[str, str]]:
    """This reader shows a domain as people write it."""
    return [(one.name, f"{one.local}@{_unicode(one.domain)}") for one in addresses]


def _unicode(domain: str) -> str:
    return idna.decode(domain) if "xn--" in domain else domain


def _octets(item: Attachment) -> bytes:
    data = item.data
    return data if isinstance(data, bytes) else lines(data).replace("\n", "\r\n").encode()
