"""Whose fault it is that a message was not accepted: recipient, sender, account or content."""

from __future__ import annotations

import typing as t

import pytest

from flask_mailhandler import About
from flask_mailhandler import Address
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Outcome
from flask_mailhandler import State
from flask_mailhandler.queue import outcomes
from sending import in_groups
from sending import letter
from sending import Scripted
from sending import smtp
from servers import DROP
from servers import RESET

# Step, reply, and whom the reply blames; in the words that the servers use.
REPLIES = [
    ("MAIL", "550 5.4.5 Daily user sending limit exceeded", "account"),  # Gmail
    ("MAIL", "454 4.7.0 Too many login attempts", "account"),
    ("MAIL", "452 4.3.1 Insufficient system storage", "account"),
    ("MAIL", "421 4.3.2 Shutting down", "account"),
    ("MAIL", "550 5.1.8 Access denied, bad outbound sender", "sender"),  # Exchange
    ("MAIL", "553 5.7.1 <a@example.com>: Sender address rejected: not owned by user", "sender"),
    ("MAIL", "550 no", "sender"),
    ("MAIL", "552 5.3.4 Message size exceeds fixed limit", "content"),
    ("RCPT", "550 5.1.1 <b@example.com>: User unknown", "recipient"),
    ("RCPT", "452 4.2.2 The email account is over quota", "recipient"),
    ("RCPT", "450 4.7.1 Greylisted, try again", "recipient"),
    ("RCPT", "550 no such user here", "recipient"),
    # What is named says nothing.
    ("RCPT", "550 <sender@example.com>: user unknown", "recipient"),
    ("RCPT", "550 5.7.1 content-team@spam.example rejected", "recipient"),
    ("RCPT", "451 4.7.1 Try later, see https://antispam.example/why", "recipient"),
    ("RCPT", "451 Greylisted to keep spam away", "recipient"),
    ("RCPT", "552 Mailbox quota exceeded", "recipient"),
    ("RCPT", "452 mailbox <b@example.com> is full, quota exceeded", "recipient"),
    ("end of data", "554 a@example.com is not verified", "sender"),
    ("end of data", "550 Not taken: https://spf.example/help", "content"),
    # Postfix and proxies refuse a sender at RCPT.
    ("RCPT", "553 5.7.1 <a@example.com>: Sender address rejected: not owned", "sender"),
    ("RCPT", "554 5.7.1 <b@example.com>: Relay access denied", "account"),
    ("RCPT", "550 Relaying denied", "account"),
    ("RCPT", "550 5.7.60 SMTP; Client does not have permissions to send as this sender", "sender"),
    ("DATA", "554 5.5.1 Error: no valid recipients", "content"),
    ("end of data", "554 Message rejected: Email address is not verified.", "sender"),  # SES
    ("end of data", "554 5.2.252 SendAsDenied; a@example.com not allowed", "sender"),  # Exchange
    ("end of data", "550 5.7.26 Unauthenticated email is not accepted", "sender"),  # Gmail
    ("end of data", "550 5.7.1 Our system has detected spam", "content"),
    ("end of data", "550 5.7.0 Blocked", "account"),
    ("end of data", "550 5.1.1 The email account does not exist", "recipient"),
    ("end of data", "554 5.6.0 Malformed", "content"),
    ("end of data", "550 no", "content"),
    ("AUTH", "535 5.7.8 Username and password not accepted", "account"),
    ("greeting", "554 5.7.1 Go away", "account"),
    ("MAIL", DROP, "account"),
    ("RCPT", RESET, "account"),
    ("end of data", DROP, "account"),
]


@pytest.mark.parametrize("way", ["lock-step", "groups"])
@pytest.mark.parametrize(("step", "reply", "about"), REPLIES)
def test_whose_fault(way: str, step: str, reply: t.Any, about: str, scripted: Scripted) -> None:
    """The enhanced code says whose fault it is, then the text, and the phase if both say
    nothing."""
    start = in_groups(scripted) if way == "groups" else scripted
    login = {"username": "ann", "password": "secret"} if step == "AUTH" else {}
    server = start(on={step: reply}, **({"users": {"ann": "secret"}} if login else {}))
    (report,) = smtp(server, **login).send([letter()])

    assert [str(outcome.about) for outcome in report.outcomes] == [about]


def test_our_own_refusal(scripted: Scripted) -> None:
    """A message that is too large is refused for its content, before any of it is sent."""
    (report,) = smtp(scripted(extensions=["SIZE 100"])).send([letter(text="x" * 200)])

    assert [str(outcome.about) for outcome in report.outcomes] == ["content"]


@pytest.mark.parametrize("handler", ["smtp", "memory"])
def test_nobody_is_at_fault(handler: str, scripted: Scripted) -> None:
    """An accepted recipient has no fault, whatever the handler; a recipient that was not accepted
    is at fault itself unless the outcome says otherwise."""
    sends = smtp(scripted()) if handler == "smtp" else MemoryEmailHandler()
    (report,) = sends.send([letter()])

    assert [(outcome.state, outcome.about) for outcome in report.outcomes] == [("accepted", None)]
    ann = Address("ann@example.com")
    assert Outcome(ann, State.ACCEPTED, about=About.ACCOUNT).about is None
    assert Outcome(ann, State.REFUSED).about is About.RECIPIENT
    assert Outcome(ann, State.UNKNOWN, about=About.ACCOUNT).about is About.ACCOUNT


@pytest.mark.parametrize("state", [State.REFUSED, State.ACCEPTED, None])
@pytest.mark.parametrize("about", [About.ACCOUNT, None])
def test_the_queue_keeps_it(state: State | None, about: About | None) -> None:
    """A row stores whose fault it was."""
    settled = outcomes.Settled(Address("b@example.com"), state, 550, "5.4.5", "no", about)

    assert outcomes.from_json(outcomes.to_json([settled])) == (settled,)
    asked = None if state is State.ACCEPTED else about or About.RECIPIENT
    assert settled.outcome.about is asked
