"""Messages of the standard library: sent as they are, or refused with the reason."""

from __future__ import annotations

import email
import email.header
import email.message
import email.mime.multipart
import email.mime.text
import email.policy
import hashlib
import typing as t

import pytest

from flask_mailhandler import Address
from flask_mailhandler import Attachment
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.mime.stdlib.convert import from_mime
from flask_mailhandler.mime.stdlib.render import adopt
from wire_form import judge

Parsed: t.TypeAlias = email.message.Message
POLICIES = [
    email.policy.default,
    email.policy.SMTP,
    email.policy.SMTPUTF8,
    email.policy.compat32,
]
every_policy = pytest.mark.parametrize("policy", POLICIES, ids=["default", "SMTP", "UTF8", "32"])
DEFAULT_FROM = Address("me@example.com")


def built(policy: t.Any = email.policy.default, **fields: str) -> email.message.EmailMessage:
    message = email.message.EmailMessage(policy=policy)
    message["From"] = "ann@example.com"
    message["To"] = "bob@example.net"
    for name, value in fields.items():
        del message[name.replace("_", "-")]
        message[name.replace("_", "-")] = value
    message.set_content("Hello\n")
    return message


def parsed(text: str | bytes, policy: t.Any = email.policy.default) -> Parsed:
    octets = text.encode() if isinstance(text, str) else text
    return t.cast(Parsed, email.message_from_bytes(octets, policy=policy))


def state(message: Parsed) -> object:
    """Everything in a message object."""
    return [
        ([*map(repr, part.raw_items())], part.preamble, part.epilogue)
        + ((repr(vars(part)["_payload"]),) if not part.is_multipart() else ())
        for part in message.walk()
    ]


@every_policy
def test_email_message(policy: t.Any) -> None:
    """An EmailMessage gets its missing required fields, and nothing else changes."""
    message = (
        built(policy, Subject="Grüße aus Köln", Cc="Zoë <zoe@example.org>")
        if (policy is not email.policy.compat32)
        else parsed(
            "From: ann@example.com\nTo: bob@example.net\nCc: zoe@example.org\n\nHello\n", policy
        )
    )
    before = state(message)

    adopted = adopt(message)

    found = judge(adopted.content)
    assert adopted.envelope.sender == "ann@example.com"
    assert adopted.envelope.recipients == ["bob@example.net", "zoe@example.org"]
    assert found["Message-ID"] == adopted.message_id
    assert adopted.message_id.endswith("@example.com>")
    assert found.get_content().splitlines() == ["Hello"]
    assert found["Subject"] == message["Subject"]
    assert state(message) == before


def test_legacy_messages() -> None:
    """MIMEText and MIMEMultipart are sent too."""
    message = email.mime.multipart.MIMEMultipart("alternative")
    message["Subject"] = t.cast(str, email.header.Header("Grüße", "utf-8"))
    message["From"] = "Ann <ann@example.com>"
    message["To"] = t.cast(str, email.header.Header("Zoë <zoe@example.org>", "utf-8"))
    message["X-Long"] = "word " * 30
    message.attach(email.mime.text.MIMEText("Héllo", "plain", "utf-8"))
    message.attach(email.mime.text.MIMEText("<p>Héllo</p>", "html", "iso-8859-1"))

    adopted = adopt(message)

    found = judge(adopted.content)
    assert adopted.envelope.recipients == ["zoe@example.org"]
    assert found["Subject"] == "Grüße"
    assert found["To"].addresses[0].display_name == "Zoë"
    assert [part.get_content().strip() for part in found.iter_parts()] == ["Héllo", "<p>Héllo</p>"]


def test_missing_from() -> None:
    """C-29: the default From is filled in; without a default, an error is raised."""
    message = built()
    del message["From"]

    assert judge(adopt(message, default_from=DEFAULT_FROM).content)["From"] == "me@example.com"
    with pytest.raises(MessageError, match="no From: give it one, or set MAIL_DEFAULT_FROM"):
        adopt(message)


def test_given_fields_stay() -> None:
    """Date, Message-ID and MIME-Version are added only if they are missing."""
    message = built(Date="Fri, 20 Nov 2026 14:05:06 +0100", Message_ID="<1@example.com>")

    adopted = adopt(message)

    assert adopted.message_id == "<1@example.com>"
    assert judge(adopted.content)["Date"] == "Fri, 20 Nov 2026 14:05:06 +0100"


