"""A server's replies are read strictly, and within limits."""

from __future__ import annotations

import re

import pytest

from flask_mailhandler.net.quoting import escape
from flask_mailhandler.phase import State
from flask_mailhandler.smtp.extensions import extensions
from flask_mailhandler.smtp.extensions import Offer
from flask_mailhandler.smtp.reply import MAX_REPLY
from flask_mailhandler.smtp.reply import read_reply
from flask_mailhandler.smtp.reply import Reply
from flask_mailhandler.smtp.stream import LostError
from flask_mailhandler.smtp.stream import MAX_LINE
from flask_mailhandler.smtp.stream import ProtocolError
from sending import ACCEPTED
from sending import DEFERRED
from sending import letter
from sending import REFUSED
from sending import Scripted
from sending import smtp
from sending import states
from sending import UNKNOWN
from servers import Drip
from servers import DROP
from servers import Flood
from servers import Then


def read(octets: bytes) -> Reply:
    """The first reply in *octets*; LostError if they end before it does."""
    lines = iter(re.findall(rb"[^\n]*\n|[^\n]+", octets))

    def read_line() -> bytes:
        line = next(lines, b"")
        if not line.endswith(b"\n"):
            raise LostError("the end")
        return line.removesuffix(b"\n").removesuffix(b"\r")

    return read_reply(read_line)


@pytest.mark.parametrize(
    ("octets", "code", "enhanced", "lines"),
    [
        (b"250 2.1.0 ok\r\n", 250, "2.1.0", ("ok",)),
        (b"250 ok\r\n", 250, None, ("ok",)),
        (b"250\r\n", 250, None, ("",)),
        (b"250 \r\n", 250, None, ("",)),
        (b"250 ok\n", 250, None, ("ok",)),
        (b"250-a\r\n250 b\r\n", 250, None, ("a", "b")),
        (b"250-\r\n250\r\n", 250, None, ("", "")),
        (b"550-5.1.1 no such\r\n550 5.1.1 user\r\n", 550, "5.1.1", ("no such", "user")),
        (b"550-5.1.1 no such\r\n550 user\r\n", 550, "5.1.1", ("no such", "user")),
        (b"250 5.1.1 ok\r\n", 250, None, ("5.1.1 ok",)),
        (b"450 4.2.0\r\n", 450, "4.2.0", ("",)),
        (b"450 4.2.0x\r\n", 450, None, ("4.2.0x",)),
        (b"450 4.1234.0 x\r\n", 450, None, ("4.1234.0 x",)),
        (b"299 what\r\n", 299, None, ("what",)),
        (b"250 caf\xc3\xa9\r\n", 250, None, ("café",)),
        (b"250 caf\xe9\r\n", 250, None, (r"caf\xe9",)),
        (b"250 a\0b\x1b[31m\x7f\xc2\x85\r\n", 250, None, (r"a\x00b\x1b[31m\x7f\x85",)),
        (b"250 a\rb\r\n", 250, None, (r"a\rb",)),
        ("250 \u202egnp.exe\u2028\r\n".encode(), 250, None, (r"\u202egnp.exe\u2028",)),
    ],
)
def test_replies(octets: bytes, code: int, enhanced: str | None, lines: tuple[str, ...]) -> None:
    """F-84, F-87, F-88, F-89, C-12, C-13, C-99: which octets are a reply, and which reply they
    are."""
    assert read(octets) == Reply(code, enhanced, lines)


@pytest.mark.parametrize(
    "octets",
    [
        b"\r\n",
        b"25 ok\r\n",
        b"2500 ok\r\n",
        b"250x\r\n",
        b"250:ok\r\n",
        b"250\tok\r\n",
        b"+25 ok\r\n",
        b" 250 ok\r\n",
        b"2_0 ok\r\n",
        b"999 ok\r\n",
        b"150 ok\r\n",
        b"650 ok\r\n",
        b"000 ok\r\n",
        b"ok\r\n",
        b"\xff\xfe\r\n",
        "２５０ ok\r\n".encode(),
        b"HTTP/1.1 400 Bad Request\r\n",
        b"250-a\r\n550 b\r\n",
        b"250-a\r\n251-b\r\n251 c\r\n",
        b"250-a\r\nb\r\n",
        b"250-a\r\n\r\n250 b\r\n",
    ],
)
def test_no_replies(octets: bytes) -> None:
    """F-85, F-86: int() would take some of these for a number."""
    with pytest.raises(ProtocolError):
        read(octets)


