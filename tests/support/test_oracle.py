"""The oracle of the scripted server reports breaches of the protocol, and nothing else."""

from __future__ import annotations

import re
import socket
import typing as t

import pytest

from servers import ScriptedServer

if t.TYPE_CHECKING:
    from collections.abc import Sequence

EHLO = b"EHLO [127.0.0.1]\r\n"
MAIL = b"MAIL FROM:<a@example.com>\r\n"
RCPT = b"RCPT TO:<b@example.com>\r\n"
DATA = b"DATA\r\n"
END = b"Subject: x\r\n\r\nHi\r\n.\r\n"
MAIL8 = b"MAIL FROM:<a@example.com> BODY=8BITMIME\r\n"
UTF8 = "MAIL FROM:<ä@example.com> SMTPUTF8 BODY=8BITMIME\r\n".encode()


ANSWERED = re.compile(rb"^(EHLO|HELO|MAIL|RCPT|DATA|BDAT|RSET|NOOP|QUIT|AUTH|\.\r$)", re.MULTILINE)


def talk(server: ScriptedServer, *writes: bytes) -> bytes:
    """Send each item and read as many replies as it has commands. Return everything that was
    read."""
    with (
        socket.create_connection((server.host, server.port), timeout=60) as sock,
        sock.makefile("rb") as replies,
    ):
        heard = replies.readline()
        for octets in writes:
            sock.sendall(octets)
            for _ in ANSWERED.findall(octets):
                heard += (line := replies.readline())
                while line[3:4] == b"-":
                    heard += (line := replies.readline())
        sock.shutdown(socket.SHUT_WR)
        heard += replies.read()
    server.settle()
    return heard


@pytest.mark.parametrize(
    ("clauses", "writes"),
    [
        ("", [EHLO, MAIL, RCPT, DATA, END, b"QUIT\r\n"]),
        ("", [EHLO, MAIL, RCPT, b"RSET\r\n", MAIL, RCPT, DATA, END]),
        ("", [EHLO, MAIL, RCPT, DATA, END, MAIL, RCPT, DATA, b"..\r\n..a\r\n.\r\n"]),
        ("", [b"EHLO [IPv6:::1]\r\n", b'MAIL FROM:<"a > b"@[127.0.0.1]>\r\n']),
        ("C-1", [b"EHLO [127.0.0.1]\n"]),
        ("C-1 C-3", [b"EHLO a\rb\r\n"]),
        ("C-1", [EHLO, MAIL, RCPT, DATA, b"a\n.\nb\r\n.\r\n"]),
        ("C-1", [EHLO, MAIL, RCPT, DATA, b"a\r.\rb\r\n.\r\n"]),
        ("C-2", [MAIL]),
        ("C-3", [b"EHLO my_host\r\n"]),
        ("C-3", [b"EHLO [1.2.3]\r\n"]),
        ("C-4", [b"HELO localhost\r\n"]),
        ("C-5", [EHLO, b"MAIL FROM: <a@example.com>\r\n"]),
        ("C-5", [EHLO, b"MAIL FROM:a@example.com\r\n"]),
        ("C-5", [EHLO, b"MAIL FROM:<a b@example.com>\r\n"]),
        ("C-5", [EHLO, MAIL, b"RCPT TO:<>\r\n"]),
        ("C-5", [EHLO, b"XCLIENT NAME=x\r\n"]),
        ("C-6 C-3", [b"EHLO " + b"x" * 600 + b"\r\n"]),
        ("C-7", [EHLO, b"MAIL FROM:<" + b"x" * 65 + b"@example.com>\r\n"]),
        ("C-8", [EHLO, MAIL, RCPT, DATA, b"x" * 999 + b"\r\n.\r\n"]),
        ("", [EHLO, MAIL, RCPT, DATA, b"." + b"." * 998 + b"\r\n.\r\n"]),
        ("C-9", [EHLO, MAIL, RCPT, DATA, b"a\r\n.b\r\n.\r\n"]),
        ("C-10", [EHLO, MAIL, DATA]),
        ("C-20", [EHLO, b"MAIL FROM:<>\r\n", RCPT, DATA, END]),
        ("", [EHLO, b"MAIL FROM:<>\r\n", RCPT, DATA, b"Auto-Submitted: auto-replied\r\n\r\n.\r\n"]),
        ("C-22", [EHLO, MAIL, b"RCPT TO:<@relay.example:b@example.com>\r\n"]),
        ("C-23", [EHLO, MAIL, MAIL]),
        ("C-24", [EHLO, b"VRFY a\r\n"]),
        ("C-51", [EHLO, "MAIL FROM:<ä@example.com>\r\n".encode()]),
        ("C-51", [EHLO, b"MAIL FROM:<a@example.com> SMTPUTF8 BODY=8BITMIME\r\n", RCPT, DATA, END]),
        ("C-51", [EHLO, MAIL8, RCPT, DATA, "Subject: ä\r\n\r\n.\r\n".encode()]),
        ("", [EHLO, MAIL8, RCPT, DATA, "Subject: a\r\n\r\nä\r\n.\r\n".encode()]),
        ("", [EHLO, UTF8, "RCPT TO:<b@ä.example>\r\n".encode(), DATA, END]),
        ("C-51", [EHLO, UTF8.replace(b" BODY=8BITMIME", b"")]),
        ("C-53", [EHLO, MAIL, RCPT, DATA, "\r\nä\r\n.\r\n".encode()]),
        ("C-54", [EHLO, MAIL, RCPT, DATA, b"\0\r\n.\r\n"]),
        ("C-56", [EHLO, MAIL + RCPT]),
        ("C-56", [EHLO + MAIL]),
        ("C-67", [EHLO, b"MAIL FROM:<a@example.com> SIZE=17\r\n", RCPT, DATA, END]),
        ("", [EHLO, b"MAIL FROM:<a@example.com> SIZE=18\r\n", RCPT, DATA, END]),
        ("C-69", [EHLO, b"MAIL FROM:<a@example.com> SIZE=1001\r\n"]),
        ("C-89 C-97", [EHLO, MAIL, b"AUTH PLAIN AGEAYg==\r\n"]),
        ("C-97", [EHLO, b"STARTTLS\r\n"]),
        ("C-97", [EHLO, b"MAIL FROM:<a@example.com> RET=HDRS\r\n"]),
        ("C-10 C-97", [EHLO, b"BDAT 2 LAST\r\nhi"]),
    ],
)  # fmt: skip
def test_breaches(clauses: str, writes: Sequence[bytes]) -> None:
    """The oracle names the clause that a client breaks, and nothing else."""
    with ScriptedServer(extensions=["SIZE 1000", "8BITMIME", "SMTPUTF8"]) as server:
        talk(server, *writes)

    assert {breach.partition(":")[0] for breach in server.breaches} == set(clauses.split())