@every_policy
def test_bcc(policy: t.Any) -> None:
    """C-34: Bcc is in the envelope, and not in the content."""
    text = (
        "From: a@example.com\nTo: b@example.com\nBcc: S <s1@example.org>,\n s2@example.org\n\nx\n"
    )

    adopted = adopt(parsed(text, policy))

    judge(adopted.content)
    assert adopted.envelope.recipients == ["b@example.com", "s1@example.org", "s2@example.org"]
    assert b"example.org" not in bytes(adopted.content)


def test_only_bcc() -> None:
    """C-37: a message without To and Cc gets an empty group."""
    message = built(Bcc="secret@example.org")
    del message["To"]

    assert judge(adopt(message).content)["To"] == "undisclosed-recipients:;"


def test_nobody() -> None:
    """A message without recipients raises an error."""
    message = built()
    del message["To"]

    with pytest.raises(MessageError, match="no recipient"):
        adopt(message)


def test_resent() -> None:
    """RFC 5322 3.6.6: the envelope is made from the newest, first block of Resent- fields, and
    Resent-Bcc is not written."""
    message = parsed(
        "Resent-From: new@example.com\nResent-To: n1@example.com\nResent-Bcc: n2@example.com\n"
        "Received: from x\n"
        "Resent-Cc: old@example.net\nResent-From: old@example.net\nResent-To: old2@example.net\n"
        "Resent-Bcc: old3@example.net\n"
        "From: ann@example.com\nTo: bob@example.net\nBcc: carl@example.net\n\nx\n"
    )

    adopted = adopt(message)

    octets = bytes(adopted.content)
    assert adopted.envelope.sender == "new@example.com"
    assert adopted.envelope.recipients == ["n1@example.com", "n2@example.com"]
    assert b"esent-Bcc" not in octets
    assert b"n2@" not in octets
    assert b"old3@" not in octets
    assert b"carl@" not in octets
    assert b"Resent-To: n1@example.com\r\n" in octets


def test_resent_without_from() -> None:
    """RFC 5322 3.6.6: Resent- fields need a Resent-From."""
    with pytest.raises(MessageError, match="Resent-From"):
        adopt(built(Resent_To="x@example.com"))


@pytest.mark.parametrize(
    ("sender", "expect"), [("carl@example.com", "carl@example.com"), (None, None)]
)
def test_several_authors(sender: str | None, expect: str | None) -> None:
    """C-30: a From with several addresses needs a Sender, which is the envelope's sender."""
    message = built(From="ann@example.com, bob@example.com")
    if sender is None:
        with pytest.raises(MessageError, match="give the message a Sender"):
            adopt(message)
        return
    message["Sender"] = sender

    assert adopt(message).envelope.sender == expect


def test_two_senders() -> None:
    """RFC 5322 3.6.2: Sender is one address."""
    with pytest.raises(MessageError, match="Sender"):
        adopt(
            parsed(
                "From: a@example.com\nSender: b@example.com, c@example.com\nTo: d@example.com\n\n"
            )
        )


@pytest.mark.parametrize("name", ["From", "To", "Subject", "Message-ID", "Bcc", "Content-Type"])
def test_duplicates(name: str) -> None:
    """C-29: a field that may occur only once raises an error if it occurs twice."""
    value = {"Content-Type": "text/plain", "Subject": "x", "Message-ID": "<a@b.example>"}
    line = f"{name}: {value.get(name, 'a@example.com')}\n"

    with pytest.raises(MessageError, match=f"(?i){name} more than once"):
        adopt(parsed(f"{line}{line}\nx\n", email.policy.compat32), default_from=DEFAULT_FROM)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("To", "a@example.com <b@example.com>"),
        ("To", "a@example.com\x00"),
        ("Cc", '"a@example.com'),
        ("Bcc", "nobody"),
        ("From", "ann"),
        ("Subject", "a\x07b"),
        ("Subject", "a\x1bb"),
        ("X-Any", "a\u2028b"),
        ("Reply-To", "jörg"),
    ],
)
def test_hostile_fields(name: str, value: str) -> None:
    """A value that a header cannot have is refused, and the error names the field."""
    text = "\n".join(
        f"{key}: {one}"
        for key, one in {"From": "a@example.com", "To": "b@example.com", name: value}.items()
    )

    with pytest.raises(MessageError, match=name):
        adopt(parsed(f"{text}\n\nx\n", email.policy.compat32))


