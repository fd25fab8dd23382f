"""``flask mail bounce --imap``: a real Dovecot, and servers that behave badly."""

from __future__ import annotations

import base64
import re
import typing as t
from urllib.parse import quote

import pytest
from flask import Flask

from flask_mailhandler import ConfigurationError
from flask_mailhandler import Event
from flask_mailhandler import Mail
from flask_mailhandler.secret import Secret
from servers.dead_ends import free_port
from servers.dovecot import Dovecot
from servers.dovecot import missing
from servers.scripted_imap import CLOSE
from servers.scripted_imap import ScriptedIMAP
from servers.scripted_imap import SILENCE
from servers.scripted_imap import TRICKLE
from signed_bounces import bounce_to
from signed_bounces import SIGNED

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.certificates import Certificates

OTHER = b"From: ann@example.org\r\nSubject: Hi\r\n\r\nThank you!\r\n"


class Ran(t.NamedTuple):
    """What a run of the command has done."""

    code: int
    output: str
    heard: list[Event]


def run(url: str | Secret | None, *options: str, **keys: t.Any) -> Ran:
    """Run ``flask mail bounce --imap`` in an app of its own."""
    app = Flask("shop")
    app.config.update(MAIL_BOUNCE_IMAP=url, **keys)
    mail = Mail(app)
    heard: list[Event] = []
    mail.on_event()(heard.append)
    done = app.test_cli_runner().invoke(args=["mail", "bounce", *(options or ("--imap",))])
    return Ran(done.exit_code, done.output, heard)


# A real server


@pytest.fixture(scope="module")
def dovecot(certificates: Certificates, service_or_skip: t.Any) -> Iterator[Dovecot]:
    service_or_skip("Dovecot", missing())
    server = Dovecot(certificates)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def url(dovecot: Dovecot, certificates: Certificates) -> t.Callable[..., str]:
    """Make a URL: ``url("ann", "imap")``."""

    def make(user: str, scheme: str = "imaps", folder: str = "INBOX", query: str = "") -> str:
        password, port = quote(dovecot.password, safe=""), dovecot.ports[scheme]
        query = query or f"tls_ca_file={certificates.ca_file}"
        return f"{scheme}://{user}:{password}@localhost:{port}/{quote(folder)}?{query}"

    return make


@pytest.mark.services
@pytest.mark.parametrize(("scheme", "query"), [("imaps", ""), ("imap", "security=starttls&")])
def test_unseen_messages(
    scheme: str, query: str, dovecot: Dovecot, certificates: Certificates, url: t.Any
) -> None:
    """Each unseen message is read and marked as seen, and the next run finds none."""
    user = f"reader-{scheme}"
    large = bounce_to("carl@example.org") + b"x" * 2_000_000
    for octets in (bounce_to("ann@example.org"), OTHER, b"", b"\n", large):
        dovecot.deliver(user, octets)
    place = url(user, scheme, query=f"{query}tls_ca_file={certificates.ca_file}")

    first, second = run(Secret(place)), run(place)

    assert (first.code, second.code) == (0, 0)
    assert [event.recipient for event in first.heard] == ["ann@example.org", "carl@example.org"]
    assert "ann@example.org bounced: 550 5.1.1 No such user\n" in first.output
    assert first.output.count("The message does not say") == 3
    assert (second.output, second.heard) == ("", [])
    assert dovecot.seen(user) == [True] * 5


@pytest.mark.services
def test_a_message_that_cannot_be_told(dovecot: Dovecot, url: t.Any) -> None:
    """It stays unseen, the others are told, and the exit code is 75. The next run tells it."""
    keys = {"MAIL_BOUNCE_ADDRESS": "bounces@example.com"}
    for octets in (bounce_to("ann@example.org"), SIGNED, bounce_to("bob@example.org")):
        dovecot.deliver("failing", octets)

    first = run(url("failing"), **keys)  # without a SECRET_KEY
    between = dovecot.seen("failing")
    second = run(url("failing"), SECRET_KEY="secret", **keys)

    assert first.code == 75
    assert [event.recipient for event in first.heard] == ["ann@example.org", "bob@example.org"]
    assert "needs the app's SECRET_KEY" in first.output
    assert "It stays unseen" in first.output
    assert between == [True, False, True]
    assert second.code == 0
    assert [(event.recipient, event.verified) for event in second.heard] == [
        ("signed@example.org", True)
    ]
    assert dovecot.seen("failing") == [True] * 3


