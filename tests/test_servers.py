"""The servers of the tests are themselves tested, with a client that is not ours."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
import time
import typing as t

import pytest

from servers import After
from servers import CLOSE_NOTIFY
from servers import Delay
from servers import Drip
from servers import DROP
from servers import drop_after
from servers import Flood
from servers import RESET
from servers import ScriptedServer
from servers import SILENCE
from servers import STOP_READING
from servers import Then
from servers.dead_ends import black_hole
from servers.dead_ends import closed_port

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    from servers.certificates import Certificates

    Scripted = Callable[..., ScriptedServer]

CONTENT = "Subject: Hi\r\n\r\n.dot\r\n\r\nbye\r\n"
FROM = "a@example.com"
TO = ["b@example.com", "c@example.com"]

EHLO = b"EHLO [127.0.0.1]\r\n"
MAIL = b"MAIL FROM:<a@example.com>\r\n"
RCPT = b"RCPT TO:<b@example.com>\r\n"
DATA = b"DATA\r\n"
END = b"Subject: x\r\n\r\nHi\r\n.\r\n"
MAIL8 = b"MAIL FROM:<a@example.com> BODY=8BITMIME\r\n"
UTF8 = "MAIL FROM:<ä@example.com> SMTPUTF8 BODY=8BITMIME\r\n".encode()


def connect(server: ScriptedServer, timeout: float = 5) -> smtplib.SMTP:
    return smtplib.SMTP(server.host, server.port, local_hostname="[127.0.0.1]", timeout=timeout)


ANSWERED = re.compile(rb"^(EHLO|HELO|MAIL|RCPT|DATA|BDAT|RSET|NOOP|QUIT|AUTH|\.\r$)", re.MULTILINE)


def talk(server: ScriptedServer, *writes: bytes) -> bytes:
    """Write each and hear as many replies as it has commands; all that was heard until the end."""
    with (
        socket.create_connection((server.host, server.port), timeout=5) as sock,
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


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_accepts(scripted: Scripted, no_leaks: None, host: str) -> None:
    """What was accepted is kept as the client meant it, with the commands that led there."""
    server = scripted(host=host)
    with connect(server) as client:
        refused = client.sendmail(FROM, TO, CONTENT)
    server.settle()

    assert refused == {}
    (message,) = server.accepted
    assert (message.sender, message.recipients) == (FROM, tuple(TO))
    assert message.content == CONTENT.encode()
    assert message.parameters == {"SIZE": str(len(CONTENT))}
    assert server.commands == [
        "ehlo [127.0.0.1]",
        f"mail FROM:<{FROM}> size={len(CONTENT)}",
        f"rcpt TO:<{TO[0]}>",
        f"rcpt TO:<{TO[1]}>",
        "data",
        "QUIT",
    ]
    (connection,) = server.connections
    assert connection.closed_by == "QUIT"
    assert connection.flights == 7


def test_declared_replies(scripted: Scripted) -> None:
    """Replies are used in turn, the longest key first, and then the default follows."""
    server = scripted(
        on={
            "RCPT": ["450 4.2.0 later"],
            "RCPT TO:<c@example.com>": "550-5.1.1 no such user\n550 5.1.1 never was",
        }
    )
    with connect(server) as client:
        refused = client.sendmail(
            FROM, ["a@example.com", "c@example.com", "d@example.com"], CONTENT
        )

    assert refused == {
        "a@example.com": (450, b"4.2.0 later"),
        "c@example.com": (550, b"5.1.1 no such user\n5.1.1 never was"),
    }
    assert server.accepted[0].recipients == ("d@example.com",)


# What the oracle sees


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
        ("C-60", {}, [EHLO, MAIL + RCPT * 101]),
        ("", {}, [EHLO, MAIL + RCPT * 100]),
        ("", {}, [EHLO, MAIL + RCPT + b"BDAT 4\r\n..\r\nBDAT 0 LAST\r\n"]),
        ("C-62", {}, [EHLO, MAIL + RCPT + b"BDAT 0\r\n", DATA]),
        ("C-63", {}, [EHLO, MAIL, RCPT, b"BDAT x LAST\r\n"]),
        ("C-65", {"BDAT": "451 no"}, [EHLO, MAIL, RCPT, b"BDAT 0\r\n", b"BDAT 0 LAST\r\n"]),
        ("C-66 C-97", {}, [EHLO, b"MAIL FROM:<a@example.com> BODY=BINARYMIME\r\n"]),
    ],
)
def test_breaches_in_groups(clauses: str, on: dict[str, t.Any], writes: Sequence[bytes]) -> None:
    """RFC 2920: what may stand in a group, and what may follow when its replies were bad."""
    with ScriptedServer(extensions=["PIPELINING", "CHUNKING"], on=on) as server:
        talk(server, *writes)

    assert {breach.partition(":")[0] for breach in server.breaches} == set(clauses.split())


# What the server does


@pytest.mark.parametrize(
    ("on", "heard"),
    [
        ({"greeting": b"22"}, b"22"),
        ({"greeting": Then(b"220-a\r\n", Drip(b"220 b\r\n", every=0.001))}, b"220-a\r\n220 b\r\n"),
        ({"greeting": Then("554 no", DROP)}, b"554 no\r\n"),
        ({"greeting": Delay(0.01, "554 no")}, b"554 no\r\n"),
        ({"greeting": DROP}, b""),
        ({"greeting": lambda line, connection: f"220 {connection.number}"}, b"220 0\r\n"),
    ],
)
def test_actions(on: dict[str, t.Any], heard: bytes, no_leaks: None) -> None:
    """What is declared for the greeting is what a client reads."""
    with (
        ScriptedServer(on=on) as server,
        socket.create_connection((server.host, server.port), timeout=5) as client,
    ):
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as replies:
            assert replies.read() == heard


@pytest.mark.parametrize("action", [SILENCE, Delay(60, "220 late"), Flood(), After(1, DROP)])
def test_stop_ends_everything(action: t.Any, no_leaks: None) -> None:
    """A server that waits, or never stops talking, is stopped at once."""
    with (
        ScriptedServer(on={"greeting": action}) as server,
        socket.create_connection((server.host, server.port), timeout=5),
    ):
        begin = time.monotonic()
        server.stop()

        assert time.monotonic() - begin < 2


def test_reset(scripted: Scripted, no_leaks: None) -> None:
    """RESET is an RST: the client reads an error, not an end."""
    server = scripted(on={"MAIL": RESET})
    client = connect(server)
    client.ehlo()

    with pytest.raises(smtplib.SMTPServerDisconnected, match="reset"):
        client.mail(FROM)
    client.close()


@pytest.mark.parametrize("octets", [0, 1, 100_000])
def test_drop_in_the_content(octets: int, no_leaks: None) -> None:
    """The connection ends after exactly so many octets of the content."""
    with (
        ScriptedServer(on={"content": drop_after(octets)}) as server,
        socket.create_connection((server.host, server.port), timeout=5) as client,
        client.makefile("rb") as replies,
    ):
        for octets_sent in (EHLO, MAIL, RCPT, DATA):
            client.sendall(octets_sent)
        client.sendall(b"x" * octets)
        heard = replies.readlines()
        server.settle()

    assert heard[-1] == b"354 go ahead\r\n"
    assert server.received == []
    assert server.connections[0].closed_by == "server"


def test_reply_in_the_content(no_leaks: None) -> None:
    """A reply in the middle of the content is the reply to end of data."""
    with ScriptedServer(on={"content": After(10, "550 5.7.1 that violates SMTP")}) as server:
        client = connect(server)
        with pytest.raises(smtplib.SMTPDataError, match="violates"):
            client.sendmail(FROM, TO, CONTENT)
        client.close()

    assert len(server.received) == 1
    assert server.accepted == []


def test_stop_reading(no_leaks: None) -> None:
    """Nothing of the content is read, so that a long one fills the window."""
    with ScriptedServer(on={"content": STOP_READING}) as server:
        client = connect(server, timeout=0.2)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.sendmail(FROM, TO, ("x" * 70 + "\r\n") * 200_000)
        client.close()

    assert server.received == []


def test_out_of_turn(scripted: Scripted, no_leaks: None) -> None:
    """A connection can be made to speak, or to close, while the client is idle."""
    server = scripted()
    client = connect(server)
    client.ehlo()
    (connection,) = server.connections

    assert connection.do(Then("421 4.4.2 timeout", DROP))
    assert client.getreply() == (421, b"4.4.2 timeout")
    client.close()
    server.settle()
    assert not connection.do("250 still there?")


def test_restart(scripted: Scripted, no_leaks: None) -> None:
    """A server that was stopped can be started on the same port."""
    server = scripted()
    port = server.port
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        connect(server)
    server.start()

    assert server.port == port
    with connect(server) as client:
        client.ehlo()


def test_dead_ends(no_leaks: None) -> None:
    """A closed port refuses, a black hole keeps one waiting."""
    with closed_port() as port, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    with black_hole() as port, pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", port), timeout=0.2)


# TLS and login


def test_tls(scripted: Scripted, certificates: Certificates, no_leaks: None) -> None:
    """TLS from the first octet."""
    server = scripted(tls=certificates.valid, require_tls=True)
    with smtplib.SMTP_SSL(
        server.host, server.port, local_hostname="localhost", context=certificates.client()
    ) as client:
        client.sendmail(FROM, TO, CONTENT)

    assert server.connections[0].tls
    assert len(server.accepted) == 1


def test_starttls(scripted: Scripted, certificates: Certificates, no_leaks: None) -> None:
    """STARTTLS; extensions and login may be others inside."""
    server = scripted(
        starttls=certificates.valid,
        extensions=["SIZE 1"],
        extensions_tls=["SIZE 2"],
        users={"ann": "secret"},
        require_tls=True,
    )
    with connect(server) as client:
        client.ehlo()
        assert client.esmtp_features == {"size": "1", "starttls": ""}
        client.starttls(context=certificates.client())
        client.ehlo()

    assert client.esmtp_features == {"size": "2", "auth": " PLAIN LOGIN"}


REASONS = {
    "expired": "certificate has expired",
    "wrong_host": "not valid for '127.0.0.1'|mismatch",
    "untrusted": "unable to get local issuer",
    # TLS 1.3 tells the client only in its first read.
    "client_required": "certificate required|closed",
}


@pytest.mark.parametrize("fault", REASONS)
def test_bad_certificates(certificates: Certificates, fault: str, no_leaks: None) -> None:
    """Each bad certificate is bad for the reason in its name."""
    with (
        ScriptedServer(tls=getattr(certificates, fault)) as server,
        pytest.raises(
            OSError, match=r"expired|mismatch|doesn't match|local issuer|required|closed"
        ),
    ):
        smtplib.SMTP_SSL(
            server.host, server.port, local_hostname="localhost", context=certificates.client()
        )


def test_client_certificate(certificates: Certificates, no_leaks: None) -> None:
    """A client that shows a certificate of the CA is let in."""
    context = certificates.client()
    context.load_cert_chain(certificates.client_cert_file, certificates.client_key_file)
    with (
        ScriptedServer(tls=certificates.client_required) as server,
        smtplib.SMTP_SSL(
            server.host, server.port, local_hostname="localhost", context=context
        ) as client,
    ):
        assert client.noop()[0] == 250


@pytest.mark.parametrize(
    "on",
    [
        {"STARTTLS": Then("220 go", DROP)},
        {"STARTTLS": "454 4.7.0 not now"},
        {"handshake": drop_after(50)},
        {"handshake": After(50, b"220 what handshake?\r\n")},
    ],
)
def test_spoilt_starttls(certificates: Certificates, on: dict[str, t.Any], no_leaks: None) -> None:
    """Whatever is wrong with STARTTLS, the connection ends, and the server with it."""
    with ScriptedServer(starttls=certificates.valid, on=on) as server:
        client = connect(server)
        client.ehlo()
        with pytest.raises((OSError, smtplib.SMTPException)):
            client.starttls(context=certificates.client())
        client.close()

    assert not server.connections[0].tls


def test_injected_reply(certificates: Certificates, no_leaks: None) -> None:
    """A client that goes on after plaintext behind the 220 is to blame (smtplib does)."""
    injected = {"STARTTLS": b"220 go\r\n250 injected\r\n"}
    with (
        ScriptedServer(starttls=certificates.valid, on=injected) as server,
        connect(server) as client,
    ):
        client.ehlo()
        client.starttls(context=certificates.client())
        client.ehlo()

    assert [breach.partition(":")[0] for breach in server.breaches] == ["F-77"]


def test_close_notify(certificates: Certificates, no_leaks: None) -> None:
    """CLOSE_NOTIFY ends TLS in form; DROP does not."""
    for action, ragged in ((CLOSE_NOTIFY, False), (DROP, True)):
        with (
            ScriptedServer(tls=certificates.valid, on={"greeting": action}) as server,
            socket.create_connection((server.host, server.port), timeout=5) as sock,
            certificates.client().wrap_socket(
                sock, server_hostname=server.host, suppress_ragged_eofs=False
            ) as client,
        ):
            try:
                assert client.recv(1) == b""
                assert not ragged
            except ssl.SSLEOFError:
                assert ragged


@pytest.mark.parametrize("password", ["secret", "wrong"])
@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_login(scripted: Scripted, mechanism: str, initial: bool, password: str) -> None:
    """PLAIN and LOGIN, with and without an initial response."""
    server = scripted(users={"ann": "secret"})
    with connect(server) as client:
        client.ehlo()
        client.user, client.password = "ann", password
        with contextlib.suppress(smtplib.SMTPAuthenticationError):
            client.auth(
                mechanism, getattr(client, f"auth_{mechanism}"), initial_response_ok=initial
            )

    assert server.connections[0].logged_in == (password == "secret")


@pytest.mark.parametrize("token", ["good", "bad"])
@pytest.mark.parametrize(
    ("mechanism", "form", "resignation"),
    [
        ("XOAUTH2", "user=ann\1auth=Bearer {}\1\1", ""),
        ("OAUTHBEARER", "n,a=ann,\1host=localhost\1port=25\1auth=Bearer {}\1\1", "\1"),
    ],
)
def test_token(scripted: Scripted, mechanism: str, form: str, resignation: str, token: str) -> None:
    """A refused token is explained in a challenge, which the client answers in form."""
    server = scripted(tokens={"ann": "good"})
    answers = {None: form.format(token)}
    with connect(server) as client:
        client.ehlo()
        with contextlib.suppress(smtplib.SMTPAuthenticationError):
            client.auth(mechanism, lambda challenge=None: answers.get(challenge, resignation))

    assert server.connections[0].logged_in == (token == "good")


def test_declared_challenge(scripted: Scripted) -> None:
    """C-92: to a challenge that was declared, "*" is the way out."""
    server = scripted(users={"ann": "secret"}, on={"AUTH": "334 d2hhdD8="})
    with connect(server) as client:
        client.ehlo()
        assert client.docmd("AUTH", "PLAIN AGFubgBzZWNyZXQ=") == (334, b"d2hhdD8=")
        assert client.docmd("*") == (501, b"5.7.0 cancelled")

    assert server.commands[-2:] == ["*", "QUIT"]
