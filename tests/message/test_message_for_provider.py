"""The fields of a message that only a provider reads."""

from __future__ import annotations

import copy
import pickle
import typing as t

import pytest

from flask_mailhandler import Message
from flask_mailhandler import MessageError


class Lazy:
    """A lazy string."""

    def __str__(self) -> str:
        return "Grüße"

    def encode(self) -> bytes:
        return str(self).encode()

    def format(self) -> str:
        return str(self)


OPTIONS = {"postmark": {"InlineCss": True, "List": [1, 2.5, None, {"a": "b"}]}, "ses": {}}
FROZEN = {"postmark": {"InlineCss": True, "List": (1, 2.5, None, {"a": "b"})}, "ses": {}}


@pytest.mark.parametrize(
    ("field", "given", "read"),
    [
        ("metadata", None, {}),
        ("metadata", {}, {}),
        ("metadata", {"order": "17", "empty": ""}, {"order": "17", "empty": ""}),
        ("metadata", {"a b": Lazy()}, {"a b": "Grüße"}),
        ("track_opens", None, None),
        ("track_opens", False, False),
        ("track_clicks", True, True),
        ("stream", None, None),
        ("stream", "broadcast", "broadcast"),
        ("stream", Lazy(), "Grüße"),
        ("provider_options", None, {}),
        ("provider_options", OPTIONS, FROZEN),
        (
            "provider_options",
            {"acme-2": {"text": "two\nlines"}},
            {"acme-2": {"text": "two\nlines"}},
        ),
    ],
)
def test_read(field: str, given: t.Any, read: object) -> None:
    """Each field gives back what was passed, and its default if None was."""
    fields: t.Any = {field: given}

    assert getattr(Message(**fields), field) == read


def endless() -> dict[str, t.Any]:
    """Return a mapping that contains itself."""
    found: dict[str, t.Any] = {}
    found["again"] = [found]
    return found


@pytest.mark.parametrize(
    ("field", "given", "said"),
    [
        ("metadata", "order", "metadata takes a mapping, such as"),
        ("metadata", [("a", "b")], "metadata takes a mapping, such as"),
        ("metadata", {1: "a"}, "names of up to 100 characters"),
        ("metadata", {"": "a"}, "not blank"),
        ("metadata", {" ": "a"}, "not blank"),
        ("metadata", {"x" * 101: "a"}, "up to 100"),
        ("metadata", {"a\r\nBcc: b": "c"}, "metadata has the control character"),
        ("metadata", {"order": 17}, r"'order' is 17: write str\(...\)"),
        ("metadata", {"order": None}, "'order' is None"),
        ("metadata", {"order": b"17"}, "'order' is b'17'"),
        ("metadata", {"order": ["17"]}, "'order' is "),
        ("metadata", {"order": "a\r\nBcc: b"}, r"metadata\['order'\] has the control character"),
        ("metadata", {"order": "a\0"}, r"metadata\['order'\] has the control character"),
        ("metadata", {"order": "\ud800"}, r"metadata\['order'\] has the control character"),
        ("track_opens", 1, "track_opens takes True, False or None, not 1"),
        ("track_clicks", "HtmlOnly", "track_clicks takes True, False or None"),
        ("stream", "", "'broadcast', not ''"),
        ("stream", 5, "stream takes strings"),
        ("stream", ["a"], "stream takes strings"),
        ("stream", "a\nb", "stream has the control character"),
        ("provider_options", [], "provider_options takes a mapping, such as {'postmark'"),
        ("provider_options", {"Postmark": {}}, "in lower case"),
        ("provider_options", {"": {}}, "in lower case"),
        ("provider_options", {1: {}}, "in lower case"),
        ("provider_options", {"ses": "x"}, r"provider_options\['ses'\] takes a mapping"),
        ("provider_options", {"ses": {1: 2}}, "takes strings as names, not 1"),
        ("provider_options", {"ses": {"a": b"x"}}, r"\['a'\] takes what JSON has"),
        ("provider_options", {"ses": {"a": [{1}]}}, r"\['a'\] takes what JSON has"),
        ("provider_options", {"ses": {"a": float("nan")}}, "what JSON has"),
        ("provider_options", {"ses": {"a": float("-inf")}}, "what JSON has"),
        ("provider_options", {"ses": {"a": 10**5000}}, "what JSON has"),
        ("provider_options", {"ses": {"a": "\ud800"}}, "cannot be written as UTF-8"),
        ("provider_options", {"ses": {"\ud800": "a"}}, "cannot be written as UTF-8"),
        ("provider_options", {"ses": endless()}, "nested deeper than 20 levels"),
    ],
)
def test_refused(field: str, given: object, said: str) -> None:
    """A wrong value raises an error on the line that sets it, with what to write instead."""
    fields: t.Any = {field: given}

    with pytest.raises(MessageError, match=said) as caught:
        Message(**fields)

    assert len(str(caught.value)) < 500


def test_they_do_not_change() -> None:
    """The message has copies of what it was given, which cannot be changed, and are equal and
    hashable as values are."""
    metadata, options = {"order": "17"}, {"postmark": {"List": [{"a": "b"}]}}
    message = Message(metadata=metadata, provider_options=options)
    metadata["order"] = "18"
    options["postmark"]["List"][0]["a"] = "c"

    assert message.metadata == {"order": "17"}
    assert message.provider_options == {"postmark": {"List": ({"a": "b"},)}}
    for mapping in (message.metadata, message.provider_options["postmark"]):
        writable: t.Any = mapping
        with pytest.raises(TypeError):
            writable["order"] = "18"
        with pytest.raises(AttributeError, match="write message = message"):
            writable.order = "18"
        assert hash(mapping) == hash(copy.deepcopy(mapping))
        assert pickle.loads(pickle.dumps(mapping)) == mapping


def test_a_copy_has_them() -> None:
    """replace() keeps the fields, and changes those that it is given."""
    message = Message(metadata={"a": "b"}, track_opens=False, stream="news")

    copied = message.replace(metadata=None, track_clicks=True)

    assert message.replace() == message
    assert copied != message
    assert (copied.metadata, copied.track_opens, copied.track_clicks) == ({}, False, True)
    assert copied.stream == "news"
    assert message.completed(tags=["x"]).metadata == {"a": "b"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [("esp_extra", "provider_options="), ("message_stream", "stream="), ("categories", "tags=")],
)
def test_other_names(name: str, hint: str) -> None:
    """The error for another library's name gives ours."""
    fields: t.Any = {name: "x"}
    with pytest.raises(TypeError, match=hint):
        Message(**fields)
