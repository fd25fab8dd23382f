"""One message, from MAIL to the reply to the end of data: the outcome of each recipient."""

from __future__ import annotations

import re
import time
import typing as t

import pytest

from flask_mailhandler import DeferredError
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler import Outcome
from flask_mailhandler import RefusedError
from flask_mailhandler import UnknownOutcomeError
from flask_mailhandler.phase import Phase
from flask_mailhandler.phase import State
from flask_mailhandler.report import Report
from sending import ACCEPTED
from sending import codes
from sending import DEFERRED
from sending import deliver
from sending import grouped
from sending import in_groups
from sending import job
from sending import letter
from sending import REFUSED
from sending import Scripted
from sending import smtp
from sending import states
from sending import UNKNOWN
from servers import After
from servers import Delay
from servers import Drip
from servers import DROP
from servers import RESET
from servers import ScriptedServer
from servers import SILENCE
from servers import Then

if t.TYPE_CHECKING:
    from collections.abc import Iterator

ANN, BOB, CID = "ann@example.com", "bob@example.com", "cid@example.com"
BIG = b"Subject: big\r\n\r\n" + b"." * 78 + b"\r\n" + (b"x" * 78 + b"\r\n") * 100_000


@pytest.fixture(params=["lock-step", "groups"])
def scripted(request: pytest.FixtureRequest, scripted: Scripted) -> Scripted:
    """Every test of this file holds in lock-step and in command groups."""
    return in_groups(scripted) if request.param == "groups" else scripted


def send(server: ScriptedServer, *to: str, **options: t.Any) -> Report:
    (report,) = smtp(server, **options).send([letter(*to)])
    server.settle()
    return report


def verbs(server: ScriptedServer) -> list[str]:
    """The commands after EHLO."""
    return [command.split(" ")[0] for command in server.commands[1:]]


WHOLE = ["MAIL", "RCPT", "RCPT", "RCPT", "DATA", "QUIT"]


def test_accepted(scripted: Scripted, no_leaks: None) -> None:
    """F-48: one transaction, and every recipient is accepted."""
    server = scripted()

    report = send(server, ANN, BOB, CID)

    assert report.ok and report.error is None
    assert states(report) == [ACCEPTED] * 3
    assert codes(report) == [250] * 3
    assert report.outcomes[0].text == "accepted"
    assert verbs(server) == WHOLE
    (message,) = server.accepted
    assert message.recipients == (ANN, BOB, CID)
    assert message.parameters == {"SIZE": str(len(message.content))}


# MAIL


@pytest.mark.parametrize(
    ("said", "state", "error"),
    [
        ("451 4.3.0 later", DEFERRED, DeferredError),
        ("452 4.3.1 no space", DEFERRED, DeferredError),
        ("421 4.3.2 bye", DEFERRED, DeferredError),
        ("221 2.0.0 bye", DEFERRED, DeferredError),
        ("499 what", DEFERRED, DeferredError),
        ("550 5.7.1 not from you", REFUSED, RefusedError),
        ("552 5.3.4 too big", REFUSED, RefusedError),
        ("553 5.1.8 no such sender", REFUSED, RefusedError),
        ("599 what", REFUSED, RefusedError),
        ("220 what", DEFERRED, DeferredError),
        ("200 what", DEFERRED, DeferredError),
        ("354 what", DEFERRED, DeferredError),
        (b"250 ok\r\n250 twice\r\n", DEFERRED, DeferredError),
    ],
)
def test_mail(scripted: Scripted, said: t.Any, state: State, error: type[Exception]) -> None:
    """F-24 ... F-27, PROTOCOL 6, 9: if MAIL is not answered 25z, that is every recipient's outcome,
    and nothing more is sent."""
    server = scripted(on={"MAIL": said})

    report = send(server, ANN, BOB)

    assert states(report) == [state] * 2
    assert type(report.error) is error
    assert report.error.report is report
    assert grouped(server) or verbs(server)[:2] in (["MAIL"], ["MAIL", "QUIT"])
    assert len(server.connections) == 1


@pytest.mark.parametrize("said", ["250 ok", "251 ok", "250", "259 ok"])
def test_mail_accepted(scripted: Scripted, said: str) -> None:
    """C-12, PROTOCOL 6: 25z means accepted."""
    assert send(scripted(on={"MAIL": said})).ok


# RCPT


