"""The login, and that its secrets are never shown."""

from __future__ import annotations

import base64
import copy
import json
import logging
import pickle
import re
import traceback
import typing as t

import pytest

from flask_mailhandler import ConfigurationError
from flask_mailhandler import LoginError
from flask_mailhandler.handlers.smtp import SMTPEmailHandler
from flask_mailhandler.phase import Phase
from flask_mailhandler.report import Report
from flask_mailhandler.secret import Secret
from sending import DEFERRED
from sending import letter
from sending import letters
from sending import Scripted
from sending import smtp
from sending import states
from servers import DROP
from servers import RESET
from servers import SILENCE
from servers import Then

if t.TYPE_CHECKING:
    from servers import ScriptedServer
    from servers.certificates import Certificates

NAME = "ann@example.com"
PASSWORD = "pässw0rd-that-nobody-sees"
TOKEN = "ya29.token-that-nobody-sees"


def failure(handler: SMTPEmailHandler) -> LoginError:
    """The error of two messages, of which neither was accepted."""
    reports = handler.send(letters(2))

    assert [states(report) for report in reports] == [[DEFERRED], [DEFERRED]]
    error = reports[0].error
    assert isinstance(error, LoginError)
    return error


def with_password(server: ScriptedServer, **options: t.Any) -> SMTPEmailHandler:
    return smtp(server, **({"username": NAME, "password": PASSWORD} | options))


def with_token(server: ScriptedServer, **options: t.Any) -> SMTPEmailHandler:
    return smtp(server, **({"username": NAME, "oauth_token": TOKEN} | options))


def auth_lines(server: ScriptedServer) -> list[str]:
    return [command for command in server.commands if command.startswith("AUTH")]


# Mechanisms


@pytest.mark.parametrize(
    ("offered", "used"),
    [
        ("AUTH PLAIN LOGIN", "AUTH PLAIN"),
        ("AUTH LOGIN PLAIN", "AUTH PLAIN"),
        ("auth login", "AUTH LOGIN"),
        ("AUTH=LOGIN", "AUTH LOGIN"),
        ("AUTH CRAM-MD5 SCRAM-SHA-256 NTLM LOGIN", "AUTH LOGIN"),
    ],
)
def test_password(scripted: Scripted, offered: str, used: str) -> None:
    """C-90, PROTOCOL 22: PLAIN, then LOGIN, in UTF-8."""
    server = scripted(on={"EHLO": f"250-me\n250 {offered}"}, users={NAME: PASSWORD})

    reports = with_password(server).send(letters(2))

    assert all(report.ok for report in reports)
    (line,) = auth_lines(server)
    assert line.startswith(used)
    if used == "AUTH PLAIN":
        assert base64.b64decode(line.split()[2]) == f"\0{NAME}\0{PASSWORD}".encode()


@pytest.mark.parametrize(
    ("offered", "used"),
    [
        ("AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER", "AUTH OAUTHBEARER"),
        ("AUTH PLAIN LOGIN XOAUTH2", "AUTH XOAUTH2"),
    ],
)
@pytest.mark.parametrize("given", [TOKEN, lambda: TOKEN])
def test_token(scripted: Scripted, offered: str, used: str, given: t.Any) -> None:
    """C-93, C-94, PROTOCOL 22: OAUTHBEARER, then XOAUTH2; a token or a callable."""
    server = scripted(extensions=[offered], tokens={NAME: TOKEN})

    (report,) = with_token(server, oauth_token=given).send([letter()])

    assert report.ok
    (line,) = auth_lines(server)
    assert line.startswith(used)


def test_oauthbearer_form(scripted: Scripted) -> None:
    """C-93: RFC 7628 to the letter; a comma and an equals sign in the name are escaped."""
    server = scripted(tokens={"a=b,c": TOKEN})

    (report,) = with_token(server, username="a=b,c").send([letter()])

    assert report.ok
    assert base64.b64decode(auth_lines(server)[0].split()[2]).decode() == (
        f"n,a=a=3Db=2Cc,\1host=127.0.0.1\1port={server.port}\1auth=Bearer {TOKEN}\1\1"
    )