def test_a_set_line_break() -> None:
    """A legacy message accepts any string: a line break that is not folding is refused."""
    message = email.mime.text.MIMEText("x")
    message["From"] = "a@example.com"
    message["Subject"] = "x\nBcc: evil@example.com"
    message["To"] = "b@example.com"

    with pytest.raises(MessageError, match="Subject has a line break that is not folding"):
        adopt(message)


@pytest.mark.parametrize("name", ["X y", "X\nBcc", "é", ""])
def test_hostile_names(name: str) -> None:
    """C-27: a name that a header field cannot have is refused."""
    message: t.Any = email.mime.text.MIMEText("x")
    # Since Python 3.14, the library itself refuses to set it.
    message._headers.append((name, "x"))

    with pytest.raises(MessageError, match="a field with the name"):
        adopt(message, default_from=DEFAULT_FROM)


@pytest.mark.parametrize(
    ("line", "expect"),
    [
        ("Subject: short", "Subject: short"),
        ("Subject:   spaces", "Subject: spaces"),
        ("Subject: folded\n by hand", "Subject: folded\r\n by hand"),
        ("Subject: folded\n\tby TAB", "Subject: folded\r\n\tby TAB"),
        ("Subject: an\n \n empty line", "Subject: an\r\n empty line"),
        ("Subject: " + "word " * 16, "Subject: " + "word " * 13 + "word\r\n word word"),
        ("Subject: =?utf-8?q?=C3=A9?=", "Subject: =?utf-8?q?=C3=A9?="),
        ("Subject: Gr\u00fc\u00dfe", "Subject: =?utf-8?b?R3LDvMOfZQ==?="),
        ("Reply-To: J\u00f6rg <a@example.com>, G: b@example.com, Zo\u00eb <c@example.com>;",
         "Reply-To: =?utf-8?b?SsO2cmc=?= <a@example.com>, G: b@example.com,\r\n"
         " =?utf-8?q?Zo=C3=AB?= <c@example.com>;"),
        ("X-Long: " + "x" * 1200, None),
        ("Date: Fr\u00fchling", None),
    ],
)  # fmt: skip
def test_fields(line: str, expect: str | None) -> None:
    """C-26, C-46: a field in wire form stays, folded if necessary; raw UTF-8 is encoded."""
    message = parsed(f"{line}\nFrom: ann@example.com\nTo: bob@example.net\n\nx\n")
    if expect is None:
        with pytest.raises(MessageError, match=line.partition(":")[0]):
            adopt(message)
        return

    octets = bytes(adopt(message).content)

    assert f"\r\n{expect}\r\n" in "\r\n" + octets.decode()


def test_structured_fields_of_a_program() -> None:
    """A field of tokens is not encoded, with any white space in it."""
    message = built(Received="from a  by b", References="<1@example.com> <2@example.com>")

    octets = bytes(adopt(message).content)

    assert b"\r\nReceived: from a  by b\r\n" in octets
    assert b"\r\nReferences: <1@example.com> <2@example.com>\r\n" in octets


def test_smtputf8() -> None:
    """C-51: a local part beyond ASCII is written raw, but its name is encoded."""
    content = adopt(built(email.policy.SMTPUTF8, To="Jörg <jörg@example.com>")).content

    found = judge(content)

    assert content.smtputf8
    assert "To: =?utf-8?b?SsO2cmc=?= <jörg@example.com>\r\n".encode() in bytes(content)
    assert found["To"].addresses[0].addr_spec == "jörg@example.com"