@pytest.mark.parametrize("octets", [b"", b"2", b"25", b"250 ok", b"250-ok\r\n", b"250-ok\r\n250 "])
def test_half_replies(octets: bytes) -> None:
    """PROTOCOL 20: a reply counts only with its line end."""
    with pytest.raises(LostError):
        read(octets)


def test_long_replies() -> None:
    """F-83: a reply ends at 64 KiB."""
    line = b"250-" + b"x" * 94 + b"\r\n"
    fitting = line * (MAX_REPLY // 100)

    assert len(read(fitting + b"250 end\r\n").lines) == 656
    with pytest.raises(ProtocolError, match="longer than 65536 octets"):
        read(fitting + line + b"250 end\r\n")


def test_long_texts_are_cut() -> None:
    """C-11: the text is shortened for display."""
    reply = read(b"550-" + b"x" * 400 + b"\r\n550 " + b"y" * 400 + b"\r\n")

    assert len(reply.text) == 500
    assert str(reply).startswith("550 xxx") and str(reply).endswith("yyy...")


@pytest.mark.parametrize(
    ("octets", "expect"),
    [
        (b"452 x\r\n", True),
        (b"452 4.5.3 x\r\n", True),
        (b"451 4.5.3 x\r\n", True),
        (b"451 x\r\n", False),
        (b"552 5.5.3 x\r\n", True),
        (b"452 4.3.1 x\r\n", False),
        (b"452 4.2.2 x\r\n", False),
        (b"552 x\r\n", False),
        (b"552 5.2.2 x\r\n", False),
    ],
)
def test_too_many(octets: bytes, expect: bool) -> None:
    """C-70, PROTOCOL 13: which replies to RCPT say that there are too many recipients."""
    assert read(octets).too_many is expect


@pytest.mark.parametrize(
    ("code", "enhanced", "closing", "idle"),
    [
        (421, None, True, True),
        (421, "4.4.2", True, True),
        (221, None, True, False),
        (451, "4.4.2", False, True),
        (451, "4.3.0", False, False),
        (550, "5.4.2", False, False),
    ],
)
def test_closing(code: int, enhanced: str | None, closing: bool, idle: bool) -> None:
    """PROTOCOL 9, 12: which replies end a session, and which an idle connection."""
    reply = Reply(code, enhanced, ("",))

    assert (reply.closing, reply.idle) == (closing, idle)


@pytest.mark.parametrize(
    ("code", "state"), [(250, State.ACCEPTED), (450, State.DEFERRED), (550, State.REFUSED)]
)
def test_states(code: int, state: State) -> None:
    """C-12: an unknown code has the meaning of its first digit."""
    assert Reply(code, None, ("",)).state is state


def test_escape() -> None:
    """F-88: no octets raise an error, and none reach a terminal unescaped."""
    for octet in range(256):
        assert escape(bytes([octet])).isprintable()


# The same on the wire


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (b"250\r\n", ACCEPTED),
        (b"250 ok\n", ACCEPTED),
        (b"251 2.6.0 \xff\xfe\0\r\n", ACCEPTED),
        (b"250-a\r\n250-b\r\n250 c\r\n", ACCEPTED),
        (Drip(b"250 2.0.0 ok\r\n", every=0.001), ACCEPTED),
        (Then("250 ok", DROP), ACCEPTED),
        (b"250 ok\r\n250 and more\r\n", ACCEPTED),
        (b"250 " + b"x" * (MAX_LINE - 6) + b"\r\n", ACCEPTED),
        (b"250 " + b"x" * (MAX_LINE - 4) + b"\r\n", UNKNOWN),
        (b"250 " + b"x" * 10_000 + b"\r\n", UNKNOWN),
        (b"200 ok\r\n", UNKNOWN),
        (b"220 ok\r\n", UNKNOWN),
        (b"354 more\r\n", UNKNOWN),
        (b"451 later\r\n", DEFERRED),
        (b"499 later\r\n", DEFERRED),
        (b"554 250 ok\r\n", REFUSED),
        (b"250-x\r\n550 y\r\n", UNKNOWN),
        (Then(b"25", DROP), UNKNOWN),
        (Then(b"250 ok", DROP), UNKNOWN),
        (Then(b"250-x\r\n", DROP), UNKNOWN),
        (b"\xff\xfe\r\n", UNKNOWN),
        (b"+25 ok\r\n", UNKNOWN),
        (Flood(), UNKNOWN),
        (Flood(b"x" * 60_000), UNKNOWN),
    ],
)
def test_final_reply(scripted: Scripted, said: object, state: State, no_leaks: None) -> None:
    """C-11, F-48 ... F-51, F-55 ... F-57, F-82, F-83: what the reply to the end of data means."""
    server = scripted(on={"end of data": said})

    (report,) = smtp(server).send([letter()])

    assert states(report) == [state]