GROUP = MAIL + RCPT + DATA


@pytest.mark.parametrize(
    ("clauses", "on", "writes"),
    [
        ("", {}, [EHLO, GROUP, END + GROUP, END]),
        ("", {}, [EHLO, b"RSET\r\n" + GROUP]),
        ("", {"RCPT": "550 no"}, [EHLO, GROUP]),
        ("", {"RCPT": "550 no", "DATA": "354 go"}, [EHLO, GROUP, b".\r\n"]),
        ("C-59", {"RCPT": "550 no", "DATA": "354 go"}, [EHLO, GROUP, END]),
        ("C-59", {"MAIL": "550 no", "DATA": "354 go"}, [EHLO, GROUP, b".\r\n"]),
        ("C-23", {"DATA": "451 no"}, [EHLO, GROUP, GROUP]),
        ("", {"MAIL": "421 bye"}, [EHLO, GROUP, b"QUIT\r\n"]),
        ("C-15", {"EHLO": ["421 bye"]}, [EHLO, EHLO]),
        ("C-4 C-15", {"EHLO": ["421 bye"]}, [EHLO, b"HELO localhost\r\n"]),
        ("", {"EHLO": ["502 what?"]}, [EHLO, b"HELO localhost\r\n", MAIL, RCPT, DATA, END]),
        ("C-56", {"EHLO": ["502 what?"]}, [EHLO, b"HELO localhost\r\n", GROUP]),
        ("C-14", {"greeting": "554 no"}, [EHLO]),
        ("F-70", {"RSET": "500 no"}, [EHLO, b"RSET\r\n", MAIL]),
        ("F-77", {"MAIL": b"250 a\r\n250 b\r\n"}, [EHLO, MAIL, RCPT]),
        ("C-57", {}, [EHLO + GROUP]),
        ("C-57", {}, [EHLO, GROUP + END]),
        ("C-57", {}, [EHLO, b"NOOP\r\n" + MAIL]),
        ("C-60", {}, [EHLO, MAIL + RCPT * 103]),
        ("", {}, [EHLO, MAIL + RCPT * 102]),
        ("", {}, [EHLO, MAIL + RCPT + b"BDAT 4\r\n..\r\nBDAT 0 LAST\r\n"]),
        ("C-62", {}, [EHLO, MAIL + RCPT + b"BDAT 0\r\n", DATA]),
        ("C-63", {}, [EHLO, MAIL, RCPT, b"BDAT x LAST\r\n"]),
        ("C-65", {"BDAT": "451 no"}, [EHLO, MAIL, RCPT, b"BDAT 0\r\n", b"BDAT 0 LAST\r\n"]),
        ("C-66 C-97", {}, [EHLO, b"MAIL FROM:<a@example.com> BODY=BINARYMIME\r\n"]),
    ],
)
def test_breaches_in_groups(clauses: str, on: dict[str, t.Any], writes: Sequence[bytes]) -> None:
    """RFC 2920: which commands a group may have, and which may follow bad replies."""
    with ScriptedServer(extensions=["PIPELINING", "CHUNKING"], on=on) as server:
        talk(server, *writes)

    assert {breach.partition(":")[0] for breach in server.breaches} == set(clauses.split())
