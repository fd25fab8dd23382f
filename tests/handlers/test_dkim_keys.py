"""``MAIL_DKIM_KEYS`` and ``MAIL_DKIM_DOMAIN``: which mail is signed, when, and by which keys."""

from __future__ import annotations

import json
import typing as t
from email.message import EmailMessage
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa as cryptography_rsa
from flask import Flask

from flask_mailhandler import Attachment
from flask_mailhandler import ConfigurationError
from flask_mailhandler import ConfigurationWarning
from flask_mailhandler import Mail
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler import Secret
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler import SMTPServer
from flask_mailhandler.app.current import registration_of
from queueing import shop
from sending import PATIENT
from sending import smtp
from sending import states
from signing import BOTH
from signing import DOMAIN
from signing import ed25519
from signing import made
from signing import Verdict
from signing import verified
from signing import zone

if t.TYPE_CHECKING:
    from sending import Scripted


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """The value of MAIL_DKIM_KEYS, as paths: Ed25519 first."""
    paths = {}
    for selector, kind in (("e2026", True), ("s2026", False)):
        path = tmp_path / f"{selector}.pem"
        path.write_bytes(made(selector, kind)[1].octets())
        paths[selector] = str(path)
    return paths


def letter(**fields: t.Any) -> Message:
    given = {"subject": "Hi", "text": "Hello", "from_addr": "ann@shop.example", "to": "b@x.example"}
    return Message(**{**given, **fields})


def standard() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ann@shop.example", "b@x.example", "Hi"
    message.set_content("Grüße.\n")
    return message


@pytest.mark.parametrize("message", [letter(), standard()], ids=["ours", "standard library"])
@pytest.mark.parametrize("guard", [{}, {"redirect_to": "me@x.example"}])
def test_what_is_sent_is_signed(
    scripted: Scripted, keys: dict[str, str], message: t.Any, guard: dict[str, t.Any]
) -> None:
    """What the server gets verifies by both keys, RSA on top, after the staging guard."""
    server = scripted()

    (report,) = smtp(server, dkim_keys=keys, **guard).send([message])

    assert report.ok
    assert verified(server.accepted[0].content) == BOTH
    assert (b"\r\nX-Original-To: b@x.example\r\n" in server.accepted[0].content) is bool(guard)


def test_dots(scripted: Scripted, keys: dict[str, str]) -> None:
    """The octets are signed before dots are doubled."""
    server = scripted()

    smtp(server, dkim_keys=keys).send([letter(text=".\n..\n.a\n" * 3000)])

    assert verified(server.accepted[0].content) == BOTH


def test_batches_share_a_signature(scripted: Scripted, keys: dict[str, str]) -> None:
    """All batches of a message have the same octets."""
    server = scripted()
    message = letter(to=["a@x.example", "b@x.example", "c@x.example"])

    smtp(server, dkim_keys=keys, recipients_per_message=1).send([message])

    assert len({accepted.content for accepted in server.accepted}) == 1
    assert verified(server.accepted[0].content) == BOTH


EIGHT_BIT = Attachment("Subject: in\n\nGrüße\n".encode("latin-1"), mimetype="message/rfc822")


@pytest.mark.parametrize("extensions", [[], ["8BITMIME"], ["8BITMIME", "SMTPUTF8"], ["SIZE 99999"]])
@pytest.mark.parametrize(
    "fields",
    [
        {"to": ["zoë@x.example", "b@x.example"]},
        {"attachments": [EIGHT_BIT]},
        {"to": ["zoë@x.example", "b@x.example"], "attachments": [EIGHT_BIT]},
        {"from_addr": "ann@shop.example", "subject": "Grüße"},
    ],
    ids=["SMTPUTF8", "8-bit", "both", "neither"],
)
def test_what_goes_on_the_wire_is_signed(
    scripted: Scripted, keys: dict[str, str], extensions: list[str], fields: dict[str, t.Any]
) -> None:
    """A message that is rewritten for a server without 8BITMIME or SMTPUTF8 is signed after it."""
    server = scripted(extensions=extensions)

    (report,) = smtp(server, dkim_keys=keys).send([letter(**fields)])

    assert "b@x.example" in report.accepted
    (accepted,) = server.accepted
    assert verified(accepted.content) == BOTH
    assert accepted.content.count(b"DKIM-Signature:") == 2
    assert accepted.content.isascii() or "8BITMIME" in extensions