@pytest.mark.parametrize(
    ("part", "expect"),
    [
        (b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
         b"\xc3\xa9\n",
         ("\xe9\r\n".encode(), "quoted-printable")),
        (b"Content-Type: text/plain; charset=latin-1\nContent-Transfer-Encoding: 8bit\n\n"
         b"\xe9 12345\n",
         (b"\xe9 12345\r\n", "quoted-printable")),
        (b"Content-Type: application/x\nContent-Transfer-Encoding: binary\n\na\x00\xff\n",
         (b"a\x00\xff\n", "base64")),
        (b"Content-Type: application/x\nContent-Transfer-Encoding: binary\n\na\r\n",
         (b"a\r\n", "base64")),
        (b"Content-Type: text/plain\n\n" + b"x" * 1200, (b"x" * 1200, "quoted-printable")),
        (b"Content-Type: text/plain\n\n" + b"x" * 1200 + b"\n--\n",
         (b"x" * 1200 + b"\r\n--\r\n", "base64")),
        (b"Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: 8bit\n\n"
         b"\xff\xfea\0",
         (b"\xff\xfea\0", "base64")),
        (b"Content-Transfer-Encoding: base64\n\n" + b"eHh4" * 300,
         (b"xxx" * 300, "quoted-printable")),
        (b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=C3=A9" * 30,
         (b"\xc3\xa9" * 30, "base64")),
        (b"Content-Transfer-Encoding: 8bit\n\nplain\n", (b"plain\r\n", "7bit")),
        (b"Content-Transfer-Encoding: x-own\n\nplain\n", (b"plain\r\n", "x-own")),
        (b"\nno header\n", (b"no header\r\n", "7bit")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("alone", [True, False])
def test_bodies(part: bytes, expect: tuple[bytes, str], alone: bool) -> None:
    """C-39, C-40, C-54: every part is sent in 7-bit lines, encoded only if necessary."""
    head = b"From: ann@example.com\nTo: bob@example.net\nMIME-Version: 1.0\n"
    octets, encoding = expect
    if alone:
        message = parsed(head + part.removeprefix(b"\n") if part[:1] != b"\n" else head + part)
    else:
        message = parsed(
            head + b'Content-Type: multipart/mixed; boundary="b"\n'
            b"Content-Transfer-Encoding: 8bit\n\n--b\n" + part + b"\n--b--\n"
        )

    found = judge(adopt(message).content)

    leaf = found if alone else next(iter(found.iter_parts()))
    data = t.cast(bytes, leaf.get_payload(decode=True))
    assert data in (octets, octets + b"\r\n")
    assert leaf.get("Content-Transfer-Encoding", "7bit") == encoding
    assert found["Content-Transfer-Encoding"] in (None, encoding if alone else "7bit")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Content-Transfer-Encoding: x-own\n\n\x00\n", "not 7-bit"),
        ("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\neA==\n", "may not be"),
        ('Content-Type: multipart/mixed; boundary="b"\n\n--b\nTo: jörg@example.com\nContent-Type:'
         " message/rfc822\n\nTo: jörg@example.com\n\n--b--\n", "not ASCII"),
    ],
)  # fmt: skip
def test_refused_bodies(text: str, reason: str) -> None:
    """C-39: a part that has no form in 7 bits is refused."""
    with pytest.raises(MessageError, match=reason):
        adopt(parsed("From: ann@example.com\nTo: bob@example.net\n" + text))


def test_structure_stays() -> None:
    """The tree, its boundaries, preamble and epilogue do not change."""
    text = (
        f"{HEAD}Date: Fri, 20 Nov 2026 14:05:06 +0100\nMessage-ID: <1@example.com>\n"
        "MIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="outer"\n\nThe preamble.\n--outer\n'
        'Content-Type: multipart/alternative; boundary="inner"\n\n--inner\n\none\n\n--inner\n'
        "Content-Type: text/html\n\n<p>one</p>\n--inner--\n\n--outer\n"
        "Content-Type: message/rfc822\n\nSubject: y\n\nbody\n--outer--\nThe epilogue.\n"
    )

    assert bytes(adopt(parsed(text)).content) == text.replace("\n", "\r\n").encode()


def test_delivery_status() -> None:
    """C-50: a report keeps its groups of fields."""
    text = (
        "From: ann@example.com\nTo: bob@example.net\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns; example.com\n\nFinal-Recipient: rfc822; x@example.com\n"
        "Action: failed\n\n"
        "--b--\n"
    )

    found = judge(adopt(parsed(text)).content)

    _, status = found.iter_parts()
    blocks = t.cast("list[Parsed]", status.get_payload())
    assert [block.keys() for block in blocks if block.keys()] == [
        ["Reporting-MTA"],
        ["Final-Recipient", "Action"],
    ]


def test_a_boundary_in_the_text() -> None:
    """C-43: a boundary set by a program must not occur in the message."""
    message = email.mime.multipart.MIMEMultipart(boundary="simple")
    message["From"], message["To"] = "ann@example.com", "bob@example.net"
    message.attach(email.mime.text.MIMEText("a\n--simple\n\nevil"))

    with pytest.raises(MessageError, match="reads as its boundary 'simple'"):
        adopt(message)


@pytest.mark.parametrize("maker", [lambda: built(), lambda: email.mime.multipart.MIMEMultipart()])
def test_a_boundary_is_made(maker: t.Callable[[], t.Any]) -> None:
    """C-43: a missing boundary is made in the octets, not in the caller's object."""
    message = maker()
    if isinstance(message, email.message.EmailMessage):
        message.add_attachment("a file", filename="ä.txt")
    else:
        message["To"] = "bob@example.net"
        message.attach(email.mime.text.MIMEText("x"))
        message.attach(email.mime.text.MIMEText("y"))

    found = judge(adopt(message, default_from=DEFAULT_FROM).content)

    assert len(list(found.iter_parts())) == 2
    assert found.get_boundary() is not None
    assert message.get_boundary() is None


@pytest.mark.parametrize("policy", POLICIES[:1] + POLICIES[3:])
def test_multipart_of_nothing(policy: t.Any) -> None:
    """C-49: a multipart without parts is refused."""
    message = email.mime.multipart.MIMEMultipart(policy=policy)
    message["To"] = "bob@example.net"

    with pytest.raises(MessageError, match="an empty multipart"):
        adopt(message, default_from=DEFAULT_FROM)


def test_nested_without_end() -> None:
    """Parts nested a hundred deep are refused, not followed."""
    inner: Parsed = email.mime.text.MIMEText("x")
    for _ in range(100):
        outer = email.mime.multipart.MIMEMultipart()
        outer["To"] = "bob@example.net"
        outer.attach(inner)
        inner = outer

    with pytest.raises(MessageError, match="nested deeper"):
        adopt(inner, default_from=DEFAULT_FROM)


def test_text_without_a_charset() -> None:
    """C-45: text beyond ASCII without a charset is refused; the error says what to write."""
    message = email.message.Message()
    message["To"] = "bob@example.net"
    message.set_payload("日本")

    with pytest.raises(MessageError, match="set_payload"):
        adopt(message, default_from=DEFAULT_FROM)


def test_raw_file_names() -> None:
    """A raw 8-bit file name in a forwarded message is written as in RFC 2231."""
    text = (
        "From: ann@example.com\nTo: bob@example.net\nContent-Type: application/pdf\n"
        'Content-Disposition: attachment; filename="März.pdf"\nContent-Description: März\n\nx\n'
    )

    found = judge(adopt(parsed(text)).content)

    assert found.get_filename() == "März.pdf"
    assert found["Content-Description"] == "März"


# Signed messages

SIGNED = (
    'Content-Type: multipart/signed; micalg=pgp-sha256; boundary="sig";\n'
    ' protocol="application/pgp-signature"\n\nThis is signed.\n--sig\n'
    'Content-Type: multipart/alternative;\n\tboundary="inner"\nX-Very-Long: {long}\n\n'
    "--inner\n\ntrailing \nFrom me{eight}\n--inner\nContent-Type: text/html\n\n<p>x</p>\n"
    "--inner--{tail}\n--sig\nContent-Type: application/pgp-signature\n\n-----BEGIN\n--sig--\n"
)
HEAD = "From: ann@example.com\nTo: bob@example.net\nSubject: x\n"


@every_policy
@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("tail", ["", "\n", "\nepilogue\n"], ids=["none", "blank", "text"])
@pytest.mark.parametrize("eight", ["", " é"], ids=["7bit", "8bit"])
def test_signed(policy: t.Any, ends: str, tail: str, eight: str) -> None:
    """C-88: in multipart/signed only line ends change, and 8-bit parts are declared."""
    signed = SIGNED.format(long="word " * 30 + "end", tail=tail, eight=eight)
    message = parsed((HEAD + "MIME-Version: 1.0\n" + signed).replace("\n", ends), policy)

    content = adopt(message).content

    body = signed.partition("\n\n")[2].replace("\n", "\r\n").encode()
    assert bytes(content).partition(b"\r\n\r\n")[2] == body
    assert content.eightbit is bool(eight)
    assert (b"Content-Transfer-Encoding: 8bit" in bytes(content)) is bool(eight)


@every_policy
def test_signed_within(policy: t.Any) -> None:
    """A signed part in a message with the footer of a mailing list does not change either."""
    signed = SIGNED.format(long="x", tail="", eight="")
    parts = f"--o\n{signed}\n--o\n\nfooter\n--o--\n"
    text = f'{HEAD}Content-Type: multipart/mixed; boundary="o"\n\n{parts}'

    content = adopt(parsed(text, policy)).content

    assert signed.partition("\n\n")[2].replace("\n", "\r\n").encode() in bytes(content)


def test_signed_by_a_program() -> None:
    """A program has signed the octets that as_bytes() returned."""
    inner = email.message.EmailMessage()
    inner.set_content("Hello é\n")
    inner.add_attachment(b"data", maintype="application", subtype="x", filename="ä" * 40 + ".bin")
    inner.set_boundary("inner")
    shown = inner.as_bytes(policy=inner.policy.clone(linesep="\r\n"))
    signature = hashlib.sha256(shown).hexdigest()
    message = built()
    message.clear_content()
    message["Content-Type"] = 'multipart/signed; boundary="sig"; protocol="application/x-test"'
    message.set_payload([inner, email.mime.text.MIMEText(signature, "x-test")])

    octets = bytes(adopt(message).content)

    start = octets.index(b"--sig\r\n") + len(b"--sig\r\n")
    end = octets.index(b"\r\n--sig\r\n", start)
    assert octets[start:end] == shown
    assert signature.encode() in octets


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a\x00", "a NUL"),
        ("x" * 1000, "more than 998"),
        ("a\rb", "a CR or LF alone"),
        ("a\r\nb\n", "a CR or LF alone"),
    ],
)
@pytest.mark.parametrize("how", ["multipart", "dkim"])
def test_signed_and_impossible(text: str, reason: str, how: str) -> None:
    """A signed message that cannot be sent as it is is refused with the reason."""
    if how == "dkim":
        whole = f"DKIM-Signature: v=1\n{HEAD}\n{text}"
    else:
        whole = f'{HEAD}Content-Type: multipart/signed; boundary="b"\n\n--b\n\n{text}\n--b--\n'

    with pytest.raises(MessageError, match=f"is signed and cannot .* {reason}"):
        adopt(parsed(whole))


