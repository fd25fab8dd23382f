"""The bodies of the standard library's messages, in 7-bit lines that end with CRLF.

Each part keeps its structure, and is written as a whole, without the CRLF before a delimiter. A
signed part is passed on to ``signed_body``.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Sequence

from ...errors import MessageError
from ...text.lines import has_long_line
from ..header_block import header_block
from ..parameters import with_parameters
from ..part import Boundaries
from ..transfer import base64_lines
from ..transfer import encode_safely
from . import signed_body
from .header import write
from .source import first
from .source import parts_of
from .source import read_fields
from .source import Source

if t.TYPE_CHECKING:
    from email.message import Message
    from email.policy import Policy

_DEPTH = 50
_ENCODED_LINE = 76
_IDENTITY = ("7bit", "8bit", "binary")
# Octets that a 7-bit line may hold (RFC 2045 section 2.7), and LF.
_SEVEN_BIT = bytes(octet for octet in range(1, 128) if octet != 13)


@dataclasses.dataclass(frozen=True, slots=True)
class Body:
    """A body in wire form, and the fields that describe it.

    :param octets: The body in pieces.
    :param encoding: The new Content-Transfer-Encoding, or None to keep that of the message.
    :param content_type: The whole new field, if a boundary had to be made.
    :param eightbit: Whether the body has octets above 127, in a signed part.
    """

    octets: Sequence[bytes]
    encoding: str | None = None
    content_type: str | None = None
    eightbit: bool = False


def read_body(message: Message, fields: Sequence[Source], built: bool, depth: int = 0) -> Body:
    """Write the body of a message or a part.

    :param fields: The fields of the message or part.
    :param built: Whether a program has built it, see :func:`is_built`.
    :raises MessageError: if it cannot be sent in 7 bits without changing its meaning.
    """
    if depth > _DEPTH:
        raise MessageError(f"The message has parts nested deeper than {_DEPTH}.")
    kind = content_type(message, fields)
    parts = parts_of(message)
    if kind == "multipart/signed":
        octets = signed_body.unchanged(message, built)
        return _composite(fields, [octets], not octets.isascii())
    if parts is None and kind.startswith("message/"):
        parts = [parse(signed_body.octets(message))]
    if parts is None:
        return _leaf(message, kind, encoding_of(fields))
    if not parts:
        raise MessageError(f"The message has an empty {kind} (RFC 2046).")
    if not kind.startswith("message/"):
        return _multipart(message, fields, parts, built, depth)
    if encoding_of(fields) not in _IDENTITY:
        raise MessageError(
            f"A {kind} part may not be in {encoding_of(fields)} (RFC 2046 section 5.2.1):"
            " attach the message itself."
        )
    if kind == "message/delivery-status":
        return _delivery_status(parts)
    whole, eightbit = whole_message(parts[0], built and is_built(parts[0]), depth + 1)
    return _composite(fields, whole, eightbit)


def whole_message(message: Message, built: bool, depth: int = 0) -> tuple[list[bytes], bool]:
    """Write a message or part with its header. Nothing is added or left out.

    :returns: The octets in pieces, and whether some are above 127.
    """
    fields = read_fields(message)
    body = read_body(message, fields, built, depth)
    written = described([(field, write(field)) for field in fields], body)
    if not all(map(str.isascii, written)):
        raise MessageError(
            "An attached message has an address that is not ASCII: send that message by itself."
        )
    return [header_block(written), *body.octets], body.eightbit


def is_built(message: Message) -> bool:
    """Return whether a program has built the message. A parsed one has an epilogue, even an empty
    one, if a line end follows its last delimiter."""
    return message.epilogue is None


def described(fields: Sequence[tuple[Source, str]], body: Body) -> list[str]:
    """Return the written fields, with those that describe the body replaced or added."""
    changed = {
        "content-transfer-encoding": body.encoding
        and f"Content-Transfer-Encoding: {body.encoding}",
        "content-type": body.content_type,
    }
    written = []
    for field, text in fields:
        replaced = changed.pop(field.key, None) if field.key in changed else None
        written.append(replaced or text)
    return written + [text for text in changed.values() if text]


def content_type(message: Message, fields: Sequence[Source]) -> str:
    """Return ``type/subtype`` in lower case, or the default for the place of the part."""
    field = first(fields, "content-type")
    found = field.value.partition(";")[0].strip().lower() if field else ""
    if re.fullmatch(r"[^\s/]+/[^\s/]+", found):
        return found
    if parts_of(message) is not None:
        # https://www.rfc-editor.org/rfc/rfc2046#section-5.1.7
        return "multipart/mixed" if message.get_default_type() != "message/rfc822" else found
    return "text/plain"


def encoding_of(fields: Sequence[Source]) -> str:
    """Return the transfer encoding in lower case."""
    field = first(fields, "content-transfer-encoding")
    return (field.value.strip().lower() if field else "") or "7bit"


def _composite(fields: Sequence[Source], octets: Sequence[bytes], eightbit: bool) -> Body:
    # https://www.rfc-editor.org/rfc/rfc2045#section-6.4: only 7bit, 8bit or binary
    needed = "8bit" if eightbit else "7bit"
    return Body(octets, None if encoding_of(fields) == needed else needed, None, eightbit)


def _multipart(
    message: Message,
    fields: Sequence[Source],
    parts: Sequence[Message],
    built: bool,
    depth: int,
) -> Body:
    wholes = [whole_message(part, built, depth + 1) for part in parts]
    octets = [b"".join(whole) for whole, _ in wholes]
    boundary = message.get_boundary()
    made = None
    if boundary is None:
        boundary = Boundaries(b"".join(octets), octets).next()
        made = _with_boundary(fields, boundary)
    elif _is_in(boundary, octets):
        raise MessageError(
            f"The message has a line that reads as its boundary {boundary!r}: leave the boundary"
            " out, and another is made."
        )
    delimiter = f"--{boundary}".encode("ascii", "replace")
    body = [] if message.preamble is None else [_around(message.preamble), b"\r\n"]
    for whole in octets:
        body += (delimiter, b"\r\n", whole, b"\r\n")
    body += (delimiter, b"--")
    if message.epilogue is not None:
        body += (b"\r\n", _around(message.epilogue))
    found = _composite(fields, body, any(eightbit for _, eightbit in wholes))
    return dataclasses.replace(found, content_type=made)


def _with_boundary(fields: Sequence[Source], boundary: str) -> str:
    field = first(fields, "content-type")
    value = field.value.rstrip("; \t") if field else "multipart/mixed"
    if field and field.parameters is not None:
        given = [*field.parameters.items(), ("boundary", boundary)]
        return with_parameters("Content-Type", value.partition(";")[0], given)
    return with_parameters("Content-Type", value, [("boundary", boundary)])


def _is_in(boundary: str, parts: Sequence[bytes]) -> bool:
    delimiter = re.compile(rb"^--" + re.escape(boundary.encode()) + rb"(?:--)?[ \t]*\r?$", re.M)
    return any(delimiter.search(part) for part in parts)


def _around(text: str) -> bytes:
    """Write a preamble or epilogue, which no reader shows. One that needs encoding is left out."""
    octets = _lines(text.encode("ascii", "replace"))
    if has_long_line(octets) or octets.translate(None, _SEVEN_BIT):
        return b""
    return octets.replace(b"\n", b"\r\n")


def _delivery_status(blocks: Sequence[Message]) -> Body:
    """Write groups of fields without text (RFC 3464 section 2.1)."""
    groups = [header_block([write(field) for field in read_fields(block)]) for block in blocks]
    return Body([b"".join(groups)])


def _leaf(message: Message, kind: str, encoding: str) -> Body:
    octets = signed_body.octets(message)
    lines = _lines(octets)
    safe = not lines.translate(None, _SEVEN_BIT) and not has_long_line(lines)
    if encoding in _IDENTITY:
        if safe and (encoding != "binary" or lines == octets):
            return Body([lines.replace(b"\n", b"\r\n")], None if encoding == "7bit" else "7bit")
        return _encoded(message, kind, octets)
    known = encoding in ("base64", "quoted-printable")
    # https://www.rfc-editor.org/rfc/rfc2045#section-6.7: lines of up to 76
    if safe and (not known or max(map(len, lines.split(b"\n"))) <= _ENCODED_LINE):
        return Body([lines.replace(b"\n", b"\r\n")])
    if not known:
        raise MessageError(f"The message has a part in {encoding!r} that is not 7-bit.")
    return _encoded(message, kind, t.cast(bytes, message.get_payload(decode=True)))


def _encoded(message: Message, kind: str, octets: bytes) -> Body:
    """Write a part in the transfer encoding that suits it."""
    if kind.startswith("text/") and _is_ascii_like(message):
        lines = _lines(octets)
        # Quoted-printable would show a line that begins as a delimiter does.
        if not lines.startswith(b"--") and b"\n--" not in lines:
            chosen, encoded = encode_safely(lines)
            return Body([encoded.removesuffix(b"\r\n")], chosen)
        octets = lines.replace(b"\n", b"\r\n")
    return Body([b"".join(base64_lines(octets)).removesuffix(b"\r\n")], "base64")


def _lines(octets: bytes) -> bytes:
    return octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _is_ascii_like(message: Message) -> bool:
    """Return whether CR and LF are line ends in the charset of the text."""
    charset = message.get_content_charset() or "us-ascii"
    try:
        return "\r\n".encode(charset) == b"\r\n"
    except (LookupError, UnicodeError):  # the charset "undefined" raises for any text
        return False


def parse(octets: bytes, policy: Policy[t.Any] | None = None) -> Message:
    """Read a message with the standard library.

    :raises MessageError: if messages are nested deeper than its parser can follow.
    """
    import email.policy

    policy = policy or email.policy.default
    try:
        if getattr(policy, "utf8", False) and octets.partition(b"\r\n\r\n")[2].isascii():
            # Parsed from octets, fields would hold surrogates, which as_string() would encode.
            return email.message_from_string(octets.decode(), policy=policy)
        return email.message_from_bytes(octets, policy=policy)
    except RecursionError:
        raise MessageError("The message has messages nested too deep to be read.") from None
