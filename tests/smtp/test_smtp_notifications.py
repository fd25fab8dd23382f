"""What MAIL and RCPT ask a server about delivery notifications (RFC 3461)."""

from __future__ import annotations

import typing as t
from email.message import EmailMessage

import pytest

from flask_mailhandler import ConfigurationError
from flask_mailhandler import DSN
from flask_mailhandler import Message
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler.smtp.notifications import envelope_id
from sending import in_groups
from sending import letter
from sending import Scripted
from sending import smtp
from servers.scripted import DEFAULT_EXTENSIONS

WITH_DSN = (*DEFAULT_EXTENSIONS, "DSN")
ANN, BOB = "ann@example.com", "bob@example.com"
ID = "<0123456789abcdef0123456789abcdef@example.com>"
LEFT = "0123456789abcdef0123456789abcdef"


def written(message: t.Any, scripted: Scripted, *extra: str, **options: t.Any) -> list[str]:
    """Send a message to a server with DSN. Return the parameters of MAIL and each RCPT that are
    about notifications."""
    server = scripted(extensions=(*WITH_DSN, *extra))
    (report,) = smtp(server, **options).send([message])
    server.settle()
    assert report.ok
    assert server.breaches == []
    lines = [line for line in server.commands if line.startswith(("MAIL", "RCPT"))]
    return [
        " ".join(
            word
            for word in line.encode("latin-1").decode().rpartition(">")[2].split()
            if word.startswith(("RET", "ENVID", "NOTIFY", "ORCPT"))
        )
        for line in lines
    ]


def test_everything(scripted: Scripted) -> None:
    """MAIL has RET and ENVID, and each RCPT has NOTIFY and ORCPT."""
    message = letter(ANN, BOB).replace(
        message_id=ID, dsn_notify=["success", "failure"], dsn_return="headers"
    )

    assert written(message, scripted) == [
        f"RET=HDRS ENVID={LEFT}",
        "NOTIFY=FAILURE,SUCCESS ORCPT=rfc822;ann@example.com",
        "NOTIFY=FAILURE,SUCCESS ORCPT=rfc822;bob@example.com",
    ]


@pytest.mark.parametrize(
    ("options", "fields", "mail", "rcpt"),
    [
        ({"dsn_notify": "never"}, {}, f"ENVID={LEFT}", "NOTIFY=NEVER "),
        ({"dsn_notify": "never"}, {"dsn_notify": "delay"}, f"ENVID={LEFT}", "NOTIFY=DELAY "),
        ({"dsn_return": "full"}, {}, f"RET=FULL ENVID={LEFT}", ""),
        (
            {"dsn_notify": "failure, delay", "dsn_return": "full"},
            {"dsn_return": "headers"},
            f"RET=HDRS ENVID={LEFT}",
            "NOTIFY=FAILURE,DELAY ",
        ),
    ],
)
def test_the_account(
    options: t.Any, fields: t.Any, mail: str, rcpt: str, scripted: Scripted
) -> None:
    """A message that asks for nothing has the options of its account; its own fields win."""
    message = letter(ANN).replace(message_id=ID, **fields)

    assert written(message, scripted, **options) == [mail, f"{rcpt}ORCPT=rfc822;{ANN}"]


@pytest.mark.parametrize(
    ("options", "fields"),
    [({}, {}), ({"dsn_notify": "failure"}, {"dsn_notify": ()}), ({"dsn_notify": []}, {})],
)
def test_nothing(options: t.Any, fields: t.Any, scripted: Scripted) -> None:
    """A message that asks for nothing has no such parameter, and neither has one that asks for
    nothing where its account asks."""
    assert written(letter(ANN).replace(**fields), scripted, **options) == ["", ""]


def test_not_offered(scripted: Scripted) -> None:
    """A server without DSN gets the message without a parameter for it."""
    server = scripted()

    (report,) = smtp(server, dsn_notify="failure", dsn_return="full").send([letter(ANN)])

    assert report.ok
    assert server.accepted[0].parameters.keys() == {"SIZE"}
    assert [line for line in server.commands if line.startswith("RCPT")] == [f"RCPT TO:<{ANN}>"]


def test_email_message(scripted: Scripted) -> None:
    """An EmailMessage has the options of its account."""
    message = EmailMessage()
    message["From"], message["To"], message["Message-ID"] = "shop@example.com", ANN, ID
    message.set_content("Hello")

    asked = written(message, scripted, dsn_notify=["failure"])

    assert asked == [f"ENVID={LEFT}", f"NOTIFY=FAILURE ORCPT=rfc822;{ANN}"]


@pytest.mark.parametrize(
    ("recipient", "typed"),
    [
        ("ann+news@example.com", "rfc822;ann+2Bnews@example.com"),
        ("a=b@example.com", "rfc822;a+3Db@example.com"),
        ('"a b"@example.com', 'rfc822;"a+20b"@example.com'),
        ("jörg@example.com", "utf-8;jörg@example.com"),
        ("jörg+a=b@example.com", r"utf-8;jörg\x{2B}a\x{3D}b@example.com"),
    ],
)
def test_original_recipient(recipient: str, typed: str, scripted: Scripted) -> None:
    """ORCPT is in xtext; an address beyond ASCII has the form of RFC 6533."""
    asked = written(letter(recipient), scripted, "SMTPUTF8", dsn_notify="failure")

    assert asked[1] == f"NOTIFY=FAILURE ORCPT={typed}"