@every_policy
def test_dkim(policy: t.Any) -> None:
    """C-88: with a DKIM-Signature, fields and body do not change, except Bcc."""
    text = (
        "DKIM-Signature: v=1; a=rsa-sha256; h=from:to;\n\tbh=abc=;  b=def\n" + HEAD
        + "X-Long: " + "word " * 30 + "end\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\ntrailing \né\n"
    )  # fmt: skip

    content = adopt(parsed("Bcc: secret@example.org\n" + text, policy)).content

    assert text.replace("\n", "\r\n").encode() in bytes(content)
    assert b"secret" not in bytes(content)
    assert content.eightbit


def test_dkim_of_a_program() -> None:
    """Fields that a program has built are written as as_bytes() returned them."""
    message = built(Subject="Grüße", Date="Fri, 20 Nov 2026 14:05:06 +0100")
    message["Message-ID"] = "<1@example.com>"
    shown = message.as_bytes(policy=email.policy.SMTP)
    message["DKIM-Signature"] = "v=1; b=abc"

    octets = bytes(adopt(message).content)

    assert set(shown.split(b"\r\n")) <= set(octets.split(b"\r\n"))


def test_signed_header_with_raw_octets() -> None:
    """A signed field with raw 8-bit text is refused: encode before signing."""
    with pytest.raises(MessageError, match="Subject is signed and cannot be sent"):
        adopt(parsed(f"DKIM-Signature: v=1\n{HEAD.replace(': x', ': é')}\nx\n"))