@pytest.mark.parametrize(
    ("replies", "expect"),
    [
        ("250 250 250", "aaa"),
        ("251 252 250", "aaa"),
        ("250 550 250", "ara"),
        ("550 250 551", "rar"),
        ("553 554 552", "rrr"),
        ("250 450 250", "ada"),
        ("451 450 452", "ddd"),
        ("450 550 451", "drd"),
        ("452 250 250", "daa"),
    ],
)
def test_recipients(scripted: Scripted, replies: str, expect: str) -> None:
    """F-30 ... F-35, F-38: each recipient has its own reply, or the one to the end of data; without
    an accepted recipient there is no DATA."""
    server = scripted(on={"RCPT": [f"{code} reply {code}" for code in replies.split()]})

    report = send(server, ANN, BOB, CID)

    assert "".join(state[0] for state in states(report)) == expect
    for outcome, code in zip(report.outcomes, replies.split(), strict=True):
        if outcome.state is not ACCEPTED:
            assert (outcome.code, outcome.text) == (int(code), f"reply {code}")
    assert verbs(server) == (WHOLE if "a" in expect or grouped(server) else [*WHOLE[:4], "QUIT"])
    errors = {"a": type(None), "r": RefusedError, "d": DeferredError}
    assert type(report.error) is errors["d" if "d" in expect else "r" if "r" in expect else "a"]


@pytest.mark.parametrize(
    ("replies", "expect"),
    [
        (["250 ok"] * 3, "aaa"),
        (["250 ok", "250 ok", "550 no"], "aar"),
        (["250 ok", "550 no", "250 ok"], "ara"),
        (["550 no", "250 ok", "250 ok"], "raa"),
        (["250 ok", "251 ok", "251 ok"], "aaa"),
        ([b"250-one\r\n250 two\r\n"] * 3, "aaa"),
        (["250 two", *[b"250-one\r\n250 two\r\n"] * 2], "aaa"),
        ([b"250-one\r\n250 two\r\n", "250 two", "550 no"], "aar"),
    ],
)
def test_replies_alike(scripted: Scripted, replies: list[t.Any], expect: str) -> None:
    """A reply that is the same line as the one before belongs to the next recipient, and a reply of
    several lines belongs to one."""
    server = scripted(on={"RCPT": replies})

    report = send(server, ANN, BOB, CID)

    assert "".join(state[0] for state in states(report)) == expect
    taken = [to for to, state in zip((ANN, BOB, CID), expect, strict=True) if state == "a"]
    assert [message.recipients for message in server.accepted] == [tuple(taken)]
    made = [Outcome(to, ACCEPTED, 250, "2.0.0", "accepted") for to in report.accepted]
    assert [outcome for outcome in report.outcomes if outcome.state is ACCEPTED] == made


@pytest.mark.parametrize(
    ("replies", "expect"),
    [
        (["550 no", "250 ok", "421 4.7.0 bye"], "rdd"),
        (["421 bye"], "ddd"),
        (["250 ok", "221 bye"], "ddd"),
        (["550 no", "250 ok", DROP], "rdd"),
        (["550 no", "250 ok", RESET], "rdd"),
        (["550 no", "250 ok", SILENCE], "rdd"),
        (["550 no", "250 ok", "220 what"], "rdd"),
        (["550 no", "250 ok", Then(b"25", DROP)], "rdd"),
        (["550 no", b"250 ok\r\n250 ok\r\n"], "rdd"),
    ],
)
def test_recipients_cut_short(
    scripted: Scripted, replies: list[t.Any], expect: str, impatient: None, no_leaks: None
) -> None:
    """F-36, F-37, PROTOCOL 6, 7, 9: refused recipients stay refused, the others are deferred."""
    server = scripted(on={"RCPT": replies})

    report = send(server, ANN, BOB, CID)

    assert "".join(state[0] for state in states(report)) == expect
    assert isinstance(report.error, DeferredError)
    assert grouped(server) or "DATA" not in verbs(server)
    assert len(server.connections) == 1


