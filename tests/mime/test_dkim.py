"""Signed messages: RFC 6376, 8301, 8463 and 8616."""

from __future__ import annotations

import base64
import email.message
import email.policy
import os
import re
import tracemalloc
import typing as t

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric import rsa as cryptography_rsa
from hypothesis import given
from hypothesis import strategies as st

from flask_mailhandler import Attachment
from flask_mailhandler import Content
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler import Secret
from flask_mailhandler.mime import render
from flask_mailhandler.mime.dkim import sign
from flask_mailhandler.mime.dkim.key import Key
from flask_mailhandler.mime.dkim.key import load_key
from flask_mailhandler.mime.dkim.signature import signature_field
from flask_mailhandler.mime.dkim.signed_fields import fields_of
from flask_mailhandler.mime.dkim.signed_fields import signed_fields
from flask_mailhandler.mime.stdlib.render import adopt
from signing import BOTH
from signing import DOMAIN
from signing import ed25519
from signing import made
from signing import rsa
from signing import Verdict
from signing import verified
from signing import zone

if t.TYPE_CHECKING:
    from pathlib import Path

UNSUBSCRIBE = {
    "List-Unsubscribe": "<https://shop.example/unsubscribe/x>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}


def letter(**fields: t.Any) -> Message:
    given = {"subject": "Hi", "text": "Hello", "from_addr": "ann@shop.example", "to": "b@x.example"}
    return Message(**{**given, **fields})


def signed(message: Message, domain: str | None = None) -> bytes:
    return bytes(sign(render(message), [rsa(), ed25519()], domain))


MESSAGES: dict[str, dict[str, t.Any]] = {
    "plain": {},
    "empty": {"text": ""},
    "white space": {"text": "a  b\t c \n \n\t\n\n"},
    "dots": {"text": ".\n..\n.a\n"},
    "html": {"html": "<p>Grüße</p>" * 50},
    "folded": {"to": [f"Number {n} <n{n}@x.example>" for n in range(40)], "subject": "a b " * 60},
    "no subject": {"subject": ""},
    "unicode": {"subject": "Grüße 🙂", "from_addr": "Jürgen <j@shop.example>"},
    "bcc": {"to": None, "bcc": "b@x.example"},
    "fields": {"headers": [*UNSUBSCRIBE.items(), ("X-Tag", "a"), ("X-Tag", "b")]},
    "smtputf8": {"to": ["zoë@x.example", "b@x.example"]},
    "attached": {"attachments": [Attachment(os.urandom(200_000), filename="x.bin")]},
    "message": {
        "attachments": [Attachment(b"Subject: in\n\nGr\xfc\xdfe\n", mimetype="message/rfc822")]
    },
}


@pytest.mark.parametrize("name", MESSAGES)
def test_dkimpy_verifies(name: str) -> None:
    """Each message is signed by both keys, RSA on top, and its octets follow unchanged."""
    content = render(letter(**MESSAGES[name]))

    found = sign(content, [ed25519(), rsa()])

    assert verified(bytes(found)) == BOTH
    assert bytes(found).endswith(b"\r\n" + bytes(content))
    assert found.size == len(bytes(found)) == len(b"".join(found))
    assert (found.smtputf8, found.eightbit) == (content.smtputf8, content.eightbit)
    assert all(len(line) <= 78 for line in bytes(found)[: -content.size].split(b"\r\n"))


TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=300)


@pytest.mark.slow
@given(TEXT, TEXT, st.text(alphabet=" \t\nab.", max_size=200))
def test_any_message(subject: str, html: str, text: str) -> None:
    """Any message that can be rendered verifies."""
    try:
        content = render(letter(subject=subject, html=html, text=text))
    except MessageError:
        return

    assert verified(bytes(sign(content, [rsa(), ed25519()]))) == BOTH


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Hello", b"Hallo"),
        (b"Subject: Hi", b"Subject: Ho"),
        (b"To: b@x.example", b"To: c@x.example"),
        (b"MIME-Version", b"Cc: eve@x.example\r\nMIME-Version"),
        (b"Subject: Hi", b"Subject: Hi\r\nSubject: Ho"),
        (b"From: ann", b"From: eve@x.example\r\nFrom: ann"),
        (b"MIME-Version", b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nMIME-Version"),
        (b"MIME-Version", b"Reply-To: eve@x.example\r\nMIME-Version"),
    ],
)
def test_changes_are_found(before: bytes, after: bytes) -> None:
    """A change of the body or a signed field, or a second field, breaks both signatures."""
    octets = signed(letter())

    changed = octets.replace(before, after, 1)

    assert changed != octets
    assert [verdict.passed for verdict in verified(changed)] == [False, False]


