"""Addresses from other programs: encoded, with invisible characters, or as objects."""

from __future__ import annotations

import copy
import pickle
import re
import typing as t
from email.header import Header
from email.headerregistry import Address as RegistryAddress
from email.headerregistry import Group
from email.message import EmailMessage
from email.utils import formataddr

import pytest
from flask import Flask
from werkzeug.local import LocalProxy

from flask_mailhandler import Address
from flask_mailhandler import ConfigurationError
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.address import Addresses
from flask_mailhandler.envelope import Envelope
from flask_mailhandler.mime import render
from flask_mailhandler.mime.stdlib.render import adopt
from flask_mailhandler.testing.server import SMTPServer
from sending import smtp
from wire_form import judge

FIELDS = ["to", "cc", "bcc", "reply_to", "from_addr", "envelope_sender"]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("mailbox", "character", "position"),
    [
        *[(f"{mark}ann@example.com", mark, 0) for mark in "\u200b\u2060\ufeff\u00ad\u2063"],
        ("an\u202en@example.com", "\u202e", 2),
        ("ann\u200e@example.com", "\u200e", 3),
        ('"a b\u2066"@example.com', "\u2066", 4),
        ("ann\U000e0041@example.com", "\U000e0041", 3),
        ("\u3164ann@example.com", "\u3164", 0),
        ("an\u034fn@example.com", "\u034f", 2),
        ("an\u200cn@example.com", "\u200c", 2),
        ("ann\u200d@example.com", "\u200d", 3),
        ("\u200d\u0915@example.com", "\u200d", 0),
        ("a\U0010fffd\u200db@example.com", "\u200d", 2),
    ],
)
def test_invisible(field: str, mailbox: str, character: str, position: int) -> None:
    """An invisible character before the @ is refused, with the field and the position."""
    fields: t.Any = {field: f"Ann <{mailbox}>"}

    with pytest.raises(MessageError) as caught:
        Message(**fields)

    assert str(caught.value).startswith(
        f"{field} has the invisible character {character!a} at position {position}: "
    )
    assert mailbox[position] == character


@pytest.mark.parametrize(
    "local",
    [
        "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc",  # Persian: letters that would join
        "\u0915\u094d\u200d\u0937",  # Devanagari: a joiner behind a virama
        "\u0915\u094d\u200c\u0937",  # and a non-joiner there
        "zoë",
        "日本",
        "\u2764\ufe0f",  # a selector decides how the heart is shown
    ],
)  # fmt: skip
def test_joiners_that_are_needed(local: str) -> None:
    """RFC 5892 A.1, A.2: a joiner is allowed between letters of a script that needs it."""
    assert Message(to=f"{local}@example.com").to == [f"{local}@example.com"]


def test_invisible_in_a_message_of_the_standard_library() -> None:
    """The addresses of an EmailMessage are checked like those of a Message."""
    theirs = EmailMessage()
    theirs["From"] = "shop@example.com"
    theirs["To"] = "an\u200bn@example.com"

    with pytest.raises(MessageError, match=r"To has the invisible character '\\u200b'"):
        adopt(theirs)


@pytest.mark.parametrize(
    ("name", "charset"),
    [
        *[(name, "utf-8") for name in ("Łukasz", "Zoë Größe", "日本 太郎", "Smith, Zoë", "Ж" * 20)],
        ('Zoë "Z" (Zed)', "iso-8859-1"),
        ("日本 太郎", "iso-2022-jp"),
        ("Жанна", "koi8-r"),
    ],
)
def test_encoded_names(name: str, charset: str) -> None:
    """RFC 2047 5 (3): a name that the standard library encoded is decoded."""
    written = formataddr((name, "l@example.net"), charset)

    message = Message(to=written, from_addr=written)

    assert "=?" in written
    assert message.to.named == ((name, "l@example.net"),)
    parsed = judge(render(message))
    assert parsed["To"].addresses[0].display_name.replace(" ", "") == name.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?= GmbH <a@b.example>", "Grüße GmbH"),
        ("=?UTF-8?Q?a?= =?utf-8?B?Yg==?= <a@b.example>", "ab"),
        ("=?utf-8*de?q?=C3?= =?utf-8?q?=BC?= <a@b.example>", "ü"),
        ("=?iso-8859-1?q?=E9?=<a@b.example>", "é"),
        ('"=?utf-8?q?a?=" <a@b.example>', "=?utf-8?q?a?="),  # a quoted-string has no encoded words
        ("Why=? <a@b.example>", "Why=?"),
    ],
)
def test_encoded_words(text: str, name: str) -> None:
    """Encoded words are decoded only where RFC 2047 allows them."""
    assert Address(text).name == name


