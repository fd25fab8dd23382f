"""The header fields of the standard library's messages, as they are in there.

A message that was parsed, and a legacy one, has the wire form of its fields: folded, in encoded
words. An ``EmailMessage`` that a program has built has their text. Both are read from the
raw items, because asking the message for a field runs the standard library's parser.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Iterable
from collections.abc import Mapping

from ...errors import MessageError
from ...text.checks import CONTROLS
from ...text.checks import shorten

if t.TYPE_CHECKING:
    from email.message import Message

# https://www.rfc-editor.org/rfc/rfc5322#section-2.2
_NAME = re.compile(r"[!-9;-~]{1,200}\Z")
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """A field of a message of the standard library.

    :param lines: Its value: the lines of the wire form, or one line of text.
    :param wire: Whether it is in wire form.
    :param built: What is no string in wire form: a header object of a policy, a legacy Header.
    """

    name: str
    lines: tuple[str, ...]
    wire: bool
    built: object = None

    @property
    def key(self) -> str:
        """The name without case."""
        return self.name.lower()

    @property
    def parameters(self) -> Mapping[str, str] | None:
        """Those of a Content-Type or Content-Disposition that a program has built."""
        found = getattr(self.built, "params", None)
        return found if isinstance(found, Mapping) else None

    @property
    def value(self) -> str:
        """The value, unfolded (RFC 5322 section 2.2.3)."""
        return "".join(self.lines).strip(" \t")


def read_fields(message: Message) -> list[Source]:
    """Read all fields of a message or a part, in order.

    :raises MessageError: for a name or a value that cannot be in a header.
    """
    return [read(name, value) for name, value in message.raw_items()]


def parts_of(message: Message) -> list[Message] | None:
    """Return the parts of a multipart, or what is in a ``message/...``; None of another part."""
    # get_payload() of a text would decode it, by whatever its charset says.
    return t.cast("list[Message]", message.get_payload()) if message.is_multipart() else None


def first(fields: Iterable[Source], name: str) -> Source | None:
    """Return the first field of that name, which is in lower case."""
    return next((field for field in fields if field.key == name), None)


def read(name: object, value: object) -> Source:
    """Read one field.

    :raises MessageError: for a name or a value that cannot be in a header.
    """
    if not isinstance(name, str) or not _NAME.match(name):
        raise MessageError(f"The message has a field with the name {shorten(name)}.")
    built = not isinstance(value, str) or hasattr(value, "fold")
    text = _decoded(name, str.__str__(value) if isinstance(value, str) else str(value))
    lines = tuple(_LINE_END.split(text))
    if not all(line[:1] in ("", " ", "\t") for line in lines[1:]):
        raise MessageError(
            f"The field {name} has a line break that is no folding: {shorten(text)}."
        )
    for line in lines:
        if found := CONTROLS.search(line):
            raise MessageError(
                f"The field {name} has the control character {found[0]!r}: {shorten(line)}."
            )
    return Source(name, lines, not built and text.isascii(), value if built else None)


def _decoded(name: str, text: str) -> str:
    """Octets above 127 of a parsed message are lone surrogates; UTF-8 is what they may be."""
    try:
        return text.encode("ascii", "surrogateescape").decode() if not text.isascii() else text
    except UnicodeEncodeError:
        return text  # text that was set by a program; what is wrong in it is found by its reader
    except UnicodeDecodeError:
        raise MessageError(
            f"The field {name} has octets that are no UTF-8: {shorten(text)}."
        ) from None