# DATA


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("451 4.3.0 later", DEFERRED),
        ("421 4.3.2 bye", DEFERRED),
        ("221 bye", DEFERRED),
        ("554 5.5.1 no valid recipients", REFUSED),
        ("503 5.5.1 bad sequence", REFUSED),
        ("250 2.0.0 what", DEFERRED),
        (DROP, DEFERRED),
        (RESET, DEFERRED),
        (SILENCE, DEFERRED),
        (Then(b"354 half", DROP), DEFERRED),
        # What looks like the reply to the end of data came before it.
        (b"354 go\r\n250 2.0.0 accepted\r\n", DEFERRED),
        (b"354 go\r\n451 4.3.0 later\r\n", DEFERRED),
        (b"354 go\r\n554 5.7.1 no\r\n", REFUSED),
        (b"354 go\r\n2", DEFERRED),
    ],
)
def test_data(
    scripted: Scripted, said: t.Any, state: State, impatient: None, no_leaks: None
) -> None:
    """F-42 ... F-45, F-61, PROTOCOL 11: if DATA is not answered 354, or with more than that, no
    content is sent; a recipient refused before keeps its reply."""
    server = scripted(on={"DATA": said, f"RCPT TO:<{BOB}>": "550 5.1.1 no"})
    seen: list[Phase] = []

    (report,) = smtp(server).send([letter(ANN, BOB)], observe=lambda phase, job: seen.append(phase))
    server.settle()

    assert states(report) == [state, REFUSED]
    assert seen[-1] is Phase.DATA
    assert report.outcomes[1].code == 550
    assert len(server.connections) == 1
    assert server.accepted == []


# Content


@pytest.mark.parametrize("octets", [0, 1, 1000, 100_000])
@pytest.mark.parametrize("how", [DROP, RESET])
def test_lost_within_content(scripted: Scripted, octets: int, how: t.Any, no_leaks: None) -> None:
    """F-46: the connection is lost within the content: deferred, and not repeated."""
    server = scripted(extensions=["8BITMIME"], on={"content": After(octets, how)})

    # So much that the news of the end overtakes it on a busy machine, too.
    (report,) = deliver(smtp(server), job(BIG * 4))
    server.settle()

    assert states(report) == [DEFERRED]
    assert report.error is not None and report.error.phase is Phase.CONTENT
    assert len(server.connections) == 1


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("550 5.7.1 This violates SMTP", REFUSED),
        ("552 5.3.4 too big", REFUSED),
        ("421 4.3.2 bye", DEFERRED),
        ("451 4.3.0 no space", DEFERRED),
        ("250 2.0.0 already", DEFERRED),
    ],
)
@pytest.mark.parametrize("how", [DROP, RESET])
def test_last_words(scripted: Scripted, said: str, state: State, how: t.Any) -> None:
    """F-46, PROTOCOL 16: a reply that came before the connection was lost is used."""
    server = scripted(on={"content": After(1000, Then(said, how))})

    (report,) = deliver(smtp(server), job(BIG))

    assert states(report) == [state]
    assert codes(report) == [None if said.startswith("250") else int(said[:3])]


@pytest.mark.parametrize("said", ["552 5.3.4 too big", "451 4.3.0 no space"])
def test_early_words(scripted: Scripted, said: str) -> None:
    """PROTOCOL 11, 16: a refusal within the content is read before its end is written, and the
    connection is not used again."""
    server = scripted(on={"content": [After(1000, said)]})

    reports = deliver(smtp(server), job(BIG), job())
    server.settle()

    assert codes(reports[0]) == [int(said[:3])]
    assert reports[1].ok
    assert len(server.connections) == 2
    assert len(server.received) == 1


def test_lost_at_once(scripted: Scripted) -> None:
    """F-46: a small content may have been fully written: then the outcome is unknown."""
    server = scripted(on={"DATA": Then("354 go", DROP)})

    assert states(send(server)) in ([DEFERRED], [UNKNOWN])


class Vanished:
    """A file that changes while it is read."""

    size = 1000

    def __iter__(self) -> Iterator[bytes]:
        yield b"x" * 76 + b"\r\n"
        raise MessageError("report.pdf has changed.")


def test_changed_file(scripted: Scripted, no_leaks: None) -> None:
    """A content that cannot be fully read never gets its end; the next message uses another
    connection."""
    server = scripted()

    first, second = deliver(
        smtp(server), job([b"Subject: x\r\n\r\n", Vanished()], [ANN, BOB]), job()
    )
    server.settle()

    assert states(first) == [REFUSED, REFUSED]
    assert "report.pdf has changed." in str(first.error)
    assert second.ok
    assert len(server.received) == 1
    assert len(server.connections) == 2


# End of data