@pytest.mark.parametrize(
    "word",
    ["=?utf-8?b?!!?=", "=?utf-8?b?YQ?=?=", "=?nonsense?q?a?=", "=?utf-8?q?=FF?=", "=?utf-8?q?=G?=",
     "=?utf-8?x?a?=", "=?utf-8?q?a", "x=?utf-8?q?a?=", "=?utf-8?q?a?==?utf-8?q?b?=",
     "=?undefined?q?a?="],
)  # fmt: skip
def test_encoded_words_that_cannot_be_read(word: str) -> None:
    """An invalid encoded word is an error that says what to write instead."""
    with pytest.raises(MessageError, match=r"^cc has an encoded word .*\(name, address\)"):
        Message(cc=f"{word} <a@b.example>")


@pytest.mark.parametrize("hidden", ["=0A", "=00", "=0D=0ABcc=3A_x", "=E2=80=A8", "=C2=85", "=7F"])
def test_what_an_encoded_word_hides(hidden: str) -> None:
    """A name is checked after it is decoded."""
    with pytest.raises(MessageError, match="the name in to has the control character"):
        Message(to=f"=?utf-8?q?a{hidden}?= <a@b.example>")


def test_the_name_of_a_pair() -> None:
    """A name from a pair is used as it is."""
    message = Message(to=("=?utf-8?q?a?=", "a@b.example"), from_addr="shop@example.com")

    assert message.to[0].name == "=?utf-8?q?a?="
    assert judge(render(message))["To"].addresses[0].display_name == "=?utf-8?q?a?="


@pytest.mark.parametrize("key", ["MAIL_DEFAULT_FROM", "MAIL_DEFAULT_REPLY_TO", "MAIL_DEFAULT_TO"])
def test_encoded_names_in_the_configuration(key: str) -> None:
    """A key is read like a field, and the error for an invalid encoded word names the key."""
    app = Flask("encoded")
    app.config[key] = formataddr(("Łukasz", "l@example.net"))
    mail = Mail(app, cli=None)
    with app.app_context():
        found: t.Any = getattr(mail.handler, key.removeprefix("MAIL_").lower())

    assert (found if isinstance(found, Address) else found[0]).name == "Łukasz"

    app = Flask("broken")
    app.config[key] = "=?utf-8?b?!?= <l@example.net>"
    with pytest.raises(ConfigurationError, match=f"{key} has an encoded word"):
        Mail(app, cli=None)


ANN = RegistryAddress("Ann", "ann", "example.com")


def theirs() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Zoë <zoe@example.com>"
    message["To"] = (ANN, RegistryAddress("Smith, Bob", "bob", "example.com"))
    message["Cc"] = Group("friends", (ANN,))
    return message


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (ANN, [("Ann", "ann@example.com")]),
        ([ANN, "b@example.com"], [("Ann", "ann@example.com"), ("", "b@example.com")]),
        (RegistryAddress("", "a b", "example.com"), [("", '"a b"@example.com')]),
        (theirs()["To"], [("Ann", "ann@example.com"), ("Smith, Bob", "bob@example.com")]),
        (theirs()["To"].addresses, [("Ann", "ann@example.com"), ("Smith, Bob", "bob@example.com")]),
        (theirs()["Cc"].groups[0], [("Ann", "ann@example.com")]),
        (Header("Zoë <z@example.com>", "utf-8"), [("Zoë", "z@example.com")]),
        ((Header("Zoë", "utf-8"), "z@example.com"), [("Zoë", "z@example.com")]),
        (LocalProxy(lambda: "Ann <ann@example.com>"), [("Ann", "ann@example.com")]),
        ([LocalProxy(lambda: Address("a@b.example"))], [("", "a@b.example")]),
        (("Ann", LocalProxy(lambda: "ann@example.com")), [("Ann", "ann@example.com")]),
        (LocalProxy(lambda: ["a@b.example"]), [("", "a@b.example")]),
    ],
)
def test_objects(given: t.Any, named: list[tuple[str, str]]) -> None:
    """The address objects of the standard library and of Werkzeug are accepted."""
    message = Message(to=given, from_addr="shop@example.com")

    assert list(message.to.named) == named
    assert all(type(address) is Address for address in message.to)
    assert pickle.loads(pickle.dumps(message)) == message
    judge(render(message))


