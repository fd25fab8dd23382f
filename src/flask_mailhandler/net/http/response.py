"""The octets of a response (RFC 9112 sections 4, 5 and 6), read by the parser of ``http.client``.

The parser takes what it cannot read for something else: a wrong length for a body that ends with
the connection, a cut head for a whole one. Such a response is refused here.
"""

from __future__ import annotations

import dataclasses
import http.client
import re
import socket
import typing as t
import zlib
from collections.abc import Callable
from collections.abc import Mapping

# Octets of all heads together, and of the lines between chunks.
_MAX_HEADS = 1 << 18
_INTERIM = re.compile(rb"HTTP/1\.[0-9] (1[0-9]{2})(?: [^\r\n]*)?\r?\n(?:[^\r\n]+\r?\n)*\r?\n")
_INTERIM_BEGINS = re.compile(rb"HTTP/1\.[0-9] 1[0-9]{2}[ \r\n]")
_GZIP = ("gzip", "x-gzip")  # RFC 9110 section 8.4.1.3
_FOLD = re.compile(r"[ \t]*[\r\n]+[ \t]*")
# The octets after which it is known whether a response is interim.
_DECIDED = len(b"HTTP/1.1 100 ")


@dataclasses.dataclass(frozen=True)
class Response:
    """A server's response."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case; several of one name are joined with a comma."""
    body: bytes = dataclasses.field(repr=False)
    whole: bool = True
    """Whether the server had been given the whole request when it answered."""


class ResponseError(Exception):
    """The octets are not a response, or not one that can be used.

    :param text: In our own words, without anything that was received.
    """


class Octets:
    """The received octets, as the file that the parser reads from.

    :param receive: Returns the next octets, and no octets at the end.
    :param early: Octets that have been received already.
    :param most: The most octets to receive.
    """

    def __init__(self, receive: Callable[[], bytes], early: bytes, most: int) -> None:
        self._receive = receive
        self._buffer = bytearray(early)
        self._left = most
        self.ended: bool = False

    @property
    def unread(self) -> int:
        """The number of octets that have been received and not read."""
        return len(self._buffer)

    def makefile(self, mode: str) -> Octets:
        """Return the file to read from. A response asks its socket for it."""
        return self

    def readline(self, limit: int) -> bytes:
        """Return the octets up to a line feed, the limit, or the end.

        The parser keeps spaces at the end of a line, and a coding or a length with one is another
        for it. They are not part of a value (RFC 9112 section 5).
        """
        searched = 0
        while (end := self._buffer.find(b"\n", searched) + 1) == 0:
            searched = len(self._buffer)
            if searched >= limit or not self._more():
                end = searched
                break
        line = self._taken(min(end, limit))
        said = line.rstrip(b" \t\r\n")
        return said + b"\r\n" if said and line.endswith(b"\n") else line

    def read(self, size: int) -> bytes:
        """Return so many octets, or fewer at the end."""
        if size < 0:  # a chunk of such a size
            raise ResponseError("its response has a chunk with a wrong size")
        while len(self._buffer) < size and self._more():
            pass
        return self._taken(size)

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing: the next response comes from the same socket."""

    def _more(self) -> bool:
        if self._left <= 0:
            raise ResponseError("its response is too long; check the URL")
        received = b"" if self.ended else self._receive()
        self.ended = not received
        self._left -= len(received)
        self._buffer += received
        return bool(received)

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def read_response(
    receive: Callable[[], bytes], early: bytes, method: str, most: int, *, whole: bool
) -> tuple[Response, bool]:
    """Read the final response; interim ones (RFC 9110 section 15.2) are skipped.

    :param most: The most octets of its body.
    :return: The response, and whether the connection may be used for another request.
    :raises ResponseError: if it is not one.
    :raises OSError: if the connection breaks.
    """
    octets = Octets(receive, early, most + _MAX_HEADS)
    response = _final(octets, method)
    _check_length(response)
    try:
        body = response.read(most + 1)
    except (http.client.HTTPException, ValueError) as error:
        raise ResponseError(_not_http(error)) from None
    if len(body) > most:
        raise ResponseError(f"its response is longer than {most} octets; check the URL")
    if response.length:  # what is left of the announced length
        raise ResponseError("its response broke off")
    fields = _fields(response)
    if fields.get("content-encoding", "").lower() in _GZIP:
        body = _inflated(body, most)
    # The parser looks at the first Connection field only.
    closes = response.will_close or "close" in _words(fields.get("connection", ""))
    reusable = not (closes or octets.unread or octets.ended)
    return Response(response.status, fields, body, whole), reusable and whole


def _final(octets: Octets, method: str) -> http.client.HTTPResponse:
    # Not by an HTTPConnection: an app may have set its debuglevel, which prints the head.
    while True:
        response = http.client.HTTPResponse(t.cast(socket.socket, octets), method=method)
        try:
            response.begin()
        except http.client.RemoteDisconnected:
            raise ConnectionError("the server closed the connection without a response") from None
        except (http.client.HTTPException, ValueError) as error:
            raise ResponseError(_not_http(error)) from None
        if octets.ended:  # the parser accepts a head that is cut off
            raise ResponseError("its response broke off")
        # 101 would be the last one (RFC 9110 section 7.8), and was not asked for.
        if response.status // 100 != 1 or response.status == 101:
            return response


def _check_length(response: http.client.HTTPResponse) -> None:
    """Check the announced length of the body.

    :raises ResponseError: if the body could be read in more than one way (RFC 9112 section 6.3).
    """
    lengths = {*(response.headers.get_all("content-length") or ())}
    coding = response.headers.get_all("transfer-encoding") or []
    if len(lengths) > 1 or not all(re.fullmatch("[0-9]{1,15}", length) for length in lengths):
        raise ResponseError("its response has a wrong Content-Length")
    if coding and (lengths or [one.strip().lower() for one in coding] != ["chunked"]):
        raise ResponseError("its response has a Transfer-Encoding that cannot be read")


def _fields(response: http.client.HTTPResponse) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, folded in response.getheaders():
        known, value = found.get(name.lower()), _FOLD.sub(" ", folded)
        found[name.lower()] = value if known is None else f"{known}, {value}"
    return found


def _words(value: str) -> set[str]:
    """Return the words of a list, in lower case (RFC 9110 section 5.6.1)."""
    return {word.strip().lower() for word in value.split(",")}


def _inflated(body: bytes, most: int) -> bytes:
    """Return the content of a body in gzip, which a proxy may make of it although no request of
    ours allows that.

    :return: The body as it is, if it cannot be read to its end, or is longer than *most*.
    """
    reader = zlib.decompressobj(wbits=31)
    try:
        found = reader.decompress(body, most + 1)
    except zlib.error:
        return body
    whole = reader.eof and not reader.unused_data and len(found) <= most
    return found if whole else body


def _not_http(error: Exception) -> str:
    return f"its response is not HTTP, or broke off ({type(error).__name__})"


def final_begins(early: bytes) -> tuple[bool, bytes]:
    """Look at what a server has sent before it was given the whole request.

    :return: Whether a final response has begun, and the octets without complete interim answers.
    """
    while found := _INTERIM.match(early):
        if found[1] == b"101":
            break
        early = early[found.end() :]
    if len(early) < _DECIDED:
        return False, early
    return len(early) > _MAX_HEADS or not _INTERIM_BEGINS.match(early), early