@pytest.mark.parametrize("added", ["X-Spam: no", "Received: by x.example", "Return-Path: <a@b.c>"])
def test_servers_may_add(added: str) -> None:
    """Fields that servers add, and a fold or white space that they change, break no signature."""
    octets = signed(letter(headers=UNSUBSCRIBE))
    top = f"{added}\r\n".encode()

    changed = top + octets.replace(b"Subject: Hi", b"subject:   Hi  ") + b"\r\n\r\n"

    assert verified(changed) == BOTH


def names_in(octets: bytes) -> list[str]:
    tags = re.sub(rb"\s+", b"", octets.partition(b"DKIM-Signature:")[2].partition(b" bh=")[0])
    return tags.partition(b"h=")[2].rstrip(b";").decode().split(":")


def test_names() -> None:
    """What readers see is named once more than it is there, both fields of one-click unsubscribe
    among it; what is not there otherwise, Bcc and X- fields are not named."""
    octets = signed(letter(headers={**UNSUBSCRIBE, "List-Id": "<a.x.example>", "X-Tag": "a"}))

    names = names_in(octets)

    assert {name: names.count(name) for name in names} == {
        **dict.fromkeys(["from", "to", "subject", "date", "message-id", "mime-version"], 2),
        **dict.fromkeys(["content-type", "content-transfer-encoding"], 2),
        **dict.fromkeys(["list-unsubscribe", "list-unsubscribe-post"], 2),
        **dict.fromkeys(["cc", "reply-to", "sender", "in-reply-to", "references", "list-id"], 1),
    }


def test_repeated_fields() -> None:
    """Of a field that is there more than once, each is signed, the last one first."""
    fields = [b"Resent-To: a@x.example", b"From: b@x.example", b"resent-to:  c@x.example"]

    names, chosen = signed_fields(fields)

    assert names[-2:] == ["resent-to", "resent-to"]
    assert chosen == [b"from:b@x.example", b"resent-to:c@x.example", b"resent-to:a@x.example"]


@pytest.mark.parametrize(
    ("written", "domain"),
    [
        ("ann@shop.example", "shop.example"),
        ("Ann <ann@Shop.Example>", "shop.example"),
        ('"eve@evil.example" <ann@shop.example>', "shop.example"),
        ('"a, <eve@evil.example>" <ann@shop.example>', "shop.example"),
        ("(eve@evil.example (x)) ann@shop.example", "shop.example"),
        ("ann@shop.example, bob@other.example", "shop.example"),
        ("Ann <ann@bücher.example>", "xn--bcher-kva.example"),
        ('"a b"@shop.example', "shop.example"),
    ],
)
def test_the_domain_of_the_from(written: str, domain: str) -> None:
    """The domain that signs is that of the From, in its ASCII form (RFC 8616), and nothing else in
    the field."""
    content = Content(f"Date: x\r\nFROM:\r\n {written}\r\nSubject: x\r\n\r\nx\r\n".encode())

    octets = bytes(sign(content, [rsa()]))

    assert verified(octets, zone(domain=domain)) == [Verdict("s2026", domain, True)]


@pytest.mark.parametrize("value", ["ann@[192.0.2.1]", "ann", "a group:;"])
def test_a_from_without_a_domain(value: str) -> None:
    """A From without a domain cannot sign, unless another domain is set."""
    content = Content(f"From: {value}\r\n\r\nx\r\n".encode())

    with pytest.raises(MessageError, match="set MAIL_DKIM_DOMAIN"):
        sign(content, [rsa()])

    assert b"d=shop.example;" in bytes(sign(content, [rsa()], DOMAIN))


def test_another_domain() -> None:
    """The domain that is passed signs, whatever the From is."""
    octets = signed(letter(from_addr="ann@news.shop.example"), DOMAIN)

    assert verified(octets) == BOTH


@pytest.mark.parametrize("policy", [email.policy.default, email.policy.compat32])
def test_foreign_messages(policy: t.Any) -> None:
    """A message of the standard library is signed like our own, and keeps a signature that it
    has."""
    parsed = email.message_from_bytes(
        b"DKIM-Signature: v=1; d=other.example\r\nFrom: Ann <ann@shop.example>\r\n"
        b"To: b@x.example\r\nSubject: Hi\r\n\r\nHello\r\n",
        policy=policy,
    )
    content = adopt(parsed).content

    octets = bytes(sign(content, [rsa(), ed25519()]))

    assert octets.count(b"DKIM-Signature:") == 3
    assert [verified(octets)[index] for index in (0, 1)] == BOTH


SPORT = (
    b"From: Joe SixPack <joe@football.example.com>\r\n"
    b"To: Suzie Q <suzie@shopping.example.net>\r\n"
    b"Subject: Is dinner ready?\r\n"
    b"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    b"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n"
    b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
)


