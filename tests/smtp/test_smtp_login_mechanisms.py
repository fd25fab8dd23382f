"""Which mechanisms are tried, and the hints for a login that is not accepted."""

from __future__ import annotations

import typing as t

import pytest

from flask_mailhandler import ConfigurationError
from flask_mailhandler import LoginError
from flask_mailhandler.handlers.smtp import SMTPEmailHandler
from sending import letter
from sending import Scripted
from sending import smtp
from servers import DROP
from servers import Then

if t.TYPE_CHECKING:
    from servers import ScriptedServer
    from servers.certificates import Certificates

NAME, PASSWORD, TOKEN = "ann@example.com", "right-password", "right-token"


def tried(server: ScriptedServer) -> list[str]:
    """The mechanisms that were tried, in order."""
    server.settle()
    return [line.split()[1] for line in server.commands if line.startswith("AUTH")]


def with_password(server: ScriptedServer, **options: t.Any) -> SMTPEmailHandler:
    return smtp(server, username=NAME, password=PASSWORD, **options)


def failure(handler: SMTPEmailHandler) -> LoginError:
    """The error of a message that was not sent, because there was no login."""
    (report,) = handler.send([letter()])
    assert isinstance(report.error, LoginError)
    return report.error


# Of servers that offer PLAIN and refuse it.
WAY = [
    "500 5.5.1 Command not recognized",
    "501 5.5.2 Syntax error",
    "502 5.5.1 Not implemented",
    "503 5.5.1 Bad sequence",
    "504 5.5.4 Unrecognized authentication type",
    "534 5.7.9 Too weak",
    "550 5.7.4 Not supported here",
    "553 Not by this mechanism",
    "554 5.7.1 No",
]


@pytest.mark.parametrize("said", WAY)
def test_a_mechanism_that_is_refused(scripted: Scripted, said: str) -> None:
    """A refusal of the mechanism says nothing about the password: the next one is tried."""
    server = scripted(users={NAME: PASSWORD}, on={"AUTH PLAIN": said})

    (report,) = with_password(server).send([letter()])

    assert report.ok
    assert tried(server) == ["PLAIN", "LOGIN"]


@pytest.mark.parametrize("said", WAY)
def test_a_token_mechanism_that_is_refused(scripted: Scripted, said: str) -> None:
    """The same with a token, which is kept."""
    asked: list[str] = []
    server = scripted(tokens={NAME: TOKEN}, on={"AUTH OAUTHBEARER": said})

    def token() -> str:
        asked.append(TOKEN)
        return TOKEN

    (report,) = smtp(server, username=NAME, oauth_token=token).send([letter()])

    assert report.ok
    assert tried(server) == ["OAUTHBEARER", "XOAUTH2"]
    assert len(asked) == 1


def test_a_challenge_that_plain_does_not_know(scripted: Scripted) -> None:
    """If a server continues after the end of PLAIN, it is cancelled and the next mechanism is
    tried."""
    server = scripted(
        users={NAME: PASSWORD}, on={"AUTH PLAIN": "334 d2hhdD8=", "*": "501 5.7.0 Cancelled"}
    )

    (report,) = with_password(server).send([letter()])

    assert report.ok
    assert tried(server) == ["PLAIN", "LOGIN"]


@pytest.mark.parametrize(
    "said",
    [
        "535 5.7.8 Wrong",
        "535 Error: authentication failed",
        "550 5.7.8 Credentials invalid",
        "454 4.7.0 Later",
        "421 4.7.0 Too many",
        "530 5.7.0 Must issue a STARTTLS command first",
        "538 5.7.11 Encryption required",
    ],
)
def test_a_secret_that_is_refused(scripted: Scripted, said: str) -> None:
    """After a refusal of the password, or of every login for now, nothing more is tried: each try
    would be one more failed login."""
    server = scripted(users={NAME: PASSWORD}, on={"AUTH PLAIN": said})

    failure(with_password(server))

    assert tried(server) == ["PLAIN"]


def test_both_are_refused(scripted: Scripted) -> None:
    """The error names each refusal once, the last one first."""
    server = scripted(
        users={NAME: PASSWORD}, on={"AUTH PLAIN": "502 5.5.1 no", "AUTH LOGIN": "535 5.7.8 wrong"}
    )

    error = failure(with_password(server))

    assert ": 535 5.7.8 wrong; by PLAIN: 502 5.5.1 no. Check MAIL_USERNAME" in str(error)
    assert not error.temporary


def test_a_break_behind_a_refusal(scripted: Scripted) -> None:
    """If a server closes after it has refused a mechanism, the refusal is the error."""
    server = scripted(users={NAME: PASSWORD}, on={"AUTH PLAIN": Then("502 5.5.1 no", DROP)})

    error = failure(with_password(server))

    assert "did not accept the login of 'ann@example.com': 502 5.5.1 no" in str(error)
    assert not error.temporary


