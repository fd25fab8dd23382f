"""The pool: a login that is refused, a token that is no longer valid, and a server that has too
many connections."""

from __future__ import annotations

import gc
import typing as t
import weakref

import pytest

from flask_mailhandler import ConnectError
from flask_mailhandler import LoginError
from flask_mailhandler.net.slots import Turn
from forking import in_child
from pooling import Call
from pooling import Hold
from pooling import one
from pooling import state
from pooling import two_idle
from pooling import used
from pooling import wait_for
from sending import DEFERRED
from sending import letter
from sending import letters
from sending import Scripted
from sending import smtp
from sending import states
from servers import DROP
from servers import RESET

if t.TYPE_CHECKING:
    from flask_mailhandler.handlers.smtp import SMTPEmailHandler
    from pooling import Clock
    from servers import ScriptedServer

WELCOME = "235 2.7.0 welcome"
WRONG = "535 5.7.8 wrong password"


def login(server: ScriptedServer, **options: t.Any) -> SMTPEmailHandler:
    """A handler that logs in."""
    return smtp(server, username="ann", password="secret", pool_idle=300, **options)


# A login that is refused


def test_refused_once(scripted: Scripted, clock: Clock) -> None:
    """After a refused login the same error is raised without a connection for 60 s: trying again
    would lock the account."""
    server = scripted(users={"ann": "secret"}, on={"AUTH": [WRONG, WRONG]})
    handler = login(server)

    first, second = one(handler), one(handler)
    third, fourth = handler.send(letters(2))
    assert len(server.connections) == 1
    assert state(handler) == "0 idle, 0 in use, 0 waiting, login refused"
    clock.passed = 59
    one(handler)
    assert len(server.connections) == 1
    clock.passed = 61
    fifth = one(handler)
    assert len(server.connections) == 2
    clock.passed = 122

    reports = [first, second, third, fourth, fifth]
    assert {str(report.error) for report in reports} == {str(first.error)}
    for report in reports:
        assert isinstance(report.error, LoginError) and WRONG in str(report.error)
        assert report.error.report is report and not report.error.temporary
    assert one(handler).ok
    assert state(handler) == "1 idle, 0 in use, 0 waiting"


@pytest.mark.parametrize("said", ["454 4.7.0 not now", "432 4.7.12 not now", DROP])
def test_temporary_refusal(scripted: Scripted, said: t.Any) -> None:
    """A login that may succeed the next time is tried again."""
    server = scripted(users={"ann": "secret"}, on={"AUTH": [said]})
    handler = login(server)

    assert isinstance(one(handler).error, LoginError)
    assert one(handler).ok


def test_refused_beside_others(scripted: Scripted) -> None:
    """A refused login closes no connection that is logged in, and waiting callers get the error at
    once."""
    hold, refusal = Hold(), Hold(WRONG)
    server = scripted(
        users={"ann": "secret"}, on={"AUTH": [WELCOME, refusal], "end of data": [hold]}
    )
    handler = login(server)

    lent = Call(lambda: one(handler))
    hold.reached()
    refused = Call(lambda: one(handler))
    refusal.reached()
    behind = Call(lambda: one(handler))
    wait_for(handler, "1 waiting")
    refusal.let_go()
    assert isinstance(refused.result().error, LoginError)
    assert isinstance(behind.result().error, LoginError)
    hold.let_go()

    assert lent.result().ok
    assert one(handler).ok
    assert used(server) == [0, 0]
    assert len(server.connections) == 2


def test_accepted_meanwhile(scripted: Scripted) -> None:
    """A later login that is accepted ends the pause."""
    welcome = Hold(WELCOME)
    server = scripted(extensions=[], users={"ann": "secret"}, on={"AUTH": [welcome, WRONG]})
    handler = login(server)

    accepted = Call(lambda: one(handler))
    welcome.reached()
    assert isinstance(one(handler).error, LoginError)
    assert state(handler) == "0 idle, 1 in use, 0 waiting, login refused"
    welcome.let_go()

    assert accepted.result().ok
    assert state(handler) == "1 idle, 0 in use, 0 waiting"


def test_refused_before_a_fork(scripted: Scripted) -> None:
    """A child of a fork does not try it again either."""
    server = scripted(users={"ann": "other"})
    handler = login(server)

    first = one(handler)

    assert in_child(lambda: str(one(handler).error)) == str(first.error)
    assert len(server.connections) == 1


