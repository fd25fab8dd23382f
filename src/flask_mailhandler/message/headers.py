"""Custom header fields: checked names and values."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from ..address import Address
from ..errors import MessageError
from ..text.checks import check_text
from ..text.checks import plain
from ..text.checks import shorten

if t.TYPE_CHECKING:
    from email.header import Header

HeaderValue: t.TypeAlias = "str | Header"
HeaderValues: t.TypeAlias = "HeaderValue | list[str] | list[Header]"
HeadersInput: t.TypeAlias = "Mapping[str, HeaderValues] | Iterable[tuple[str, HeaderValue]] | None"

# The patterns are compiled when they are used: few messages have header fields of their own.
# https://www.rfc-editor.org/rfc/rfc5322#section-2.2: printable US-ASCII except the colon. With 76
# characters, the name, its colon and a space fit into a line of 78.
_NAME = r"[!-9;-~]{1,76}\Z"

_WORD = 900

_ARGUMENTS = {
    "subject": "subject=",
    "from": "from_addr=",
    "reply-to": "reply_to=",
    "to": "to=",
    "cc": "cc=",
    "bcc": "bcc=",
    "resent-bcc": "bcc=",
    "date": "date=",
    "message-id": "message_id=",
    "return-path": "envelope_sender=",
    "mime-version": "nothing, it is always sent",
}

# https://www.rfc-editor.org/rfc/rfc5322#section-3.6.4: msg-id; the id is not folded or encoded.
MESSAGE_ID = r"<[!-;=?A-~]+@[!-;=?A-~]+>\Z"
# https://www.rfc-editor.org/rfc/rfc2369#section-2: <URI>, separated by commas. A URI begins with
# its scheme (RFC 3986 section 3.1), which in a web address is followed by a host.
_URI = r"<(?:https?://[!-.0-;=@-~]|(?!https?:)[a-z][a-z0-9+.-]*:)[!-;=?-~]*>"
_URI_LIST = rf"(?i:{_URI}(?:\s*,\s*{_URI})*\Z)"
ONE_CLICK = "List-Unsubscribe=One-Click"
# https://www.rfc-editor.org/rfc/rfc8058#section-3.1: HTTPS. On this machine, HTTP is as safe.
ONE_CLICK_URL = (
    r"(?i:<(?:https://|http://(?:[a-z0-9-]+\.)*localhost[:/>]|http://127\.0\.0\.1[:/>]))"
)


class Headers(Mapping[str, str]):
    """Header fields in the order in which you gave them.

    The case of a name does not matter. A repeated field gives its first value; :attr:`pairs` has
    all of them.

    .. code-block:: python

        message = message.replace(headers={"X-Order": "17"})
        assert message.headers["x-order"] == "17"

    :param fields: A mapping of names to values, or to lists of values, or (name, value) pairs.
    :raises MessageError: for a value that a header cannot have, and for a field that has its own
        argument, such as Subject.
    """

    __slots__ = ("pairs",)
    pairs: tuple[tuple[str, str], ...]

    def __init__(self, fields: HeadersInput = None) -> None:
        pairs = tuple(_check(name, value) for name, value in _flatten(fields))
        object.__setattr__(self, "pairs", pairs)
        _check_together(self)

    def __setattr__(self, name: str, value: object) -> t.NoReturn:
        raise AttributeError(
            "Headers do not change: write message = message.replace(headers={...})"
        )

    def __getitem__(self, name: str) -> str:
        for found, value in self.pairs:
            if found.lower() == name.lower():
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        first: dict[str, str] = {}
        for name, _ in self.pairs:
            first.setdefault(name.lower(), name)
        return iter(first.values())

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self.pairs})

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __eq__(self, other: object) -> bool:
        return self.pairs == other.pairs if isinstance(other, Headers) else super().__eq__(other)

    def __repr__(self) -> str:
        return f"Headers({list(self.pairs)!r})"

    def __reduce__(self) -> tuple[t.Any, ...]:
        return Headers, (self.pairs,)


def _flatten(fields: object) -> Iterator[tuple[object, object]]:
    if fields is None:
        return
    if isinstance(fields, Headers):
        yield from fields.pairs
    elif isinstance(fields, Mapping):
        for name, value in fields.items():
            for one in value if isinstance(value, list | tuple) else (value,):
                yield name, one
    elif isinstance(fields, str | bytes) or not isinstance(fields, Iterable):
        raise MessageError(f"headers takes a mapping of names to values, not {shorten(fields)}.")
    else:
        for pair in fields:
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise MessageError(f"headers takes (name, value) pairs, not {shorten(pair)}.")
            yield pair[0], pair[1]


def _check(name: object, value: object) -> tuple[str, str]:
    known = plain(name)
    if known is None or not re.match(_NAME, known):
        raise MessageError(
            f"headers has the name {shorten(name)}: a name is 1 to 76 printable ASCII"
            " characters except space and colon."
        )
    lower = known.lower()
    if lower in _ARGUMENTS:
        raise MessageError(f"headers cannot have {known!r}: write {_ARGUMENTS[lower]}.")
    if lower.startswith("content-"):
        raise MessageError(
            f"headers cannot have {known!r}: it is set from what the message contains."
        )
    if lower.startswith("resent-"):
        raise MessageError(
            f"headers cannot have {known!r}: to resend, pass the EmailMessage itself to send()."
        )
    text = plain(value)
    if text is None:
        raise MessageError(f"headers takes strings, and {known!r} is {shorten(value)}.")
    text = check_text(text, f"the header {known!r}").strip(" \t")
    if check := _SYNTAX.get(lower):
        check(known, text)
        # Ids and URLs are neither encoded nor split, and a line has at most 998 octets.
        if any(len(word) > _WORD for word in text.split()):
            raise MessageError(f"{known} has a part longer than {_WORD} characters.")
    return known, text


def _message_ids(name: str, value: str) -> None:
    if not all(re.match(MESSAGE_ID, part) for part in value.split()) or not value:
        raise MessageError(f"{name} takes Message-IDs like <left@right>, not {shorten(value)}.")


def _uri_list(name: str, value: str) -> None:
    if not re.match(_URI_LIST, value):
        raise MessageError(
            f"{name} takes complete URLs in angle brackets, '<https://...>, <mailto:...>', not"
            f" {shorten(value)}. For the URL of a page, write mail.url_for(...)."
        )


def _list_post(name: str, value: str) -> None:
    # https://www.rfc-editor.org/rfc/rfc2369#section-3.4: "NO", then a comment
    if value.partition(" ")[0].upper() != "NO":
        _uri_list(name, value)


def _address(name: str, value: str) -> None:
    Address(value, field=f"the header {name!r}")


_SYNTAX: dict[str, t.Callable[[str, str], None]] = {
    "sender": _address,
    "in-reply-to": _message_ids,
    "references": _message_ids,
    "list-unsubscribe": _uri_list,
    "list-subscribe": _uri_list,
    "list-help": _uri_list,
    "list-owner": _uri_list,
    "list-archive": _uri_list,
    "list-post": _list_post,
}
# https://www.rfc-editor.org/rfc/rfc5322#section-3.6 and RFC 2369, 2919, 8058: at most once
_ONCE = (*_SYNTAX, "list-unsubscribe-post", "list-id", "auto-submitted")


def _check_together(headers: Headers) -> None:
    names = [name.lower() for name, _ in headers.pairs]
    for name in _ONCE:
        if names.count(name) > 1:
            raise MessageError(f"headers has {name!r} more than once.")
    # https://www.rfc-editor.org/rfc/rfc8058#section-3.1
    if post := headers.get("List-Unsubscribe-Post"):
        urls = headers.get("List-Unsubscribe", "")
        if post != ONE_CLICK or len(re.findall(ONE_CLICK_URL, urls)) != 1:
            raise MessageError(
                f"List-Unsubscribe-Post must be {ONE_CLICK!r}, and List-Unsubscribe must have"
                f" exactly one https URL. They are {shorten(post)} and {shorten(urls)}."
            )
