"""Custom header fields: their names and values are checked when they are set."""

from __future__ import annotations

import pickle
import typing as t

import pytest

from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.message.headers import Headers

ONE_CLICK = "List-Unsubscribe=One-Click"


@pytest.mark.parametrize(
    ("fields", "pairs"),
    [
        (None, ()),
        ({}, ()),
        ({"X-A": "1"}, (("X-A", "1"),)),
        ({"X-A": ["1", "2"]}, (("X-A", "1"), ("X-A", "2"))),
        ([("X-A", "1"), ("x-a", "2")], (("X-A", "1"), ("x-a", "2"))),
        ({"X-A": " padded\t"}, (("X-A", "padded"),)),
        ({"X-A": ""}, (("X-A", ""),)),
        (Headers({"X-A": "1"}), (("X-A", "1"),)),
        ({"x" * 76: "1"}, (("x" * 76, "1"),)),
    ],
)
def test_forms(fields: t.Any, pairs: object) -> None:
    """Headers take a mapping of names to values or lists of values, or pairs."""
    assert Headers(fields).pairs == pairs


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "X A",
        "X:A",
        "X\r\nBcc",
        "X\n",
        "Ä",
        "X\x00",
        "x" * 77,
        "X\t",
        "\x7f",
        1,
        b"X",
        None,
    ],
)
def test_hostile_names(name: t.Any) -> None:
    """C-27: a name is ftext, and short enough for a line."""
    with pytest.raises(MessageError, match="headers has the name"):
        Headers([(name, "x")])


@pytest.mark.parametrize(
    "value",
    [
        *(
            "a\r\nBcc: x@example.com",
            "a\n b",
            "a\rb",
            "a\x00b",
            "a\x0bb",
            "a\x0cb",
            "a\x1cb",
            "a\x1db",
        ),
        *("a\x1eb", "a\x85b", "a\u2028b", "a\u2029b", "a\x1bb", "a\x7fb", "a\ud800b"),
    ],
)
def test_hostile_values(value: str) -> None:
    """A character at which a reader could end the line is refused, in a folded value too."""
    with pytest.raises(MessageError, match="the header 'X-A' has the control character"):
        Headers({"X-A": value})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Subject", "subject="),
        ("from", "from_addr="),
        ("TO", "to="),
        ("Cc", "cc="),
        ("Bcc", "bcc="),
        ("bCC", "bcc="),
        ("Resent-Bcc", "bcc="),
        ("Reply-To", "reply_to="),
        ("Date", "date="),
        ("Message-ID", "message_id="),
        ("Return-Path", "envelope_sender="),
        ("MIME-Version", "always sent"),
        ("Content-Type", "is set from what the message contains"),
        ("content-transfer-encoding", "is set from what the message contains"),
        ("Resent-To", "the EmailMessage itself"),
    ],
)
def test_fields_with_an_argument(name: str, hint: str) -> None:
    """A field that has its own argument is refused, and the error names the argument."""
    with pytest.raises(MessageError, match=hint):
        Message(headers={name: "x"})


@pytest.mark.parametrize(
    "fields", ["X-A: 1", b"X", 1, [("X-A",)], ["X-A"], {"X-A": 1}, {"X-A": None}]
)
def test_wrong_forms(fields: t.Any) -> None:
    """Any other value is refused when it is set."""
    with pytest.raises(MessageError, match="headers"):
        Headers(fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("References", "<a@b.example> <c@d.example>"),
        ("In-Reply-To", "<a@b.example>"),
        ("Sender", "Ann <ann@example.com>"),
        ("List-Unsubscribe", "<https://example.com/u?x=1>, <mailto:u@example.com?subject=x>"),
        ("List-Id", "News of Ann <news.example.com>"),
        ("List-Archive", "<https://example.com/>"),
        ("Auto-Submitted", "auto-generated"),
    ],
)
def test_structured(name: str, value: str) -> None:
    """C-33, C-76, C-80: fields with their own syntax are accepted."""
    assert Headers({name: value})[name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("References", ""),
        ("References", "a@b.example"),
        ("References", "<a@b.example>, <c@d.example>"),
        ("In-Reply-To", "<a b@c.example>"),
        ("In-Reply-To", "<é@c.example>"),
        ("References", f"<{'x' * 1000}@c.example>"),
        ("Sender", "nobody"),
        ("Sender", "a@example.com, b@example.com"),
        ("List-Unsubscribe", "https://example.com/"),
        ("List-Unsubscribe", "<https://example.com/> <mailto:x@example.com>"),
        ("List-Unsubscribe", "<https://exämple.com/>"),
        ("List-Unsubscribe", f"<https://example.com/{'x' * 1000}>"),
    ],
)
def test_wrong_structure(name: str, value: str) -> None:
    """C-32, C-76: a value with the wrong syntax is refused."""
    with pytest.raises(MessageError):
        Headers({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("References", "<a@b.example>"),
        ("in-reply-to", "<a@b.example>"),
        ("Sender", "a@b.example"),
        ("List-Id", "<news.example>"),
        ("Auto-Submitted", "auto-generated"),
    ],
)
def test_once(name: str, value: str) -> None:
    """C-29: a field that is allowed once is refused twice, in any case."""
    with pytest.raises(MessageError, match="more than once"):
        Headers([(name, value), (name.upper(), value)])


@pytest.mark.parametrize(
    ("fields", "right"),
    [
        ({"List-Unsubscribe": "<https://a.example/>", "List-Unsubscribe-Post": ONE_CLICK}, True),
        (
            {
                "List-Unsubscribe": "<mailto:a@a.example>, <https://a.example/>",
                "List-Unsubscribe-Post": ONE_CLICK,
            },
            True,
        ),
        ({"List-Unsubscribe-Post": ONE_CLICK}, False),
        ({"List-Unsubscribe": "<mailto:a@a.example>", "List-Unsubscribe-Post": ONE_CLICK}, False),
        ({"List-Unsubscribe": "<https://a.example/>", "List-Unsubscribe-Post": "x"}, False),
        (
            {
                "List-Unsubscribe": "<https://a.example/>, <https://b.example/>",
                "List-Unsubscribe-Post": ONE_CLICK,
            },
            False,
        ),
    ],
)
def test_one_click(fields: dict[str, str], right: bool) -> None:
    """C-77: one-click unsubscription needs both fields, with exactly one https URL."""
    if right:
        assert len(Headers(fields)) == 2
        return
    with pytest.raises(MessageError, match="List-Unsubscribe-Post"):
        Headers(fields)


def test_mapping() -> None:
    """Names are found in any case; a repeated field gives its first value."""
    headers = Headers([("X-A", "1"), ("X-B", "2"), ("x-a", "3")])

    assert headers["x-A"] == "1"
    assert "X-C" not in headers
    assert list(headers) == ["X-A", "X-B"]
    assert len(headers) == 2
    assert headers == {"X-A": "1", "X-B": "2"}
    assert headers != Headers({"X-A": "1", "X-B": "2"})
    assert headers == Headers(headers)
    assert hash(headers) == hash(Headers(headers))
    assert pickle.loads(pickle.dumps(headers)) == headers
    assert repr(Headers({"X-A": "1"})) == "Headers([('X-A', '1')])"


def test_they_do_not_change() -> None:
    """The error for an assignment says what to write instead."""
    with pytest.raises(AttributeError, match="replace"):
        Headers().pairs = ()
