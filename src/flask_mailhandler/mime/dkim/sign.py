"""Signs a content: reads it once, and puts the fields on top of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Sequence

from ...content import Content
from .author import author_domain
from .canonical import RelaxedBody
from .key import ED25519
from .key import Key
from .signature import signature_field
from .signed_fields import fields_of
from .signed_fields import signed_fields

_END = b"\r\n\r\n"
# A content up to this size is one piece.
_SMALL = 1 << 16


def sign(content: Content, keys: Sequence[Key], domain: str | None = None) -> Content:
    """Return the same content with a signature of each key on top: of RSA first, because some
    verifiers look at the topmost one only.

    The content is read once, in pieces. If the server needs it rewritten, in 7 bits or without
    UTF-8 in its header, it is rewritten from the unsigned octets, and signed again.

    .. code-block:: python

        signed = sign(render(message), [load_key("s2026", Secret(pem))], "example.com")

    :param domain: Of d=, in its ASCII form; if it is left out, that of the From.
    :raises MessageError: if its From has no domain and none was passed, or a file has changed.
    """
    block, body_hash = _read(content)
    fields = fields_of(block)
    domain = domain or author_domain(fields)
    names, chosen = signed_fields(fields)
    signed = b"".join([field + b"\r\n" for field in chosen])
    now = int(time.time())
    top = b"".join(
        signature_field(key, domain, now, names, signed, body_hash)
        for key in sorted(keys, key=lambda key: key.algorithm == ED25519)
    )
    return Signed(top, content, lambda changed: sign(changed, keys, domain))


class Signed(Content):
    """A content with its signatures on top."""

    __slots__ = ("_again", "_unsigned")

    def __init__(self, top: bytes, unsigned: Content, again: Callable[[Content], Content]) -> None:
        small = unsigned.size <= _SMALL
        super().__init__(
            top + bytes(unsigned) if small else [top, unsigned],
            smtputf8=unsigned.smtputf8,
            eightbit=unsigned.eightbit,
        )
        self._unsigned = unsigned
        self._again = again

    def rewritten(self, by: Callable[[Content], Content | None]) -> Content | None:
        """Rewrite the octets that were signed, and sign the result."""
        changed = by(self._unsigned)
        return None if changed is None else self._again(changed)

    def in_seven_bits(self) -> Content | None:
        """Return the same content in 7 bits, signed again."""
        return self.rewritten(Content.in_seven_bits) if self.eightbit else self


def _read(content: Content) -> tuple[bytes, bytes]:
    """Return the header block without the empty line, and the hash of the body."""
    body, block, pieces = RelaxedBody(), b"", iter(content)
    for octets in pieces:
        block += octets
        end = block.find(_END)
        if end >= 0:
            body.update(block, end + len(_END))
            block = block[:end]
            break
    for octets in pieces:
        body.update(octets)
    return block, body.digest()