@pytest.mark.parametrize(
    ("said", "state", "error"),
    [
        ("250 2.0.0 queued", ACCEPTED, None),
        ("251 queued", ACCEPTED, None),
        (Then("250 2.0.0 queued", DROP), ACCEPTED, None),
        (Then("250 2.0.0 queued", RESET), ACCEPTED, None),
        (Drip(b"250 2.0.0 queued\r\n", every=0.001), ACCEPTED, None),
        ("451 4.3.0 later", DEFERRED, DeferredError),
        ("421 4.3.2 bye", DEFERRED, DeferredError),
        (Then("421 4.3.2 bye", DROP), DEFERRED, DeferredError),
        # Only 421, 4yz and 5yz say no: a server that says goodbye may have it.
        ("221 bye", UNKNOWN, UnknownOutcomeError),
        ("235 what", UNKNOWN, UnknownOutcomeError),
        ("299 what", UNKNOWN, UnknownOutcomeError),
        ("550 5.7.1 spam", REFUSED, RefusedError),
        ("552 5.3.4 too big", REFUSED, RefusedError),
        ("554 5.6.0 no", REFUSED, RefusedError),
        (DROP, UNKNOWN, UnknownOutcomeError),
        (RESET, UNKNOWN, UnknownOutcomeError),
        (SILENCE, UNKNOWN, UnknownOutcomeError),
        (Delay(5, "250 late"), UNKNOWN, UnknownOutcomeError),
        ("220 what", UNKNOWN, UnknownOutcomeError),
        ("354 more", UNKNOWN, UnknownOutcomeError),
    ],
)
def test_end_of_data(
    scripted: Scripted,
    said: t.Any,
    state: State,
    error: type[Exception] | None,
    impatient: None,
    no_leaks: None,
) -> None:
    """F-48 ... F-57: the reply to the end of data decides, and without one the outcome is unknown;
    nothing is repeated."""
    server = scripted(on={"end of data": said, f"RCPT TO:<{BOB}>": "550 5.1.1 no"})

    report = send(server, ANN, BOB)

    assert states(report) == [state, REFUSED]
    assert type(report.error) is (error or RefusedError)
    assert len(server.connections) == 1
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("action", "state", "code"),
    [
        (RESET, DEFERRED, None),
        (Then("451 4.3.0 later", RESET), DEFERRED, 451),
        (Then("554 5.7.1 spam", RESET), REFUSED, 554),
        (DROP, UNKNOWN, None),
    ],
)
def test_end_of_data_cannot_be_written(
    scripted: Scripted, action: t.Any, state: State, code: int | None, no_leaks: None
) -> None:
    """PROTOCOL 16: if the write of the end fails, the server cannot have the whole message:
    deferred, or as it replied; if the kernel took the write, the outcome is unknown."""
    server = scripted()

    def observe(phase: Phase, job: object) -> None:
        if phase is Phase.END_OF_DATA:
            assert server.connections[0].do(action)

    (report,) = smtp(server).send([letter()], observe=observe)

    assert states(report) == [state]
    assert codes(report) == [code]
    assert server.received == []
    if state is DEFERRED and code is None:
        assert report.error is not None and report.error.phase is Phase.CONTENT


def test_unknown_says_what_it_means(scripted: Scripted) -> None:
    """F-53: the error of an unknown outcome warns of a second copy."""
    report = send(scripted(on={"end of data": DROP}), ANN, BOB)

    assert isinstance(report.error, UnknownOutcomeError)
    assert not report.error.temporary
    assert report.error.phase is Phase.END_OF_DATA
    assert "ann@example.com and 1 more unknown at end of data" in str(report.error)
    assert "sending it again may double it" in str(report.error)


@pytest.mark.parametrize("said", [DROP, RESET, SILENCE, "421 bye", "500 what", b"\xff\r\n"])
def test_quit(scripted: Scripted, said: t.Any, no_leaks: None) -> None:
    """F-58, C-16: QUIT is sent, and its result changes and delays nothing."""
    server = scripted(on={"QUIT": said})
    begin = time.monotonic()

    (report,) = smtp(server).send([letter()])

    assert report.ok
    assert time.monotonic() - begin < 30  # and not the 60 that are allowed
    server.settle()
    assert server.commands[-1] == "QUIT"


def test_flights(scripted: Scripted) -> None:
    """F-64, PROTOCOL 1: a server without PIPELINING gets no groups; with it the envelope is one
    flight and the content another. EHLO and QUIT are one each."""
    server = scripted(extensions=["SIZE 1000000"])

    assert send(server, ANN, BOB).ok
    assert server.connections[0].flights == (4 if grouped(server) else 7)