def test_the_example_of_rfc_8463() -> None:
    """The keys and the message of RFC 8463 appendix A have its body hash, and a signature that
    verifies by its record."""
    seed = base64.b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    der = bytes.fromhex("302e020100300506032b657004220420") + seed
    pem = (
        b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(der) + b"-----END PRIVATE KEY-----\n"
    )

    key = load_key("brisbane", Secret(pem))
    octets = bytes(sign(Content(SPORT), [key]))

    assert key.record == "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    assert b"bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;" in octets
    found = verified(octets, zone(key, domain="football.example.com"))
    assert found == [Verdict("brisbane", "football.example.com", True)]


def test_the_signature_of_rfc_8463() -> None:
    """The fields that appendix A signs, in its order, have the signature that it prints."""
    seed = base64.b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    der = bytes.fromhex("302e020100300506032b657004220420") + seed
    pem = (
        b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(der) + b"-----END PRIVATE KEY-----\n"
    )
    fields = fields_of(SPORT.partition(b"\r\n\r\n")[0])
    _, chosen = signed_fields(fields)
    order = [b"from", b"to", b"subject", b"date", b"message-id"]
    ordered = sorted(chosen, key=lambda field: order.index(field.partition(b":")[0]))
    own = (
        b"dkim-signature:v=1; a=ed25519-sha256; c=relaxed/relaxed; d=football.example.com;"
        b" i=@football.example.com; q=dns/txt; s=brisbane; t=1528637909; h=from : to : subject :"
        b" date : message-id : from : subject : date;"
        b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b="
    )

    made = load_key("brisbane", Secret(pem)).sign(b"\r\n".join([*ordered, own]))

    assert base64.b64encode(made) == (
        b"/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
    )


def test_long_names() -> None:
    """A long domain and selector stay whole, each in a line of its own."""
    domain = ".".join(["a" * 60] * 4)
    key = Key("s" * 63, rsa().algorithm, rsa().bits, rsa().public, rsa().sign)

    field = signature_field(key, domain, 1, ["from"] * 40, b"from:x\r\n", b"x" * 32)

    assert f" d={domain};\r\n".encode() in field
    assert f" s={key.selector};".encode() in field


def signed_and_peak(content: Content) -> tuple[Content, int]:
    """Sign a content. Return it, and the octets of memory that this took at most."""
    sign(render(letter()), [rsa()])  # loads what signs
    tracemalloc.start()
    try:
        found = sign(content, [rsa(), ed25519()])
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_large_file_is_read_once_more(tmp_path: Path) -> None:
    """Signing 25 MB from a path reads it in pieces: the memory stays far below its size."""
    path = tmp_path / "report.bin"
    with path.open("wb") as file:
        file.truncate(25_000_000)
    content = render(letter(attachments=[Attachment.from_path(path)]))

    found, peak = signed_and_peak(content)

    assert peak < 4 << 20
    assert found.size > content.size > 33_000_000
    assert verified(bytes(found)) == BOTH


@pytest.mark.slow
def test_a_large_text_in_one_piece() -> None:
    """A content in one large piece is signed in little memory too."""
    content = Content(b"From: ann@shop.example\r\n\r\n" + b"a  line \r\n" * 1_000_000)

    found, peak = signed_and_peak(content)

    assert peak < 4 << 20
    assert verified(bytes(found)) == BOTH


def test_a_file_that_changed(tmp_path: Path) -> None:
    """A file that has changed since it was attached is found while it is hashed."""
    path = tmp_path / "report.txt"
    path.write_text("old")
    content = render(letter(attachments=[Attachment.from_path(path)]))
    path.write_text("changed")

    with pytest.raises(MessageError, match="has changed since it was attached"):
        sign(content, [rsa()])


def pem_of(private: t.Any, *, password: bytes | None = None) -> bytes:
    encryption: t.Any = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password)
    made: bytes = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    return made


def of_bits(bits: int) -> t.Any:
    return cryptography_rsa.generate_private_key(public_exponent=65537, key_size=bits)


# OpenSSL made it; newer releases of cryptography make none that is so short.
SHORT = b"""\
-----BEGIN RSA PRIVATE KEY-----
MIIBOwIBAAJBAKDAwfx4C3rlCPjVJDR4o+lEsQBqWhLmAFpUWZ4yTigz1fmfXJya
IJfUIBvCykMvo/fXeD2d8bCZX8qDO7hnDSECAwEAAQJAVpD25dpPdFK6TiWZZZhB
zHBtUOf0sZCiSAJ8cDBu3j6RUJnA13UshOlqS45xvJqT3A6cFZw1qMvNglvaSFQZ
MQIhAMzULYcFYhfPM3O8eM2dphdSKuqvtsPbKqv/SnNuNqhjAiEAyOm1mmQjQnrE
IrBLMjch9lR40WtBxPdITHSaGCNSEasCIQCe/E4+UGJcYrroKbGGv8gsr92Z/juZ
eGN9z5FFWZXZSwIgBVJrhRNx+6jU2TZiR4o+VBAYwzNcIqOKPrw3+Lu2yNECIQCO
ZpL6dkZrtpCwjcgGA86yfji6N+S/0Xme/Jh1JYVS/w==
-----END RSA PRIVATE KEY-----
"""


