"""The octets of a request (RFC 9112 sections 3, 5 and 6)."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from ...secret import Secret

# https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2, and section 5.5 without octets above 127
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[ -~]*")


class Request:
    """One request, which can be written more than once if its body can be read more than once.

    .. code-block:: python

        Request(
            "POST",
            url.split("https://api.example.com/mail"),
            headers={"Authorization": Secret("Bearer ...")},
            body=b"{}",
        )

    :param url: As :func:`.url.split` returns it.
    :param headers: Besides Host and Content-Length, which are added.
    :param body: The octets, or pieces of them.
    :param size: The number of octets, if *body* comes in pieces.
    :raises ValueError: if a header or the size is wrong.
    """

    def __init__(
        self,
        method: str,
        url: urllib.parse.SplitResult,
        *,
        headers: Mapping[str, str | Secret],
        body: bytes | Secret | Iterable[bytes] = b"",
        size: int | None = None,
    ) -> None:
        self.method = method
        self.url = url
        if isinstance(body, bytes | Secret):
            self._body: Iterable[bytes | Secret] = [body]
            size = len(Secret(body).octets())
        else:
            self._body = body
        if size is None:
            raise ValueError("a body that comes in pieces needs a size")
        self._size = size
        self.secrets: tuple[Secret, ...] = tuple(_secrets(headers))
        """What must not be shown if the server repeats it."""
        self.head: Secret = _head(method, url, headers, size)

    def pieces(self) -> Iterator[bytes | Secret]:
        """Yield the pieces of the body.

        If it were longer than its size, the server would have the whole request before we know.

        :raises ValueError: if the body does not have its size.
        """
        left = self._size
        for piece in self._body:
            left -= len(piece.octets() if isinstance(piece, Secret) else piece)
            if left < 0:
                break
            yield piece
        if left:
            raise ValueError(f"the body does not have the {self._size} octets that were announced")

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url.hostname} {self._size} octets>"


def _secrets(headers: Mapping[str, str | Secret]) -> Iterator[Secret]:
    """Yield the secret values, without a scheme such as Bearer."""
    for value in headers.values():
        if isinstance(value, Secret):
            yield Secret(value.octets().rpartition(b" ")[2])


def _head(
    method: str,
    url: urllib.parse.SplitResult,
    headers: Mapping[str, str | Secret],
    size: int,
) -> Secret:
    """Return the request line and the header fields."""
    # Not by urlunsplit: since Python 3.13, it writes a path that begins with // as ////.
    target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    fields: dict[str, str | Secret] = {"Accept-Encoding": "identity"}
    if size or method not in ("GET", "HEAD", "DELETE"):
        fields["Content-Length"] = str(size)
    fields |= {**headers, "Host": url.netloc}
    for name, value in fields.items():  # all of them before a local variable holds a secret
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(Secret(value).octets()):
            raise ValueError(f"the header {name!r} has characters that a request cannot have")
    lines = [b"%s: %s" % (name.encode(), Secret(value).octets()) for name, value in fields.items()]
    return Secret(b"\r\n".join([f"{method} {target} HTTP/1.1".encode(), *lines, b"", b""]))