@pytest.mark.services
def test_another_folder(dovecot: Dovecot, url: t.Any) -> None:
    """The path of the URL names the mailbox, in any script."""
    dovecot.deliver("folders", bounce_to("ann@example.org"), ".R&APw-ckl&AOQ-ufer")
    dovecot.deliver("folders", bounce_to("bob@example.org"))

    done = run(url("folders", folder="Rückläufer"))

    assert [event.recipient for event in done.heard] == ["ann@example.org"]
    assert dovecot.seen("folders") == [False]


@pytest.mark.services
def test_an_account(dovecot: Dovecot, url: t.Any) -> None:
    """``--imap ACCOUNT`` reads the mailbox of another account."""
    dovecot.deliver("bulk", bounce_to("ann@example.org"))
    accounts = {"bulk": {"bounce_imap": url("bulk")}}

    done = run(url("default"), "--imap", "bulk", MAIL_ACCOUNTS=accounts)
    unknown = run(None, "--imap", "other", MAIL_ACCOUNTS=accounts)

    assert [event.recipient for event in done.heard] == ["ann@example.org"]
    assert (unknown.code, "There is no account 'other'" in unknown.output) == (75, True)


@pytest.mark.services
def test_what_is_wrong(dovecot: Dovecot, certificates: Certificates, url: t.Any) -> None:
    """An error names the cause and what to do, and no password."""
    dovecot.deliver("wrong", b"\n")
    password = quote(dovecot.password, safe="")
    table = {
        url("wrong").replace(password, "open-sesame"): "did not accept the login of 'wrong'",
        url("wrong", folder="None"): "'None' cannot be opened: Mailbox doesn't exist",
        url("wrong", query="timeout=60"): "add ?tls_ca_file=/path/to/ca.pem",
        url("wrong").replace("imaps:", "imap:", 1)
        + "&security=starttls&timeout=0.2": "0.2 seconds",
        url("wrong", "imap").replace("imap:", "imaps:", 1): "write imap://",
        re.sub("localhost:[0-9]+", f"localhost:{free_port()}", url("wrong")): "Check the host and",
    }
    for place, said in table.items():
        done = run(place)

        assert (done.code, said in done.output) == (75, True), done.output
        assert "sesame" not in done.output
        assert dovecot.password not in done.output
    assert dovecot.seen("wrong") == [False]


# Servers that behave badly