def test_foreign_eight_bit(scripted: Scripted, keys: dict[str, str]) -> None:
    """A message of the standard library with a signed part in 8 bits verifies where it can go."""
    octets = (
        b"From: ann@shop.example\r\nTo: b@x.example\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/signed; boundary="b"; protocol="application/pgp-signature"\r\n'
        b"Content-Transfer-Encoding: 8bit\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n--b\r\n"
        b"Content-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n"
    )
    import email

    message = email.message_from_bytes(octets)
    able, unable = scripted(extensions=["8BITMIME"]), scripted(extensions=[])

    (sent,) = smtp(able, dkim_keys=keys).send([message])
    (not_sent,) = smtp(unable, dkim_keys=keys).send([message])

    assert sent.ok
    assert verified(able.accepted[0].content) == BOTH
    assert states(not_sent) == ["refused"]
    assert unable.accepted == []


def test_the_signed_size_is_announced(scripted: Scripted, keys: dict[str, str]) -> None:
    """SIZE counts the signatures too."""
    server = scripted(extensions=["SIZE 9999999"])

    smtp(server, dkim_keys=keys).send([letter()])

    size = len(server.accepted[0].content)
    assert f"MAIL FROM:<ann@shop.example> SIZE={size}" in server.commands


def test_another_domain(scripted: Scripted, keys: dict[str, str]) -> None:
    """With dkim_domain, one key serves the subdomains in From."""
    server = scripted()
    message = letter(from_addr="news@mail.shop.example")

    smtp(server, dkim_keys=keys, dkim_domain="Shop.example.").send([message])
    smtp(server, dkim_keys=keys).send([message])

    named, of_from = (accepted.content for accepted in server.accepted)
    assert verified(named) == BOTH
    other = zone(made()[0], ed25519(), domain="mail.shop.example")
    assert [verdict.domain for verdict in verified(of_from, other)] == ["mail.shop.example"] * 2


def test_queued_mail_is_signed_when_it_goes(
    tmp_path: Path, scripted: Scripted, keys: dict[str, str]
) -> None:
    """The queue stores unsigned octets, and the keys in force at each attempt sign them."""
    server = scripted(on={"end of data": ["451 4.3.0 later", "250 ok"]})
    given: dict[str, t.Any] = {"MAIL_DKIM_KEYS": {"e2026": keys["e2026"]}, **_patient()}

    with shop(tmp_path, MAIL_HOST=server.host, MAIL_PORT=server.port, **given) as here:
        here.mail.send_later(letter())
        stored = t.cast(bytes, here.queue.store.content(here.rows[0].id))
        here.queue.run_once()
        handler = t.cast(SMTPEmailHandler, here.mail.handler)
        handler.close()
        assert b"DKIM-Signature" not in stored

    given["MAIL_DKIM_KEYS"] = keys  # rotated, in a new process
    with shop(tmp_path, MAIL_HOST=server.host, MAIL_PORT=server.port, **given) as here:
        here.all_later()
        here.queue.run_once()
        t.cast(SMTPEmailHandler, here.mail.handler).close()
        assert here.states == ["sent"]

    assert verified(server.accepted[0].content) == BOTH
    assert server.accepted[0].content.endswith(stored)


def _patient() -> dict[str, object]:
    return {f"MAIL_{name.upper()}": value for name, value in PATIENT.items()}


def create_app(**config: object) -> tuple[Flask, Mail]:
    app = Flask("shop")
    app.config.update(MAIL_DEFAULT_FROM="shop@shop.example", **config)
    return app, Mail(app)


@pytest.mark.parametrize("handler", ["memory", "console", "file"])
def test_what_is_not_sent_is_not_signed(handler: str, tmp_path: Path) -> None:
    """Handlers that send nothing need no key."""
    missing = {"s2026": str(tmp_path / "missing.pem")}
    options: dict[str, t.Any] = {"MAIL_FOLDER": str(tmp_path / "mail")} if handler == "file" else {}
    app, mail = create_app(MAIL_HANDLER=handler, MAIL_DKIM_KEYS=missing, **options)

    with app.app_context():
        assert mail.send("Hello", subject="Hi", to="b@x.example").ok