def test_one_object() -> None:
    """A field for one address takes a From of the standard library, but not a list."""
    message = Message(from_addr=theirs()["From"], envelope_sender=ANN)

    assert message.from_addr is not None
    assert message.from_addr.formatted == "Zoë <zoe@example.com>"
    assert message.envelope_sender == "ann@example.com"
    with pytest.raises(MessageError, match="from_addr"):
        Message(from_addr=theirs()["To"])
    with pytest.raises(MessageError, match="to is empty"):
        Message(to=RegistryAddress("Ann"))


BOUNCE = f"bounce+{'a' * 70}@b.example"
SRS = f"SRS0=hhh=tt=origin.example={'x' * 60}@forward.example"


@pytest.mark.parametrize("path", [BOUNCE, SRS, f"{'ä' * 100}@b.example", f"{'a' * 488}@b.example"])
def test_long_envelope_senders(path: str) -> None:
    """The server judges a long envelope sender, up to the length of a command; the address stays
    the same through JSON, pickle and copies."""
    message = Message(to="a@b.example", from_addr="shop@example.com", envelope_sender=path)

    assert message.envelope().sender == path
    assert Message.from_dict(message.to_dict()).envelope() == message.envelope()
    assert copy.deepcopy(message.envelope()) == message.envelope()
    assert pickle.loads(pickle.dumps(message)).envelope_sender == path
    assert Envelope(path, ["a@b.example"]).to(["c@b.example"]).sender == path


@pytest.mark.parametrize("field", ["to", "cc", "bcc", "from_addr", "reply_to"])
def test_other_long_addresses(field: str) -> None:
    """RFC 5321 4.5.3.1.1: other addresses have 64 octets before the @."""
    fields: t.Any = {field: BOUNCE}
    with pytest.raises(MessageError, match=f"{field} has more than 64 octets"):
        Message(**fields)
    with pytest.raises(MessageError, match="envelope_sender is longer than 498 octets"):
        Message(envelope_sender=f"{'a' * 489}@b.example")


def test_a_long_envelope_sender_is_sent() -> None:
    """It arrives unchanged, at the test server too."""
    message = Message(text="x", to="a@b.example", from_addr="s@b.example", envelope_sender=BOUNCE)

    with SMTPServer() as server:
        (report,) = smtp(server).send([message])
        found = server.outbox[0].envelope.sender

    assert report.ok
    assert found == BOUNCE


@pytest.mark.parametrize("field", ["subject", "text", "html"])
@pytest.mark.parametrize(
    "given",
    [
        Header("Größe", "utf-8"),
        Header("Größe", "iso-8859-1"),
        Header("=?utf-8?q?Gr=C3=B6=C3=9Fe?="),
        LocalProxy(lambda: "Größe"),
    ],
    ids=["utf-8", "latin-1", "of encoded words", "proxy"],
)
def test_texts(field: str, given: t.Any) -> None:
    """A Header and a LocalProxy are accepted wherever text is."""
    fields: t.Any = {field: given}

    found = getattr(Message(**fields), field)

    assert found == "Größe"
    assert type(found) is str


def test_texts_in_headers() -> None:
    """They are accepted in headers= too."""
    given: t.Any = {"X-A": Header("Größe", "utf-8"), "X-B": LocalProxy(lambda: "b")}
    message = Message(headers=given)

    assert message.headers == {"X-A": "Größe", "X-B": "b"}
    with pytest.raises(MessageError, match=re.escape("'X-A' has the control character '\\n'")):
        Message(headers={"X-A": Header("a\nb")})


def test_nothing_is_read_twice() -> None:
    """A list that was read before is used as it is."""
    read = Message(to=["Ann <ann@example.com>"]).to

    assert isinstance(read, Addresses)
    assert Message(to=read).to is read