@pytest.mark.parametrize("extensions", [[], ["PIPELINING"]])
def test_login_wanted(scripted: Scripted, extensions: list[str]) -> None:
    """A connection that requires a login before it accepts mail (530) is not reused."""
    server = scripted(extensions=extensions, on={"MAIL": ["530 5.7.0 log in first"]})
    handler = smtp(server)

    assert isinstance(one(handler).error, LoginError)
    assert state(handler) == "0 idle, 0 in use, 0 waiting"
    assert one(handler).ok
    assert used(server) == [1]


def test_the_message_is_not_kept(scripted: Scripted) -> None:
    """The stored error of a refused login does not refer to the caller that tried it."""
    server = scripted(users={"ann": "other"})
    handler = login(server)
    messages = [letter()]
    kept = weakref.ref(messages[0])

    assert isinstance(handler.send(messages)[0].error, LoginError)
    messages.clear()
    gc.collect()

    assert kept() is None
    assert "login refused" in state(handler)


# A fresh token


class Tokens:
    """A custom callable: returns the tokens in order, the last again and again."""

    def __init__(self, *tokens: str) -> None:
        self.asked = 0
        self._tokens = [*tokens]

    def __call__(self) -> str:
        self.asked += 1
        return self._tokens.pop(0) if len(self._tokens) > 1 else self._tokens[0]


class Kept(Tokens):
    """A callable that returns the same token until forget() is called."""

    def __init__(self, *tokens: str) -> None:
        super().__init__(*tokens)
        self.forgotten: list[str] = []

    def __call__(self) -> str:
        self.asked += 1
        return self._tokens[0]

    def forget(self, token: str) -> None:
        self.forgotten.append(token)
        if token == self._tokens[0] and len(self._tokens) > 1:
            del self._tokens[0]


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_fresh_token(scripted: Scripted, mechanism: str) -> None:
    """PROTOCOL 14: a token that is refused is forgotten, and a fresh one tried, once."""
    server = scripted(extensions=[f"AUTH {mechanism}"], tokens={"ann": "second"})
    token = Kept("first", "second")
    handler = smtp(server, username="ann", oauth_token=token)

    assert one(handler).ok and one(handler).ok

    assert token.forgotten == ["first"]
    assert token.asked == 2
    assert used(server) == [1, 1]


def test_fresh_token_without_forget(scripted: Scripted) -> None:
    """PROTOCOL 14: a callable that returns another token when it is called again needs no
    forget."""
    server = scripted(tokens={"ann": "second"})

    assert one(smtp(server, username="ann", oauth_token=Tokens("first", "second"))).ok
    assert used(server) == [1]


@pytest.mark.parametrize(
    ("token", "connections"),
    [
        (Kept("first", "second", "third"), 2),
        (Tokens("first", "second", "third"), 2),
        # The same again would be refused again.
        (Kept("first"), 1),
        (Tokens("first"), 1),
        ("first", 1),
    ],
)
def test_fresh_token_once(scripted: Scripted, token: t.Any, connections: int) -> None:
    """PROTOCOL 14: once, and then the login is refused, for 60 s."""
    server = scripted(tokens={"ann": "third"})
    handler = smtp(server, username="ann", oauth_token=token)

    assert isinstance(one(handler).error, LoginError)
    assert isinstance(one(handler).error, LoginError)
    assert len(server.connections) == connections


@pytest.mark.parametrize("said", ["454 4.7.0 not now", "432 4.7.12 not now", DROP])
def test_no_fresh_token(scripted: Scripted, said: t.Any) -> None:
    """PROTOCOL 14: only a refusal means that the token is not valid."""
    server = scripted(tokens={"ann": "first"}, on={"AUTH": [said]})
    token = Kept("first", "second")

    assert isinstance(one(smtp(server, username="ann", oauth_token=token)).error, LoginError)
    assert token.forgotten == []
    assert len(server.connections) == 1


# Too many connections

CROWDED = [
    {"greeting": ["220 hi", "421 4.7.0 too many connections"]},
    {"greeting": ["220 hi", "421 too many"]},
    {"EHLO": ["250 hi", "421 4.7.0 too many connections"]},
    {"AUTH": [WELCOME, "421 4.7.0 too many connections"]},
    {"AUTH": [WELCOME, "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded"]},
]


def crowded(scripted: Scripted, on: dict[str, t.Any], hold: Hold) -> SMTPEmailHandler:
    """A handler of a server to which the second connection is one too many."""
    users = {"ann": "secret"} if "AUTH" in on else None
    server = scripted(extensions=[], users=users, on={"end of data": [hold]} | on)
    return login(server) if users else smtp(server, pool_idle=300)