# The staging guard


@pytest.mark.parametrize("signed", [True, False])
def test_redirect(signed: bool) -> None:
    """The staging guard gives any message other recipients, To and Cc included; a signed part
    does not change."""
    body = SIGNED.format(long="x", tail="", eight="") if signed else "\nHello\n"
    message = parsed(
        f"{HEAD}Cc: carl@example.net\nBcc: d@example.net\nX-Original-To: old@example.net\n{body}"
    )

    adopted = adopt(
        message,
        redirect_to=[Address("dev@example.com", "Dev")],
        headers=[("X-Original-To", "bob@example.net, carl@example.net")],
    )

    found = judge(adopted.content) if not signed else parsed(bytes(adopted.content))
    assert adopted.envelope.recipients == ["dev@example.com"]
    assert found["To"] == "Dev <dev@example.com>"
    assert found["Cc"] is None
    assert found.get_all("X-Original-To") == ["bob@example.net, carl@example.net"]
    assert body.partition("\n\n")[2].replace("\n", "\r\n").encode() in bytes(adopted.content)


# from_mime


def test_from_mime_of_a_program() -> None:
    """A message that a program has built is converted to a Message."""
    message = built(Subject="Grüße", To="Zoë <zoe@example.org>, b@example.com", Bcc="s@example.org")
    message["Date"] = "Fri, 20 Nov 2026 14:05:06 -0000"
    message["X-Own"] = "1"
    message.add_alternative("<p>Bye</p><img src='cid:a@b'>", subtype="html")
    html = message.get_payload()[1]  # type: ignore[index]
    html.add_related(b"png", "image", "png", cid="<a@b>", filename="ä.png")  # type: ignore[union-attr]
    message.add_attachment("a,b\n", subtype="csv", filename="x.csv")
    message.add_attachment(b"\0", maintype="application", subtype="x", filename="y.bin")

    found = from_mime(message)

    assert found.subject == "Grüße"
    assert found.from_addr == "ann@example.com"
    assert found.to.named == (("Zoë", "zoe@example.org"), ("", "b@example.com"))
    assert found.bcc == ["s@example.org"]
    assert found.headers == {"X-Own": "1"}
    assert found.date.isoformat() == "2026-11-20T14:05:06+00:00"
    assert (found.text, found.html.strip()) == ("Hello\n", "<p>Bye</p><img src='cid:a@b'>")
    assert found.inline_attachments == (
        Attachment(b"png", filename="ä.png", mimetype="image/png", cid="a@b"),
    )
    assert found.attachments == (
        Attachment("a,b\n", filename="x.csv", mimetype="text/csv"),
        Attachment(b"\0", filename="y.bin", mimetype="application/x"),
    )