LONG = b"* OK " + b"x" * 1_100_000
FETCHED = b"* 1 FETCH (UID 7 FLAGS () BODY[]<0> "
BAD = {
    "closes": ({"greeting": CLOSE}, "the connection failed|EOF"),
    "says goodbye": ({"greeting": b"* BYE too busy\r\n"}, "too busy"),
    "is another server": ({"greeting": b"220 mx.example.org ESMTP\r\n"}, "220 mx"),
    "is silent": ({"greeting": SILENCE}, "did not answer within 0.3 seconds"),
    "trickles": ({"UID FETCH": TRICKLE}, "did not answer within 0.3 seconds"),
    "never ends a line": ({"greeting": LONG}, "unterminated line"),
    "has no capabilities": ({"CAPABILITY": b"%t NO no\r\n"}, "not IMAP4 compliant"),
    "repeats the password": (
        {"LOGIN": b"%t NO open-sesame b3Blbi1zZXNhbWU= is wrong\r\n"},
        r"login of 'ann': \*\*\* \*\*\*U= is wrong",
    ),
    "wants no password": (
        {"CAPABILITY": b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n%t OK done\r\n"},
        "offers no login",
    ),
    "challenges for ever": (
        {
            "CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n%t OK done\r\n",
            "answer": b"+ \r\n" * 100_000,
        },
        "too much at once|did not answer",
    ),
    "is read-only": (
        {"SELECT": b"* 1 EXISTS\r\n%t OK [READ-ONLY] done\r\n"},
        "cannot be marked as seen",
    ),
    "stores no flags": (
        {
            "SELECT": b"* 1 EXISTS\r\n* OK [PERMANENTFLAGS (\\Deleted)] x\r\n"
            b"%t OK [READ-WRITE] done\r\n"
        },
        "cannot be marked as seen",
    ),
    "counts in words": ({"SELECT": b"* x EXISTS\r\n%t OK done\r\n"}, "unexpected response"),
    "counts without end": (
        {"SELECT": b"* 99999999999 EXISTS\r\n%t OK done\r\n"},
        "cannot be opened",
    ),
    "cannot search": ({"UID SEARCH": b"%t NO [SERVERBUG] \x1b[31m\r\n"}, r"SEARCH: .*\\x1b\[31m"),
    "does not know SEARCH": ({"UID SEARCH": b"%t BAD what?\r\n"}, "what"),
    "announces 10 GB": ({"UID FETCH": FETCHED + b"{10000000000}\r\nx"}, "too much at once"),
    "sends too much": ({"UID FETCH": FETCHED + b"{3000000}\r\n" + b"x" * 99}, "too much at once"),
    "breaks off": ({"UID FETCH": FETCHED + b"{999}\r\nx"}, "did not answer"),
    "tells for ever": ({"UID FETCH": b"* 1 EXISTS\r\n" * 30_000}, "too much at once"),
    "cannot fetch": ({"UID FETCH": b"%t NO [SERVERBUG] broken\r\n"}, "message 7: .*broken"),
}


def imap_of(server: ScriptedIMAP, password: str = ":open-sesame", timeout: float = 60) -> str:
    return f"imap://ann{password}@127.0.0.1:{server.port}/?timeout={timeout}"


@pytest.mark.parametrize("name", BAD)
def test_bad_servers(name: str, no_leaks: None) -> None:
    """A server that behaves badly is an error, in bounded size and time. No message is marked."""
    replies, said = BAD[name]
    waits = "did not answer" in said
    with ScriptedIMAP(replies) as server:
        done = run(imap_of(server, timeout=0.3 if waits else 60))

    assert done.code == 75
    assert not [line for line in server.commands if b"STORE" in line]
    assert re.search(said, done.output), done.output
    assert "sesame" not in done.output
    assert "\x1b" not in done.output


@pytest.mark.parametrize(
    ("fetched", "marked"),
    [
        (b"* 1 FETCH (UID 7 FLAGS () BODY[]<0> NIL)\r\n%t OK done\r\n", True),
        (b'* 1 FETCH (BODY[] "" FLAGS (\\Recent) UID 7)\r\n%t OK done\r\n', True),
        (b"* 1 FETCH (BODY[]<0> {1}\r\nx FLAGS () UID 7)\r\n%t OK done\r\n", True),
        (b"* 1 FETCH (UID 7 FLAGS (\\Seen) BODY[]<0> {1}\r\nx)\r\n%t OK done\r\n", False),
        (b"* 1 FETCH (BODY[]<0> {1}\r\nx UID 7 FLAGS (x \\Seen))\r\n%t OK done\r\n", False),
        (b"* 2 FETCH (UID 8 FLAGS () BODY[]<0> {1}\r\nx)\r\n%t OK done\r\n", False),
        (
            b"* 2 FETCH (UID 8 FLAGS (\\Seen))\r\n* 1 FETCH (UID 7 BODY[] {1}\r\nx)\r\n%t OK x\r\n",
            True,
        ),
        (b"* 1 FETCH (UID 7 FLAGS ())\r\n%t OK done\r\n", False),
        (b"%t OK done\r\n", False),
    ],
)
def test_what_is_fetched(fetched: bytes, marked: bool) -> None:
    """The message of this UID is read. One that is gone, or was seen meanwhile, is left alone."""
    with ScriptedIMAP({"UID FETCH": fetched}) as server:
        done = run(imap_of(server))

    assert (done.code, done.output != "") == (0, marked)
    assert any(line.startswith(b"UID STORE 7 ") for line in server.commands) == marked


def test_found_in_words() -> None:
    """What is not a number in the answer to SEARCH is left out."""
    with ScriptedIMAP({"UID SEARCH": b"* SEARCH all -1 7 1:* (x)\r\n%t OK done\r\n"}) as server:
        done = run(imap_of(server))

    assert done.code == 0
    assert [line for line in server.commands if b"FETCH" in line] == [
        b"UID FETCH 7 (UID FLAGS BODY.PEEK[]<0.1048576>)"
    ]


def test_it_cannot_be_marked() -> None:
    """A message that cannot be marked ends the run, so that no other one is told for nothing."""
    two = b"* SEARCH 7 8\r\n%t OK done\r\n"
    with ScriptedIMAP({"UID SEARCH": two, "UID STORE": b"%t NO quota\r\n"}) as server:
        done = run(imap_of(server))

    assert (done.code, "refused UID STORE: quota" in done.output) == (75, True)
    assert sum(b"FETCH" in line for line in server.commands) == 1


def test_many_that_fail() -> None:
    """If the app cannot be told ten times in a row, the rest is left for later."""
    uids = b" ".join(b"%d" % uid for uid in range(1, 40))
    with ScriptedIMAP(
        {"UID SEARCH": b"* SEARCH %b\r\n%%t OK done\r\n" % uids, "UID FETCH": b"%t NO no\r\n"}
    ) as server:
        done = run(imap_of(server))

    assert (done.code, "left for later" in done.output) == (75, True)
    assert sum(b"FETCH" in line for line in server.commands) == 10


def test_a_large_mailbox() -> None:
    """It is searched in pieces, so that the answer has a bounded length."""
    with ScriptedIMAP(
        {"SELECT": b"* 20001 EXISTS\r\n%t OK done\r\n", "UID SEARCH": b"%t OK done\r\n"}
    ) as server:
        done = run(imap_of(server))

    assert (done.code, done.output) == (0, "")
    assert [line for line in server.commands if b"SEARCH" in line] == [
        b"UID SEARCH 1:10000 UNSEEN UNDELETED",
        b"UID SEARCH 10001:20000 UNSEEN UNDELETED",
        b"UID SEARCH 20001:20001 UNSEEN UNDELETED",
    ]


# The login


OAUTH = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2\r\n%t OK done\r\n"


def test_a_token() -> None:
    """Without a password in the URL, the account's token is used."""
    smtp = {"MAIL_URL": "smtps://ann@mx.example.com", "MAIL_OAUTH_TOKEN": lambda: "t0ken"}
    with ScriptedIMAP({"CAPABILITY": OAUTH}) as server:
        done = run(imap_of(server, ""), **smtp)

    assert done.code == 0
    assert server.commands[1] == b"AUTHENTICATE XOAUTH2"
    assert base64.b64decode(server.answers[0]) == b"user=ann\1auth=Bearer t0ken\1\1"


def test_a_token_that_is_refused() -> None:
    """The server's error comes as a challenge, which is answered with an empty line."""
    smtp = {"MAIL_URL": "smtps://ann@mx.example.com", "MAIL_OAUTH_TOKEN": "t0ken-of-ann"}
    replies = [b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n", b"%t NO t0ken-of-ann is wrong\r\n"]
    with ScriptedIMAP({"CAPABILITY": OAUTH}, answers=replies) as server:
        done = run(imap_of(server, ""), **smtp)

    assert done.code == 75
    assert "granted for IMAP?" in done.output
    assert "t0ken" not in done.output
    assert server.answers[1] == b""


@pytest.mark.parametrize(
    ("keys", "offered", "said"),
    [
        ({}, OAUTH, "has no password: write it like"),
        (
            {"MAIL_OAUTH_TOKEN": "x"},
            b"* CAPABILITY IMAP4rev1\r\n%t OK done\r\n",
            "Add the password",
        ),
        ({"MAIL_OAUTH_TOKEN": lambda: 1 / 0}, OAUTH, "returned no token (ZeroDivisionError)"),
        ({"MAIL_OAUTH_TOKEN": lambda: "a\r\nb"}, OAUTH, "returned no token (ValueError)"),
    ],
)
def test_no_token(keys: dict[str, t.Any], offered: bytes, said: str) -> None:
    """Without a password, there must be a token, and the server must take it."""
    if keys:
        keys = {"MAIL_URL": "smtps://ann@mx.example.com", **keys}
    with ScriptedIMAP({"CAPABILITY": offered}) as server:
        done = run(imap_of(server, ""), **keys)

    assert (done.code, said in done.output) == (75, True), done.output


# The key

WRONG = {
    "smtps://ann:open-sesame@mx.example.org": "must be like 'imaps://user:password@host/INBOX'",
    "imaps://mx.example.org/INBOX": "must be like",
    "imaps://ann:open-sesame@/INBOX": "must be like",
    "imaps://ann:open-sesame@mx.example.org:x/": "must be like",
    "imaps://ann%0d%0a:open-sesame@mx.example.org/": "must be like",
    "imaps://ann:open-sesame@mx.example.org/IN%0aBOX": "must be like",
    "imaps://ann:open#sesame@mx.example.org/": "must be like",
    "imaps://ann:open-sesame@mx.example.org/?verify=no": "unknown options: verify. It takes",
    "imaps://ann:open-sesame@mx.example.org/?security=none": "write imap://",
    "imap://ann:open-sesame@mx.example.org/?security=maybe": "must be one of",
    "imap://ann:open-sesame@mx.example.org/?security=none": "would go over the network unencrypted",
    "imaps://ann:open-sesame@mx.example.org/?tls_ca_file=/none": "cannot be read",
    "imaps://ann:open-sesame@mx.example.org/?timeout=soon": "must be a number of seconds",
}


@pytest.mark.parametrize("url", WRONG)
def test_a_wrong_key(url: str) -> None:
    """It is an error when the app is made, which says what to write and shows no password."""
    app = Flask("shop")
    app.config.update(MAIL_BOUNCE_IMAP=url)

    with pytest.raises(ConfigurationError) as caught:
        Mail(app)

    assert WRONG[url] in str(caught.value)
    assert "MAIL_BOUNCE_IMAP" in str(caught.value)
    assert "sesame" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_no_key() -> None:
    """Without the key, the error says what to set."""
    done = run(None)

    assert done.code == 75
    assert "MAIL_BOUNCE_IMAP is not set: set it to the mailbox of the bounces" in done.output


def test_the_key_is_not_shown() -> None:
    """``flask mail check`` shows where the mailbox is, and neither the user nor the password."""
    app = Flask("shop")
    app.config.update(
        MAIL_HANDLER="memory", MAIL_BOUNCE_IMAP="imaps://ann:open-sesame@mx.example.org/B"
    )
    mail = Mail(app)
    done = app.test_cli_runner().invoke(args=["mail", "check"])

    assert "imaps://mx.example.org:993/B" in done.output
    assert "sesame" not in done.output + repr(mail) + repr(app.extensions)


@pytest.mark.parametrize(
    "options", [("--imap", "--lmtp", "127.0.0.1:0"), ("--imap", "default", "--maildir", ".")]
)
def test_one_way_at_a_time(options: tuple[str, ...]) -> None:
    """Two options that say where to read cannot be combined."""
    done = run(None, *options)

    assert (done.code, "do not go together" in done.output) == (75, True)