# What the server offers


def test_size(scripted: Scripted) -> None:
    """F-90, C-69: a message larger than the server's limit is refused with both numbers before
    MAIL, and the next one is sent on the same connection."""
    server = scripted(extensions=["SIZE 2000"])

    large, small = smtp(server).send([letter(text="x\n" * 1000), letter()])
    server.settle()

    assert states(large) == [REFUSED]
    assert re.search(
        r"the message has \d{4} octets, and 127.0.0.1:\d+ accepts 2000", str(large.error)
    )
    assert small.ok
    assert verbs(server) == ["MAIL", "RCPT", "DATA", "QUIT"]


@pytest.mark.parametrize(("less", "state"), [(0, ACCEPTED), (1, REFUSED)])
def test_exactly_the_size(scripted: Scripted, less: int, state: State) -> None:
    """C-69: a message exactly as large as the limit is not too large."""
    content = b"Subject: Hi\r\n\r\nHello.\r\n"
    server = scripted(extensions=[f"SIZE {len(content) - less}"])

    (report,) = deliver(smtp(server), job(content))

    assert states(report) == [state]


@pytest.mark.parametrize("offered", ["SIZE", "SIZE 0"])
def test_size_without_limit(scripted: Scripted, offered: str) -> None:
    """C-67, C-68: no number, or 0, is no limit; we still announce our exact size."""
    server = scripted(extensions=[offered])

    assert send(server).ok
    assert server.accepted[0].parameters["SIZE"] == str(len(server.accepted[0].content))


@pytest.mark.parametrize("extensions", [[], ["8BITMIME"], ["8BITMIME", "SMTPUTF8"]])
def test_letters_beyond_ascii(scripted: Scripted, extensions: list[str]) -> None:
    """F-91, F-92: letters beyond ASCII need no extension unless an address has them before its
    @."""
    server = scripted(extensions=extensions)
    message = Message(
        subject="Grüße",
        text="Käse, 日本\n",
        from_addr="Jürgen <j@bücher.example>",
        to="Søren <s@example.com>",
        attachments=[],
    )

    (report,) = smtp(server).send([message])

    assert report.ok
    assert server.accepted[0].content.isascii()
    assert server.accepted[0].parameters == {}
    assert server.accepted[0].sender == "j@xn--bcher-kva.example"


UTF8 = "jürgen@example.com"


@pytest.mark.parametrize("field", ["from_addr", "reply_to", "to"])
@pytest.mark.parametrize("extensions", [[], ["8BITMIME"], ["SMTPUTF8"]])
def test_smtputf8_missing_for_the_header(
    scripted: Scripted, field: str, extensions: list[str]
) -> None:
    """C-52, PROTOCOL 23: a header that cannot be written: the message is refused, and the error
    names the address. SMTPUTF8 without 8BITMIME does not count (RFC 6531 section 3.1)."""
    server = scripted(extensions=extensions)
    message = letter(ANN).replace(**t.cast("t.Any", {field: UTF8}))

    (report,) = smtp(server).send([message])

    assert set(states(report)) == {REFUSED}
    assert "SMTPUTF8" in str(report.error)
    if field != "reply_to":
        assert UTF8 in str(report.error)
    assert server.commands[1:] in ([], ["QUIT"])


def test_smtputf8_missing_for_bcc(scripted: Scripted) -> None:
    """C-52, PROTOCOL 23: only in the envelope: that recipient alone is refused."""
    server = scripted()

    (report,) = smtp(server).send([letter(ANN).replace(bcc=[UTF8, BOB])])

    assert states(report) == [ACCEPTED, REFUSED, ACCEPTED]
    assert UTF8 in report.outcomes[1].text
    assert server.accepted[0].recipients == (ANN, BOB)


@pytest.mark.parametrize("field", ["from_addr", "to", "bcc"])
def test_smtputf8(scripted: Scripted, field: str) -> None:
    """C-51, PROTOCOL 23: offered: with SMTPUTF8 and BODY=8BITMIME it goes as it is."""
    server = scripted(extensions=["SMTPUTF8", "8BITMIME"])
    message = letter(ANN).replace(**t.cast("t.Any", {field: UTF8}))

    (report,) = smtp(server).send([message])

    assert report.ok
    assert server.accepted[0].parameters == {"BODY": "8BITMIME", "SMTPUTF8": ""}
    octets = UTF8.encode().decode("latin-1")
    assert octets in (server.accepted[0].sender, *server.accepted[0].recipients)