def test_text_does_not_decide(scripted: Scripted) -> None:
    """C-11: only the code counts, and the text is kept."""
    server = scripted(on={"RCPT": "550 5.0.0 250 Accepted, OK"})

    (report,) = smtp(server).send([letter()])

    (outcome,) = report.outcomes
    assert (outcome.code, outcome.enhanced_code) == (550, "5.0.0")
    assert outcome.text == "250 Accepted, OK"
    assert outcome.state is REFUSED


# Extensions


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["me"], {}),
        (["me", "size 1000 ", "8BitMime"], {"SIZE": "1000", "8BITMIME": ""}),
        (["me", "AUTH=LOGIN PLAIN", "AUTH XOAUTH2"], {"AUTH": "LOGIN PLAIN XOAUTH2"}),
        (["SIZE 5"], {}),
        (["me", "X-é \\x00"], {"X-É": "\\x00"}),
    ],
)
def test_extensions(lines: list[str], found: dict[str, str]) -> None:
    """F-16: keywords in any case, the old spelling of AUTH, spaces at the end."""
    assert extensions(lines) == found


@pytest.mark.parametrize(
    ("value", "size"),
    [("1000", 1000), ("0", None), ("", None), ("x", None), ("-1", None), ("9" * 30, None)],
)
def test_offered_size(value: str, size: int | None) -> None:
    """C-68: SIZE without a number, or 0, is no limit."""
    assert Offer({"SIZE": value}).size == size


@pytest.mark.parametrize(
    ("limits", "expect"),
    [
        ("MAILMAX=5 RCPTMAX=20", 5),
        ("rcptmax=20 mailmax=7", 7),
        ("MAILMAX=50", 10),
        ("MAILMAX=0", 10),
        ("MAILMAX=x RCPTMAX=2", 10),
        ("", 10),
    ],
)
def test_offered_limits(limits: str, expect: int) -> None:
    """PROTOCOL 19: the smaller of what the server announces (RFC 9422) and what we set."""
    assert Offer({"LIMITS": limits}).at_most("MAILMAX", 10, None) == expect
    assert Offer({}).at_most("MAILMAX", None) is None


def test_a_line_that_has_come_before(scripted: Scripted) -> None:
    """Secrets: repeated replies are kept; one with a secret in it never is."""
    said = ["250 2.1.5 Ok", "250 it is opensesame", "250 2.1.5 Ok"]
    server = scripted(users={"ann": "opensesame"}, on={"RCPT": said}, extensions=["PIPELINING"])
    handler = smtp(server, username="ann", password="opensesame")

    handler.send([letter(), letter(), letter()])

    (session,) = handler.pool._own.here().idle
    known = [*session._dialogue._known]
    assert b"250 2.1.5 Ok" in known
    assert not any(b"opensesame" in line for line in known)