@pytest.mark.parametrize(("mechanism", "used"), [("login", "LOGIN"), ("PLAIN", "PLAIN")])
def test_the_mechanism_that_is_set(scripted: Scripted, mechanism: str, used: str) -> None:
    """MAIL_LOGIN_MECHANISM is the only one that is used."""
    server = scripted(users={NAME: PASSWORD})

    (report,) = with_password(server, login_mechanism=mechanism).send([letter()])

    assert report.ok
    assert tried(server) == [used]


def test_535_that_means_the_mechanism(scripted: Scripted) -> None:
    """If 535 may be about the mechanism, the error names the key that chooses another one."""
    server = scripted(users={NAME: PASSWORD}, on={"AUTH PLAIN": "535 Error"})

    error = failure(with_password(server))
    (report,) = with_password(server, login_mechanism="LOGIN").send([letter()])

    assert "If they are right, set MAIL_LOGIN_MECHANISM = 'login'" in str(error)
    assert report.ok


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"login_mechanism": "login"}, "MAIL_LOGIN_MECHANISM is set, and MAIL_USERNAME is not"),
        (
            {"login_mechanism": "xoauth2", "username": "ann", "password": "secret"},
            "MAIL_LOGIN_MECHANISM = 'xoauth2' needs MAIL_OAUTH_TOKEN",
        ),
        (
            {"login_mechanism": "plain", "username": "ann", "oauth_token": "t"},
            "MAIL_LOGIN_MECHANISM = 'plain' needs MAIL_PASSWORD and no MAIL_OAUTH_TOKEN",
        ),
        ({"login_mechanism": "cram-md5"}, "must be one of 'plain', 'login', 'oauthbearer'"),
    ],
)
def test_a_mechanism_that_cannot_be(options: dict[str, t.Any], said: str) -> None:
    """A mechanism that does not fit the other keys is refused where it is configured."""
    with pytest.raises(ConfigurationError, match=said):
        SMTPEmailHandler(**options)


# Hints


@pytest.mark.parametrize(
    ("offered", "options", "said"),
    [
        ("AUTH CRAM-MD5", {}, "set MAIL_SECURITY = 'starttls' and MAIL_PORT"),
        ("AUTH XOAUTH2", {}, "Set MAIL_OAUTH_TOKEN instead of MAIL_PASSWORD."),
        (
            "AUTH PLAIN",
            {"password": None, "oauth_token": TOKEN},
            "Set MAIL_PASSWORD instead of MAIL_OAUTH_TOKEN.",
        ),
        ("AUTH PLAIN", {"login_mechanism": "login"}, "Leave out MAIL_LOGIN_MECHANISM."),
    ],
)
def test_none_of_ours(
    scripted: Scripted, offered: str, options: dict[str, t.Any], said: str
) -> None:
    """The hint for a server without a suitable mechanism depends on the configuration."""
    server = scripted(extensions=[offered])

    assert said in str(failure(smtp(server, **{"username": NAME, "password": PASSWORD} | options)))


def test_none_of_ours_within_tls(scripted: Scripted, certificates: Certificates) -> None:
    """If TLS is already on, no error says to switch it on."""
    server = scripted(tls=certificates.valid, extensions=["AUTH CRAM-MD5 NTLM"])
    handler = with_password(server, security="tls", tls_ca_file=certificates.ca_file)

    error = failure(handler)

    assert "Ask its administrator to offer one of them" in str(error)
    assert "MAIL_SECURITY" not in str(error)


@pytest.mark.parametrize(
    "said",
    [
        "535 5.7.8 no",
        "535 5.7.139 Authentication unsuccessful",
        "535 5.7.8 no https://support.google.com/mail/?p=BadCredentials - gsmtp",
    ],
)
def test_a_token_that_is_refused(scripted: Scripted, said: str) -> None:
    """A token that is refused gets no hint about a password."""
    server = scripted(tokens={NAME: TOKEN}, on={"AUTH": said})

    error = failure(smtp(server, username=NAME, oauth_token=TOKEN))

    assert "Check MAIL_USERNAME and MAIL_OAUTH_TOKEN" in str(error)
    assert "password" not in str(error).lower()


def test_a_login_that_is_wanted_though_it_was_accepted(scripted: Scripted) -> None:
    """530 to MAIL after a login does not say to set keys that are set."""
    server = scripted(users={NAME: PASSWORD}, on={"MAIL": "530 5.7.0 Authentication required"})

    error = failure(with_password(server))

    assert "The login was accepted" in str(error)
    assert "set MAIL_USERNAME" not in str(error)