def test_smtputf8_for_the_header(scripted: Scripted) -> None:
    """C-51: a header that needs SMTPUTF8 asks for it also if the envelope is ASCII."""
    server = scripted(extensions=["8BITMIME", "SMTPUTF8"])
    content = "To: jörg@example.com\r\n\r\nHello.\r\n".encode()

    deliver(smtp(server), job(content, smtputf8=True))

    assert server.accepted[0].parameters == {"BODY": "8BITMIME", "SMTPUTF8": ""}


def test_smtputf8_where_it_is_needed(scripted: Scripted) -> None:
    """C-51: a batch that needs no SMTPUTF8 does not ask for it."""
    server = scripted(extensions=["SMTPUTF8", "8BITMIME"])

    (report,) = smtp(server, recipients_per_message=1).send([letter(ANN).replace(bcc=UTF8)])

    assert report.ok
    assert [message.parameters for message in server.accepted] == [
        {},
        {"BODY": "8BITMIME", "SMTPUTF8": ""},
    ]


SIGNED = b"Subject: signed\r\n\r\nK\xc3\xa4se\r\n"


def test_signed_8bit(scripted: Scripted) -> None:
    """C-53, PROTOCOL 24: 8-bit content with BODY=8BITMIME, or not at all."""
    server = scripted(extensions=["8BITMIME"])
    other = scripted(extensions=[])

    (sent,) = deliver(smtp(server), job(SIGNED, eightbit=True))
    (refused,) = deliver(smtp(other), job(SIGNED, eightbit=True))

    assert sent.ok
    assert server.accepted[0].content == SIGNED
    assert server.accepted[0].parameters == {"BODY": "8BITMIME"}
    assert states(refused) == [REFUSED]
    assert "sign it after encoding it to 7 bit" in str(refused.error)


# The envelope


def test_null_sender(scripted: Scripted) -> None:
    """C-5, C-20: the null reverse-path is two brackets."""
    server = scripted()

    (report,) = deliver(
        smtp(server), job(b"Auto-Submitted: auto-replied\r\n\r\nAway.\r\n", sender="")
    )

    assert report.ok
    assert "MAIL FROM:<> SIZE=39" in server.commands


def test_local_parts(scripted: Scripted) -> None:
    """C-5, C-21: a local part is sent as it was written, in brackets."""
    local_parts = ['"a b"', '"a>b"', '"\\""', "O'Neil+tag", "{a}|b", "UPPER.lower", '"."']
    to = [f"{local}@example.com" for local in local_parts]
    server = scripted()

    (report,) = deliver(smtp(server), job(to=to))

    assert report.ok
    assert list(server.accepted[0].recipients) == to


def test_each_once(scripted: Scripted) -> None:
    """RCPT is sent once for each recipient, in order; the first spelling counts."""
    server = scripted()
    message = letter("B@example.com", "b@example.com", "B@EXAMPLE.com").replace(
        cc="b@Example.Com", bcc=[CID, "B@example.com"]
    )

    (report,) = smtp(server).send([message])

    assert report.accepted == ["B@example.com", "b@example.com", CID]
    assert server.accepted[0].recipients == ("B@example.com", "b@example.com", CID)


def test_other_recipients(scripted: Scripted) -> None:
    """A retry is sent to the recipients that it names; the headers stay."""
    server = scripted()
    handler = smtp(server)

    first, second = (handler.send([letter(ANN, BOB)], recipients=to)[0] for to in (None, [BOB]))

    assert first.ok and second.ok
    assert server.accepted[1].recipients == (BOB,)
    to = [re.search(rb"^To:.*$", accepted.content, re.M) for accepted in server.accepted]
    assert to[0] and to[1] and to[0][0] == to[1][0]


@pytest.mark.parametrize("said", ["550 5.1.1 no such user", "550 5.1.1 no such user."])
def test_an_error_is_a_sentence(scripted: Scripted, said: str) -> None:
    """An error ends in one full stop, whether or not the server has written one."""
    (report,) = smtp(scripted(on={"RCPT": said})).send([letter()])

    assert str(report.error).endswith("refused at rcpt: 550 5.1.1 no such user.")
