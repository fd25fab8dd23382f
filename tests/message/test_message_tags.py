"""The tags of a message: words of the app, which are never sent."""

from __future__ import annotations

import typing as t

import pytest

from flask_mailhandler import Message
from flask_mailhandler.mime import render

KINDS: list[tuple[t.Any, tuple[str, ...]]] = [
    ("news", ("news",)),
    (["news", "may"], ("news", "may")),
    (iter(["b", "a", "b"]), ("b", "a")),
    (("Grüße aus Köln",), ("Grüße aus Köln",)),
    ([], ()),
    (None, ()),
]


@pytest.mark.parametrize(("given", "read"), KINDS)
def test_tags(given: t.Any, read: tuple[str, ...]) -> None:
    """One string is one tag, and each tag is kept once, in order."""
    assert Message(tags=given).tags == read


def test_tags_are_not_sent() -> None:
    """The octets of a message do not have its tags. A copy has them, and may have others."""
    message = Message(subject="Hi", text="Hello", from_addr="a@example.com", to="b@example.com")
    tagged = message.replace(tags=["secret-word"])

    assert b"secret-word" not in bytes(render(tagged))
    assert tagged.replace(subject="Hey").tags == ("secret-word",)
    assert tagged.replace(tags=()).tags == ()
    assert tagged != message