def test_the_outbox_is_not_signed(keys: dict[str, str]) -> None:
    """A test sees the octets without signatures, in a send that it makes fail too."""
    app, mail = create_app(MAIL_HOST="mail.example.com", MAIL_DKIM_KEYS=keys)

    with app.app_context(), mail.capture() as outbox:
        mail.send("Hello", subject="Hi", to="b@x.example")
        outbox.fail("refused", to="b@x.example")
        mail.send(letter(to=["b@x.example", "c@x.example"]))

    assert len(outbox) == 2
    assert not any(b"DKIM-Signature" in bytes(captured.content) for captured in outbox)


def test_a_test_server_gets_signed_mail(keys: dict[str, str]) -> None:
    """A server for tests gets what a real one would get."""
    app, mail = create_app(MAIL_HOST="127.0.0.1", MAIL_DKIM_KEYS=keys)

    with app.app_context(), SMTPServer() as server, mail.capture(app, server=server):
        mail.send("Hello", subject="Hi", to="b@x.example")

    assert verified(bytes(server.outbox[0].content)) == BOTH


def test_accounts(keys: dict[str, str]) -> None:
    """An account inherits the keys, and may have its own or none."""
    own = {"e2026": keys["e2026"]}
    app, _ = create_app(
        MAIL_DKIM_KEYS=keys,
        MAIL_ACCOUNTS={
            "same": {"host": "127.0.0.2"},
            "own": {"dkim_keys": own, "dkim_domain": "shop.example"},
            "none": {"dkim_keys": []},
        },
    )

    with app.app_context():
        found = {
            name: registration_of(app).handler(name) for name in ("default", "same", "own", "none")
        }

    assert {name: handler.dkim_keys for name, handler in found.items()} == {
        "default": ("e2026", "s2026"),
        "same": ("e2026", "s2026"),
        "own": ("e2026",),
        "none": (),
    }
    assert found["own"].dkim_domain == "shop.example"


@pytest.mark.parametrize("form", ["json", "path", "secret", "bytes", "text"])
def test_forms_of_a_key(form: str, keys: dict[str, str], scripted: Scripted) -> None:
    """A key is the path of a file, or PEM itself, also as JSON from the environment."""
    pem = made("e2026", True)[1]
    forms: dict[str, t.Any] = {
        "json": json.dumps({"e2026": keys["e2026"]}),
        "path": {"e2026": Path(keys["e2026"])},
        "secret": {"e2026": pem},
        "bytes": {"e2026": pem.octets()},
        "text": {"e2026": pem.reveal()},
    }
    server = scripted()

    handler = smtp(server, dkim_keys=forms[form])
    handler.send([letter()])

    assert verified(server.accepted[0].content) == BOTH[1:]
    assert "PRIVATE" not in repr(handler)
    assert handler.dkim_keys == ("e2026",)


def of_bits(bits: int) -> Secret:
    private = cryptography_rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return Secret(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("s2026.pem", r"^MAIL_DKIM_KEYS must be like .*each selector and its key\.$"),
        (["s2026"], "MAIL_DKIM_KEYS must be like"),
        (Secret("-----BEGIN"), "MAIL_DKIM_KEYS must be like"),
        (
            {"s 2026": "x.pem"},
            "'s 2026' is not a selector. Write letters, digits and hyphens, such as 's2026'",
        ),
        ({"s_": "x.pem"}, "'s_' is not a selector"),
        ({"": "x.pem"}, "'' is not a selector"),
        ({17: "x.pem"}, "17 is not a selector"),
        ({"s": 17}, r"MAIL_DKIM_KEYS\['s'\] must be the path .* its type is int"),
        ({"s": ""}, r"MAIL_DKIM_KEYS\['s'\] must be the path"),
        ({"s": None}, r"MAIL_DKIM_KEYS\['s'\] must be the path"),
        (
            {"s": "no.pem"},
            r"\['s'\] = 'no.pem' cannot be read: No such file.* A relative path star",
        ),
        ({"s": "/"}, r"\['s'\] = '/' cannot be read: Is a directory"),
        ({"s": __file__}, r"cannot be used: it is not a private key.*flask mail dkim new s$"),
        ({"s": Secret("x")}, r"MAIL_DKIM_KEYS\['s'\] cannot be used: it is not a private key"),
    ],
)
def test_wrong_keys(value: object, text: str) -> None:
    """A wrong value, and a key that cannot be read, is an error when the app is made."""
    with pytest.raises(ConfigurationError, match=text):
        create_app(MAIL_DKIM_KEYS=value)