def damaged() -> bytes:
    """A key whose second prime is another number."""
    numbers = of_bits(1024).private_numbers()
    wrong = cryptography_rsa.RSAPrivateNumbers(
        p=numbers.p,
        q=numbers.q,
        d=numbers.d - 2,
        dmp1=numbers.dmp1 - 2,
        dmq1=numbers.dmq1,
        iqmp=numbers.iqmp,
        public_numbers=numbers.public_numbers,
    )
    return pem_of(wrong.private_key(unsafe_skip_rsa_key_validation=True))


BAD: dict[str, tuple[t.Callable[[], bytes], str]] = {
    "512 bits": (lambda: SHORT, "512 bits is too short, because RFC 8301 requires 1024"),
    "elliptic curve": (
        lambda: pem_of(ec.generate_private_key(ec.SECP256R1())),
        "its kind is neither RSA nor Ed25519",
    ),
    "encrypted": (
        lambda: pem_of(of_bits(1024), password=b"x"),
        "it is encrypted: write it without",
    ),
    "public": (
        lambda: rsa_public(),
        "it is not a private key in PEM form",
    ),
    "text": (lambda: b"s2026", "it is not a private key in PEM form"),
    "empty": (lambda: b"", "it is not a private key in PEM form"),
    "cut off": (lambda: made()[1].octets()[:400], "it is not a private key in PEM form"),
    "damaged": (damaged, "it is damaged"),
}


def rsa_public() -> bytes:
    made: bytes = (
        of_bits(1024)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return made


@pytest.mark.parametrize("name", BAD)
def test_keys_that_cannot_sign(name: str) -> None:
    """A key that cannot sign, or that receivers refuse (RFC 8301), is refused with the reason."""
    make, why = BAD[name]

    with pytest.raises(ValueError, match=why):
        load_key("s2026", Secret(make()))


@pytest.mark.parametrize("bits", [1024, 3072])
def test_other_rsa_keys(bits: int) -> None:
    """RSA keys of other lengths verify, in the older PEM form too."""
    private = of_bits(bits)
    old = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    key = load_key("old", Secret(old))

    octets = bytes(sign(render(letter()), [key]))

    assert key.bits == bits
    assert verified(octets, zone(key)) == [Verdict("old", DOMAIN, True)]


def test_records() -> None:
    """A record is the text of RFC 6376 section 3.6.1, in strings of at most 255 octets, and no
    printed form of a key shows its private half."""
    for key in (rsa(), ed25519()):
        assert "".join(key.record_strings) == key.record
        assert max(map(len, key.record_strings)) <= 255
        assert re.fullmatch(r"v=DKIM1; k=(rsa|ed25519); p=[A-Za-z0-9+/]+=*", key.record)
        assert "sign" not in repr(key) and "public" not in repr(key)
    assert len(rsa().record_strings) == 2


def eightbit() -> Content:
    text = "Grüße aus Köln\r\n".encode()
    return Content(
        b"From: ann@shop.example\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text,
        eightbit=True,
        rewrite=lambda octets: (
            octets.replace("ü".encode(), b"=C3=BC")
            .replace("ß".encode(), b"=C3=9F")
            .replace("ö".encode(), b"=C3=B6")
            .replace(b"8bit", b"quoted-printable")
        ),
    )


def test_rewritten_in_seven_bits() -> None:
    """What is rewritten for a server without 8BITMIME is signed after it was rewritten."""
    found = sign(eightbit(), [rsa(), ed25519()])

    rewritten = found.in_seven_bits()

    assert verified(bytes(found)) == BOTH
    assert rewritten is not None
    assert bytes(rewritten).isascii()
    assert verified(bytes(rewritten)) == BOTH
    assert bytes(rewritten).count(b"DKIM-Signature:") == 2


def test_what_cannot_be_rewritten() -> None:
    """A content that must not change in 7 bits stays without another form when it is signed."""
    content = Content(b"From: ann@shop.example\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n", eightbit=True)

    assert sign(content, [rsa()]).in_seven_bits() is None
    assert sign(render(letter()), [rsa()]).in_seven_bits() is not None