@pytest.mark.parametrize("refusal", ["504 5.5.4 no", "534 5.7.9 too weak"])
def test_next_mechanism(scripted: Scripted, refusal: str) -> None:
    """PROTOCOL 22: 504 and 534 are about the mechanism: the next one is tried."""
    server = scripted(users={NAME: PASSWORD}, on={"AUTH PLAIN": refusal})

    (report,) = with_password(server).send([letter()])

    assert report.ok
    assert [line.split()[1] for line in auth_lines(server)] == ["PLAIN", "LOGIN"]


def test_token_of_a_callable_is_asked_for_once(scripted: Scripted) -> None:
    """PROTOCOL 22: the next mechanism uses the same token."""
    asked: list[str] = []

    def token() -> str:
        asked.append(TOKEN)
        return TOKEN

    server = scripted(tokens={NAME: TOKEN}, on={"AUTH OAUTHBEARER": "504 5.5.4 no"})

    (report,) = with_token(server, oauth_token=token).send([letter()])

    assert report.ok
    assert asked == [TOKEN]


def test_long_responses(scripted: Scripted) -> None:
    """C-91: a response that would make AUTH longer than 512 octets is sent after a challenge."""
    token = "t" * 2000
    server = scripted(tokens={NAME: token})

    (report,) = with_token(server, oauth_token=token).send([letter()])

    assert report.ok
    assert auth_lines(server) == ["AUTH OAUTHBEARER"]


@pytest.mark.parametrize("length", range(360, 370))
def test_almost_too_long_responses(scripted: Scripted, length: int) -> None:
    """C-91: the limit is exactly 512 octets."""
    password = "p" * length
    server = scripted(users={"ann": password})

    (report,) = smtp(server, username="ann", password=password).send([letter()])

    assert report.ok


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_unexpected_challenges(scripted: Scripted, mechanism: str) -> None:
    """C-92: an unexpected challenge is cancelled, once."""
    challenges = ["334 d2hhdD8="] * 3
    server = scripted(
        extensions=[f"AUTH {mechanism}"],
        users={NAME: PASSWORD},
        on={"AUTH": "334 d2hhdD8=", "response": challenges},
    )

    error = failure(with_password(server))

    assert "334" in str(error)
    server.settle()
    assert server.commands.count("*") == 1
    assert server.commands[-1] == "QUIT"


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_refused_token(scripted: Scripted, mechanism: str) -> None:
    """C-93, C-94: the JSON of a refused token is answered correctly, and shown."""
    server = scripted(extensions=[f"AUTH {mechanism}"], tokens={NAME: "another"})

    error = failure(with_token(server))

    assert not error.temporary
    assert re.search(r'535 5\.7\.8 .*\({"status": "401", .*}\)', str(error))


def test_long_json(scripted: Scripted) -> None:
    """C-93: Google's JSON is shortened in the error."""
    said = base64.b64encode(b'{"status": "400", "pad": "%s"}' % (b"x" * 600)).decode()
    server = scripted(
        extensions=["AUTH XOAUTH2"],
        tokens={NAME: TOKEN},
        on={"AUTH": f"334 {said}", "response": "535 5.7.8 no"},
    )

    assert '{"status": "400"' in str(failure(with_token(server)))


@pytest.mark.parametrize("said", ["334 ", "334 %%%", "334 é", "334 WzFd", "334 bm8ganNvbg=="])
def test_odd_challenges(scripted: Scripted, said: str) -> None:
    """C-93: a challenge that is not a JSON object, or not base64, is not shown and does no harm."""
    server = scripted(
        extensions=["AUTH XOAUTH2"],
        tokens={NAME: TOKEN},
        on={"AUTH": said, "response": "535 5.7.8 no"},
    )

    assert "535 5.7.8 no. Check" in str(failure(with_token(server)))


# Refused


