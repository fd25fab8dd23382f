"""Faults and clauses that hold at every step, in lock-step and in groups."""

from __future__ import annotations

import typing as t
from email.message import EmailMessage

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import RefusedError
from flask_mailhandler.phase import Phase
from sending import ACCEPTED
from sending import DEFERRED
from sending import deliver
from sending import job
from sending import letter
from sending import letters
from sending import Scripted
from sending import smtp
from sending import states
from sending import UNKNOWN
from servers import After
from servers import DROP
from servers import RESET
from servers import SILENCE
from servers import Then

if t.TYPE_CHECKING:
    from flask_mailhandler import Message
    from pooling import Clock
    from servers.actions import Action
    from servers.certificates import Certificates

LOCK_STEP: list[str] = []
IN_GROUPS = ["PIPELINING"]
EXTENSIONS = pytest.mark.parametrize("extensions", [LOCK_STEP, IN_GROUPS])
BYE = "421 4.3.2 bye"


@pytest.mark.parametrize("step", ["greeting", "EHLO", "STARTTLS", "AUTH"])
def test_bye_while_opening(scripted: Scripted, certificates: Certificates, step: str) -> None:
    """C-15: 421 before there is a session: all are deferred, and only QUIT is sent."""
    server = scripted(starttls=certificates.valid, users={"ann": "secret"}, on={step: BYE})
    login = {"username": "ann", "password": "secret"}

    reports = smtp(server, security="starttls", tls_ca_file=certificates.ca_file, **login).send(
        letters(2)
    )

    assert [states(report) for report in reports] == [[DEFERRED], [DEFERRED]]
    assert all(BYE in str(report.error) for report in reports)
    assert not any(command.startswith("MAIL") for command in server.commands)


@EXTENSIONS
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "end of data"])
def test_bye(scripted: Scripted, step: str, last: bool, extensions: list[str]) -> None:
    """C-15, F-52: 421 within a transaction, whether the server closes or not: this message is
    deferred, the next is sent over another connection, and nothing more is sent on this one."""
    server = scripted(extensions=extensions, on={step: [BYE if last else Then(BYE, b"")]})

    first, second = smtp(server).send(letters(2))

    assert states(first) == [DEFERRED] and first.outcomes[0].code == 421
    assert second.ok
    assert [accepted.connection for accepted in server.accepted] == [1]


@EXTENSIONS
def test_longest_commands(scripted: Scripted, extensions: list[str]) -> None:
    """C-6, C-7: the longest possible address, with all parameters, is within the limit."""
    server = scripted(extensions=[*extensions, "SIZE 10000000", "8BITMIME", "SMTPUTF8"])
    domain = ".".join(["d" * 61] * 3) + ".com"
    longest = f"{'l' * (254 - 1 - len(domain))}@{domain}"
    message = letter(longest).replace(envelope_sender=longest)

    (report,) = smtp(server).send([message])

    assert len(longest) == 254
    assert report.accepted == [longest]
    assert max(len(command) for command in server.commands) + 2 <= 512


@EXTENSIONS
def test_no_recipient(scripted: Scripted, extensions: list[str]) -> None:
    """C-10, F-32: DATA in lock-step only after an accepted RCPT; in a group it gets no content."""
    server = scripted(extensions=extensions, on={"RCPT TO:<r1@": "550 5.1.1 no"})

    refused, accepted = smtp(server).send(letters(2))

    assert isinstance(refused.error, RefusedError)
    assert accepted.ok
    assert len(server.accepted) == 1
    assert server.commands.count("DATA") == (2 if extensions else 1)


@EXTENSIONS
def test_commands_used(scripted: Scripted, extensions: list[str]) -> None:
    """C-24, PROTOCOL 10: no VRFY, EXPN, HELP, TURN, and no NOOP."""
    server = scripted(extensions=extensions, on={"MAIL": ["250 ok", "451 4.3.0 later"]})
    handler = smtp(server)

    handler.send(letters(3))
    handler.send([letter()])
    server.settle()

    verbs = {command.partition(" ")[0] for command in server.commands}
    assert verbs <= {"EHLO", "MAIL", "RCPT", "DATA", "RSET", "QUIT"}


@pytest.mark.parametrize(
    "message",
    [
        letter(),
        letter().replace(html="<p>Hello</p>"),
        letter().replace(attachments=[Attachment(b"x", filename="x.bin")]),
        letter().replace(attachments=[Attachment("MIME-Version: 1.0\n", filename="x.txt")]),
    ],
)
def test_mime_version(scripted: Scripted, message: Message) -> None:
    """C-38: MIME-Version stands once, in the header of the whole, whatever the parts are."""
    server = scripted()

    smtp(server).send([message, message.to_mime()])

    for accepted in server.accepted:
        header, _, body = accepted.content.partition(b"\r\n\r\n")
        assert header.lower().count(b"mime-version: 1.0") == 1
        assert b"\r\nMIME-Version" not in body.partition(b"filename=")[0]