@pytest.mark.parametrize(
    ("header", "expect"),
    [
        ('Content-Disposition: attachment; filename="=?utf-8?q?m=C3=A4rz?="', "märz"),
        ("Content-Disposition: attachment; filename*=utf-8''m%C3%A4rz", "märz"),
        ('Content-Disposition: attachment\nContent-Type: application/x; name="a b"', "a b"),
        ('Content-Disposition: attachment; filename="../../etc/passwd"', "passwd"),
        ("Content-Disposition: attachment", None),
    ],
)
@every_policy
def test_from_mime_file_names(header: str, expect: str | None, policy: t.Any) -> None:
    """The name of a file is found in each place where writers put it."""
    found = from_mime(parsed(f"{HEAD}{header}\n\nx\n", policy))

    assert [item.filename for item in found.attachments] == [expect]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Content-Type: multipart/signed; boundary=b\n\n--b\n\nx\n--b--\n", "multipart/signed"),
        ("Content-Type: multipart/report; boundary=b\n\n--b\n\nx\n--b--\n", "multipart/report"),
        ("Content-Type: message/rfc822\n\nSubject: x\n\n", "message/rfc822"),
        ("DKIM-Signature: v=1\n\nx\n", "DKIM-Signature"),
        ("Resent-From: x@example.com\n\nx\n", "Resent-From"),
        ("Cc: G: a@example.com;\n\nx\n", "the group 'G' in Cc"),
        ("Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: multipart/mixed;"
         " boundary=c\n\n--c\n\nx\n--c--\n--b--\n", "multipart/mixed in a multipart/alternative"),
    ],
)  # fmt: skip
def test_from_mime_refuses(text: str, what: str) -> None:
    """The error says what a Message cannot hold, and what to do instead."""
    with pytest.raises(MessageError, match=f"{what}.*give send.. the EmailMessage itself"):
        from_mime(parsed(HEAD + text))


def test_from_mime_of_an_attached_message() -> None:
    """An attached message stays an attached message."""
    message = built()
    message.add_attachment(built(Subject="inner"), filename="x.eml")

    found = from_mime(message)

    (attached,) = found.attachments
    assert attached.mimetype == "message/rfc822"
    assert b"Subject: inner\r\n" in t.cast(bytes, attached.data)