def test_long_recipient(scripted: Scripted) -> None:
    """An ORCPT that would make RCPT too long is left out."""
    domain = ".".join(["a" * 60] * 3) + ".de"
    ascii_only, beyond = "=" * 64 + f"@{domain}", "ä" + "=" * 62 + f"@{domain}"

    fits = written(letter(ascii_only), scripted, dsn_notify="failure, delay, success")
    left_out = written(letter(beyond), scripted, "SMTPUTF8", dsn_notify="failure")

    assert fits[1] == f"NOTIFY=FAILURE,DELAY,SUCCESS ORCPT=rfc822;{'+3D' * 64}@{domain}"
    assert left_out[1] == "NOTIFY=FAILURE"


@pytest.mark.parametrize(
    "message_id",
    [
        f"<{'x' * 65}@example.com>",
        "<a+b@example.com>",
        '<"a b"@example.com>',
        "<a=b@example.com>",
        "<a/b@example.com>",
    ],
)
def test_envelope_id_of_other_message_ids(message_id: str) -> None:
    """The ENVID of a Message-ID with a long or unusual left part is a hash, each time the same."""
    found = envelope_id(message_id)

    assert len(found) == 32
    assert found.isalnum()
    assert found == envelope_id(message_id) != envelope_id(message_id.replace("@", "x@"))


@pytest.mark.parametrize("left", ["a", "17.2026-11-29_x", "x" * 64])
def test_envelope_id(left: str) -> None:
    """The ENVID is the left part of a Message-ID that is short and plain."""
    assert envelope_id(f"<{left}@example.com>") == left


def test_groups_and_batches(scripted: Scripted) -> None:
    """Each batch of a list asks, and the round trips are the same as without."""
    server, other = in_groups(scripted)(extensions=WITH_DSN), in_groups(scripted)()
    people = [f"r{number}@example.com" for number in range(5)]

    for one in (server, other):
        handler = smtp(one, dsn_notify="failure", recipients_per_message=2)
        (report,) = handler.send([letter(*people).replace(message_id=ID)])
        assert report.ok
        handler.close()
        one.settle()

    assert [line for line in server.commands if line.startswith("RCPT")] == [
        f"RCPT TO:<{to}> NOTIFY=FAILURE ORCPT=rfc822;{to}" for to in people
    ]
    assert sum(f" ENVID={LEFT}" in line for line in server.commands) == 3
    assert server.connections[0].flights == other.connections[0].flights
    assert server.breaches == []


def test_redirected(scripted: Scripted) -> None:
    """The ORCPT of redirected mail is the address that it is redirected to."""
    asked = written(letter(ANN), scripted, dsn_notify="failure", redirect_to=BOB)

    assert asked[1] == f"NOTIFY=FAILURE ORCPT=rfc822;{BOB}"


@pytest.mark.parametrize(
    "value", ["sometimes", ["failure", "never"], 1, b"failure", [1], ["FAILURE ", "x"]]
)
def test_wrong_notify(value: t.Any) -> None:
    """A wrong word is an error where it is written, which says what to write."""
    with pytest.raises(ConfigurationError, match=r"dsn_notify= takes 'never', or a list of"):
        SMTPEmailHandler(dsn_notify=value)
    with pytest.raises(ValueError, match="dsn_notify takes 'never', or a list of"):
        Message(dsn_notify=value)


@pytest.mark.parametrize("value", ["hdrs", "", 1, b"full"])
def test_wrong_return(value: t.Any) -> None:
    """A wrong word for the returned part is an error where it is written."""
    with pytest.raises(ConfigurationError, match="dsn_return= must be"):
        SMTPEmailHandler(dsn_return=value)
    with pytest.raises(ValueError, match="dsn_return takes 'headers' or 'full'"):
        Message(dsn_return=value)


def test_fields() -> None:
    """The words are read in any case, once each, and survive a copy and JSON."""
    message = Message(to=ANN, dsn_notify="Success, FAILURE,success", dsn_return="full")

    assert message.dsn_notify == ("failure", "success")
    assert message.replace(to=BOB).dsn_notify == ("failure", "success")
    assert Message.from_dict(message.to_dict()) == message
    assert Message.from_dict(Message(to=ANN).to_dict()).dsn_notify is None


def test_the_job() -> None:
    """A handler of another kind reads in the job what the message asks for."""
    handler = SMTPEmailHandler(dsn_return="headers")

    asked = handler.prepare(letter(ANN).replace(dsn_notify="never")).job
    plain = SMTPEmailHandler().prepare(letter(ANN)).job

    assert asked is not None
    assert asked.dsn == DSN(notify=("never",), ret="headers")
    assert plain is not None
    assert plain.dsn is None