def test_mime_version_of_others(scripted: Scripted) -> None:
    """C-38: an existing field is kept, and none is added."""
    server = scripted()
    message = EmailMessage()
    message["From"], message["To"] = "a@example.com", "b@example.com"
    message.set_content("Hello.\n")
    assert message["MIME-Version"] == "1.0"

    smtp(server).send([message])

    assert server.accepted[0].content.count(b"MIME-Version: 1.0") == 1


@EXTENSIONS
def test_after_login(scripted: Scripted, extensions: list[str]) -> None:
    """C-95: what EHLO offered before AUTH holds after it, without another EHLO."""
    server = scripted(extensions=[*extensions, "SIZE 1000"], users={"ann": "secret"})

    large, small = smtp(server, username="ann", password="secret").send(
        [letter(text="x\n" * 1000), letter()]
    )

    assert isinstance(large.error, RefusedError) and "1000" in str(large.error)
    assert small.ok
    verbs = [command.partition(" ")[0] for command in server.commands]
    assert verbs[:3] == ["EHLO", "AUTH", "MAIL"] and verbs.count("EHLO") == 1
    assert "SIZE" in server.accepted[0].parameters


@EXTENSIONS
@pytest.mark.parametrize(
    "on",
    [
        {"MAIL": [b"250 a\r\n250 b\r\n"]},
        {"MAIL": [b"250 a\r\n354 b\r\n"]},
        {"MAIL": [b"250 a\r\n550 b\r\n"]},
        {"RCPT": [b"250 a\r\n250 b\r\n"]},
        {"RCPT": [b"250 a\r\n354 b\r\n"]},
        {"RCPT": [b"250 a\r\n550 b\r\n"]},
        {"RCPT": ["250 a", b"250 a\r\n250 b\r\n"]},
        {"DATA": [b"354 a\r\n250 b\r\n"]},
        {"DATA": [b"354 a\r\n354 b\r\n"]},
    ],
)
def test_too_many_replies(
    scripted: Scripted, on: dict[str, list[Action]], extensions: list[str]
) -> None:
    """F-62, PROTOCOL 11: more replies than commands: no recipient is reported accepted by another's
    reply, and the next message is sent over another connection."""
    server = scripted(extensions=extensions, on=on)

    first, second = smtp(server).send([letter("r1@example.com", "r2@example.com"), letter()])

    assert ACCEPTED not in states(first)
    assert second.ok
    assert [accepted.connection for accepted in server.accepted] == [1]


@EXTENSIONS
def test_a_reply_that_looks_right(scripted: Scripted, extensions: list[str]) -> None:
    """F-62: one reply too many, which could be the reply to DATA: no recipient is reported
    accepted, and none deferred that has the message."""
    server = scripted(extensions=extensions, on={"RCPT": [b"250 a\r\n354 b\r\n"]})

    first, second = smtp(server).send([letter("r1@example.com"), letter("r2@example.com")])

    (state,) = states(first)
    there = ("r1@example.com",) in [accepted.recipients for accepted in server.accepted]
    assert state is UNKNOWN or (state is DEFERRED and not there)
    assert second.ok
    # In a group the client cannot know that the server was not ready for the content.
    assert all(breach.startswith("C-57: DATA") for breach in server.breaches)
    assert extensions or server.breaches == []
    server.breaches.clear()


@EXTENSIONS
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("earlier", [0, 1])
def test_too_few_replies(
    scripted: Scripted, step: str, earlier: int, extensions: list[str], impatient: None
) -> None:
    """F-62, F-74, PROTOCOL 12: a reply that never comes, from a server that hangs or is gone:
    deferred in time, not repeated, and the next message is sent over another connection."""
    usual = "354 go" if step == "DATA" else "250 ok"
    server = scripted(extensions=extensions, on={step: [*[usual] * earlier, SILENCE]})

    reports = smtp(server).send(letters(3))

    assert states(reports[earlier]) == [DEFERRED]
    if (step, earlier) == ("MAIL", 0):
        # The server has not answered anything: it would not answer the others.
        assert [states(report) for report in reports] == [[DEFERRED]] * 3
        assert len(server.connections) == 1
        return
    assert [report.ok for report in reports] == [each != earlier for each in range(3)]
    assert len(server.connections) == 2


