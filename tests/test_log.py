"""Logging about mail."""

from __future__ import annotations

import logging

import pytest

from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler.log import log_report
from flask_mailhandler.log import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ann@example.com", "an…@example.com"),
        ("a@example.com", "a…@example.com"),
        ("<ann@example.com>, <bob@[192.0.2.1]>", "<an…@example.com>, <bo…@[192.0.2.1]>"),
        ("jürgen@bücher.example", "jü…@bücher.example"),
        ('"a very secret"@example.com', '"a…"@example.com'),
        ('""@example.com', '"…"@example.com'),
        (r'"a \" secret"@example.com', '"a…"@example.com'),
        (r'"\\"@example.com and "b c"@x', '"…"@example.com and "b…"@x'),
        ('"Ann" said "b c"@example.com', '"Ann" said "b…"@example.com'),
        ("no mailbox @ all, 5@", "no mailbox @ all, 5@"),
    ],
)
def test_mailboxes_are_masked(text: str, shown: str) -> None:
    """Only the beginning of a local part is logged, whether it is quoted or not."""
    assert masked(text) == shown


@pytest.mark.parametrize("piece", ["a", '"', '"a', '\\"', '\\\\"', '"\\', "a@", "a '", '"@'])
def test_masking_ends(piece: str) -> None:
    """Masking takes linear time, whatever a server's text is. In quadratic time, this would take
    hours."""
    assert masked(piece * 1_000_000)[:1] in ("a", '"', "\\")


@pytest.mark.parametrize(("number", "shown"), [(1, "1 recipient"), (2, "2 recipients")])
def test_how_many_recipients(number: int, shown: str, caplog: pytest.LogCaptureFixture) -> None:
    """One recipient is not several."""
    caplog.set_level(logging.INFO, "flask_mailhandler")
    to = [f"ann{index}@example.com" for index in range(number)]
    message = Message(from_addr="me@example.com", to=to, subject="Hi", text="x")

    log_report(MemoryEmailHandler().send([message])[0], "default")

    assert caplog.messages[-1].endswith(f" via default: accepted for {shown}")