def test_a_wrong_key_of_an_account() -> None:
    """The error names the account."""
    with pytest.raises(ConfigurationError, match=r"MAIL_ACCOUNTS\['bulk'\]\['dkim_keys'\]\['s'\]"):
        create_app(MAIL_ACCOUNTS={"bulk": {"dkim_keys": {"s": "missing.pem"}}})


def test_errors_do_not_show_a_key() -> None:
    """No error shows a part of a key."""
    pem = made()[1].reveal()
    for value in (pem, {"s": pem[:200]}, {pem: "x.pem"}, [pem]):
        with pytest.raises(ConfigurationError) as caught:
            create_app(MAIL_DKIM_KEYS=value)
        assert pem[60:90] not in str(caught.value)


def test_a_short_key_is_warned_of(scripted: Scripted) -> None:
    """An RSA key of less than 2048 bits signs, and a warning says what to do (RFC 8301)."""
    short = of_bits(1024)

    with pytest.warns(ConfigurationWarning, match=r"dkim_keys=\['s'\] is an RSA key of 1024 bits"):
        smtp(scripted(), dkim_keys={"s": short})
    with pytest.warns(ConfigurationWarning, match=r"MAIL_DKIM_KEYS\['s'\] .*flask mail dkim new"):
        create_app(MAIL_DKIM_KEYS={"s": short})


@pytest.mark.parametrize(
    "value", ["", "a b.example", "ann@shop.example", "[192.0.2.1]", "https://shop.example", "a..b"]
)
def test_wrong_domains(value: str) -> None:
    """Only a domain can be one."""
    with pytest.raises(ConfigurationError, match="dkim_domain= must be a domain"):
        SMTPEmailHandler(dkim_domain=value)


@pytest.mark.parametrize(
    ("domain", "default_from", "fits"),
    [
        ("shop.example", "a@shop.example", True),
        ("shop.example", "a@mail.shop.example", True),
        ("mail.shop.example", "a@shop.example", True),
        ("bücher.example", "a@xn--bcher-kva.example", True),
        ("shop.example", "a@other.example", False),
        ("shop.co.uk", "a@shop.org.uk", False),
    ],
)
def test_alignment(keys: dict[str, str], domain: str, default_from: str, fits: bool) -> None:
    """A domain that DMARC cannot accept for the default From is an error."""
    options: dict[str, t.Any] = {"dkim_domain": domain, "default_from": default_from}
    if fits:
        SMTPEmailHandler(dkim_keys=keys, **options)
        return
    with pytest.raises(
        ConfigurationError, match=r"^MAIL_DKIM_DOMAIN = .* cannot sign for the default"
    ):
        SMTPEmailHandler(dkim_keys=keys, **options)


def test_a_handler_of_the_app_signs(keys: dict[str, str]) -> None:
    """A handler that an app derives signs too, unless it overrides seal."""

    class Pigeon(MemoryEmailHandler):
        seal = SMTPEmailHandler.seal

    handler = Pigeon(dkim_keys=keys, dkim_domain=DOMAIN)
    handler.send([letter()])

    assert verified(bytes(handler.outbox[0].content)) == BOTH


def test_a_message_without_a_domain(scripted: Scripted, keys: dict[str, str]) -> None:
    """A message whose From cannot sign is refused, with what to set, and the others are sent."""
    server = scripted()
    mail = [letter(from_addr="ann@[192.0.2.1]"), letter()]

    refused, sent = smtp(server, dkim_keys=keys).send(mail)

    assert states(refused) == ["refused"]
    assert "set MAIL_DKIM_DOMAIN" in str(refused.outcomes[0])
    assert sent.ok
    assert [Verdict(*verdict) for verdict in verified(server.accepted[0].content)] == BOTH