@pytest.mark.parametrize(
    ("said", "temporary", "text"),
    [
        ("535 5.7.8 bad credentials", False, r"535 5\.7\.8 bad credentials\. Check MAIL_USERNAME"),
        ("454 4.7.0 temporary", True, r"454 4\.7\.0 temporary"),
        ("432 4.7.12 transition", True, r"432 4\.7\.12 transition"),
        ("421 4.7.0 too many logins", True, r"421 4\.7\.0 too many logins"),
        ("530 5.7.0 Must issue STARTTLS", False, r"set MAIL_SECURITY = 'starttls'"),
        ("534 5.7.9 too weak", False, r"534 5\.7\.9 too weak"),
        ("538 5.7.11 encrypt first", False, r"set MAIL_SECURITY = 'starttls'"),
        ("550 no", False, r"did not accept the login of 'ann@example\.com': 550 no"),
        ("250 fine", False, r"250 fine"),
    ],
)
def test_refused(scripted: Scripted, said: str, temporary: bool, text: str, no_leaks: None) -> None:
    """F-18 ... F-20: the login is refused: all deferred, no mail, one connection, one error."""
    server = scripted(users={NAME: PASSWORD}, on={"AUTH": said})

    error = failure(with_password(server))

    assert error.phase is Phase.AUTH
    assert error.temporary is temporary
    assert re.search(text, str(error))
    server.settle()
    assert len(server.connections) == 1
    assert not [command for command in server.commands if command.startswith("MAIL")]


def test_wrong_password(scripted: Scripted) -> None:
    """F-18, PROTOCOL 22: after 535 no other mechanism is tried."""
    server = scripted(users={NAME: "another"})

    error = failure(with_password(server))
    server.settle()

    assert "535" in str(error)
    assert [line.split()[1] for line in auth_lines(server)] == ["PLAIN"]
    assert server.commands[-1] == "QUIT"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
            "Microsoft 365 requires OAuth instead of a password: set MAIL_OAUTH_TOKEN",
        ),
        (
            "550 5.7.30 Basic authentication is not supported for Client Submission.",
            "set MAIL_OAUTH_TOKEN to OAuthToken.microsoft365(...)",
        ),
        (
            "535 5.7.3 Authentication unsuccessful, SmtpClientAuthentication is disabled",
            "'Authenticated SMTP' for the mailbox",
        ),
        (
            "535-5.7.8 Username and Password not accepted. For more information, go to\n"
            "535 5.7.8  https://support.google.com/mail/?p=BadCredentials 5b1f17b1804b1 - gsmtp",
            "make an app password",
        ),
        (
            "534-5.7.9 Application-specific password required. Learn more at\n"
            "534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor a640c - gsmtp",
            "make an app password",
        ),
    ],
)
def test_providers(scripted: Scripted, said: str, text: str) -> None:
    """F-18: the hints for what the large providers require today."""
    server = scripted(users={NAME: PASSWORD}, on={"AUTH": said})

    assert text in str(failure(with_password(server)))


@pytest.mark.parametrize(
    ("extensions", "text"),
    [
        (["SIZE 1000"], "offers no login (AUTH), and none of PLAIN and LOGIN."),
        (["AUTH"], "offers no login (AUTH), and none of PLAIN and LOGIN."),
        (["AUTH CRAM-MD5"], "offers AUTH CRAM-MD5, and none of PLAIN and LOGIN."),
    ],
)
def test_not_offered(scripted: Scripted, extensions: list[str], text: str) -> None:
    """F-21: a login is configured, and the server offers none, or none that we support."""
    server = scripted(extensions=extensions)

    error = failure(with_password(server))

    assert not error.temporary
    assert text in str(error)
    assert "set MAIL_SECURITY = 'starttls'" in str(error)


def test_not_offered_inside_tls(scripted: Scripted, certificates: Certificates) -> None:
    """F-21: if TLS is already on, the hint is to leave out the login."""
    server = scripted(tls=certificates.valid)

    error = failure(with_password(server, security="tls", tls_context=certificates.client()))

    assert "Leave out MAIL_USERNAME if the server requires no login." in str(error)


@pytest.mark.parametrize("action", [DROP, RESET, SILENCE, Then(b"23", DROP), b"hello\r\n"])
@pytest.mark.parametrize("step", ["AUTH", "response"])
def test_broken_off(
    scripted: Scripted, step: str, action: t.Any, impatient: None, no_leaks: None
) -> None:
    """F-22: a connection that ends within the login is temporary."""
    server = scripted(
        extensions=["AUTH LOGIN"],
        users={NAME: PASSWORD},
        on={"AUTH": "334 VXNlcm5hbWU6"} | {step: action},
    )

    error = failure(with_password(server))

    assert error.temporary
    assert error.phase is Phase.AUTH
    assert " at auth: " in str(error)


