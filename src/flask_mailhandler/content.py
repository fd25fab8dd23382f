"""The octets of a message, as they are sent, before dot-stuffing."""

from __future__ import annotations

import io
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence

from .errors import MessageError


class Piece(t.Protocol):
    """A part of the content that is produced while it is read, such as a file in base64."""

    @property
    def size(self) -> int:
        """The number of octets that reading it yields, known in advance."""
        ...

    def __iter__(self) -> Iterator[bytes]: ...


class Content:
    """The content of one message (RFC 5321 section 2.3.1): CRLF lines, ready for any handler.

    It can be read any number of times and yields the same octets each time: a retry, the next batch
    of recipients and a copy in a folder all use the same object.

    .. code-block:: python

        for octets in job.content:
            file.write(octets)

    :param pieces: Octets, and :class:`Piece` objects for parts that are read while they are sent.
    :param smtputf8: Whether the header block has raw UTF-8 (RFC 6531), which only a server with
        SMTPUTF8 accepts.
    :param eightbit: Whether the body has octets above 127 (RFC 6152), which only a server with
        8BITMIME accepts.
    :param rewrite: A function that encodes such octets in 7 bits. It raises a
        :class:`.MessageError` if they must not change.
    """

    __slots__ = ("_pieces", "_rewrite", "eightbit", "size", "smtputf8")

    def __init__(
        self,
        pieces: bytes | Sequence[bytes | Piece],
        *,
        smtputf8: bool = False,
        eightbit: bool = False,
        rewrite: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._pieces: tuple[bytes | Piece, ...] = (
            (pieces,) if isinstance(pieces, bytes) else tuple(pieces)
        )
        self.size: int = (
            len(pieces)
            if isinstance(pieces, bytes)
            else sum(len(one) if isinstance(one, bytes) else one.size for one in self._pieces)
        )
        """The number of octets, including CRLF, before dot-stuffing: the SIZE of RFC 1870."""
        self.smtputf8: bool = smtputf8
        self.eightbit: bool = eightbit
        self._rewrite = rewrite

    def in_seven_bits(self) -> Content | None:
        """Return the same content in 7 bits, for a server without 8BITMIME.

        Return None if the content is signed or has raw UTF-8 in its header.
        """
        if not self.eightbit:
            return self
        if self.smtputf8 or self._rewrite is None:
            return None
        try:
            return Content(self._rewrite(bytes(self)))
        except MessageError:
            return None

    def rewritten(self, by: Callable[[Content], Content | None]) -> Content | None:
        """Return what *by* makes of this content, for a server that needs another form of it.

        A content that a handler has signed passes the unsigned octets to *by*, and signs the
        result.
        """
        return by(self)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the octets in pieces.

        :raises MessageError: if a file has changed since it was attached.
        """
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                yield from piece

    def __bytes__(self) -> bytes:
        if len(self._pieces) == 1 and isinstance(self._pieces[0], bytes):
            return self._pieces[0]
        # Joining would keep all pieces in memory along with the result. This buffer has its final
        # size from the start, and getvalue() does not copy it.
        buffer = io.BytesIO(bytes(self.size))
        for octets in self:
            buffer.write(octets)
        return buffer.getvalue()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Content) and bytes(self) == bytes(other)

    __hash__: t.ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        marks = (" smtputf8" if self.smtputf8 else "") + (" 8bit" if self.eightbit else "")
        return f"<Content {self.size} octets{marks}>"
