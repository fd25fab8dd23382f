"""A message as JSON and in a pickle: the same mail, or an error."""

from __future__ import annotations

import copy
import json
import pathlib
import pickle
import typing as t

import pytest

from flask_mailhandler import Address
from flask_mailhandler import Attachment
from flask_mailhandler import Message
from flask_mailhandler import MessageError


@pytest.fixture
def everything(tmp_path: pathlib.Path) -> Message:
    path = tmp_path / "x.bin"
    path.write_bytes(b"\0\1")
    logo = Attachment(b"png", filename="logo.png")
    return Message(
        subject="Grüße",
        text="a\n",
        html=f'<img src="cid:{logo.cid}">',
        from_addr="Zoë <zoe@faß.de>",
        to=["Ann <ann@example.com>", '"a b"@example.com'],
        reply_to="r@example.com",
        bcc="jörg@example.com",
        envelope_sender="",
        headers=[("X-A", "1"), ("X-A", "2")],
        attachments=[Attachment.from_path(path), Attachment("é", filename="é.txt", cid="a@b")],
        inline_attachments=[logo],
        alternatives=[("BEGIN", "text/calendar; method=REQUEST")],
        tags=["newsletter-48", "Grüße"],
        metadata={"order": "17", "café": "ü"},
        track_opens=False,
        track_clicks=True,
        stream="broadcast",
        provider_options={"postmark": {"InlineCss": True, "Nested": [1, {"a": None}]}},
    )


def test_json(everything: Message) -> None:
    """A message read from its JSON is the same mail."""
    found = Message.from_dict(json.loads(json.dumps(everything.to_dict())))

    assert found == everything
    assert found.message_id == everything.message_id
    assert found.tags == ("newsletter-48", "Grüße")
    assert found.metadata == {"order": "17", "café": "ü"}
    assert (found.track_opens, found.track_clicks, found.stream) == (False, True, "broadcast")
    assert found.provider_options == everything.provider_options
    assert found.date == everything.date
    assert found.inline_attachments[0].cid == everything.inline_attachments[0].cid
    assert found.attachments[0].data == b"\0\1"
    assert found.envelope() == everything.envelope()


def test_json_of_a_message_without_from() -> None:
    """The identity is fixed before the From is known."""
    message = Message(text="x")

    found = Message.from_dict(message.to_dict())

    from_addr = Address("ann@example.com")
    expect = message.completed(from_addr=from_addr).message_id
    assert found.completed(from_addr=from_addr).message_id == expect


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"version": None}, {"subject": "a\nb"}, {"to": [["", "nobody"]]},
     {"to": 1}, {"made": {}}, {"date": "x"}, {"attachments": [{}]},
     {"attachments": [{"base64": "!", "filename": None, "mimetype": "a/b", "cid": "",
                       "cid_given": False}]}],
)  # fmt: skip
def test_damaged_json(change: dict[str, t.Any]) -> None:
    """Data that to_dict() did not return is a MessageError."""
    with pytest.raises(MessageError):
        Message.from_dict({**Message(text="x").to_dict(), **change})


LEFT = "0123456789abcdef" * 2
PLAIN: dict[str, t.Any] = {
    "text": "x", "filename": None, "mimetype": "text/plain", "cid": "a@b", "cid_given": True,
}  # fmt: skip


DAMAGE: dict[str, list[t.Any]] = {
    "made": [[], None, "left"],
    "given": [None, "date", ["subject"], [[]], 5],
    "from_addr": ["a", "ab", [], [1, 2], ["", ""], {}, 5, ""],
    "envelope_sender": ["a", [None, "a@b.c"], 5],
    "to": ["ab", ["ab"], [[None, "a@b.c"]], [5], {"a": "b"}, None],
    "headers": [5, "x", [["a"]]],
    "date": [5, None, "2026-11-20T14:05:06"],
    "attachments": [5, ["x"], [None]],
    "alternatives": ["x"],
    "metadata": [5, "x", [["a", "b"]], {"a": 5}, {"a": "b\nc"}, {"": "b"}],
    "track_opens": [1, "true", []],
    "stream": [5, "", ["a"]],
    "provider_options": [5, "x", {"postmark": 5}, {"Post Mark": {}}, [["postmark", {}]]],
}
LEFTS: list[t.Any] = ["x> y", "a\r\nBcc: x@y.z", 5, None, "", LEFT.upper(), LEFT + "\n"]
ATTACHED: list[dict[str, t.Any]] = [
    *({"file": file} for file in ([5, "a", None, None], ["x", 1], ["x", 1, 2, True])),
    *({"file": file} for file in ("abcd", None, 5)),
    {"text": 5}, {"base64": 5}, {"base64": "\xe4"}, {"filename": 5}, {"mimetype": 5},
    {"cid": "x>\r\nBcc: y", "cid_given": False}, {"cid": 5},
]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, value) for field, values in DAMAGE.items() for value in values),
        *(("made", {"left": left}) for left in LEFTS),
        *(("attachments", [{**PLAIN, **item}]) for item in ATTACHED),
    ],
    ids=repr,
)
def test_any_damage(field: str, value: object) -> None:
    """Each kind of damaged data is a MessageError and no other error."""
    with pytest.raises(MessageError):
        Message.from_dict({**Message(text="x").to_dict(), field: value})


def test_json_of_an_earlier_release() -> None:
    """A message that waits in a queue of the app, without the fields that were added since, is
    read."""
    whole = Message(text="x").to_dict()
    added = ("metadata", "track_opens", "track_clicks", "stream", "provider_options", "unsubscribe")
    data = {name: value for name, value in whole.items() if name not in added}

    assert Message.from_dict(data) == Message.from_dict(whole)


@pytest.mark.parametrize("data", [[], None, "x", 5, [("version", 1)]], ids=repr)
def test_json_of_something_else(data: t.Any) -> None:
    """A value other than a mapping is a MessageError."""
    with pytest.raises(MessageError, match="to_dict, in version 1"):
        Message.from_dict(data)


def test_missing_json() -> None:
    """A missing field is damage too."""
    data = Message().to_dict()
    del data["subject"]

    with pytest.raises(MessageError, match="damaged"):
        Message.from_dict(data)


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_copies(everything: Message, again: t.Callable[[Message], Message]) -> None:
    """A copy, and an unpickled message, is the same mail."""
    found = again(everything)

    assert found == everything
    assert found.message_id == everything.message_id
    assert found.to.named == everything.to.named
