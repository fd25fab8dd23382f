"""The header fields of a standard library message, as they are in it.

A parsed message and a legacy one hold their fields in wire form: folded, in encoded words. An
``EmailMessage`` that a program has built holds text. Both are read from the raw items, because
asking the message for a field runs the standard library's parser.
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
    """A field of a standard library message.

    :param lines: The value: the lines of the wire form, or one line of text.
    :param wire: Whether it is in wire form.
    :param built: A value that is not a string in wire form: a header object of a policy, or a
        legacy Header.
    """

    name: str
    lines: tuple[str, ...]
    wire: bool
    built: object = None

    @property
    def key(self) -> str:
        """The name in lower case."""
        return self.name.lower()

    @property
    def parameters(self) -> Mapping[str, str] | None:
        """The parameters of a Content-Type or Content-Disposition that a program has built."""
        found = getattr(self.built, "params", None)
        return found if isinstance(found, Mapping) else None

    @property
    def value(self) -> str:
        """The value, unfolded (RFC 5322 section 2.2.3)."""
        return "".join(self.lines).strip(" \t")


def read_fields(message: Message) -> list[Source]:
    """Read all fields of a message or a part, in order.

    :raises MessageError: for a name or a value that a header cannot have.
    """
    return [read(name, value) for name, value in message.raw_items()]


def parts_of(message: Message) -> list[Message] | None:
    """Return the parts of a multipart, or those in a ``message/...``; None for another part."""
    # For a text, get_payload() would decode it in the charset that it names.
    return t.cast("list[Message]", message.get_payload()) if message.is_multipart() else None


def first(fields: Iterable[Source], name: str) -> Source | None:
    """Return the first field of a name, given in lower case."""
    return next((field for field in fields if field.key == name), None)


def read(name: object, value: object) -> Source:
    """Read one field.

    :raises MessageError: for a name or a value that a header cannot have.
    """
    if not isinstance(name, str) or not _NAME.match(name):
        raise MessageError(f"The message has a field with the name {shorten(name)}.")
    built = not isinstance(value, str) or hasattr(value, "fold")
    text = _decoded(name, str.__str__(value) if isinstance(value, str) else str(value))
    lines = tuple(_LINE_END.split(text))
    if not all(line[:1] in ("", " ", "\t") for line in lines[1:]):
        raise MessageError(
            f"The field {name} has a line break that is not folding: {shorten(text)}."
        )
    for line in lines:
        if found := re.search(CONTROLS, line):
            raise MessageError(
                f"The field {name} has the control character {found[0]!r}: {shorten(line)}."
            )
    return Source(name, lines, not built and text.isascii(), value if built else None)


def _decoded(name: str, text: str) -> str:
    """Decode the octets above 127 of a parsed message, which are lone surrogates, as UTF-8."""
    try:
        return text.encode("ascii", "surrogateescape").decode() if not text.isascii() else text
    except UnicodeEncodeError:
        return text  # a program has set this text; errors in it are found when it is read
    except UnicodeDecodeError:
        raise MessageError(
            f"The field {name} has octets that are not UTF-8: {shorten(text)}."
        ) from None