@pytest.mark.parametrize("on", CROWDED)
def test_crowded(scripted: Scripted, clock: Clock, on: dict[str, t.Any]) -> None:
    """After a 421 or 432 4.3.2 while a connection is opened, the number stays as it was for a
    minute, and the caller waits for one of the others."""
    hold, later = Hold(), Hold()
    handler = crowded(scripted, on | {"end of data": [hold, "250 ok", later]}, hold)

    first = Call(lambda: one(handler))
    hold.reached()
    second = Call(lambda: one(handler))
    wait_for(handler, "1 waiting, at most 1 for now")
    hold.let_go()
    assert first.result().ok and second.result().ok
    assert state(handler) == "1 idle, 0 in use, 0 waiting, at most 1 for now"

    clock.passed = 61
    handler.close()
    third = Call(lambda: one(handler))
    later.reached()
    assert one(handler).ok
    later.let_go()
    assert third.result().ok
    assert state(handler) == "2 idle, 0 in use, 0 waiting"


def test_crowded_in_order(scripted: Scripted) -> None:
    """The caller that finds that there are too many is next, before later callers."""
    hold, greeting = Hold(), Hold("421 4.7.0 too many connections")
    server = scripted(on={"greeting": ["220 hi", greeting], "end of data": [hold]})
    handler = smtp(server)

    calls = [Call(lambda: one(handler))]
    hold.reached()
    calls.append(Call(lambda: one(handler, letter("r1@example.com"))))
    greeting.reached()
    calls.append(Call(lambda: one(handler, letter("r2@example.com"))))
    wait_for(handler, "1 waiting")
    greeting.let_go()
    wait_for(handler, "2 waiting")
    hold.let_go()

    assert all(call.result().ok for call in calls)
    arrived = [accepted.recipients[0] for accepted in server.accepted]
    assert arrived == ["b@example.com", "r1@example.com", "r2@example.com"]
    assert used(server) == [0, 0, 0]


def test_crowded_in_time(scripted: Scripted, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """This wait is also part of the time allowed, and the error does not suggest a larger pool."""
    hold = Hold()

    waits: list[float] = []
    wait = Turn.wait

    def too_many(line: str, connection: object) -> str:
        clock.passed = 20
        return "421 4.7.0 too many connections"

    def counted(turn: Turn[t.Any], seconds: float) -> bool:
        waits.append(seconds)
        return wait(turn, 0.0 if clock.passed else seconds)

    monkeypatch.setattr(Turn, "wait", counted)
    handler = crowded(scripted, {"greeting": ["220 hi", too_many]}, hold)

    first = Call(lambda: one(handler))
    hold.reached()
    second = one(handler)
    hold.let_go()

    assert first.result().ok
    assert [*map(round, waits)] == [60, 60, 40]
    assert states(second) == [DEFERRED] and isinstance(second.error, ConnectError)
    assert "1 of 1 are in use by others. A short while ago more were too" in str(second.error)
    assert state(handler) == "1 idle, 0 in use, 0 waiting, at most 1 for now"


def test_crowded_and_alone(scripted: Scripted) -> None:
    """If there is no other connection to wait for, the error shows the server's reply."""
    server = scripted(on={"greeting": ["421 4.7.0 too many connections"]})
    handler = smtp(server)

    report = one(handler)

    assert "421 4.7.0 too many connections" in str(report.error)
    assert state(handler) == "0 idle, 0 in use, 0 waiting"
    assert one(handler).ok


@pytest.mark.parametrize("how", [DROP, RESET])
def test_a_second_connection_without_a_word(scripted: Scripted, how: t.Any) -> None:
    """A second connection that is closed without any reply does not say that there are too many:
    the error comes at once, and the pool keeps its size."""
    hold = Hold()
    server = scripted(on={"greeting": ["220 hi", how], "end of data": [hold]})
    handler = smtp(server)

    first = Call(lambda: one(handler))
    hold.reached()
    second = one(handler)

    assert states(second) == [DEFERRED] and isinstance(second.error, ConnectError)
    assert state(handler) == "0 idle, 1 in use, 0 waiting"
    hold.let_go()
    assert first.result().ok


def test_crowded_and_idle(scripted: Scripted) -> None:
    """A repeat that gets no new connection is deferred, and no caller hangs."""
    hold = Hold()
    server = scripted(
        on={
            "end of data": [hold],
            "MAIL": ["250 ok", "250 ok", DROP],
            "greeting": ["220 hi", "220 hi", "421 4.7.0 too many connections"],
        }
    )
    handler = smtp(server)
    two_idle(handler, hold)

    report = one(handler)

    assert states(report) == [DEFERRED]
    assert "421 4.7.0" in str(report.error)
    assert one(handler).ok
