"""Secrets, masked where a server repeats them: some repeat a command that they did not understand.

A server may repeat a secret as it was sent, in base64, percent-encoded, cut off, or split over the
lines of a reply. So its text is searched without white space, and again percent-decoded. A secret
that is found is masked in the original text.
"""

from __future__ import annotations

import base64
import json
import re
import typing as t
import urllib.parse
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from ..secret import Secret
from .quoting import escape

# Octets: a shorter form of a secret would be found in any text.
_FOUND = 4
# If the rest of a form has been cut off, so many of its first octets are enough to find it.
_BEGINNING = 8
# A secret of so many octets is a token. The first half of a token is in no text by chance, but the
# first eight octets of a password may be.
_LONG = 32
_CODE = r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?: |\Z)"
_PERCENT = rb"%[0-9A-Fa-f]{2}"
# RFC 4648 section 5
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_Place: t.TypeAlias = "tuple[bytes, list[tuple[int, int]]]"


class Echoes:
    """The secrets of a session, in all forms in which a server may repeat them.

    :param secrets: Passwords and tokens.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._plain: dict[bytes, None] = {}
        # In lower case: base64 in another case would still help to guess the secret.
        self._encoded: dict[bytes, None] = {}
        for secret in secrets:
            self.add(secret)

    def add(self, secret: Secret) -> None:
        """Add a secret: as it is, in JSON, in an HTML form, and in base64."""
        for octets in _as_text(secret.octets()):
            if len(octets) >= _FOUND:
                self._plain[octets] = None
        for before in range(3):
            self._know(_in_base64(secret.octets(), before))

    def add_line(self, line: Secret) -> None:
        """Add a line of base64 that is about to be sent."""
        self._know(line.octets())

    def _know(self, encoded: bytes) -> None:
        for form in (encoded, encoded.translate(_URL_SAFE)):
            if len(form) >= _FOUND:
                self._encoded[form.lower()] = None

    def hide(self, lines: Sequence[str]) -> list[str]:
        """Mask the secrets in the lines of one text. A secret may be split over lines.

        :param lines: Escaped. The enhanced codes at their start are not part of the text.
        """
        starts = [found.end() if (found := re.match(_CODE, line)) else 0 for line in lines]
        text = "".join(line[start:] for line, start in zip(lines, starts, strict=True))
        text = "".join(text.split())
        hidden: set[tuple[int, int]] = set()
        if self._may_be_in(text.encode()):
            hidden |= self._found(_places(lines, starts))
        if "%" in text and self._may_be_in(b"".join(urllib.parse.unquote_to_bytes(text).split())):
            hidden |= self._found(_decoded(_places(lines, starts)))
        return [_masked(number, line, hidden) for number, line in enumerate(lines)]

    def _may_be_in(self, octets: bytes) -> bool:
        lower = octets.lower()
        return any(form[: _least(form)] in octets for form in self._plain) or any(
            form[:_BEGINNING] in lower for form in self._encoded
        )

    def _found(self, places: list[_Place]) -> set[tuple[int, int]]:
        octets = b"".join(place[0] for place in places)
        lower = octets.lower()
        spans = [span for form in self._plain for span in _spans(form, _least(form), octets)]
        spans += [span for form in self._encoded for span in _spans(form, _BEGINNING, lower)]
        # A character may have several octets.
        of_octet = [place for place in places for _ in place[0]]
        return {
            where for start, end in spans for place in of_octet[start:end] for where in place[1]
        }

    def __bool__(self) -> bool:
        return bool(self._plain or self._encoded)

    def __repr__(self) -> str:
        return f"<Echoes {len(self._plain) + len(self._encoded)} forms>"


def _as_text(octets: bytes) -> Iterator[bytes]:
    """Yield the ways to write a secret, without white space."""
    text = octets.decode("utf-8", "backslashreplace")
    yield b"".join(octets.split())
    for written in (
        escape(octets),
        text.replace(" ", "+"),
        json.dumps(text, ensure_ascii=False)[1:-1],
        json.dumps(text)[1:-1],
    ):
        yield "".join(written.split()).encode(errors="backslashreplace")


def _places(lines: Sequence[str], starts: Sequence[int]) -> list[_Place]:
    """Return the characters of a text without its white space, and their positions."""
    return [
        (line[column].encode(), [(number, column)])
        for number, (line, start) in enumerate(zip(lines, starts, strict=True))
        for column in range(start, len(line))
        if not line[column].isspace()
    ]


def _decoded(places: list[_Place]) -> list[_Place]:
    """Return the same percent-decoded."""
    found: list[_Place] = []
    at = 0
    while at < len(places):
        width = 1
        octets = b"".join(place[0] for place in places[at : at + 3])
        if re.fullmatch(_PERCENT, octets):
            width, octets = 3, bytes.fromhex(octets[1:].decode())
        else:
            octets = places[at][0]
        if octets.strip():
            found.append((octets, [w for place in places[at : at + width] for w in place[1]]))
        at += width
    return found


def _least(form: bytes) -> int:
    """Return how many of the first octets of a plain secret are enough to find it."""
    return len(form) if len(form) < _LONG else _LONG // 2


def _spans(form: bytes, least: int, octets: bytes) -> Iterator[tuple[int, int]]:
    """Yield the positions of a form, or of at least so many of its first octets, none twice.

    In a secret that repeats itself, the next one may begin. This takes linear time (Knuth, Morris
    and Pratt), because a client may choose both the secret and the text.
    """
    least = min(least, len(form))
    begins = octets.find(form[:least])
    if begins < 0:
        return
    shorter = _borders(form)
    length = known = 0
    for end, octet in enumerate(octets[begins:], begins + 1):
        length = _longer(form, shorter, length, octet)
        if length >= least:
            yield max(end - length, known), end
            known = end


def _borders(form: bytes) -> list[int]:
    """Return, for each number of the first octets of a form, how many of its last are also its
    first: the next shorter beginning that may still match."""
    shorter = [0, 0]
    for octet in form[1:]:
        shorter.append(_longer(form, shorter, shorter[-1], octet))
    return shorter


def _longer(form: bytes, shorter: Sequence[int], length: int, octet: int) -> int:
    """Return how many of the first octets of a form end with this one, of which *length* ended
    before it."""
    while length == len(form) or form[length] != octet:
        if not length:
            return 0
        length = shorter[length]
    return length + 1


def _in_base64(octets: bytes, before: int) -> bytes:
    """Return the base64 of *octets* after so many others: only the characters that they alone
    determine."""
    encoded = base64.b64encode(bytes(before) + octets)
    return encoded[-(-8 * before // 6) : 8 * (before + len(octets)) // 6]


def _masked(number: int, line: str, hidden: Collection[tuple[int, int]]) -> str:
    shown = []
    for column, character in enumerate(line) if hidden else ():
        if (number, column) not in hidden:
            shown.append(character)
        elif (number, column - 1) not in hidden:
            shown.append("***")
    return "".join(shown) if hidden else line