@EXTENSIONS
@pytest.mark.parametrize("how", [DROP, RESET])
@pytest.mark.parametrize("octets", [0, 1000])
def test_lost_within_a_later_content(
    scripted: Scripted, octets: int, how: Action, extensions: list[str]
) -> None:
    """F-46, PROTOCOL 12: also on a reused connection, a message of which content was written is not
    moved to another: deferred, with the phase."""
    server = scripted(extensions=extensions, on={"content": [b"", After(octets, how)]})
    # So much that the news of the end overtakes it on a busy machine, too.
    big = b"Subject: big\r\n\r\n" + (b"x" * 78 + b"\r\n") * 400_000

    first, second, third = deliver(smtp(server), job(), job(big), job())
    server.settle()

    assert first.ok and third.ok
    assert states(second) == [DEFERRED]
    assert second.error is not None and second.error.phase is Phase.CONTENT
    assert len(server.received) == len(server.connections) == 2


@EXTENSIONS
@pytest.mark.parametrize("bye", ["421 4.7.0 bye", b"421 4.7.0 bye\r\n354 go\r\n"])
def test_nothing_begins_behind_a_bye(
    scripted: Scripted, bye: Action, extensions: list[str]
) -> None:
    """PROTOCOL 9: after a 421 to RCPT no further phase begins, not for the recipients accepted
    before it either."""
    server = scripted(extensions=extensions, on={"RCPT": ["250 ok", bye]})
    seen: list[Phase] = []

    (report,) = smtp(server).deliver(
        [job(to=["r1@example.com", "r2@example.com"])], lambda phase, job: seen.append(phase)
    )

    assert states(report) == [DEFERRED] * 2
    assert seen[-2:] == [Phase.MAIL, Phase.RCPT]


@EXTENSIONS
def test_same_recipient(scripted: Scripted, extensions: list[str]) -> None:
    """C-10, PROTOCOL 2: several messages to the same recipients are a transaction each."""
    server = scripted(extensions=extensions)
    to = ["r1@example.com", "r2@example.com"]

    reports = smtp(server).send([letter(*to), letter(*to[:1]), letter(*to)])

    assert all(report.ok for report in reports)
    assert [[*accepted.recipients] for accepted in server.accepted] == [to, to[:1], to]
    assert len([command for command in server.commands if command.startswith("MAIL")]) == 3


@pytest.mark.parametrize(
    ("extensions", "options"),
    [(IN_GROUPS, {}), (["PIPELINING", "CHUNKING"], {"one_flight": True})],
)
def test_one_end_of_data(
    scripted: Scripted, extensions: list[str], options: dict[str, t.Any], clock: Clock
) -> None:
    """PROTOCOL 3: the next content is not sent before the reply to the previous one, so a list
    takes one round trip for each message, and no fewer."""
    server = scripted(extensions=extensions)
    handler = smtp(server, **options)

    reports = handler.send(letters(7))
    handler.close()
    server.settle()

    assert all(report.ok for report in reports)
    # EHLO, the envelope of the first, seven contents, QUIT.
    assert server.connections[0].flights == 10


def test_each_its_own_reply(scripted: Scripted) -> None:
    """C-58: in a group each recipient has its own reply, in order."""
    said = {"r1": 250, "r2": 550, "r3": 251, "r4": 450, "r5": 553, "r6": 252, "r7": 451}
    on = {f"RCPT TO:<{name}@": f"{code} so {name}" for name, code in said.items()}
    server = scripted(extensions=IN_GROUPS, on=on | {"end of data": "250 all"})

    (report,) = smtp(server).send([letter(*(f"{name}@example.com" for name in said))])

    refused = {str(each.recipient)[:2]: each.code for each in report.outcomes if each.code != 250}
    assert refused == {name: code for name, code in said.items() if code >= 400}
    assert report.accepted == ["r1@example.com", "r3@example.com", "r6@example.com"]
    assert all(str(each.recipient)[:2] in each.text for each in report.outcomes if each.code != 250)


@pytest.mark.parametrize("one_flight", [True, False])
def test_alone(scripted: Scripted, certificates: Certificates, one_flight: bool) -> None:
    """C-57, C-61, C-66: EHLO, STARTTLS and AUTH are each sent alone, whatever is offered, outside
    TLS too; and BINARYMIME is not used."""
    server = scripted(
        extensions=["PIPELINING", "CHUNKING", "BINARYMIME", "8BITMIME"],
        starttls=certificates.valid,
        users={"ann": "secret"},
        require_tls=True,
    )
    options = {"security": "starttls", "tls_ca_file": certificates.ca_file}
    login = {"username": "ann", "password": "secret"}

    reports = smtp(server, one_flight=one_flight, **options, **login).send(letters(4))

    assert all(report.ok for report in reports)
    verbs = [command.partition(" ")[0] for command in server.commands]
    assert verbs[:5] == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL"]
    assert not any("BINARYMIME" in command for command in server.commands)
    assert ("BDAT" in verbs) is one_flight