def test_drop_after_login(scripted: Scripted) -> None:
    """F-23: if the connection is lost just after the login, the messages are deferred and nothing
    is repeated."""
    server = scripted(users={NAME: PASSWORD}, on={"AUTH": Then("235 2.7.0 ok", DROP)})

    (report,) = with_password(server).send([letter()])

    assert states(report) == [DEFERRED]
    assert len(server.connections) == 1


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("530 5.7.0 Authentication required", "set MAIL_USERNAME and MAIL_PASSWORD"),
        ("530 5.7.0 Must issue a STARTTLS command first", "set MAIL_SECURITY = 'starttls'"),
    ],
)
def test_login_wanted(scripted: Scripted, said: str, text: str) -> None:
    """F-29: 530 to MAIL fails the session for all messages, and the error says which keys to
    set."""
    server = scripted(on={"MAIL": said})

    error = failure(smtp(server))
    server.settle()

    assert error.phase is Phase.MAIL
    assert not error.temporary
    assert text in str(error)
    assert len(server.connections) == 1
    assert server.commands[-1] == "QUIT"


def test_login_wanted_later(scripted: Scripted) -> None:
    """F-29: messages accepted before a 530 stay accepted."""
    server = scripted(on={"MAIL": ["250 ok", "530 5.7.0 enough"]})

    reports = smtp(server).send(letters(3))

    assert [report.ok for report in reports] == [True, False, False]
    assert isinstance(reports[2].error, LoginError)


# The configuration


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"password": PASSWORD}, "MAIL_PASSWORD is set, and MAIL_USERNAME is not"),
        ({"oauth_token": TOKEN}, "MAIL_OAUTH_TOKEN is set, and MAIL_USERNAME is not"),
        ({"username": NAME}, "neither MAIL_PASSWORD nor MAIL_OAUTH_TOKEN"),
        ({"username": NAME, "password": PASSWORD + "\r\n"}, "control character"),
        ({"username": NAME, "oauth_token": TOKEN + "\0"}, "control character"),
        ({"username": "ann\r\nDATA", "password": PASSWORD}, "control character"),
        ({"username": NAME, "password": 1e5}, "must be text"),
        (
            {"host": "mail.example.com", "security": "none"}
            | {"username": NAME, "password": PASSWORD},
            "would go over the network unencrypted",
        ),
    ],
)
def test_wrong_configuration(options: dict[str, t.Any], text: str) -> None:
    """Command injection and contradictory values are refused where they are configured, without the
    secret in the text."""
    with pytest.raises(ConfigurationError, match=text) as caught:
        SMTPEmailHandler(**options)

    assert PASSWORD not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_dangerous_login(scripted: Scripted) -> None:
    """A login in clear text needs the option with "dangerous" in its name."""
    handler = SMTPEmailHandler(
        host="mail.example.com",
        security="none",
        username=NAME,
        password=PASSWORD,
        dangerous_plaintext_login=True,
    )

    assert handler.server.security == "none"


@pytest.mark.parametrize("token", [None, "", "two words", "a\1b", "ü", 5])
def test_callable_without_token(scripted: Scripted, token: t.Any) -> None:
    """A callable that returns no token: there is no login, and nothing is injected."""
    server = scripted(tokens={NAME: TOKEN})

    error = failure(with_token(server, oauth_token=lambda: token))

    assert error.temporary
    assert "the callable of MAIL_OAUTH_TOKEN returned no token" in str(error)
    assert auth_lines(server) == []


def test_callable_that_raises(scripted: Scripted) -> None:
    """A callable that raises loses no report; its error is the cause, and its text is not shown."""

    def token() -> str:
        raise OSError(f"GET https://login.example/?secret={PASSWORD}")

    server = scripted(tokens={NAME: TOKEN})

    error = failure(with_token(server, oauth_token=token))

    assert "returned no token (OSError)" in str(error)
    assert PASSWORD not in str(error)
    assert isinstance(error.__cause__, OSError)