def test_from_mime_of_several_authors() -> None:
    """A Message has one address in From."""
    with pytest.raises(MessageError, match="a From of 2 addresses"):
        Message.from_mime(built(From="a@example.com, b@example.com"))


@pytest.mark.parametrize("date", ["yesterday", "Fri, 99 Nov 2026 14:05:06 +0100", ""])
def test_from_mime_of_a_wrong_date(date: str) -> None:
    """C-31: a Date that cannot be read is refused."""
    message = parsed(f"Date: {date}\n{HEAD}\nx\n", email.policy.compat32)

    with pytest.raises(MessageError, match="Date is not a date"):
        from_mime(message)


@every_policy
def test_signed_with_an_attached_message(policy: t.Any) -> None:
    """A message in a signed part keeps its octets too."""
    body = (
        "--b\nContent-Type: message/rfc822\n\nSubject: a  b\nX-Long: "
        + "word " * 30
        + "end\n\n.trailing \n--b\nContent-Type: application/x-signature\n\nx\n--b--\n"
    )
    text = f'{HEAD}MIME-Version: 1.0\nContent-Type: multipart/signed; boundary="b"\n\n{body}'

    octets = bytes(adopt(parsed(text, policy)).content)

    assert octets.partition(b"\r\n\r\n")[2] == body.replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("Content-Type: message/delivery-status\n\nA: b\n\nC: d\n", "message/delivery-status"),
        ("Subject: é\n\nx\n", "Subject is signed and cannot be sent"),
        (f"X-Long: {'x' * 1000}\n\nx\n", "X-Long is signed and cannot be sent"),
        ("X-Blank: a\n \n b\n\nx\n", "X-Blank is signed and cannot be sent"),
    ],
)
def test_signed_parts_that_cannot_be_kept(part: str, reason: str) -> None:
    """A message that cannot be sent octet for octet is refused with the reason."""
    text = f'{HEAD}Content-Type: multipart/signed; boundary="b"\n\n--b\n{part}\n--b--\n'

    with pytest.raises(MessageError, match=reason):
        adopt(parsed(text))


def test_signed_without_a_boundary() -> None:
    """A signed multipart without a boundary is refused, because a new one was not signed."""
    message = email.mime.multipart.MIMEMultipart("signed")
    message["To"] = "bob@example.net"
    message.attach(email.mime.text.MIMEText("x"))

    with pytest.raises(MessageError, match="it has no boundary"):
        adopt(message, default_from=DEFAULT_FROM)


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ("two  spaces " * 10, 1),
        ("two  spaces " * 100, None),
        ("TAB\there " * 200, None),
    ],
)
def test_wire_form_with_runs_of_white_space(value: str, lines: int | None) -> None:
    """Unusual white space stays as long as the line can be sent."""
    octets = bytes(
        adopt(parsed(f"Subject: {value}\n{HEAD.replace('Subject: x', 'X: y')}\nz")).content
    )

    field = octets.partition(b"Subject: ")[2].partition(b"\r\nFrom:")[0]
    if lines == 1:
        assert field.decode() == value
    else:
        assert max(map(len, field.split(b"\r\n"))) <= 78
        assert field.decode().split() == value.split()


def test_from_without_an_address() -> None:
    """C-29: a From without an address is refused."""
    with pytest.raises(MessageError, match="From has no address"):
        adopt(parsed("From: nobody:;\nTo: b@example.com\n\nx"))


def test_a_name_that_hides_a_line_break() -> None:
    """A control character in the encoded word of a name is not written again."""
    text = (
        "From: =?utf-8?q?a=0D=0ABcc=3A_x?= <a@example.com>, Zoë <z@example.com>\nSender: s@x.org\n"
    )

    octets = bytes(adopt(parsed(f"{text}To: b@example.com\n\nx")).content)

    assert b"\r\nBcc" not in octets
    assert b"z@example.com" in octets


def test_too_long_parameters_are_not_parsed() -> None:
    """Long parameters are refused before the standard library's slow parser sees them."""
    with pytest.raises(MessageError, match="longer than 4000"):
        adopt(parsed(f"{HEAD}Content-Disposition: attachment; filename={'é' * 5000}\n\nx"))