def test_deep_json(scripted: Scripted) -> None:
    """C-93: a challenge that no parser accepts is not shown and does no harm."""
    said = base64.b64encode(b"[" * 3000).decode()
    server = scripted(
        extensions=["AUTH XOAUTH2"],
        tokens={NAME: TOKEN},
        on={"AUTH": f"334 {said}", "response": "535 5.7.8 no"},
    )

    assert "535 5.7.8 no" in str(failure(with_token(server)))


# Secrets


FORMS = [
    PASSWORD,
    TOKEN,
    base64.b64encode(PASSWORD.encode()).decode(),
    base64.b64encode(f"\0{NAME}\0{PASSWORD}".encode()).decode(),
    base64.b64encode(f"user={NAME}\1auth=Bearer {TOKEN}\1\1".encode()).decode(),
    # Whatever stands before it in base64.
    *(base64.b64encode(b"x" * n + TOKEN.encode())[4:-4].decode() for n in range(3)),
    *(base64.b64encode(b"x" * n + PASSWORD.encode())[4:-4].decode() for n in range(3)),
]


def shown_in(text: str) -> list[str]:
    """The forms of the secrets that are in *text*, escaped or not."""
    return [form for form in FORMS if form in text or repr(form.encode())[2:-1] in text]


def everything_about(error: BaseException) -> str:
    """A traceback with the local variables of every frame of every error in the chain."""
    found, waiting, seen = [], [error], set()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        exception = traceback.TracebackException.from_exception(current, capture_locals=True)
        found += [*exception.format(), repr(current), str(current), repr(vars(current))]
        waiting += [other for other in (current.__cause__, current.__context__) if other]
    return "\n".join(found)


SPOILT: list[dict[str, t.Any]] = [
    {},
    {"AUTH": DROP},
    {"AUTH": RESET},
    {"AUTH": SILENCE},
    {"AUTH": "535 5.7.8 no"},
    {"AUTH": "334 ", "response": DROP},
    {"AUTH": "334 ", "response": RESET},
    {"EHLO": Then("250-me\n250-AUTH PLAIN LOGIN OAUTHBEARER\n250 x", RESET)},
    # Servers that repeat what they did not understand.
    {"AUTH": lambda line, connection: f"500 5.5.1 unknown command: {line}"},
    {"AUTH": "334 ", "response": lambda line, connection: f"502 what is {line}?"},
    {"AUTH": lambda line, connection: f"unknown: {line}"},
    {"AUTH": "334 ", "response": lambda line, connection: f"{line} what?"},
    {"AUTH": lambda line, connection: Then(f"535-unknown: {line}", DROP)},
    {"MAIL": "550 no"},
    {"end of data": DROP},
]


@pytest.mark.parametrize("on", SPOILT)
@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"])
def test_secrets(
    scripted: Scripted,
    certificates: Certificates,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    mechanism: str,
    encrypted: bool,
    on: dict[str, t.Any],
    impatient: None,
) -> None:
    """Secrets: password, token and their base64 are in no log, repr, error or traceback with the
    local variables of every frame, however the session ends."""
    caplog.set_level(logging.DEBUG)
    offer = {"EHLO": f"250-me\n250 AUTH {mechanism}"} | on
    server = scripted(
        on=offer,
        users={NAME: PASSWORD},
        tokens={NAME: TOKEN},
        tls=certificates.valid if encrypted else None,
    )
    secret = {"password": PASSWORD} if mechanism in ("PLAIN", "LOGIN") else {"oauth_token": TOKEN}
    handler = smtp(
        server,
        username=NAME,
        security="tls" if encrypted else "none",
        tls_context=certificates.client() if encrypted else None,
        **secret,
    )

    (report,) = handler.send([letter()])

    seen = [repr(handler), repr(vars(handler)), repr(handler.server), repr(report), caplog.text]
    seen += [str(vars(handler.server)), *map(str, report.outcomes), *capsys.readouterr()]
    if report.error:
        seen += [everything_about(report.error), *(o.text for o in report.outcomes)]
        assert pickle.loads(pickle.dumps(report.error)).args == report.error.args
    assert shown_in("\n".join(seen)) == []


def challenge(secret: str, ascii_only: bool) -> str:
    """A challenge that holds the secrets."""
    said = json.dumps({"status": "401", "tried": [secret]}, ensure_ascii=ascii_only)
    return f"334 {base64.b64encode(said.encode()).decode()}"


REPEATED: list[t.Callable[[str], dict[str, t.Any]]] = [
    lambda secret: {"AUTH": f"535 5.7.8 wrong: {secret}"},
    lambda secret: {"AUTH": f"535-5.7.8 wrong: {secret}\n535 5.7.8 {secret * 100}"},
    lambda secret: {"AUTH": Then(f"{'x' * 480} {secret}\r\n".encode(), DROP)},
    lambda secret: {"AUTH": Then(f"535-wrong: {secret}\r\n".encode(), DROP)},
    lambda secret: {"AUTH": Then(f"535-wrong: {secret}\r\n".encode(), SILENCE)},
    lambda secret: {"AUTH": challenge(secret, True), "response": "535 5.7.8 no"},
    lambda secret: {"AUTH": challenge(secret, False), "response": "535 5.7.8 no"},
    # Long after the login.
    lambda secret: {"MAIL": f"550 5.7.1 hello {secret}"},
    lambda secret: {"MAIL": f"530 5.7.1 hello {secret}"},
    lambda secret: {"MAIL": f"{secret} is no reply\r\n".encode()},
    lambda secret: {"end of data": f"550 hello {secret}"},
    lambda secret: {"end of data": f"{secret} is no reply\r\n".encode()},
]


@pytest.mark.parametrize("repeated", REPEATED)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"])
@pytest.mark.parametrize("odd", ["", ' "\\quoted\\"\u00a0'])
def test_secrets_that_the_server_repeats(
    scripted: Scripted,
    caplog: pytest.LogCaptureFixture,
    mechanism: str,
    odd: str,
    repeated: t.Callable[[str], dict[str, t.Any]],
    impatient: None,
) -> None:
    """Secrets: secrets that a server repeats, at the login or later, are not shown."""
    caplog.set_level(logging.DEBUG)
    by_password = mechanism in ("PLAIN", "LOGIN")
    secret = PASSWORD + odd if by_password else TOKEN
    server = scripted(
        extensions=[f"AUTH {mechanism}"],
        users={NAME: secret},
        tokens={NAME: secret},
        on=repeated(secret),
    )
    login = {"password": secret} if by_password else {"oauth_token": secret}

    (report,) = smtp(server, username=NAME, **login).send([letter()])

    assert report.error is not None
    seen = [repr(report), *map(str, report.outcomes), caplog.text, everything_about(report.error)]
    assert shown_in("\n".join(seen)) == []


def test_secrets_of_a_write_that_fails(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, scripted: Scripted
) -> None:
    """Secrets: a TLS socket's frames hold the octets written; an interrupt there shows none of
    them."""
    import ssl

    server = scripted(tls=certificates.valid, users={NAME: PASSWORD})
    write = ssl.SSLSocket.send

    def send(self: ssl.SSLSocket, data: t.Any, flags: int = 0) -> int:
        if bytes(data).startswith(b"AUTH"):
            raise KeyboardInterrupt
        return write(self, data, flags)

    monkeypatch.setattr(ssl.SSLSocket, "send", send)
    handler = with_password(server, security="tls", tls_context=certificates.client())

    with pytest.raises(KeyboardInterrupt) as caught:
        handler.send([letter()])

    frames = everything_about(caught.value)
    assert "sendall" not in frames.partition("_send_secret")[2]
    # Of the frames, not of the literals of this file.
    assert [form for form in shown_in(frames) if "AUTH" in form or form in FORMS[2:]] == []


def test_secret() -> None:
    """Secrets: every way of printing a secret shows three asterisks, and it cannot be pickled."""
    secret = Secret(PASSWORD)

    assert f"{secret} {secret!r} {secret:>10} %s" % secret == "*** *** *** ***"
    assert secret.reveal() == PASSWORD
    assert copy.copy(secret) == copy.deepcopy(secret) == Secret(secret)
    assert secret != PASSWORD
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret)


def test_mail_is_sent_after_all(scripted: Scripted) -> None:
    """C-89: one login for all messages of a connection."""
    server = scripted(users={NAME: PASSWORD})

    reports: list[Report] = with_password(server).send(letters(3))

    assert all(report.ok for report in reports)
    assert len(auth_lines(server)) == 1
